"""``kubesim play``: the TUI."""

from __future__ import annotations

from kubesim.cli.running import parse_until
from kubesim.cli.wallclock import WALL_CLOCK
from kubesim.errors import EXIT_EXPECTATION_FAILED, EXIT_PASSED
from kubesim.scenario import LiveRun, Scenario


def play_command(
    name: str, *, seed: int | None, until: str | None, preset: str | None, speed: float
) -> int:
    """Play a scenario; returns the exit code."""
    from kubesim.tui.app import play  # noqa: PLC0415  # textual is heavy

    scenario = Scenario.load(name, preset=preset)
    live = LiveRun(scenario, seed=seed, until_ns=parse_until(until), clock=WALL_CLOCK)
    run = play(live, speed=speed)
    if run is None:
        return EXIT_PASSED
    return EXIT_PASSED if run.passed else EXIT_EXPECTATION_FAILED
