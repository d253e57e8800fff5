"""The player without a screen: what was played is what would have been run."""

from __future__ import annotations

import pytest

from kubesim.scenario import LiveRun, Scenario
from kubesim.sim.time import SECOND, millis
from kubesim.tui.player import Player
from kubesim.tui.transport import MAX_SPEED, Motion, Transport

END = 30 * SECOND


class Clock:
    """Goes on by a twentieth of a second with every tick, and a little with every look."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        self.now_s += 1e-5
        return self.now_s


def play(player: Player, clock: Clock, ticks: int = 100_000) -> None:
    """Tick until the run is over or it pauses."""
    for _ in range(ticks):
        clock.now_s += 0.05
        if player.tick() or not player.transport.moving:
            return


@pytest.fixture(scope="module")
def digest(scenario: Scenario) -> str:
    """What a run that nobody watched has."""
    return scenario.run(seed=7, until=END).digest


@pytest.mark.parametrize("speed", [0.5, 7.3, 100.0, MAX_SPEED])
def test_a_played_run_is_the_run(scenario: Scenario, digest: str, speed: float) -> None:
    """Whatever the speed, the digest is that of a run from beginning to end."""
    clock = Clock()
    player = Player(
        LiveRun(scenario, seed=7, until_ns=END), transport=Transport(speed), clock=clock
    )
    play(player, clock)

    assert player.outcome is not None
    assert digest == player.outcome.digest


def test_a_stepped_run_is_the_run(scenario: Scenario, digest: str) -> None:
    """Steps, seeks, pauses and changes of speed leave no trace in the digest."""
    clock = Clock()
    player = Player(
        LiveRun(scenario, seed=7, until_ns=END), transport=Transport().paused(), clock=clock
    )
    for _ in range(25):
        player.seek()
        play(player, clock)
        player.step(1)
        play(player, clock)
        player.transport = player.transport.toggled().faster()
        play(player, clock, ticks=2)
        player.transport = player.transport.paused()
    player.run_to(END)
    play(player, clock)

    assert player.outcome is not None
    assert digest == player.outcome.digest


@pytest.mark.parametrize("step_ns", [millis(37), millis(333)])
def test_a_played_run_has_the_run_s_verdicts(scenario: Scenario, step_ns: int) -> None:
    """What was expected is judged at the same instants, wherever time was stopped."""
    live = LiveRun(scenario, seed=7, until_ns=END)
    while not live.over:
        live.advance(live.now_ns + step_ns)

    assert scenario.run(seed=7, until=END).expectations == live.finish().expectations


def test_a_step_is_a_second(live: LiveRun) -> None:
    """A step goes exactly one virtual second ahead and pauses there."""
    clock = Clock()
    player = Player(live, transport=Transport().paused(), clock=clock)
    player.step(1)
    play(player, clock)

    assert SECOND == live.now_ns
    assert Motion.PAUSED is player.transport.motion


def test_seeking_stops_at_what_happens_next(live: LiveRun) -> None:
    """Each seek ends at the very instant of a new fact, later than the one before."""
    clock = Clock()
    player = Player(live, transport=Transport().paused(), clock=clock)
    seen = []
    for _ in range(10):
        player.seek()
        play(player, clock)
        seen.append(live.now_ns)
        assert live.now_ns == live.simulation.sim.journal.since(0)[-1].at_ns

    assert sorted(set(seen)) == seen


def test_seeking_passes_over_requests(live: LiveRun) -> None:
    """In the middle of traffic the next thing is the scenario's step, not the next request."""
    clock = Clock()
    player = Player(live, transport=Transport().paused(), clock=clock)
    player.run_to(40 * SECOND)
    play(player, clock)
    player.seek()
    play(player, clock)

    assert 60 * SECOND == live.now_ns


def test_a_player_at_rest_lets_no_time_pass(live: LiveRun) -> None:
    """While paused, ticks change nothing."""
    clock = Clock()
    player = Player(live, transport=Transport().paused(), clock=clock)
    for _ in range(5):
        clock.now_s += 0.05
        player.tick()

    assert 0 == live.now_ns


def test_playing_goes_with_the_real_clock(live: LiveRun) -> None:
    """Twenty ticks at 1x are about one virtual second."""
    clock = Clock()
    player = Player(live, transport=Transport(1.0), clock=clock)
    play(player, clock, ticks=20)

    assert abs(live.now_ns - SECOND) < millis(60)
