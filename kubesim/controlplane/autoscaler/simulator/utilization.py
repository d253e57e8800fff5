"""How full a node is, by what its pods ask for.

Mirrors: kubernetes/autoscaler cluster-autoscaler/simulator/utilization/info.go.
Departs: a node with a GPU is one that has ``nvidia.com/gpu`` or ``amd.com/gpu``, not one with a cloud's
label; claims of dynamic resources do not count.
"""

from __future__ import annotations

from fractions import Fraction

from kubesim.api.corev1 import Pod
from kubesim.api.metav1 import controller_of
from kubesim.api.podutil import pod_requests
from kubesim.controlplane.autoscaler.simulator.drainability import MIRROR, terminating_too_long
from kubesim.controlplane.scheduler.framework.nodeinfo import NodeInfo
from kubesim.controlplane.scheduler.framework.podinfo import PodInfo

GPUS = ("nvidia.com/gpu", "amd.com/gpu")


def utilization(
    node: NodeInfo,
    now_ns: int,
    *,
    ignore_daemon_sets: bool = False,
    ignore_mirror_pods: bool = False,
) -> Fraction:
    """The larger of the shares of cpu and of memory that are asked for; of GPUs where there are any.

    Args:
        node: The node.
        now_ns: Nanoseconds since the epoch; a pod that should long have ended does not count.
        ignore_daemon_sets: Pods of DaemonSets, and what they ask for, do not count.
        ignore_mirror_pods: The same of pods that the node runs from a file.
    """
    counted: list[PodInfo] = []
    ignored: list[PodInfo] = []
    for info in node.pods:
        if terminating_too_long(info.pod, now_ns):
            continue
        out = (ignore_daemon_sets and _of_daemon_set(info.pod)) or (
            ignore_mirror_pods and MIRROR in info.pod.metadata.annotations
        )
        (ignored if out else counted).append(info)
    name = gpu_of(node)
    if name is not None:
        asked = sum(_gpus(info.pod, name) for info in counted)
        return Fraction(asked, node.node.status.allocatable[name].nanos)
    shares = [
        _share(
            sum(p.signature.requests.milli_cpu for p in counted),
            node.allocatable.milli_cpu - sum(p.signature.requests.milli_cpu for p in ignored),
        ),
        _share(
            sum(p.signature.requests.memory for p in counted),
            node.allocatable.memory - sum(p.signature.requests.memory for p in ignored),
        ),
    ]
    return max(shares)


def gpu_of(node: NodeInfo) -> str | None:
    """The kind of GPU that a node has."""
    allocatable = node.node.status.allocatable
    return next((g for g in GPUS if g in allocatable and allocatable[g].nanos), None)


def _of_daemon_set(pod: Pod) -> bool:
    owner = controller_of(pod)
    return owner is not None and owner.kind == "DaemonSet"


def _gpus(pod: Pod, name: str) -> int:
    requests = pod_requests(pod.spec)
    return requests[name].nanos if name in requests else 0


def _share(requested: int, allocatable: int) -> Fraction:
    return Fraction(requested, allocatable) if allocatable > 0 else Fraction(0)
