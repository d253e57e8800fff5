"""The openb trace: 8,152 tasks on 1,523 nodes, 6,212 GPUs shared; by its times and in one shot.

By its times every task comes and goes when the trace says so, and each finds a place. In one shot all
tasks are there at once, in the order of the file, and ask for 98 % of the GPUs: then a few find no
room, and they cost the most, because all 1,523 nodes have to say why. The profile is the default one
with ``GpuShare`` at weight 5. What is timed is everything from the rows of the files to placements.
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
from kubesim.sim.time import SECOND

TRACE = Path("traces") / "openb"
NODES, PODS = "openb_node_list_all_node.csv", "openb_pod_list_default.csv"
MAX_PODS = "1000"  # the trace does not say; it is not what runs out

CONFIG: Mapping[str, Any] = {
    "profiles": [{"plugins": {"multiPoint": {"enabled": [{"name": "GpuShare", "weight": 5}]}}}]
}


def measure() -> list[Result]:
    """Place the trace by its times, then in one shot."""
    replayed, replay_s = timed(replay)
    outcome, took_s = timed(place)
    tasks = float(len(outcome.final))
    values = (
        ("pods", tasks, "pods", True),
        ("placed", float(len(replayed.bind_order)), "pods", True),
        ("seconds", replay_s, "s", False),
        ("decisions_per_s", tasks / replay_s, "decisions/s", True),
        ("at_once_placed", float(len(outcome.bind_order)), "pods", True),
        ("at_once_seconds", took_s, "s", False),
        ("at_once_decisions_per_s", tasks / took_s, "decisions/s", True),
        ("at_once_gpu_allocated", 100 * allocated(outcome), "%", True),
        ("peak_mb", peak_memory_mb(), "MB", False),
    )
    return [
        Result(name=name, value=value, unit=unit, higher_is_better=up)
        for name, value, unit, up in values
    ]


def replay() -> Outcome:
    """The trace, each task from its creation to its deletion."""
    folder = share_path("models") / TRACE
    run = OneShot(nodes(folder / NODES), config=KubeSchedulerConfiguration.model_validate(CONFIG))
    tasks = {pod.name: pod for pod in pods(folder / PODS)}
    for at_s, leaving, name in sorted(_comings_and_goings(folder / PODS)):
        run.sleep_until(at_s * SECOND)
        if leaving:
            run.leave(tasks[name].uid)
        else:
            run.arrive(tasks[name])
        run.settle()
    return run.outcome()


def _comings_and_goings(file: Path) -> Iterator[tuple[int, bool, str]]:
    """Second, whether it is the end, and the task; who comes is before who goes."""
    for row in _rows(file):
        yield int(row["creation_time"]), False, row["name"]
        yield int(row["deletion_time"]), True, row["name"]


def place() -> Outcome:
    """The trace, placed in one shot."""
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
