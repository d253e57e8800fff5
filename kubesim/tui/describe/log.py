"""A pod's log with the virtual time of each line."""

from __future__ import annotations

from kubesim.telemetry.observer import PodTotals
from kubesim.tui import clock
from kubesim.tui.ink import Line, Span, printable

LATEST = 5000


def log_lines(totals: PodTotals | None) -> list[Line]:
    """What the containers of a pod wrote, the latest lines of it; standard error stands out."""
    if totals is None or not totals.log:
        return [(("nothing was written yet", "dim"),)]
    several = len({container for _, container, _, _ in totals.log[-LATEST:]}) > 1
    lines: list[Line] = []
    if len(totals.log) > LATEST:
        lines.append(((f"({len(totals.log) - LATEST:,} earlier lines)", "dim"),))
    for at_ns, container, stream, text in totals.log[-LATEST:]:
        spans: list[Span] = [(f"{clock.stamp(at_ns)}  ", "dim")]
        if several:
            spans.append((f"{container}  ", "accent"))
        spans.append((printable(text), "warn" if stream == "stderr" else "text"))
        lines.append(tuple(spans))
    return lines
