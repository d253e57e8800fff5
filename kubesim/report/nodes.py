"""The timeline of a run in which nodes came and went, as text. A pure function."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.table import Table as RichTable
from rich.text import Text

from kubesim.sim.time import human
from kubesim.telemetry import Run
from kubesim.telemetry.nodetimeline import node_timeline

LINES_SHOWN = 40


def timeline_table(run: Run) -> RenderableType | None:
    """From the pod that fits nowhere to the node that goes; ``None`` if no node came."""
    lines = node_timeline(run.journal)
    if not lines:
        return None
    table = RichTable(box=None, padding=(0, 2, 0, 0))
    for header in ("AT", "WHAT", "WHOM", ""):
        table.add_column(header, justify="right" if header == "AT" else "left")
    for line in lines[:LINES_SHOWN]:
        until = f" .. {human(line.ended_ns)}" if line.ended_ns > line.began_ns else ""
        count = f"{len(line.names)} x " if len(line.names) > 1 else ""
        table.add_row(
            human(line.began_ns) + until,
            count + line.what,
            "" if line.names[0].startswith("cluster-autoscaler") else line.whom,
            Text(line.detail, style="dim"),
        )
    if len(lines) <= LINES_SHOWN:
        return table
    return Group(table, Text(f"... and {len(lines) - LINES_SHOWN} more", style="dim"))
