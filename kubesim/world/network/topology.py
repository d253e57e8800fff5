"""Where everything is: nodes in racks in zones, registries and users around a core.

Between two places lies the path of least latency. Its edges delay and its narrow ones are shared: a
transfer moves at its max-min fair rate, goes another way when an edge of its path is cut, and stands
still while there is none. An edge without a bandwidth is as wide as anybody needs.

Names: ``core``, ``zone/NAME``, ``rack/NAME``, ``node/NAME``, ``registry/HOST``, ``users``.

Departs: no queueing delay; both directions of an edge are equal and do not disturb each other.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

import networkx as nx

from kubesim.sim import Event, Sim, SimProcess
from kubesim.world.network.fluid import WHOLE_BYTES, Flow, FluidNetwork, Pipe

CORE = "core"
USERS = "users"


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkConfig:
    """One edge towards the core.

    Attributes:
        latency_ns: One way.
        bandwidth: Bytes a second each way; 0 is as wide as anybody needs.
    """

    latency_ns: int = 0
    bandwidth: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class RackConfig:
    """A rack: its zone, its nodes, and its link."""

    name: str
    zone: str = ""
    nodes: tuple[str, ...] = ()
    link: LinkConfig = LinkConfig()


@dataclass(frozen=True, slots=True, kw_only=True)
class TopologyConfig:
    """What is around the core.

    Attributes:
        node_link: The link of every node to its rack, its zone, or the core.
        zones: Links of zones to the core, by name; nodes of other zones are at the core.
        racks: Racks.
        registries: Links of registries, by host; others are at the core.
        users: The link of the users.
        extra: Further edges between places; without them there is one way only.
    """

    node_link: LinkConfig = LinkConfig()
    zones: tuple[tuple[str, LinkConfig], ...] = ()
    racks: tuple[RackConfig, ...] = ()
    registries: tuple[tuple[str, LinkConfig], ...] = ()
    users: LinkConfig = LinkConfig()
    extra: tuple[tuple[str, str, LinkConfig], ...] = ()


@dataclass(frozen=True, slots=True)
class Path:
    """A way from one place to another."""

    latency_ns: int
    pipes: tuple[Pipe, ...]
    edges: frozenset[frozenset[str]]


class StalledError(Exception):
    """Nothing arrived for too long."""


class Topology:
    """The network of one run.

    Args:
        sim: The run.
        config: What is around the core.
    """

    def __init__(self, sim: Sim, config: TopologyConfig) -> None:
        self._sim = sim
        self._config = config
        self._fluid = FluidNetwork(sim)
        self._graph: nx.Graph[str] = nx.Graph()
        self._graph.add_node(CORE)
        self._parent: dict[str, str] = {}
        self._paths: dict[tuple[str, str], Path | None] = {}
        self._cut: dict[frozenset[str], tuple[str, str]] = {}
        self._under_way: dict[Flow, tuple[frozenset[frozenset[str]], tuple[str, str]]] = {}
        self._changed: Event = sim.event()
        for zone, link in config.zones:
            self._link(f"zone/{zone}", CORE, link)
        for rack in config.racks:
            self._link(f"rack/{rack.name}", self._above(rack.zone), rack.link)
        for host, link in config.registries:
            self._link(f"registry/{host}", CORE, link)
        self._link(USERS, CORE, config.users)
        for place, other, link in config.extra:
            self._join(place, other, link)

    def add_node(self, name: str, zone: str = "") -> None:
        """A node is plugged in; idempotent."""
        if f"node/{name}" in self._graph:
            return
        racks = [rack for rack in self._config.racks if name in rack.nodes]
        above = f"rack/{racks[0].name}" if racks else self._above(zone)
        self._link(f"node/{name}", above, self._config.node_link)
        self._forget_paths()

    def has(self, place: str) -> bool:
        """Whether there is such a place."""
        return place in self._graph

    def edges(self) -> list[tuple[str, str]]:
        """All edges."""
        return list(self._graph.edges)

    def latency_ns(self, source: str, target: str) -> int | None:
        """One way; ``None`` when there is no way."""
        path = self._path(source, target)
        return None if path is None else path.latency_ns

    def cut(self, a: str, b: str) -> None:
        """An edge carries nothing any more."""
        edge = frozenset((a, b))
        assert self._graph.has_edge(a, b), (a, b)
        if edge in self._cut:
            return
        self._cut[edge] = (a, b)
        self._forget_paths()
        for flow, (edges, _) in self._under_way.items():
            if edge in edges and not flow.done.triggered:
                self._fluid.cancel(flow)
                flow.done.succeed()

    def heal(self, a: str, b: str) -> None:
        """It does again."""
        if self._cut.pop(frozenset((a, b)), None) is not None:
            self._forget_paths()
            changed, self._changed = self._changed, self._sim.event()
            changed.succeed()

    def drop(self, place: str) -> None:
        """Nobody sends or receives there any more: what is under way never arrives."""
        for flow, (_, ends) in list(self._under_way.items()):
            if place in ends:
                self._fluid.cancel(flow)
                del self._under_way[flow]

    def isolate(self, place: str) -> None:
        """Cut every edge of a place."""
        for neighbour in list(self._graph.neighbors(place)):
            self.cut(place, neighbour)

    def rejoin(self, place: str) -> None:
        """Heal every edge of a place."""
        for neighbour in list(self._graph.neighbors(place)):
            self.heal(place, neighbour)

    def transfer(
        self, source: str, target: str, size_bytes: int, *, patience_ns: int = 0
    ) -> SimProcess[None]:
        """Move bytes; returns when the last one is there.

        Args:
            source: Where they are.
            target: Where they go.
            size_bytes: How many.
            patience_ns: How long to wait for a way; 0 for ever.

        Raises:
            StalledError: If there was none for so long.
        """
        left = size_bytes
        while left > 0:
            path = yield from self._way(source, target, patience_ns)
            if not path.pipes:
                return
            flow = self._fluid.begin(path.pipes, left)
            self._under_way[flow] = path.edges, (source, target)
            yield flow.done
            del self._under_way[flow]
            left = math.ceil(flow.left) if flow.left > WHOLE_BYTES else 0

    def round_trip(self, source: str, target: str, *, patience_ns: int = 0) -> SimProcess[None]:
        """A question and its answer, as far as the path delays them.

        Raises:
            StalledError: If there was no way for that long.
        """
        path = yield from self._way(source, target, patience_ns)
        if path.latency_ns:
            yield self._sim.timeout(2 * path.latency_ns)

    def _way(self, source: str, target: str, patience_ns: int) -> SimProcess[Path]:
        began_ns = self._sim.now
        while True:
            path = self._path(source, target)
            if path is not None:
                return path
            waits = [self._changed]
            if patience_ns:
                left_ns = began_ns + patience_ns - self._sim.now
                if left_ns <= 0:
                    raise StalledError(f"no way from {source} to {target}")
                waits.append(self._sim.timeout(left_ns))
            yield self._sim.any_of(waits)

    def _path(self, source: str, target: str) -> Path | None:
        key = (source, target)
        if key not in self._paths:
            self._paths[key] = self._find(source, target)
        return self._paths[key]

    def _find(self, source: str, target: str) -> Path | None:
        places = self._places(source, target)
        latency_ns, pipes, edges = 0, [], []
        for here, there in pairwise(places):
            edge = self._graph.edges[here, there]
            latency_ns += edge["latency_ns"]
            edges.append(frozenset((here, there)))
            if edge["pipes"]:
                pipes.append(edge["pipes"][here])
            if edges[-1] in self._cut:
                return None
        return Path(latency_ns, tuple(pipes), frozenset(edges)) if places else None

    def _places(self, source: str, target: str) -> list[str]:
        """The places along the best way; none when there is no way."""
        if not self._config.extra:  # a tree: up from both sides until they meet
            up, down = self._to_core(source), self._to_core(target)
            meet = next(place for place in up if place in down)
            return up[: up.index(meet) + 1] + down[: down.index(meet)][::-1]
        graph = nx.restricted_view(self._graph, [], set(self._cut.values()))
        try:
            return list(nx.shortest_path(graph, source, target, weight=_weight))
        except nx.NetworkXNoPath:
            return []

    def _to_core(self, place: str) -> list[str]:
        places = [place]
        while places[-1] != CORE:
            places.append(self._parent[places[-1]])
        return places

    def _above(self, zone: str) -> str:
        place = f"zone/{zone}"
        return place if zone and place in self._graph else CORE

    def _link(self, place: str, above: str, link: LinkConfig) -> None:
        self._parent[place] = above
        self._join(place, above, link)

    def _join(self, place: str, above: str, link: LinkConfig) -> None:
        pipes = {}
        if link.bandwidth:
            for source, target in ((place, above), (above, place)):
                pipes[source] = Pipe(f"{source} to {target}", link.bandwidth)
        self._graph.add_edge(place, above, latency_ns=link.latency_ns, pipes=pipes)

    def _forget_paths(self) -> None:
        self._paths.clear()


def registry_place(topology: Topology, host: str) -> str:
    """Where a registry is: at its own link, or at the core."""
    place = f"registry/{host}"
    return place if topology.has(place) else CORE


def _weight(_here: str, _there: str, edge: dict[str, int]) -> int:
    # Equal latencies: the way with fewer edges.
    return edge["latency_ns"] * 1000 + 1
