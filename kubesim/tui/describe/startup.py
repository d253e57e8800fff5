"""A pod's start as a waterfall: what each phase took, and when."""

from __future__ import annotations

from collections.abc import Sequence

from kubesim.sim.time import human
from kubesim.telemetry.startup import PHASES
from kubesim.tui.ink import Line, Span, Tone, heading
from kubesim.tui.scene import PhaseSpan

_CONTROL_PLANE = ("controller", "queue", "schedule", "bind")
_IMAGE = ("pull",)
_WASM = ("module", "listen")
_SEEN = ("watch", "pleg", "status", "endpoints")


def startup_lines(spans: Sequence[PhaseSpan], total_ns: int | None, width: int) -> list[Line]:
    """One line a phase: name, how long, and a bar from its beginning to its end.

    Args:
        spans: The phases that have ended.
        total_ns: From stored to Ready, once it is.
        width: Columns that there are.
    """
    if not spans:
        return [heading("Startup", "nothing has ended yet")]
    detail = f"{human(total_ns)} from stored to Ready" if total_ns is not None else "not Ready"
    begin_ns = min(span.began_ns for span in spans)
    whole_ns = max(max(span.ended_ns for span in spans) - begin_ns, 1)
    chart = max(width - 30, 10)
    lines: list[Line] = [heading("Startup", detail)]
    for phase in PHASES:
        mine = [span for span in spans if span.phase == phase]
        if not mine:
            continue
        took_ns = sum(span.ended_ns - span.began_ns for span in mine)
        cells = [" "] * chart
        for span in mine:
            first = (span.began_ns - begin_ns) * chart // whole_ns
            last = (span.ended_ns - begin_ns) * chart // whole_ns
            first = min(first, chart - 1)
            for index in range(first, max(min(last, chart), first + 1)):
                cells[index] = "█"
        thin = took_ns * chart < whole_ns // 2
        drawn = "".join(cells).replace("█", "▏") if thin else "".join(cells)
        name: Span = (f"  {phase:<16}", "text")
        length: Span = (f"{human(took_ns):>8}  ", "dim")
        lines.append((name, length, (drawn.rstrip(), phase_tone(phase))))
    return lines


def phase_tone(phase: str) -> Tone:
    """The colour of a phase: who spends the time."""
    if phase in _CONTROL_PLANE:
        return "accent"
    if phase in _IMAGE:
        return "warn"
    if phase in _WASM:
        return "wasm"
    if phase in _SEEN:
        return "dim"
    return "container"
