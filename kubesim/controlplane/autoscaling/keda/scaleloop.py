"""Scale loops: every object is looked at when its loop begins, and once in its polling interval.

A loop is that of one object in one version; a new version begins a new one. A turn that would change
nothing is passed over, as if it had taken place: its triggers say what they said, nothing was written,
and time alone changes neither.

Mirrors: kedacore/keda@8b4f083 pkg/scaling/scale_handler.go (HandleScalableObject, startScaleLoop).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from kubesim.api.kedav1alpha1 import ScaledJob, ScaledObject
from kubesim.controlplane.autoscaling.keda.activation import DEFAULT_POLLING_S
from kubesim.controlplane.autoscaling.keda.scaler import Reading, ScalerError
from kubesim.controlplane.client import Client
from kubesim.sim import Sim, SimProcess, Ticks
from kubesim.sim.time import SECOND

K = TypeVar("K", ScaledObject, ScaledJob)

Outlook = tuple[tuple[Reading, ...], int]
"""What triggers say, and until when (wall clock) if nothing happens."""


@dataclass(frozen=True, slots=True)
class Quiet:
    """A turn that changed nothing, and that time alone will not make change anything.

    Attributes:
        requests: How many requests it made.
    """

    requests: int


class Looker(Protocol[K]):
    """Who looks at objects of a kind."""

    def get(self, key: str) -> K | None:
        """The object as last heard of."""
        ...

    def look(self, scaled: K) -> SimProcess[Quiet | None]:
        """Look at its triggers and do what follows; whether that was nothing."""
        ...

    def seen(self, scaled: K) -> object:
        """What a look depends on beside the triggers; equal as long as nothing of it has changed."""
        ...

    def outlook(self, scaled: K) -> Outlook | None:
        """What the triggers say; ``None`` where one fails."""
        ...


@dataclass(frozen=True, slots=True)
class _Loop:
    """One scale loop: of which object, in which version."""

    uid: str
    spec: object


@dataclass(frozen=True, slots=True)
class _Rest:
    """What a quiet turn saw."""

    quiet: Quiet
    seen: object
    readings: tuple[Reading, ...]


class ScaleLoops(Generic[K]):
    """The scale loops of all objects of a kind.

    Args:
        sim: The run.
        client: Their connection to the API server.
        ticks: Where turns are planned.
        looker: Who looks.
    """

    def __init__(self, sim: Sim, *, client: Client, ticks: Ticks, looker: Looker[K]) -> None:
        self._sim = sim
        self._client = client
        self._ticks = ticks
        self._looker: Looker[K] = looker
        self._loops: dict[str, _Loop] = {}
        self._rests: dict[str, _Rest] = {}

    def __contains__(self, key: str) -> bool:
        return key in self._loops

    def begin(self, scaled: K, *, anew: bool) -> None:
        """Begin a loop, unless one of this version runs and none is wanted anew."""
        loop = _Loop(scaled.uid, scaled.spec)
        if anew or self._loops.get(scaled.key) != loop:
            self._loops[scaled.key] = loop
            self._rests.pop(scaled.key, None)
            self._sim.process(self._turn(scaled.key, loop))

    def stop(self, key: str) -> bool:
        """End a loop; whether there was one."""
        self._rests.pop(key, None)
        return self._loops.pop(key, None) is not None

    def disturb(self, key: str) -> None:
        """Something was done outside of the turns: the next one has to take place."""
        self._rests.pop(key, None)

    def run(self, key: str, loop: _Loop) -> None:
        """A turn is due."""
        self._sim.process(self._turn(key, loop))

    def pass_over(self, key: str, loop: _Loop, at_ns: int, before_ns: int) -> int | None:
        """Whether a turn would change nothing; see ``Tick.skip``."""
        rest, scaled = self._rests.get(key), self._looker.get(key)
        if self._loops.get(key) is not loop or rest is None or scaled is None:
            return None
        if rest.seen != self._looker.seen(scaled):
            return None
        outlook = self._looker.outlook(scaled)
        if outlook is None or outlook[0] != rest.readings:
            return None
        before_ns = min(before_ns, outlook[1] - self._sim.start_time_ns)
        end_ns = self._client.pass_requests(at_ns, rest.quiet.requests, before_ns)
        return None if end_ns is None else max(end_ns, at_ns + _interval_ns(scaled))

    def _turn(self, key: str, loop: _Loop) -> SimProcess[None]:
        scaled = self._looker.get(key)
        if self._loops.get(key) is not loop or scaled is None or scaled.uid != loop.uid:
            return
        next_ns = self._sim.now + _interval_ns(scaled)
        self._rests.pop(key, None)
        seen, outlook = self._looker.seen(scaled), self._outlook(scaled)
        quiet = yield from self._looker.look(scaled)
        unchanged = seen == self._looker.seen(scaled) and outlook == self._outlook(scaled)
        if quiet is not None and outlook is not None and unchanged:
            self._rests[key] = _Rest(quiet, seen, outlook[0])
        self._ticks.add(max(0, next_ns - self._sim.now), _Poll(self, key, loop))

    def _outlook(self, scaled: K) -> Outlook | None:
        try:
            return self._looker.outlook(scaled)
        except ScalerError:
            return None


def _interval_ns(scaled: ScaledObject | ScaledJob) -> int:
    return (scaled.spec.polling_interval or DEFAULT_POLLING_S) * SECOND


@dataclass(frozen=True, slots=True, eq=False)
class _Poll:
    """A turn that is due."""

    loops: ScaleLoops[ScaledObject] | ScaleLoops[ScaledJob]
    key: str
    loop: _Loop

    def run(self) -> None:
        self.loops.run(self.key, self.loop)

    def skip(self, at_ns: int, before_ns: int) -> int | None:
        return self.loops.pass_over(self.key, self.loop, at_ns, before_ns)
