"""Waterfalls to look at: as text, as an HTML page, and as a trace for Perfetto.

Pure functions of ``telemetry.waterfall``. The trace is in the Chrome trace event format, which
https://ui.perfetto.dev and ``chrome://tracing`` open: a process a node, a thread a pod, what was
waited for in its own colour. Slices of one thread have to nest, so what overlaps without being a
part of the other, as two downloads do, is on a further thread of the pod.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from html import escape
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table as RichTable
from rich.text import Text

from kubesim.sim.time import human
from kubesim.telemetry.startup import PHASES
from kubesim.telemetry.waterfall import Bar, Waterfall

CHART_COLUMNS = 48
NO_NODE = "no node"
CRITICAL_COLOUR = "terrible"  # of the trace viewers' reserved names
_COLOURS = {"phase": "#4c78a8", "call": "#9ecae9", "layer": "#f2b447"}
_CRITICAL = "#d1495b"
_LABEL_PX, _CHART_PX, _ROW_PX = 260, 900, 22


def render(fall: Waterfall, *, calls: bool = False) -> RenderableType:
    """A waterfall as text; what the pod waited for is marked.

    Args:
        fall: The waterfall.
        calls: Also the CRI calls.
    """
    table = RichTable(box=None, padding=(0, 2, 0, 0))
    for header in ("PHASE", "AT", "TOOK", "", ""):
        table.add_column(header, justify="right" if header in ("AT", "TOOK") else "left")
    for bar in fall.bars:
        if bar.kind == "call" and not calls:
            continue
        name = bar.name if bar.kind == "phase" else f"  {bar.name} {bar.detail}"
        style = "bold red" if bar.critical else "cyan" if bar.kind == "phase" else "dim"
        table.add_row(
            Text(name),
            human(bar.began_ns - fall.began_ns),
            human(bar.took_ns),
            Text("*" if bar.critical else "", style="bold red"),
            Text(_drawn(bar, fall), style=style),
        )
    return Group(Text(_title(fall), style="bold"), table, Text(_legend(fall), style="dim"))


def html_page(falls: Sequence[Waterfall]) -> str:
    """A page that needs nothing else: one chart a pod."""
    charts = "\n".join(_chart(fall) for fall in falls)
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Pod start waterfalls</title>
<style>
body {{ font: 14px/1.4 system-ui, sans-serif; margin: 2em; color: #222; background: #fff; }}
h2 {{ font-size: 16px; margin: 1.6em 0 .3em; }} p {{ color: #555; margin: .2em 0 .6em; }}
svg text {{ font: 12px system-ui, sans-serif; fill: #222; }} svg .dim {{ fill: #777; }}
</style></head><body>
<h1>How pods start</h1>
<p>Red is the critical path: what the pod waited for. Blue are phases, light blue CRI calls,
yellow image layers.</p>
{charts}
</body></html>
"""


def perfetto(falls: Iterable[Waterfall]) -> dict[str, Any]:
    """A trace in the Chrome trace event format; times in microseconds of virtual time."""
    return {"displayTimeUnit": "ms", "traceEvents": list(_events(falls))}


def as_data(fall: Waterfall) -> dict[str, Any]:
    """A waterfall for a script; times in nanoseconds since the run began."""
    return {
        "namespace": fall.namespace,
        "pod": fall.name,
        "uid": fall.uid,
        "node": fall.node or None,
        "created_ns": fall.created_ns,
        "ready_ns": fall.ready_ns,
        "bars": [
            {
                "name": bar.name,
                "detail": bar.detail,
                "kind": bar.kind,
                "began_ns": bar.began_ns,
                "took_ns": bar.took_ns,
                "critical": bar.critical,
            }
            for bar in fall.bars
        ],
    }


def _title(fall: Waterfall) -> str:
    where = f"on {fall.node}" if fall.node else "on no node"
    if fall.ready_ns is None:
        return f"{fall.namespace}/{fall.name} {where}: was never Ready"
    return (
        f"{fall.namespace}/{fall.name} {where}: "
        f"{human(fall.ready_ns - fall.created_ns)} from stored to Ready"
    )


def _legend(fall: Waterfall) -> str:
    path = [bar for bar in fall.bars if bar.critical and bar.kind == "phase"]
    outer = [
        bar
        for bar in path
        if not any(
            o is not bar and bar.began_ns <= o.began_ns and o.ended_ns <= bar.ended_ns
            for o in path
        )
    ]
    longest = sorted(outer, key=lambda bar: -bar.took_ns)[:3]
    named = ", ".join(f"{bar.name} ({human(bar.took_ns)})" for bar in longest)
    return f"* critical path; most of it: {named}" if named else "nothing has ended"


def _drawn(bar: Bar, fall: Waterfall) -> str:
    whole_ns = max(fall.ended_ns - fall.began_ns, 1)
    first = (bar.began_ns - fall.began_ns) * CHART_COLUMNS // whole_ns
    last = (bar.ended_ns - fall.began_ns) * CHART_COLUMNS // whole_ns
    first = min(first, CHART_COLUMNS - 1)
    thin = bar.took_ns * CHART_COLUMNS < whole_ns // 2
    return " " * first + ("▏" if thin else "█" * max(last - first, 1))


def _chart(fall: Waterfall) -> str:
    if not fall.bars:
        return f"<h2>{escape(_title(fall))}</h2><p>{escape(_legend(fall))}</p>"
    whole_ns = max(fall.ended_ns - fall.began_ns, 1)
    rows = "\n".join(_row(index, bar, fall, whole_ns) for index, bar in enumerate(fall.bars))
    height = _ROW_PX * (len(fall.bars) + 1)
    axis = "".join(
        f'<text class="dim" x="{_LABEL_PX + _CHART_PX * tenth // 10}" y="{height - 6}" '
        f'text-anchor="middle">{human(whole_ns * tenth // 10)}</text>'
        for tenth in range(0, 11, 2)
    )
    return (
        f"<h2>{escape(_title(fall))}</h2><p>{escape(_legend(fall))}</p>\n"
        f'<svg width="{_LABEL_PX + _CHART_PX + 90}" height="{height}" role="img">\n'
        f"{rows}\n{axis}\n</svg>"
    )


def _row(index: int, bar: Bar, fall: Waterfall, whole_ns: int) -> str:
    x = _LABEL_PX + (bar.began_ns - fall.began_ns) * _CHART_PX / whole_ns
    width = max(bar.took_ns * _CHART_PX / whole_ns, 1.5)
    y = index * _ROW_PX
    colour = _CRITICAL if bar.critical else _COLOURS[bar.kind]
    label = bar.name if bar.kind == "phase" else f"{bar.name} {bar.detail}"
    indent = 0 if bar.kind == "phase" else 16
    meaning = PHASES.get(bar.name, label) if bar.kind == "phase" else label
    return (
        f'<text x="{indent}" y="{y + 15}">{escape(_shortened(label))}</text>'
        f'<rect x="{x:.1f}" y="{y + 4}" width="{width:.1f}" height="{_ROW_PX - 8}" '
        f'fill="{colour}"><title>{escape(meaning)}: {human(bar.took_ns)}</title></rect>'
        f'<text class="dim" x="{x + width + 5:.1f}" y="{y + 15}">{human(bar.took_ns)}</text>'
    )


def _shortened(label: str) -> str:
    longest = 38
    return label if len(label) <= longest else label[: longest - 1] + "…"


def _events(falls: Iterable[Waterfall]) -> Iterator[dict[str, Any]]:
    processes: dict[str, int] = {}
    thread = 0
    for fall in falls:
        node = fall.node or NO_NODE
        if node not in processes:
            processes[node] = len(processes) + 1
            yield _named("process_name", node, processes[node], 0)
        process = processes[node]
        for number, bars in enumerate(_lanes(fall.bars), start=1):
            thread += 1
            name = f"{fall.namespace}/{fall.name}" + (f" ({number})" if number > 1 else "")
            yield _named("thread_name", name, process, thread)
            yield from (_slice(bar, process, thread) for bar in bars)


def _lanes(bars: Iterable[Bar]) -> list[list[Bar]]:
    """The bars on as few threads as have room for them; on each, two bars nest or do not meet."""
    lanes: list[list[Bar]] = []
    for bar in sorted(bars, key=lambda bar: (bar.began_ns, -bar.ended_ns)):
        lane = next((lane for lane in lanes if all(_apart(bar, o) for o in lane)), None)
        if lane is None:
            lane = []
            lanes.append(lane)
        lane.append(bar)
    return lanes


def _apart(bar: Bar, earlier: Bar) -> bool:
    return bar.began_ns >= earlier.ended_ns or bar.ended_ns <= earlier.ended_ns


def _slice(bar: Bar, process: int, thread: int) -> dict[str, Any]:
    event: dict[str, Any] = {
        "name": bar.name if bar.kind == "phase" else f"{bar.name} {bar.detail}",
        "cat": bar.kind,
        "ph": "X",
        "ts": bar.began_ns / 1000,
        "dur": bar.took_ns / 1000,
        "pid": process,
        "tid": thread,
        "args": {"detail": bar.detail, "critical": bar.critical},
    }
    if bar.critical:
        event["cname"] = CRITICAL_COLOUR
    return event


def _named(what: str, name: str, process: int, thread: int) -> dict[str, Any]:
    return {"name": what, "ph": "M", "pid": process, "tid": thread, "args": {"name": name}}
