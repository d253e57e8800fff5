"""A live run to look at, a clock that moves by itself, and waiting for what a screen will show."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest
from textual.pilot import Pilot

from kubesim.scenario import LiveRun, Scenario
from kubesim.sim.time import seconds
from kubesim.tui.app import PlayApp
from kubesim.tui.scene import Scene

Wait = Callable[[Pilot[None], Callable[[], bool]], Awaitable[None]]


class StepClock:
    """Shows a millisecond more each time it is looked at: no test depends on this machine."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        self.now_s += 0.001
        return self.now_s


@pytest.fixture(scope="session")
def scenario() -> Scenario:
    return Scenario.load("mixed-pool")


@pytest.fixture
def live(scenario: Scenario) -> LiveRun:
    return LiveRun(scenario, seed=7)


@pytest.fixture
def scene_at(live: LiveRun) -> Callable[[float], Scene]:
    """A scene of mixed-pool after so many virtual seconds."""

    def make(at_s: float) -> Scene:
        live.advance(seconds(at_s))
        return Scene(live)

    return make


@pytest.fixture
def clock() -> StepClock:
    return StepClock()


@pytest.fixture
def app(live: LiveRun, clock: StepClock) -> PlayApp:
    """The app in front of mixed-pool, paused at the beginning."""
    return PlayApp(live, playing=False, clock=clock)


@pytest.fixture
def wait() -> Wait:
    """Let the app work until something is so."""

    async def until(pilot: Pilot[None], condition: Callable[[], bool]) -> None:
        for _ in range(600):
            if condition():
                await pilot.pause()
                return
            await pilot.pause(0.05)
        raise AssertionError("it did not come true")

    return until
