"""Which workload belongs on which runtime, and the numbers that say so.

First come limits: what a Wasm runtime cannot do (a GPU, a program that cannot be compiled, commands
inside the running container) or does differently enough to stay away from (persistent volumes,
sidecars). What no limit keeps in a container is compared with what ran beside it: the size of its image
and the time until its pods were ready, against the medians of this run's Wasm workloads.
A recommendation is no promise: what was not in the run has no number.

A pure function of a Run.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table as RichTable
from rich.text import Text

from kubesim.sim.time import MILLISECOND, human
from kubesim.telemetry import Run
from kubesim.telemetry.quantiles import quantile

Runtime = Literal["Wasm", "container"]
Row = Mapping[str, Any]

BUSY_HANDLER_NS = 50 * MILLISECOND
"""A handler that computes longer than this for a request is bound by its processor."""


@dataclass(frozen=True, slots=True)
class Limit:
    """Something that keeps a workload in a container.

    Attributes:
        name: What it is called.
        applies: Whether a workload has it.
        why: What about it.
        otherwise: What would happen on a Wasm shim.
    """

    name: str
    applies: Callable[[Row], bool]
    why: Callable[[Row], str]
    otherwise: str


LIMITS = (
    Limit(
        "GPU",
        lambda row: bool(row["devices"]),
        lambda row: f"asks for {', '.join(row['devices'])}; a module has no devices",
        "the pod gets its device, the module has no way to it",
    ),
    Limit(
        "PersistentVolume",
        lambda row: row["claims"] > 0,
        lambda row: (
            f"{row['claims']} claim{'s' if row['claims'] > 1 else ''}; a module sees preopened "
            "directories, without locks or memory maps"
        ),
        "the volume is mounted; a Spin component does not see it, a WASI command as a directory",
    ),
    Limit(
        "exec",
        lambda row: bool(row["exec"]),
        lambda _row: "probes or hooks execute commands; the Wasm shims do not implement exec",
        "Exec is not supported: a readiness probe by it never succeeds, a liveness probe is void",
    ),
    Limit(
        "sidecars",
        lambda row: row["containers"] > 1,
        lambda row: f"{row['containers']} containers in a pod, which a Spin application has not",
        "a SpinApp has one container; a plain Pod may have Linux containers beside the module",
    ),
    Limit(
        "not portable",
        lambda row: not row["portable"],
        lambda _row: "its program is said not to compile to WebAssembly",
        "there is no module to run; only its owner knows (kubesim.dev/portable)",
    ),
)
"""In the order in which they are told."""

NO_LIMITS = (
    "No limits, whatever is said: Services and NodePorts, logs, describe, events, HTTP probes, "
    "ConfigMaps and Secrets, requests and limits."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recommendation:
    """What is recommended for one workload.

    Attributes:
        namespace: Its namespace.
        kind: SpinApp, Deployment, StatefulSet or Pod.
        name: Its name.
        now: What it runs on.
        runtime: What it should run on.
        limits: The names of the limits that keep it in a container.
        reasons: Sentences with numbers, most important first.
    """

    namespace: str
    kind: str
    name: str
    now: Runtime
    runtime: Runtime
    limits: tuple[str, ...]
    reasons: tuple[str, ...]

    @property
    def changes(self) -> bool:
        """Whether it should run on something else."""
        return self.now != self.runtime


def recommend(run: Run) -> tuple[Recommendation, ...]:
    """A runtime for each workload of a run, in the order in which they appeared."""
    rows = list(run.workloads)
    return tuple(_recommendation(row, rows) for row in rows)


def _recommendation(row: Row, rows: list[Row]) -> Recommendation:
    now: Runtime = "Wasm" if row["wasm"] or row["runtimeClass"] else "container"
    limits = [limit for limit in LIMITS if limit.applies(row)]
    runtime: Runtime = "Wasm"
    if limits:
        runtime = "container"
        reasons = [f"{limit.name}: {limit.why(row)}" for limit in limits]
    elif now == "Wasm":
        runtime, reasons = _of_wasm(row, rows)
    else:
        runtime, reasons = _of_container(row, rows)
    return Recommendation(
        namespace=row["namespace"],
        kind=row["kind"],
        name=row["name"],
        now=now,
        runtime=runtime,
        limits=tuple(limit.name for limit in limits),
        reasons=tuple(reasons),
    )


def _of_wasm(row: Row, rows: list[Row]) -> tuple[Runtime, list[str]]:
    """A workload that runs as Wasm and could."""
    if not row["ready"]:
        return "Wasm", ["none of its pods was ready; see the pods' reasons first"]
    reasons = [_startup(row)]
    others = _comparable(rows, wasm=False)
    if others:
        reasons += _against(row, others, "containers here")
    if row["requests"]:
        reasons.append(
            f"{row['requests']} requests, p99 {human(row['latency_p99_ns'])}, of which an instance "
            f"{human(row['instantiate_p50_ns'])} and its handler {human(row['execute_p50_ns'])}"
        )
    if row["execute_p50_ns"] > BUSY_HANDLER_NS:
        why = (
            f"its handler computes {human(row['execute_p50_ns'])} a request; native code is faster"
        )
        return "container", [why, *reasons]
    return "Wasm", reasons


def _of_container(row: Row, rows: list[Row]) -> tuple[Runtime, list[str]]:
    """A workload that runs in containers, and that nothing keeps there."""
    others = _comparable(rows, wasm=True)
    if not others:
        return "container", ["no Wasm workload was ready in this run to compare it with"]
    if not row["requests"]:
        return "container", [f"it serves no requests; {_startup(row)}"]
    reasons = [
        *_against(row, others, "Wasm here"),
        (
            f"{row['requests']} requests, p99 {human(row['latency_p99_ns'])}; as Wasm each gets an "
            f"instance of its own ({human(_median(others, 'instantiate_p50_ns'))} here)"
        ),
    ]
    return "Wasm", reasons


def _startup(row: Row) -> str:
    return (
        f"ready after {human(row['startup_p50_ns'])}, of which its image {human(row['pull_p50_ns'])} "
        f"and its start {human(row['start_p50_ns'])}"
    )


def _comparable(rows: list[Row], *, wasm: bool) -> list[Row]:
    """The workloads of one kind that were up; of those that nothing keeps where they are, if any."""
    up = [row for row in rows if bool(row["wasm"]) is wasm and row["ready"] and row["image_bytes"]]
    free = [row for row in up if not any(limit.applies(row) for limit in LIMITS)]
    return free or up


def _against(row: Row, others: list[Row], of: str) -> list[str]:
    """The row's image, start and memory, against the medians of others."""
    return [
        _compared(what, row[column], _median(others, column), of, shown)
        for what, column, shown in (
            ("image", "image_bytes", _size),
            ("ready after", "startup_p50_ns", human),
            ("memory of a pod", "memory_p50_bytes", _mib),
        )
        if row[column] and _median(others, column)
    ]


def _compared(what: str, own: int, other: int, of: str, shown: Callable[[int], str]) -> str:
    more, times = ("less", other / own) if own < other else ("more", own / other)
    factor = f"{times:,.0f}" if times >= 10 else f"{times:.1f}"
    if times < 1.05:
        return f"{what} {shown(own)}: as {of}"
    return f"{what} {shown(own)}: {factor} times {more} than {of} ({shown(other)})"


def _median(rows: list[Row], column: str) -> int:
    """The median of a column, where it has a value."""
    return quantile(sorted(row[column] for row in rows if row[column]), 50)


def _mib(size_bytes: int) -> str:
    return f"{size_bytes / (1 << 20):.0f} MiB"


def _size(size_bytes: int) -> str:
    if size_bytes >= 1_000_000:
        return f"{size_bytes / 1_000_000:.1f} MB"
    return f"{size_bytes / 1_000:.0f} kB"


def recommendations(run: Run) -> RenderableType:
    """The recommendations as a table, for a terminal."""
    table = RichTable(box=None, header_style="dim", padding=(0, 2, 0, 0), pad_edge=False)
    for header in ("WORKLOAD", "RUNS ON", "BETTER ON", "IMAGE", "READY", "MEMORY", "P99", "WHY"):
        justify: Literal["left", "right"] = "right" if header in _NUMBERS else "left"
        table.add_column(header, no_wrap=header != "WHY", justify=justify)
    for found, row in zip(recommend(run), run.workloads, strict=True):
        style = "yellow" if found.changes else "green"
        table.add_row(
            found.name,
            found.now,
            Text(found.runtime, style=style),
            *(shown(row[column]) if row[column] else "-" for column, shown in _NUMBERS.values()),
            Text("\n".join(found.reasons)),
        )
    note = (
        "By this run's own numbers: size of the image, from the stored pod until it is ready, memory "
        "of a pod with its shim, latency. A limit keeps a workload in a container whatever they say. "
        "Wasm runs on containerd's shims beside containers: pools are a choice, not a need."
    )
    title = Text("Which runtime for which workload", style="bold underline")
    body = Group(table, Text(note, style="dim"), Text(""), _limits(run))
    return Group(Text(""), title, Padding(body, (0, 0, 0, 2)))


_NUMBERS: dict[str, tuple[str, Callable[[int], str]]] = {
    "IMAGE": ("image_bytes", _size),
    "READY": ("startup_p50_ns", human),
    "MEMORY": ("memory_p50_bytes", _mib),
    "P99": ("latency_p99_ns", human),
}


def _limits(run: Run) -> RenderableType:
    """What keeps workloads in containers, what would happen otherwise, and whom it concerns here."""
    table = RichTable(box=None, header_style="dim", padding=(0, 2, 0, 0), pad_edge=False)
    for header in ("LIMIT", "HERE", "ON A WASM SHIM"):
        table.add_column(header, no_wrap=header == "LIMIT")
    for limit in LIMITS:
        concerned = [row["name"] for row in run.workloads if limit.applies(row)]
        table.add_row(limit.name, ", ".join(concerned) or "-", limit.otherwise)
    return Group(table, Text(NO_LIMITS, style="dim"))
