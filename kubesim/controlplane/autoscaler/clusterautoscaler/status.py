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
from kubesim.controlplane.autoscaler.clusterautoscaler.options import Options
from kubesim.controlplane.client import AlreadyExists, Client, StatusError
from kubesim.sim import Sim, SimProcess


class StatusWriter:
    """Keeps the ConfigMap up to date.

    Args:
        sim: The run.
        client: The connection to the API server.
        options: The flags.
    """

    def __init__(self, sim: Sim, *, client: Client, options: Options) -> None:
        self._sim, self._client = sim, client
        self._enabled = options.write_status_configmap
        self._written: ConfigMap | None = None
        self.config_map = ConfigMap(
            metadata=ObjectMeta(name=options.status_config_map_name, namespace=options.namespace)
        )
        """What events about the whole cluster are about."""

    def write(
        self,
        states: Mapping[str, GroupState],
        unneeded: Collection[str],
        in_backoff: Collection[str],
        *,
        healthy: bool,
    ) -> None:
        """Write what changed, if anything did."""
        text = status_text(states, unneeded, in_backoff, healthy=healthy)
        wanted = self.config_map.replace(data=FrozenMap({"status": text}))
        if self._enabled and wanted != self._written:
            first, self._written = self._written is None, wanted
            self._sim.process(self._write(wanted, first=first))

    def _write(self, wanted: ConfigMap, *, first: bool) -> SimProcess[None]:
        try:
            if first:
                try:
                    yield from self._client.create(wanted)
                except AlreadyExists:
                    first = False
            if not first:
                yield from self._client.patch(
                    ConfigMap, wanted.key, lambda old: old.replace(data=wanted.data)
                )
        except StatusError:
            self._written = None  # the next look writes it again


def status_text(
    states: Mapping[str, GroupState],
    unneeded: Collection[str],
    in_backoff: Collection[str],
    *,
    healthy: bool,
) -> str:
    """What the ConfigMap should say."""
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
    return "\n".join(lines) + "\n"


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
