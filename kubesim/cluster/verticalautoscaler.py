"""The VerticalPodAutoscaler in a cluster: its processes, and what the recommender sees of nodes."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from kubesim.cluster.node import NodeAssembly
from kubesim.controlplane.autoscaling.vpa import Recommender, Updater, Usage, VPAConfig
from kubesim.controlplane.client import Client
from kubesim.sim import Sim

VPA_LIMITS = (50.0, 100)  # --kube-api-qps, --kube-api-burst


class NodeActivity:
    """Whether anything happens on the nodes of a cluster.

    Args:
        sim: The run.
        nodes: The nodes, by name.
    """

    def __init__(self, sim: Sim, nodes: Callable[[], Mapping[str, NodeAssembly]]) -> None:
        self._sim = sim
        self._nodes = nodes
        self._round = 0

    @property
    def busy(self) -> bool:
        """Whether anybody computes now."""
        return any(assembly.machine.threads for assembly in self._nodes().values())

    def watch(self, listener: Callable[[], None]) -> None:
        """Call ``listener`` once, just after the next one begins to compute or takes memory."""
        self._round += 1
        number = self._round

        def disturbed() -> None:
            if number == self._round:
                self._round += 1
                self._sim.call_in(0, listener)

        for assembly in self._nodes().values():
            assembly.machine.watch(disturbed)


def start_vertical_autoscaler(
    sim: Sim,
    *,
    client: Callable[[str, tuple[float, int]], Client],
    usage: Usage,
    nodes: Callable[[], Mapping[str, NodeAssembly]],
    config: VPAConfig,
) -> tuple[Recommender, Updater]:
    """Start recommender and updater, each with a client of its own.

    Args:
        sim: The run.
        client: Makes a component's connection to the API server, by its name and rate limit.
        usage: What pods use.
        nodes: The nodes, by name.
        config: Their flags.
    """
    recommender = Recommender(
        sim,
        client=client("vpa-recommender", VPA_LIMITS),
        usage=usage,
        activity=NodeActivity(sim, nodes),
        config=config.recommender,
    )
    updater = Updater(sim, client=client("vpa-updater", VPA_LIMITS), config=config.updater)
    return recommender, updater
