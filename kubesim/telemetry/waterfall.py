"""A pod's start as a waterfall: every phase with its beginning and end, and which of them it waited for.

The spans are what the components said they did for the pod (``StartupPhaseEnded``), with the CRI
calls, the image layers and the wait for kube-proxy under them. The critical path is walked back from
the end: of all that ended before a moment, what ended last is what was waited for. What is not on it
could have been faster without the pod being ready any sooner.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from kubesim import facts
from kubesim.sim import Fact
from kubesim.telemetry.startup import PHASES

CALL, LAYER = "call", "layer"
HOLDS = {"start": ("module",)}
"""Phases that others are a part of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One piece of work.

    Attributes:
        name: The phase, the CRI method, or ``download`` and ``unpack`` of a layer.
        detail: The container, the image or the layer's digest.
        kind: ``phase``, ``call`` or ``layer``.
        began_ns: When it began.
        ended_ns: When it ended.
        critical: The pod waited for it.
    """

    name: str
    detail: str
    kind: str
    began_ns: int
    ended_ns: int
    critical: bool = False

    @property
    def took_ns(self) -> int:
        """Its duration."""
        return self.ended_ns - self.began_ns


@dataclass(frozen=True, slots=True, kw_only=True)
class Waterfall:
    """One pod's start.

    Attributes:
        namespace: The pod's namespace.
        name: The pod's name.
        uid: The pod's UID.
        node: Its node; empty when it never had one.
        created_ns: When it was stored.
        ready_ns: When it was first Ready; ``None`` when it never was.
        bars: Its phases with what lies under them, by their beginning.
    """

    namespace: str
    name: str
    uid: str
    node: str
    created_ns: int
    ready_ns: int | None
    bars: tuple[Bar, ...]

    @property
    def began_ns(self) -> int:
        """The first thing that was done for it."""
        return min([self.created_ns, *(bar.began_ns for bar in self.bars)])

    @property
    def ended_ns(self) -> int:
        """The last thing that was done for it."""
        return max([self.ready_ns or self.created_ns, *(bar.ended_ns for bar in self.bars)])


def waterfalls(journal: Iterable[tuple[int, Fact]]) -> list[Waterfall]:
    """The starts of all pods of a run, in the order of their creation."""
    collector = _Collector()
    for at_ns, fact in journal:
        collector.take(at_ns, fact)
    return [found for uid in collector.pods if (found := collector.waterfall(uid)) is not None]


def critical(bars: Iterable[Bar], end_ns: int) -> set[Bar]:
    """The work that was waited for, walked back from ``end_ns``; one bar at any moment."""
    by_end = sorted(
        (bar for bar in bars if bar.ended_ns <= end_ns and bar.took_ns > 0),
        key=lambda bar: (bar.ended_ns, bar.began_ns),
    )
    path: set[Bar] = set()
    cursor_ns = end_ns
    while by_end:
        bar = by_end.pop()
        if bar.ended_ns <= cursor_ns:
            path.add(bar)
            cursor_ns = bar.began_ns
    return path


class _Pod:
    """What is collected of a pod."""

    def __init__(self, namespace: str, name: str) -> None:
        self.namespace, self.name = namespace, name
        self.node = ""
        self.created_ns: int | None = None
        self.ready_ns: int | None = None
        self.programmed_ns: int | None = None
        self.phases: list[Bar] = []
        self.calls: list[Bar] = []


class _Collector:
    """Reads the facts once."""

    def __init__(self) -> None:
        self.pods: dict[str, _Pod] = {}
        self._layers: dict[tuple[str, str], list[Bar]] = {}

    def take(self, at_ns: int, fact: Fact) -> None:
        """Take one fact."""
        match fact:
            case facts.StartupPhaseEnded():
                pod = self._pod(fact.uid, fact.namespace, fact.name)
                pod.phases.append(_bar("phase", fact.phase, fact.container, fact.began_ns, at_ns))
                if fact.phase == "status" and pod.ready_ns is None:
                    pod.ready_ns = at_ns
            case facts.ObjectWritten(kind="Pod", verb="create"):
                self._pod(fact.uid, fact.namespace, fact.name).created_ns = at_ns
            case facts.PodBound():
                self._pod(fact.uid, fact.namespace, fact.name).node = fact.node
            case facts.CriCalled() if fact.pod_uid in self.pods:
                call = _bar(CALL, fact.method, fact.subject, fact.began_ns, at_ns)
                self.pods[fact.pod_uid].calls.append(call)
            case facts.LayerPulled():
                self._layer("download", fact, at_ns)
            case facts.LayerUnpacked():
                self._layer("unpack", fact, at_ns)
            case facts.EndpointProgrammed() if fact.pod_uid in self.pods:
                pod = self.pods[fact.pod_uid]
                pod.programmed_ns = pod.programmed_ns or at_ns

    def waterfall(self, uid: str) -> Waterfall | None:
        """What a pod's start was; ``None`` for a pod that was there before the run."""
        pod = self.pods[uid]
        if pod.created_ns is None:
            return None
        phases = list(pod.phases)
        if pod.ready_ns is not None:
            phases = [bar for bar in phases if bar.ended_ns <= pod.ready_ns]
            if pod.programmed_ns is not None and pod.programmed_ns >= pod.ready_ns:
                phases.append(_bar("phase", "endpoints", "", pod.ready_ns, pod.programmed_ns))
        end_ns = max((bar.ended_ns for bar in phases), default=pod.created_ns)
        whole = _bar("phase", "", "", pod.created_ns, end_ns)
        calls = [call for call in pod.calls if _within(call, whole)]
        layers = [
            layer for bar in phases if bar.name == "pull" for layer in self._pulled(pod, bar)
        ]
        path = critical(_leaves(phases), end_ns)
        waited = critical(layers, max((bar.ended_ns for bar in layers), default=0))
        return Waterfall(
            namespace=pod.namespace,
            name=pod.name,
            uid=uid,
            node=pod.node,
            created_ns=pod.created_ns,
            ready_ns=pod.ready_ns,
            bars=tuple(
                replace(bar, critical=True)
                if bar in path or bar in waited or _holds_critical(bar, path)
                else bar
                for bar in sorted([*phases, *calls, *layers], key=_order)
            ),
        )

    def _layer(self, work: str, fact: facts.LayerPulled | facts.LayerUnpacked, at_ns: int) -> None:
        digest = fact.digest.removeprefix("sha256:")[:12]
        bar = _bar(LAYER, work, digest, fact.began_ns, at_ns)
        self._layers.setdefault((fact.node, fact.image), []).append(bar)

    def _pod(self, uid: str, namespace: str, name: str) -> _Pod:
        return self.pods.setdefault(uid, _Pod(namespace, name))

    def _pulled(self, pod: _Pod, pull: Bar) -> Iterator[Bar]:
        """The layers that a pull phase waited for; somebody else may have begun them earlier."""
        images = {call.detail for call in pod.calls if call.name == "PullImage"}
        for image in sorted(images):
            for layer in self._layers.get((pod.node, image), ()):
                if pull.began_ns < layer.ended_ns <= pull.ended_ns and layer.took_ns > 0:
                    yield layer


def _bar(kind: str, name: str, detail: str, began_ns: int, ended_ns: int) -> Bar:
    return Bar(name=name, detail=detail, kind=kind, began_ns=began_ns, ended_ns=ended_ns)


def _within(inner: Bar, outer: Bar) -> bool:
    return outer.began_ns <= inner.began_ns and inner.ended_ns <= outer.ended_ns


def _leaves(bars: list[Bar]) -> list[Bar]:
    """The bars without those that others are a part of."""

    def parts(bar: Bar) -> Iterator[Bar]:
        names = HOLDS.get(bar.name, ())
        return (o for o in bars if o.name in names and o.took_ns > 0 and _within(o, bar))

    return [bar for bar in bars if not any(parts(bar))]


def _holds_critical(bar: Bar, path: set[Bar]) -> bool:
    parts = HOLDS.get(bar.name, ())
    return any(step.name in parts and _within(step, bar) for step in path)


def _order(bar: Bar) -> tuple[int, int, int]:
    """By beginning; the longer one, which holds the others, first; a phase before its calls."""
    phases = list(PHASES)
    rank = phases.index(bar.name) if bar.name in phases else len(phases)
    return bar.began_ns, -bar.ended_ns, rank
