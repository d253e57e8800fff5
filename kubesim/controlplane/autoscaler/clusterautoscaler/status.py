"""The ConfigMap ``cluster-autoscaler-status``.

Mirrors: kubernetes/autoscaler cluster-autoscaler/clusterstate/api/types.go.
Departs: without times, so that it is written when something in it changed and not every ten seconds.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from kubesim.api.corev1 import ConfigMap
from kubesim.api.frozenmap import FrozenMap
from kubesim.api.metav1 import ObjectMeta
from kubesim.controlplane.autoscaler.clusterautoscaler.clusterstate import GroupState

STATUS_CONFIG_MAP = ConfigMap(
    metadata=ObjectMeta(name="cluster-autoscaler-status", namespace="kube-system")
)


def status_config_map(
    states: Mapping[str, GroupState],
    unneeded: Collection[str],
    in_backoff: Collection[str],
    *,
    healthy: bool,
) -> ConfigMap:
    """The ConfigMap as it should be."""
    lines = ["autoscalerStatus: Running", "clusterWide:"]
    everything = tuple(states.values())
    growing = any(state.upcoming for state in everything)
    lines += _health("  ", everything, healthy=healthy)
    lines += _activity("  ", "InProgress" if growing else "NoActivity", len(unneeded))
    lines.append("nodeGroups:")
    for name, state in states.items():
        candidates = sum(node in unneeded for node in (*state.ready, *state.unready))
        scale_up = "InProgress" if state.upcoming else "NoActivity"
        lines.append(f"- name: {name}")
        lines += _health("  ", (state,), healthy=healthy)
        lines.append(f"    cloudProviderTarget: {state.target}")
        lines.append(f"    minSize: {state.group.min_size}")
        lines.append(f"    maxSize: {state.group.max_size}")
        lines += _activity("  ", "Backoff" if name in in_backoff else scale_up, candidates)
    return STATUS_CONFIG_MAP.replace(data=FrozenMap({"status": "\n".join(lines) + "\n"}))


def _health(indent: str, states: Collection[GroupState], *, healthy: bool) -> list[str]:
    counts = {
        "total": sum(state.registered for state in states),
        "ready": sum(len(state.ready) for state in states),
        "notStarted": sum(len(state.not_started) for state in states),
        "beingDeleted": sum(len(state.deleted) for state in states),
        "unready": sum(len(state.unready) for state in states),
    }
    return [
        f"{indent}health:",
        f"{indent}  status: {'Healthy' if healthy else 'Unhealthy'}",
        f"{indent}  nodeCounts:",
        f"{indent}    registered:",
        *(f"{indent}      {name}: {count}" for name, count in counts.items()),
        f"{indent}    unregistered: {sum(len(state.unregistered) for state in states)}",
    ]


def _activity(indent: str, scale_up: str, candidates: int) -> list[str]:
    return [
        f"{indent}scaleUp:",
        f"{indent}  status: {scale_up}",
        f"{indent}scaleDown:",
        f"{indent}  status: {'CandidatesPresent' if candidates else 'NoCandidates'}",
        f"{indent}  candidates: {candidates}",
    ]
