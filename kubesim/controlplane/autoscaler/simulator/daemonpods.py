"""The DaemonSet pods that a new node would get.

Mirrors: kubernetes/autoscaler cluster-autoscaler/utils/daemonset (GetDaemonSetPodsForNode).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from kubesim.api.appsv1 import DaemonSet
from kubesim.api.corev1 import Node, Pod, Taint
from kubesim.api.labels import required_node_affinity_matches
from kubesim.api.metav1 import ObjectMeta, OwnerReference
from kubesim.api.taints import find_matching_untolerated_taint


def daemon_pods(sets: Iterable[DaemonSet], node: Node) -> Iterator[Pod]:
    """One pod of each DaemonSet that would have one there."""
    for daemon_set in sets:
        spec = daemon_set.spec.template.spec
        if not required_node_affinity_matches(spec, node):
            continue
        if find_matching_untolerated_taint(node.spec.taints, spec.tolerations, _keeps_off):
            continue
        owner = OwnerReference(
            api_version="apps/v1",
            kind="DaemonSet",
            name=daemon_set.name,
            uid=daemon_set.uid,
            controller=True,
        )
        yield Pod(
            metadata=ObjectMeta(
                name=f"{daemon_set.name}-{node.name}",
                namespace=daemon_set.namespace,
                uid=f"{daemon_set.uid}/{node.name}",
                labels=daemon_set.spec.template.metadata.labels,
                owner_references=(owner,),
            ),
            spec=spec,
        )


def _keeps_off(taint: Taint) -> bool:
    return taint.effect in ("NoSchedule", "NoExecute")
