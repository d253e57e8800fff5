"""Why a pod could not be placed, and the sentence that says so.

Mirrors: pkg/scheduler/framework/types.go (Diagnosis, FitError).
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from kubesim.controlplane.scheduler.framework.interface import NodeToStatus
from kubesim.controlplane.scheduler.framework.status import Code, Status

NO_NODES_AVAILABLE = "no nodes available to schedule pods"


@dataclass(slots=True, kw_only=True)
class Diagnosis:
    """What stood in the way.

    Attributes:
        node_to_status: Why each node was turned down.
        unschedulable_plugins: The plugins that turned the pod down, in order of appearance.
        pending_plugins: The plugins that want to look at it again later.
        pre_filter_msg: Why no node needed to be looked at.
        post_filter_msg: Why making room did not help.
    """

    node_to_status: NodeToStatus = field(default_factory=NodeToStatus)
    unschedulable_plugins: dict[str, None] = field(default_factory=dict)
    pending_plugins: dict[str, None] = field(default_factory=dict)
    pre_filter_msg: str = ""
    post_filter_msg: str = ""

    def add_plugin_status(self, status: Status) -> None:
        """Note the plugin behind a refusal."""
        if not status.plugin:
            return
        if status.rejected:
            self.unschedulable_plugins[status.plugin] = None
        if status.code is Code.PENDING:
            self.pending_plugins[status.plugin] = None


def fit_error(num_all_nodes: int, diagnosis: Diagnosis) -> str:
    """``0/5 nodes are available: 1 Insufficient cpu, 4 node(s) had untolerated taint(s).``."""
    message = f"0/{num_all_nodes} nodes are available:"
    if diagnosis.pre_filter_msg:
        message += f" {diagnosis.pre_filter_msg}."
    else:
        listed = _histogram(num_all_nodes, diagnosis.node_to_status)
        if listed:
            message += f" {', '.join(listed)}."
    if diagnosis.post_filter_msg:
        message += f" {diagnosis.post_filter_msg}"
    return message


def _histogram(num_all_nodes: int, statuses: NodeToStatus) -> list[str]:
    reasons: Counter[str] = Counter()
    for status, count in statuses.counted():
        for reason in status.reasons:
            reasons[reason] += count
    absent = num_all_nodes - len(statuses)
    if absent > 0:
        for reason in statuses.absent.reasons:
            reasons[reason] += absent
    return sorted(f"{count} {reason}" for reason, count in reasons.items())
