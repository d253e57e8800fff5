"""Connects the metrics APIs to what they measure: nodes and request meters.

metrics-server is asked only for autoscalers that scale by a resource, so it works while there is one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from kubesim.api.autoscalingv2 import HorizontalPodAutoscaler
from kubesim.cluster.node import NodeAssembly
from kubesim.controlplane.client import Client
from kubesim.controlplane.metrics import (
    ContainerReading,
    MetricsServer,
    RequestMetricsAdapter,
    RESTMetricsClient,
    SteadyMetrics,
)
from kubesim.node.cri.messages import ContainerState
from kubesim.sim import Sim, Ticks
from kubesim.world.traffic import Meters

RESOURCE_METRICS = ("Resource", "ContainerResource")


class _NodeStats:
    """A node's kubelet, answered by its runtime's statistics."""

    def __init__(self, sim: Sim, assembly: NodeAssembly) -> None:
        self._sim = sim
        self._assembly = assembly
        self.name = assembly.config.name

    def activity(self) -> object:
        machine = self._assembly.machine
        return (machine, machine.changes) if machine.pods_rest else object()

    def readings(self) -> Iterable[ContainerReading]:
        runtime = self._assembly.containerd
        for sandbox in runtime.list_pod_sandbox_stats():
            uid = sandbox.metadata.uid
            started = {
                status.id: status.started_at
                for status in runtime.list_containers(uid)
                if status.state is ContainerState.RUNNING
            }
            for stats in sandbox.containers:
                yield ContainerReading(
                    pod_uid=uid,
                    container=stats.name,
                    attempt=stats.attempt,
                    started_ns=self._sim.start_time_ns + started.get(stats.id, self._sim.now),
                    cpu_ns=stats.cpu.usage_core_nano_seconds,
                    memory_bytes=stats.memory.working_set_bytes,
                )


class MetricsPipeline:
    """metrics-server and the request metrics adapter.

    Args:
        sim: The run.
        client: Makes a component's connection to the API server, by its name.
        nodes: The nodes, by name.
        meters: Where requests are counted.
        ticks: Where periodic work is planned.
        at_work: Whether metrics-server reads from the beginning.
    """

    def __init__(
        self,
        sim: Sim,
        *,
        client: Callable[[str], Client],
        nodes: Callable[[], Mapping[str, NodeAssembly]],
        meters: Meters,
        ticks: Ticks,
        at_work: bool = False,
    ) -> None:
        def kubelets() -> Sequence[_NodeStats]:
            return [_NodeStats(sim, assembly) for assembly in nodes().values()]

        self.server = MetricsServer(
            sim, client=client("metrics-server"), kubelets=kubelets, ticks=ticks
        )
        if at_work:
            self.server.want("the beginning")
        self.adapter = RequestMetricsAdapter(sim, client=client("metrics-adapter"), meters=meters)

        self._external: SteadyMetrics = self.adapter

    @property
    def client(self) -> RESTMetricsClient:
        """A client of all three APIs."""
        return RESTMetricsClient(
            resource=self.server, custom=self.adapter, external=self._external
        )

    def steady(self, hpa: HorizontalPodAutoscaler) -> object | None:
        """What an autoscaler's metrics say, equal while they do; ``None`` if time may change it."""
        said: list[object] = []
        for metric in hpa.spec.metrics:
            external = metric.external
            if metric.type in RESOURCE_METRICS:
                said.append(self.server.version)
            elif external is not None:
                identity = external.metric
                found = self._external.steady(hpa.namespace, identity.name, identity.selector)
                if found is None:
                    return None
                said.append(found)
            else:
                return None
        return tuple(said)

    def answer_with(self, external: SteadyMetrics) -> None:
        """Let somebody else answer for external metrics."""
        self._external = external

    def follow(self, client: Client) -> None:
        """Work for the autoscalers that appear."""
        client.informer(HorizontalPodAutoscaler).add_handler(self._autoscaler_changed)

    def _autoscaler_changed(
        self, old: HorizontalPodAutoscaler | None, new: HorizontalPodAutoscaler | None
    ) -> None:
        changed = new or old
        assert changed is not None
        if new is not None and any(m.type not in RESOURCE_METRICS for m in new.spec.metrics):
            self.adapter.want()
        if new is not None and any(m.type in RESOURCE_METRICS for m in new.spec.metrics):
            self.server.want(changed.key)
        else:
            self.server.release(changed.key)
