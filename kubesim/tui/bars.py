"""The lines around the table: header, progress, ticker, key hints. Pure functions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from kubesim.telemetry import Run
from kubesim.tui import clock
from kubesim.tui.ink import EMPTY, Line, Span, Tone, crop, printable, spread, width_of
from kubesim.tui.keys import HINTS, Hint
from kubesim.tui.scene import Happening
from kubesim.tui.tables import event_tone
from kubesim.tui.transport import Motion, Transport, speed_text

SLOW_SHARE = 0.8


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """What the header says.

    Attributes:
        scenario: The scenario's name.
        seed: The seed.
        preset: Where the numbers are from.
        now_ns: The virtual time.
        end_ns: When the run ends.
        wall_ns: The clock on the wall of the simulated world.
        transport: How time moves.
        events_per_second: Kernel events a real second.
        measured_speed: Virtual seconds a real second.
        run: The run, once it is over.
    """

    scenario: str
    seed: int
    preset: str
    now_ns: int
    end_ns: int
    wall_ns: int
    transport: Transport
    events_per_second: float = 0.0
    measured_speed: float = 0.0
    run: Run | None = None


def header_lines(status: Status, width: int) -> list[Line]:
    """Two lines: what is being played, and where it is."""
    name: Line = ((" kubesim ", "accent"), (status.scenario, "bold"))
    about: Line = ((f"  seed {status.seed}  preset {status.preset}", "dim"),)
    state = state_line(status)
    first = (*name, *about)
    if width_of(first) + width_of(state) + 2 > width:
        first = name
    return [spread(first, (*state, (" ", "text")), width), _time_line(status, width)]


def state_line(status: Status) -> Line:
    """PLAYING, PAUSED or END, and how fast it goes."""
    if status.run is not None:
        passed = sum(result.passed for result in status.run.expectations)
        total = len(status.run.expectations)
        verdict: Span = (f"{passed}/{total} as expected", "ok" if passed == total else "bad")
        digest = status.run.digest.removeprefix("sha256:")[:12]
        stamp = (
            f"  sha256:{digest}…" if status.run.reproducible else "  measured: not reproducible"
        )
        return (("■ END  ", "bold"), verdict, (stamp, "dim"))
    speed = speed_text(status.transport.speed)
    rate: Span = (f"  {_rate(status.events_per_second)} events/s", "dim")
    motion = status.transport.motion
    if motion is Motion.PAUSED:
        return (("❚❚ PAUSED ", "warn"), (speed, "dim"))
    if motion is Motion.RUSHING:
        return (("▶▶ RUNNING AHEAD", "accent"), rate)
    if motion is Motion.SEEKING:
        return (("▶▶ TO THE NEXT EVENT", "accent"), rate)
    return (("▶ PLAYING ", "ok"), (f"{speed}{_actual(status)}", "bold"), rate)


def _actual(status: Status) -> str:
    """How fast it really goes, when that is not what was asked for."""
    measured = status.measured_speed
    if measured <= 0 or measured >= status.transport.speed * SLOW_SHARE:
        return ""
    return f" (really {measured:.3g}x)"


def _rate(value: float) -> str:
    return f"{value / 1000:.1f}k" if value >= 1000 else f"{value:.0f}"


def _time_line(status: Status, width: int) -> Line:
    end = clock.length(status.end_ns)
    left: Line = ((f" {clock.stamp(status.now_ns)}", "bold"), (f" / {end}", "dim"))
    wall: Line = ((f"  {clock.wall(status.wall_ns)} ", "dim"),)
    if width < 100:
        wall = ((" ", "text"),)
    share = min(status.now_ns / status.end_ns, 1.0) if status.end_ns else 1.0
    percent = f" {share:4.0%}"
    room = width - width_of(left) - width_of(wall) - len(percent) - 1
    if room < 8:
        return crop((*left, (percent, "text")), width)
    tone: Tone = "ok" if status.run is None or status.run.passed else "bad"
    return (
        *left,
        (" ", "text"),
        *progress(share, room, tone),
        (percent, "text"),
        *wall,
    )


def progress(share: float, width: int, tone: Tone) -> Line:
    """A thin progress bar."""
    done = round(share * width)
    return (("━" * done, tone), ("─" * (width - done), "faint"))


def ticker_line(happenings: Sequence[Happening], width: int) -> Line:
    """The latest Events in one line, the newest first."""
    spans: list[Span] = [(" ", "text")]
    for item in reversed(happenings[-8:]):
        if width_of(spans) >= width:
            break
        if len(spans) > 1:
            spans.append(("  ·  ", "faint"))
        where = item.ref.label if item.ref.kind else printable(item.message)
        spans.append((f"{clock.stamp(item.at_ns)[3:]} ", "dim"))
        spans.append((f"{item.reason} ", event_tone(item.type)))
        spans.append((where, "text"))
        if item.type == "Warning":
            spans.append((f" {printable(item.message)}", "dim"))
    return crop(spans, width) if len(spans) > 1 else EMPTY


def hints_line(width: int, hints: Sequence[Hint] = HINTS) -> Line:
    """Keys and what they do: as many as fit, the most needed first, in their own order."""
    room = width - 1
    kept: set[int] = set()
    for index in sorted(range(len(hints)), key=lambda index: hints[index].rank):
        needed = len(hints[index].keys) + len(hints[index].does) + 3
        if needed > room:
            break
        room -= needed
        kept.add(index)
    spans: list[Span] = [(" ", "text")]
    for index, hint in enumerate(hints):
        if index in kept:
            spans += [(hint.keys, "key"), (f" {hint.does}  ", "dim")]
    return tuple(spans)
