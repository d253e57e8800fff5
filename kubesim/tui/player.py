"""The player: a live run, the transport and what became of it, without a screen.

The app calls ``tick`` twenty times a second; everything that moves time is in here, so that it can be
tried without a terminal and with a clock of one's own.
"""

from __future__ import annotations

from collections.abc import Callable

from kubesim.scenario import LiveRun
from kubesim.sim.time import SECOND
from kubesim.telemetry import Run
from kubesim.tui.scene import Scene
from kubesim.tui.transport import Meter, Motion, Pacer, Transport


class Player:
    """Lets a live run's time pass as the transport says.

    Args:
        live: The run.
        transport: How time moves at first.
        clock: Real seconds.
    """

    def __init__(self, live: LiveRun, *, transport: Transport, clock: Callable[[], float]) -> None:
        self.scene = Scene(live)
        self.transport = transport
        self.outcome: Run | None = None
        self.meter = Meter()
        self._live = live
        self._clock = clock
        self._pacer = Pacer(live, clock=clock)
        self._ticked_s = clock()
        self._stirs_before = 0

    def tick(self) -> bool:
        """Let a tick's worth of time pass; returns whether the run ended in it."""
        now_s = self._clock()
        elapsed_s, self._ticked_s = now_s - self._ticked_s, now_s
        if self.transport.moving and self.outcome is None:
            self._move(elapsed_s)
        scene = self.scene
        scene.follow()
        self.meter.sample(now_s, scene.now_ns, scene.events_processed)
        if self._live.over and self.outcome is None:
            self.outcome = self._live.finish()
            self.transport = self.transport.paused()
            return True
        return False

    def step(self, seconds: int) -> None:
        """Go so many virtual seconds ahead and pause there."""
        self.run_to(self.scene.now_ns + seconds * SECOND)

    def run_to(self, at_ns: int) -> None:
        """Go to an instant and pause there."""
        self.transport = self.transport.rushing_to(at_ns)

    def seek(self) -> None:
        """Go to the next thing that happens in the cluster and pause there."""
        self._stirs_before = self.scene.stirs
        self.transport = self.transport.seeking()

    def _move(self, elapsed_s: float) -> None:
        scene, transport = self.scene, self.transport
        if transport.motion is Motion.SEEKING:
            arrived = self._pacer.seek(lambda: scene.next_event_ns, self._stirred)
        else:
            target_ns = transport.target_ns(scene.now_ns, elapsed_s, scene.end_ns)
            arrived = self._pacer.advance(target_ns) and transport.motion is Motion.RUSHING
        if arrived:
            self.transport = transport.paused()

    def _stirred(self) -> bool:
        self.scene.follow()
        return self.scene.stirs > self._stirs_before or self._live.over
