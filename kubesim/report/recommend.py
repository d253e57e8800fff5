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
    """

    name: str
    applies: Callable[[Row], bool]
    why: Callable[[Row], str]


LIMITS = (
    Limit(
        "GPU",
        lambda row: bool(row["devices"]),
        lambda row: f"asks for {', '.join(row['devices'])}; a module has no devices",
    ),
    Limit(
        "PersistentVolume",
        lambda row: row["claims"] > 0,
        lambda row: (
            f"{row['claims']} claim{'s' if row['claims'] > 1 else ''}; a module sees preopened "
            "directories, without locks or memory maps"
        ),
    ),
    Limit(
        "exec",
        lambda row: bool(row["exec"]),
        lambda _row: "probes or hooks execute commands; the Wasm shims do not implement exec",
    ),
    Limit(
        "sidecars",
        lambda row: row["containers"] > 1,
        lambda row: f"{row['containers']} containers in a pod, which a Spin application has not",
    ),
    Limit(
        "not portable",
        lambda row: not row["portable"],
        lambda _row: "its program is said not to compile to WebAssembly",
    ),
)
"""In the order in which they are told."""


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
    if others := _median(rows, "image_bytes", wasm=False):
        reasons.append(_compared("image", row["image_bytes"], others, "containers here", _size))
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
    image, startup = (_median(rows, name, wasm=True) for name in ("image_bytes", "startup_p50_ns"))
    if not image:
        return "container", ["no Wasm workload was ready in this run to compare it with"]
    if not row["requests"]:
        return "container", [f"it serves no requests; {_startup(row)}"]
    reasons = [
        _compared("image", row["image_bytes"], image, "Wasm here", _size),
        _compared("ready after", row["startup_p50_ns"], startup, "Wasm here", human),
        (
            f"{row['requests']} requests, p99 {human(row['latency_p99_ns'])}; as Wasm each gets an "
            f"instance of its own ({human(_median(rows, 'instantiate_p50_ns', wasm=True))} here)"
        ),
    ]
    return "Wasm", reasons


def _startup(row: Row) -> str:
    return (
        f"ready after {human(row['startup_p50_ns'])}, of which its image {human(row['pull_p50_ns'])} "
        f"and its start {human(row['start_p50_ns'])}"
    )


def _compared(what: str, own: int, other: int, of: str, shown: Callable[[int], str]) -> str:
    return f"{what} {shown(own)}, median of {of} {shown(other)}"


def _median(rows: list[Row], column: str, *, wasm: bool) -> int:
    """The median of a column over the workloads of one kind that were up."""
    values = sorted(
        row[column] for row in rows if bool(row["wasm"]) is wasm and row["ready"] and row[column]
    )
    return quantile(values, 50)


def _size(size_bytes: int) -> str:
    if size_bytes >= 1_000_000:
        return f"{size_bytes / 1_000_000:.1f} MB"
    return f"{size_bytes / 1_000:.0f} kB"


def recommendations(run: Run) -> RenderableType:
    """The recommendations as a table, for a terminal."""
    table = RichTable(box=None, header_style="dim", padding=(0, 2, 0, 0), pad_edge=False)
    for header in ("WORKLOAD", "RUNS ON", "RECOMMENDED", "WHY"):
        table.add_column(header, no_wrap=header != "WHY")
    for found in recommend(run):
        style = "yellow" if found.changes else "green"
        table.add_row(
            f"{found.kind}/{found.name}",
            found.now,
            Text(found.runtime, style=style),
            Text("\n".join(found.reasons)),
        )
    note = (
        "By this run's own numbers; a limit is what keeps a workload in a container whatever they "
        "say. Wasm runs on containerd's shims beside containers: pools are a choice, not a need."
    )
    title = Text("Which runtime for which workload", style="bold underline")
    return Group(Text(""), title, Padding(Group(table, Text(note, style="dim")), (0, 0, 0, 2)))
