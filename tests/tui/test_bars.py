"""Header, ticker and key hints."""

from __future__ import annotations

from dataclasses import replace

import pytest

from kubesim.scenario import Scenario
from kubesim.sim.time import SECOND
from kubesim.tui.bars import Status, header_lines, hints_line, state_line, ticker_line
from kubesim.tui.ink import plain, width_of
from kubesim.tui.keys import HINTS, KEYS
from kubesim.tui.scene import Happening, Ref
from kubesim.tui.transport import MAX_SPEED, Transport

STATUS = Status(
    scenario="mixed-pool",
    seed=7,
    preset="seed",
    now_ns=12_350_000_000,
    end_ns=120 * SECOND,
    wall_ns=12 * SECOND,
    transport=Transport(10.0),
    events_per_second=1234.0,
    measured_speed=9.8,
)


def test_the_header_says_what_is_played_and_where_it_is() -> None:
    """Scenario, seed, preset, speed, clock, progress and wall time."""
    first, second = (plain(line) for line in header_lines(STATUS, 140))

    assert first.startswith(" kubesim mixed-pool  seed 7  preset seed")
    assert first.rstrip().endswith("▶ PLAYING 10x  1.2k events/s")
    assert second.startswith(" 00:00:12.350 / 02:00 ")
    assert "10%  1970-01-01 00:00:12Z" in second


@pytest.mark.parametrize("width", [20, 40, 80, 99, 100, 160])
def test_the_header_fits_any_terminal(width: int) -> None:
    """Both lines are no wider than the screen, and the clock is always there."""
    lines = header_lines(STATUS, width)

    assert all(width_of(line) <= width for line in lines)
    assert "00:00:12.350" in plain(lines[1])


def test_the_header_says_when_it_cannot_keep_up() -> None:
    """A simulation slower than the wanted speed shows the real one."""
    assert "really 3x" in plain(state_line(replace(STATUS, measured_speed=3.0)))
    assert "really 50x" in plain(
        state_line(replace(STATUS, transport=Transport(MAX_SPEED), measured_speed=50.0))
    )


def test_every_motion_has_its_words() -> None:
    """Paused, running ahead, seeking."""
    words = [
        plain(state_line(replace(STATUS, transport=transport)))
        for transport in (
            Transport().paused(),
            Transport().rushing_to(SECOND),
            Transport().seeking(),
        )
    ]

    assert "PAUSED" in words[0]
    assert "RUNNING AHEAD" in words[1]
    assert "TO THE NEXT EVENT" in words[2]


def test_the_end_shows_verdict_and_digest(scenario: Scenario) -> None:
    """When it is over the header has the verdict and the first digits of the digest."""
    run = scenario.run(seed=7, until=SECOND)
    shown = plain(state_line(replace(STATUS, run=run)))

    assert "END" in shown
    assert f"/{len(run.expectations)} as expected" in shown
    assert run.digest[7:19] in shown


def test_the_ticker_has_the_latest_first() -> None:
    """The newest Event is at the left; a warning brings its message."""
    ref = Ref("Pod", "default", "web")
    items = [
        Happening(SECOND, ref, "Normal", "Pulled", "pulled", "kubelet"),
        Happening(2 * SECOND, ref, "Warning", "BackOff", "again\x1b[2J", "kubelet"),
    ]
    shown = plain(ticker_line(items, 120))

    assert shown.startswith(" 00:02.000 BackOff pod/web again")
    assert "00:01.000 Pulled pod/web" in shown
    assert "\x1b" not in shown


def test_the_ticker_is_empty_at_first() -> None:
    """Before anything happened there is nothing to say."""
    assert "" == plain(ticker_line([], 80))


@pytest.mark.parametrize("width", [10, 40, 80, 140])
def test_the_most_needed_keys_stay(width: int) -> None:
    """A narrow footer keeps what moves time and what quits, and never overflows."""
    line = hints_line(width)

    assert width_of(line) <= width
    if width >= 80:
        assert {"space", "q", "?"} <= {text for text, tone in line if tone == "key"}


def test_every_hint_is_a_key() -> None:
    """The footer promises nothing that is not bound."""
    bound = {word for key in KEYS for word in key.shown.split()}

    assert all(word in bound for hint in HINTS for word in hint.keys.split("/") if word)
