"""The openb trace: 8,152 tasks on 1,523 nodes, 6,212 GPUs shared, in one shot.

All tasks are there at once, in the order of the file (by their own times no more than a few dozen
would ever run together), and ask for 98 % of the GPUs. The profile is the default one with
``GpuShare`` at weight 5. What is timed is everything from the rows of the files to placements; tasks
that find no room cost the most, because all 1,523 nodes have to say why.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from kubesim.api.corev1 import Node, Pod
from kubesim.bench.result import Result, peak_memory_mb, timed
from kubesim.controlplane.scheduler.config import KubeSchedulerConfiguration
from kubesim.controlplane.scheduler.contrib.gpushare import COUNT, MILLI, MODEL
from kubesim.controlplane.scheduler.oneshot import OneShot, Outcome
from kubesim.share import share_path

TRACE = Path("traces") / "openb"
NODES, PODS = "openb_node_list_all_node.csv", "openb_pod_list_default.csv"
MAX_PODS = "1000"  # the trace does not say; it is not what runs out

CONFIG: Mapping[str, Any] = {
    "profiles": [{"plugins": {"multiPoint": {"enabled": [{"name": "GpuShare", "weight": 5}]}}}]
}


def measure() -> list[Result]:
    """Place the trace once."""
    outcome, took_s = timed(place)
    placed = len(outcome.bind_order)
    values = (
        ("pods", float(len(outcome.final)), "pods", True),
        ("placed", float(placed), "pods", True),
        ("seconds", took_s, "s", False),
        ("decisions_per_s", len(outcome.final) / took_s, "decisions/s", True),
        ("gpu_allocated", 100 * allocated(outcome), "%", True),
        ("peak_mb", peak_memory_mb(), "MB", False),
    )
    return [
        Result(name=name, value=value, unit=unit, higher_is_better=up)
        for name, value, unit, up in values
    ]


def place() -> Outcome:
    """The trace, placed."""
    folder = share_path("models") / TRACE
    objects = [*nodes(folder / NODES), *pods(folder / PODS)]
    return OneShot(objects, config=KubeSchedulerConfiguration.model_validate(CONFIG)).run()


def allocated(outcome: Outcome) -> float:
    """Which part of all GPUs is given away."""
    folder = share_path("models") / TRACE
    total = sum(int(row["gpu"]) for row in _rows(folder / NODES))
    wanted = {
        f"default/{row['name']}": int(row["num_gpu"]) * int(row["gpu_milli"] or 0)
        for row in _rows(folder / PODS)
    }
    return sum(wanted[key] for key, _ in outcome.bind_order) / (1000 * total)


def nodes(file: Path) -> Iterator[Node]:
    """The nodes."""
    for row in _rows(file):
        amounts = {
            "cpu": f"{row['cpu_milli']}m",
            "memory": f"{row['memory_mib']}Mi",
            "pods": MAX_PODS,
        }
        labels = {"kubernetes.io/hostname": row["sn"]}
        if int(row["gpu"]):
            amounts[COUNT] = row["gpu"]
            labels[MODEL] = row["model"]
        yield Node.model_validate(
            {
                "metadata": {"name": row["sn"], "labels": labels},
                "status": {"allocatable": amounts, "capacity": amounts},
            }
        )


def pods(file: Path) -> Iterator[Pod]:
    """The tasks, as pods that have not been placed yet."""
    for row in _rows(file):
        annotations = {}
        if int(row["num_gpu"]):
            annotations = {COUNT: row["num_gpu"], MILLI: row["gpu_milli"]}
            if row["gpu_spec"]:
                annotations[MODEL] = row["gpu_spec"]
        requests = {"cpu": f"{row['cpu_milli']}m", "memory": f"{row['memory_mib']}Mi"}
        yield Pod.model_validate(
            {
                "metadata": {
                    "name": row["name"],
                    "namespace": "default",
                    "uid": row["name"],
                    "annotations": annotations,
                },
                "spec": {
                    "schedulerName": "default-scheduler",
                    "containers": [{"name": "task", "resources": {"requests": requests}}],
                },
            }
        )


def _rows(file: Path) -> Iterator[dict[str, str]]:
    with file.open(encoding="utf-8", newline="") as lines:
        yield from csv.DictReader(lines)
