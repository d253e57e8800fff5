"""The report for a terminal: what happened, where the time went, what was expected, what is not true.

A pure function of a Run; the command line only prints what comes out.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, Literal

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table as RichTable
from rich.text import Text

from kubesim.report.nodes import timeline_table
from kubesim.report.sizes import sizes_note, sizes_table
from kubesim.report.tables import mib as _mib
from kubesim.report.tables import table as _table
from kubesim.sim.time import HOUR, SECOND, human
from kubesim.telemetry import Run
from kubesim.telemetry.quantiles import quantile
from kubesim.telemetry.startup import PHASES, TOTAL

REPORT_WIDTH = 120
PODS_SHOWN = 40
NODES_SHOWN = 24
NANO = 1_000_000_000
NOT_REPRODUCIBLE = (
    "Not reproducible: Wasm executions took as long as on this machine (timing: measured), none was "
    "replayed."
)


def render(run: Run) -> RenderableType:
    """The whole report."""
    parts: list[RenderableType] = [_head(run)]
    many = len(run.nodes) > NODES_SHOWN
    parts += _section("Nodes", pools_table(run) if many else nodes_table(run))
    if not many and any(node["memory_peak"] for node in run.nodes):
        parts += _section("Memory at its peak, by component", memory_table(run))
    if any(row["cost_nano_usd"] for row in run.cost):
        parts += _section("Cost", cost_table(run), _cost_note(run))
    timeline = timeline_table(run)
    if timeline is not None:
        parts += _section("Nodes over time", timeline)
    parts += _section("Pods", pods_table(run), reasons(run))
    parts += _section("How a pod starts, phase by phase", startup_table(run), _startup_note(run))
    if len(run.services):
        parts += _section("Services", services_table(run))
    if len(run.traffic):
        parts += _section("Traffic", traffic_table(run))
        parts += _section("Traffic over time", curves_table(run))
    if len(run.queues):
        parts += _section("Queues", queues_table(run))
    if len(run.sizes):
        parts += _section("Recommended sizes", sizes_table(run), sizes_note(run))
    if len(run.losses):
        parts += _section("Lost requests", losses_table(run))
    if len(run.refused):
        parts += _section("Refused by the API server", _refused_table(run))
    if len(run.transcript):
        parts += _section("At the terminal", *_transcript(run))
    if run.expectations:
        parts += _section("Expectations", expectations_table(run))
    parts += _section("Not simulated", _unsimulated(run))
    return Group(*parts)


def text(run: Run, *, width: int = REPORT_WIDTH) -> str:
    """The report as plain text."""
    console = Console(width=width, no_color=True, highlight=False, color_system=None)
    with console.capture() as capture:
        console.print(render(run))
    return capture.get()


def nodes_table(run: Run) -> RichTable:
    """One line a node."""
    table = _table("NODE", "POOL", "STATUS", ">PODS", ">CPU REQUESTED", ">PEAK MEMORY", ">COST")
    for node in run.nodes:
        status = "Ready" if node["ready"] else "NotReady"
        if node["unschedulable"]:
            status += ",SchedulingDisabled"
        share = 100 * node["cpu_requested_m"] // max(node["cpu_allocatable_m"], 1)
        table.add_row(
            node["name"],
            node["pool"],
            _coloured(status, good=status == "Ready"),
            str(node["pods"]),
            f"{node['cpu_requested_m']}m ({share} %)",
            _mib(node["memory_peak"]),
            f"${node['cost_nano_usd'] / NANO:.4f}",
        )
    return table


def memory_table(run: Run) -> RichTable:
    """Who had a node's memory when the most was used, and which of its limits is nearest."""
    table = _table("NODE", ">SHIM", ">ZYGOTE", ">PAUSE", ">APP", ">PEAK", "NEAREST LIMIT")
    for node in run.nodes:
        if node["memory_peak"]:
            parts = (_mib(node[f"memory_{name}"]) for name in ("shim", "zygote", "pause", "app"))
            table.add_row(node["name"], *parts, _mib(node["memory_peak"]), nearest_limit(node))
    return table


def nearest_limit(node: Mapping[str, Any]) -> str:
    """What stops the next pod first, as used of allocatable."""
    limits = {
        "pods": (node["pods"], node["pods_allocatable"], f"pods {node['pods']}"),
        "cpu": (
            node["cpu_requested_m"],
            node["cpu_allocatable_m"],
            f"cpu requests {node['cpu_requested_m']}m",
        ),
        "memory": (
            node["memory_requested"],
            node["memory_allocatable"],
            f"memory requests {_mib(node['memory_requested'])}",
        ),
        "used": (
            node["memory_peak"],
            node["memory_allocatable"],
            f"memory used {_mib(node['memory_peak'])}",
        ),
    }
    used, most, text = max(limits.values(), key=lambda limit: limit[0] / max(limit[1], 1))
    return f"{text} ({100 * used // max(most, 1)} %)"


def pools_table(run: Run) -> RichTable:
    """One line a pool, for clusters of many nodes."""
    table = _table("POOL", ">NODES", ">READY", ">PODS", ">CPU REQUESTED", ">COST")
    for pool in dict.fromkeys(node["pool"] for node in run.nodes):
        nodes = [node for node in run.nodes if node["pool"] == pool]
        requested = sum(node["cpu_requested_m"] for node in nodes)
        share = 100 * requested // max(sum(node["cpu_allocatable_m"] for node in nodes), 1)
        ready = sum(node["ready"] for node in nodes)
        table.add_row(
            pool,
            str(len(nodes)),
            _coloured(str(ready), good=ready == len(nodes)),
            str(sum(node["pods"] for node in nodes)),
            f"{requested}m ({share} %)",
            f"${sum(node['cost_nano_usd'] for node in nodes) / NANO:.4f}",
        )
    return table


def cost_table(run: Run) -> RichTable:
    """The bill: the whole, its pools, and whom it is for."""
    table = _table("COST", "", ">DOLLARS", ">SHARE", ">INSTANCES", ">HOURS")
    total = max(sum(row["cost_nano_usd"] for row in run.cost if row["what"] == "total"), 1)
    for row in run.cost:
        name = f"{row['namespace']}/{row['name']}" if row["namespace"] else row["name"]
        of_pool = row["what"] == "pool"
        table.add_row(
            row["what"],
            name,
            f"${row['cost_nano_usd'] / NANO:.4f}",
            f"{100 * row['cost_nano_usd'] / total:.1f} %",
            str(row["instances"]) if of_pool else "",
            f"{row['running_ns'] / HOUR:.2f}" if of_pool else "",
        )
    return table


def pods_table(run: Run) -> RichTable:
    """One line a pod, sorted as kubectl does; of many only the first.

    Where a CPU limit held one back, a column says how long its containers slept, and how often.
    """
    throttled = any(pod["nr_throttled"] for pod in run.pods)
    more = (">THROTTLED",) if throttled else ()
    table = _table("POD", "STATUS", "NODE", "RUNTIME", ">RESTARTS", *more, "LAST LOG LINE")
    rows = sorted(run.pods, key=lambda pod: (pod["namespace"], pod["name"]))
    shown = rows if len(rows) <= PODS_SHOWN else rows[: PODS_SHOWN - 10]
    for pod in shown:
        running = pod["phase"] == "Running" and pod["ready"]
        status = pod["phase"] if running or not pod["reason"] else pod["reason"]
        if pod["phase"] == "Pending":
            status = "Pending"
        table.add_row(
            pod["name"],
            _coloured(status, good=running or pod["phase"] == "Succeeded"),
            pod["node"] or "-",
            pod["runtimeClass"] or "(default)",
            str(pod["restarts"]),
            *([_throttled(pod)] if throttled else []),
            Text(_shortened(pod["log"][-1]) if pod["log"] else "", style="dim"),
        )
    if len(rows) > len(shown):
        counts = Counter(pod["phase"] for pod in rows[len(shown) :])
        rest = ", ".join(f"{count} {phase}" for phase, count in sorted(counts.items()))
        table.add_row(f"... and {len(rows) - len(shown)} more: {rest}", *[""] * (5 + throttled))
    return table


def _throttled(pod: Mapping[str, Any]) -> str:
    return f"{human(pod['throttled_ns'])} ({pod['nr_throttled']}x)" if pod["nr_throttled"] else "-"


def reasons(run: Run) -> RenderableType:
    """Why pods are not as they should be: the message of each, equal ones together."""
    told: dict[str, list[str]] = {}
    for pod in run.pods:
        if pod["message"]:
            told.setdefault(f"{pod['reason']}: {pod['message']}", []).append(pod["name"])
    lines = []
    for message, names in told.items():
        others = f" and {len(names) - 1} more" if len(names) > 1 else ""
        lines.append(Text.assemble((f"{names[0]}{others}  ", "bold"), (message, "yellow")))
    return Group(*lines)


def startup_table(run: Run) -> RichTable:
    """Median and 99th percentile of each phase, containers and Wasm side by side."""
    groups = {"containers": _phases(run, wasm=False), "Wasm": _phases(run, wasm=True)}
    headers = [f">{name} {q}" for name in groups for q in ("p50", "p99")]
    counts = {name: len(phases.get("start", ())) for name, phases in groups.items()}
    table = _table("PHASE", *headers, "")
    for phase, meaning in {**PHASES, TOTAL: "stored until Ready"}.items():
        cells: list[str] = []
        for phases in groups.values():
            took = sorted(phases.get(phase, ()))
            cells += [human(quantile(took, q)) if took else "-" for q in (50, 99)]
        if set(cells) == {"-"}:
            continue
        if phase == TOTAL:
            table.add_section()
        table.add_row(phase, *cells, Text(meaning, style="dim"))
    table.add_row("pods", *(cell for count in counts.values() for cell in (str(count), "")), "")
    instantiate = [(s["instantiate_p50_ns"], s["instantiate_p99_ns"]) for s in run.services]
    wasm = [pair for pair in instantiate if pair[1]]
    if wasm:
        table.add_section()
        p50, p99 = (human(max(values)) for values in zip(*wasm, strict=True))
        meaning = "one instance for one request, in a running pod"
        table.add_row("instantiation", "-", "-", p50, p99, Text(meaning, style="dim"))
    return table


def services_table(run: Run) -> RichTable:
    """One line a Service."""
    table = _table(
        "SERVICE", ">REQUESTS", ">ERRORS", ">p50", ">p95", ">p99", ">INSTANCE p50", ">HANDLER p50"
    )
    for service in run.services:
        table.add_row(
            service["name"],
            str(service["requests"]),
            _coloured(str(service["errors"]), good=not service["errors"]),
            human(service["latency_p50_ns"]),
            human(service["latency_p95_ns"]),
            human(service["latency_p99_ns"]),
            human(service["instantiate_p50_ns"]) if service["instantiate_p50_ns"] else "-",
            human(service["execute_p50_ns"]),
        )
        for why, count in service["failures"].items():
            table.add_row(Text(f"  {count} x {why}", style="red"), "", "", "", "", "", "", "")
    return table


def queues_table(run: Run) -> RichTable:
    """One row a queue: every message is in exactly one of the columns up to LOST."""
    table = _table(
        "QUEUE", ">PUBLISHED", ">PROCESSED", ">READY", ">UNACKED", ">LOST", ">REFUSED",
        ">WAIT p50", ">WAIT p99", ">WORK p50",
    )  # fmt: skip
    names = ("published", "processed", "ready", "unacknowledged", "lost", "refused")
    for row in run.queues:
        times = (row["wait_p50_ns"], row["wait_p99_ns"], row["took_p50_ns"])
        table.add_row(
            row["name"], *(str(row[name]) for name in names), *(human(ns) for ns in times)
        )
    return table


def traffic_table(run: Run) -> RichTable:
    """One row a source of requests: every one of them is in exactly one of the first columns."""
    table = _table(
        "~TRAFFIC", ">SENT", ">COMPLETED", ">FAILED", ">IN FLIGHT", ">RPS", ">p50", ">p90", ">p99",
        ">RETRIES", ">TIMEOUTS", ">SLO",
    )  # fmt: skip
    for row in run.traffic:
        slo = "-"
        if row["slo_latency_ns"]:
            kept = 1 - row["slo_violations"] / max(1, row["sent"] - row["in_flight"])
            slo = f"{kept:.2%} < {human(row['slo_latency_ns'])}"
        table.add_row(
            row["name"],
            *(str(row[name]) for name in ("sent", "completed", "failed", "in_flight")),
            f"{row['rps']:.4g}",
            *(human(row[f"latency_{q}_ns"]) for q in ("p50", "p90", "p99")),
            str(row["retries"]),
            str(row["timeouts"]),
            _coloured(slo, good=row["slo_met"]) if row["slo_latency_ns"] else slo,
        )
        for why, count in row["attempt_failures"].items():
            table.add_row(Text(f"  {count} x {why}, tried again", style="yellow"), *[""] * 11)
    return table


def curves_table(run: Run) -> RichTable:
    """Two curves a source: requests that ended, and those among them that broke the promise."""
    table = _table("TRAFFIC", "", ">MOST A SECOND", f"0s to {human(run.virtual_ns)}")
    for row in run.traffic:
        points = [point for point in run.traffic_curve if point["traffic"] == row["name"]]
        broken = "errors" if not row["slo_latency_ns"] else "violations"
        for what, label in (("ended", "ended"), (broken, broken)):
            width_s = points[0]["width_ns"] / SECOND if points else 1.0
            rates = {point["at_ns"]: point[what] / width_s for point in points}
            most = max(rates.values(), default=0.0)
            if what == "ended" or most:
                name = row["name"] if what == "ended" else ""
                table.add_row(name, label, f"{most:,.4g}", _sparkline(rates, run.virtual_ns))
    return table


def _sparkline(rates: Mapping[int, float], end_ns: int, columns: int = 50) -> str:
    """The largest value of each part of the run, as a line of blocks."""
    bars = " ▁▂▃▄▅▆▇█"
    cells = [0.0] * columns
    for at_ns, rate in rates.items():
        index = min(at_ns * columns // max(end_ns, 1), columns - 1)
        cells[index] = max(cells[index], rate)
    most = max(cells) or 1.0
    return "".join(bars[math.ceil(cell / most * (len(bars) - 1))] for cell in cells)


def losses_table(run: Run) -> RichTable:
    """One row a source and cause: what was lost for good, and what another attempt made up for."""
    table = _table("TRAFFIC", ">LOST", ">RETRIED", "WHY", "SEEN AS", ">FROM", ">TO", ">PODS")
    for row in run.losses:
        table.add_row(
            row["traffic"],
            _coloured(str(row["requests"]), good=not row["requests"]),
            str(row["retried"]),
            row["cause"],
            row["reason"],
            human(row["first_ns"]),
            human(row["last_ns"]),
            str(len(row["pods"])),
        )
    return table


def expectations_table(run: Run) -> RichTable:
    """One line an expectation, three more for a failed one."""
    table = RichTable(box=None, show_header=False, padding=(0, 2, 0, 0))
    for result in run.expectations:
        mark = Text("pass", style="green") if result.passed else Text("FAIL", style="bold red")
        body = Text(result.name)
        if not result.passed:
            body.append(f"\nexpected  {result.expected}", style="red")
            body.append(f"\nactual    {result.actual}", style="red")
            body.append(f"\nwhere     {result.hint}", style="dim")
        table.add_row(mark, body)
    return table


def sources_report(run: Run) -> RenderableType:
    """Every number of the preset and where it is from."""
    table = _table("NUMBER", ">VALUE", "GRADE", "MEASURED", "")
    for row in run.sources:
        source = row["source"] + (f" ({row['note']})" if row["note"] else "")
        table.add_row(
            row["number"], row["value"], row["grade"], row["measured"], Text(source, style="dim")
        )
    return Group(*_section(f'The numbers of preset "{run.preset}"', table))


def _head(run: Run) -> RenderableType:
    line = Text(run.scenario, style="bold")
    line.append(f"  seed {run.seed}  preset {run.preset}  ", style="default")
    line.append(f"{human(run.virtual_ns)} of virtual time, {run.events:,} events", style="dim")
    lines = [line, Text(run.digest, style="cyan")]
    if not run.reproducible:
        lines.append(Text(NOT_REPRODUCIBLE, style="yellow"))
    return Group(*lines)


def _cost_note(run: Run) -> RenderableType:
    spot = sum(row["spot"] for row in run.instances)
    text = (
        "Instances are billed by the second while they run; a workload pays for what it asks for, half "
        "by cpu and half by memory."
    )
    return Text(f"{text} {spot} were spot instances." if spot else text, style="dim")


def _startup_note(run: Run) -> RenderableType:
    grades = Counter(row["grade"] for row in run.sources)
    listed = ", ".join(f"{count} {grade}" for grade, count in sorted(grades.items()))
    return Text(
        f'Numbers of preset "{run.preset}" by grade: {listed} '
        "(A raw data, B paper, C vendor, D blog, K assumption); --sources lists them.\n"
        "A Wasm instance for a request is not a pod start: the two are never mixed.",
        style="dim",
    )


def _unsimulated(run: Run) -> RenderableType:
    if not run.unsimulated:
        return Text("Every field of every manifest had its effect.")
    return Text("\n".join(run.unsimulated), style="yellow")


def _refused_table(run: Run) -> RichTable:
    table = _table("OBJECT", "REASON", "MESSAGE")
    for row in run.refused:
        name = f"{row['kind']} {row['namespace']}/{row['name']}".replace(" /", " ")
        table.add_row(name, Text(row["reason"], style="red"), row["message"])
    return table


def _transcript(run: Run) -> Iterable[RenderableType]:
    """Each command with the time at which it was typed, and under it what was said."""
    for number, row in enumerate(run.transcript):
        if number:
            yield Text("")
        yield Text(f"{human(row['at_ns'])} $ {row['command']}", style="bold")
        is_table = row["command"].startswith("kubectl")
        overflow: Literal["ellipsis", "fold"] = "ellipsis" if is_table else "fold"
        yield Text(row["output"], no_wrap=is_table, overflow=overflow)


def _phases(run: Run, *, wasm: bool) -> dict[str, list[int]]:
    """Durations by phase of the pods that were started, and loaded a Wasm module (or did not)."""
    found: dict[str, list[int]] = {}
    for pod in run.pods:
        is_wasm = "module" in pod["startup"]
        if is_wasm is wasm and "start" in pod["startup"]:
            for phase, took_ns in pod["startup"].items():
                found.setdefault(phase, []).append(took_ns)
    return found


def _section(title: str, *body: RenderableType) -> Iterable[RenderableType]:
    yield Text("")
    yield Text(title, style="bold underline")
    for part in body:
        yield Padding(part, (0, 0, 0, 2))


def _coloured(value: str, *, good: bool) -> Text:
    return Text(value, style="green" if good else "red")


def _shortened(line: str, length: int = 60) -> str:
    return line if len(line) <= length else f"{line[: length - 1]}…"
