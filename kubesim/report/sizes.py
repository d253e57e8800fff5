"""What VerticalPodAutoscalers recommend: beside what was asked for, and what pods have now."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.table import Table as RichTable
from rich.text import Text

from kubesim.report.tables import mib, table
from kubesim.telemetry import Run

FAR = 100_000  # a bound of so many thousandths of a core, or MiB, says only that little is known


def sizes_table(run: Run) -> RichTable:
    """One line an autoscaler and container."""
    made = table(
        "AUTOSCALER", "MODE", "CONTAINER", ">PODS", ">ASKED FOR", ">NOW", ">TARGET", "RANGE"
    )
    for row in run.sizes:
        made.add_row(
            f"{row['namespace']}/{row['name']}",
            row["mode"],
            row["container"],
            str(row["pods"]),
            _amounts(row, "asked"),
            _amounts(row, "has"),
            _amounts(row, "target"),
            _range(row),
        )
    return made


def sizes_note(run: Run) -> Text:
    """What all of them together would change."""
    cpu_m = memory = 0
    for row in run.sizes:
        for name in ("cpu_m", "memory"):
            asked, target = row[f"asked_{name}"], row[f"target_{name}"]
            if asked is None or target is None:
                continue
            change = row["pods"] * (target - asked)
            if name == "cpu_m":
                cpu_m += change
            else:
                memory += change
    text = (
        f"At their targets the pods ask for {cpu_m:+}m cpu and {memory / (1 << 20):+.0f}Mi memory"
    )
    return Text(f"{text}, compared with their templates.", style="dim")


def _range(row: Mapping[str, Any]) -> str:
    """``76-705m 250-1944Mi``; ``25m+`` where an upper bound only says how little is known."""
    parts = []
    for name, unit, size in (("cpu_m", "m", 1), ("memory", "Mi", 1 << 20)):
        low, high = row[f"lower_{name}"], row[f"upper_{name}"]
        if low is None or high is None:
            continue
        most = f"{unit}+" if high >= FAR * size else f"-{high // size}{unit}"
        parts.append(f"{low // size}{most}")
    return " ".join(parts) or "-"


def _amounts(row: Mapping[str, Any], what: str) -> str:
    cpu_m, memory = row[f"{what}_cpu_m"], row[f"{what}_memory"]
    parts = []
    if cpu_m is not None:
        parts.append(f"{cpu_m}m")
    if memory is not None:
        parts.append(mib(memory))
    return " ".join(parts) or "-"
