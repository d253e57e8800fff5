"""``kubectl drain``: cordon a node, then evict its pods.

All pods are evicted at the same time. An eviction that a disruption budget refuses (429) is asked
for again after five seconds, for as long as the drain may take; the pods that a drain cannot take
away without losing something are the reason why it does not begin at all, unless it was told so.

Mirrors: staging/src/k8s.io/kubectl/pkg/drain (drain.go, filters.go), pkg/cmd/drain.
Departs: no warnings on a terminal; a refusal is a fact of the run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from kubesim.api.corev1 import Node, Pod
from kubesim.api.metav1 import controller_of
from kubesim.api.podutil import is_pod_terminal
from kubesim.controlplane.client import Client, NotFound, StatusError, TooManyRequests
from kubesim.sim import Sim, SimProcess
from kubesim.sim.time import SECOND

RETRY_NS = 5 * SECOND

Refused = Callable[[Pod, StatusError], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class DrainOptions:
    """The flags of ``kubectl drain``; by default those that a person ends up with.

    Attributes:
        ignore_daemon_sets: Leave pods of DaemonSets alone instead of refusing to drain.
        delete_empty_dir_data: Take away pods whose ``emptyDir`` volumes are lost with them.
        force: Take away pods that no controller replaces.
        grace_period_seconds: The grace period to use instead of the pods' own.
        timeout_ns: When to give up; ``None`` for never.
        disable_eviction: Delete instead of evicting: no budget is asked.
    """

    ignore_daemon_sets: bool = True
    delete_empty_dir_data: bool = True
    force: bool = True
    grace_period_seconds: int | None = None
    timeout_ns: int | None = None
    disable_eviction: bool = False


DEFAULT_DRAIN = DrainOptions()


def pods_to_evict(pods: Iterable[Pod], options: DrainOptions) -> tuple[list[Pod], list[str]]:
    """The pods of a node that have to go, and why the drain cannot begin, if it cannot."""
    chosen: list[Pod] = []
    problems: dict[str, list[str]] = {}
    for pod in pods:
        problem = _problem(pod, options)
        if problem is None:
            continue
        if problem:
            problems.setdefault(problem, []).append(pod.key)
        else:
            chosen.append(pod)
    return chosen, [f"{why}: {', '.join(names)}" for why, names in problems.items()]


def _problem(pod: Pod, options: DrainOptions) -> str | None:
    """Why a pod must not be taken away; empty when it may; ``None`` when it can stay."""
    owner = controller_of(pod)
    over = is_pod_terminal(pod)
    if owner is not None and owner.kind == "Node":
        return None  # a mirror pod: its node runs it from a file
    if owner is not None and owner.kind == "DaemonSet" and not over:
        refusal = "cannot delete DaemonSet-managed Pods (use --ignore-daemonsets to ignore)"
        return None if options.ignore_daemon_sets else refusal
    local = any(volume.empty_dir is not None for volume in pod.spec.volumes)
    if local and not over and not options.delete_empty_dir_data:
        return "cannot delete Pods with local storage (use --delete-emptydir-data to override)"
    if owner is None and not over and not options.force:
        return "cannot delete Pods that declare no controller (use --force to override)"
    return ""


def evict(
    sim: Sim, *, client: Client, pod: Pod, options: DrainOptions, refused: Refused
) -> SimProcess[None]:
    """Evict a pod, again and again while its budget refuses."""
    give_up_ns = None if options.timeout_ns is None else sim.now + options.timeout_ns
    while True:
        try:
            yield from _ask(client, pod, options)
            break
        except NotFound:
            return
        except StatusError as error:
            refused(pod, error)
            if not isinstance(error, TooManyRequests):
                return
        if give_up_ns is not None and sim.now + RETRY_NS > give_up_ns:
            return
        yield sim.timeout(RETRY_NS)


def _ask(client: Client, pod: Pod, options: DrainOptions) -> SimProcess[None]:
    grace = options.grace_period_seconds
    if options.disable_eviction:
        yield from client.delete(Pod, pod.key, grace_period_seconds=grace, uid=pod.uid)
    else:
        yield from client.evict(pod.key, grace_period_seconds=grace)


def cordoned(node: Node) -> Node:
    """The node as one that takes no more pods."""
    return node.replace(spec=node.spec.replace(unschedulable=True))
