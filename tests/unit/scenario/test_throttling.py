"""What a CPU limit costs is seen in the pods of a run: in its tables, its report and by expectations."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
import yaml

from kubesim.report.text import text
from kubesim.scenario import Scenario
from kubesim.telemetry import Run

IMAGE = "ghcr.io/acme/app:v1"
SECOND = 1_000_000_000


def pod(name: str, limit: str) -> dict[str, Any]:
    """A pod that wants half a core all the time."""
    resources = {"limits": {"cpu": limit}} if limit else {}
    container = {"name": "c", "image": IMAGE, "resources": resources}
    return {
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": name},
        "spec": {"nodeName": "pool-0", "containers": [container]},
    }  # fmt: skip


def run(
    folder: Path,
    *pods: dict[str, Any],
    expression: str,
    program: Mapping[str, Any] = MappingProxyType({"port": 0, "cpu": "500m"}),
) -> Run:
    """Two minutes of those pods."""
    document = {
        "apiVersion": "kubesim.dev/v1alpha1", "kind": "Scenario", "metadata": {"name": "test"},
        "spec": {
            "duration": "2m",
            "nodePools": [{"name": "pool", "count": 1, "capacity": {"cpu": "4", "memory": "8Gi"}}],
            "images": [{"name": IMAGE, "layers": [{"size": "1M"}], "program": dict(program)}],
            "expectations": [{"name": "held", "expr": expression}],
        },
    }  # fmt: skip
    file = folder / "scenario.yaml"
    file.write_text("---\n".join(yaml.safe_dump(each) for each in (document, *pods)))
    return Scenario.load(file).run()


def test_a_limit_that_holds_a_pod_back_is_seen(tmp_path: Path) -> None:
    """In its row, in the column THROTTLED, by CEL, in JSON and in the files of ``--out``."""
    asked = 'pods.filter(p, p.throttled > duration("30s")).map(p, p.name) == ["slow"]'
    done = run(tmp_path, pod("slow", "250m"), pod("free", "1"), pod("any", ""), expression=asked)
    row = done.pod("slow")

    # Of 500m wanted 250m are given: it sleeps through half of every period of 100 ms.
    assert done.passed
    assert 100 * SECOND < 2 * row["throttled_ns"] < 120 * SECOND
    assert row["throttled_ns"] == pytest.approx(row["nr_throttled"] * SECOND / 20, rel=0.01)
    for name in ("free", "any"):
        assert (0, 0) == (done.pod(name)["nr_throttled"], done.pod(name)["throttled_ns"])
    assert [row["throttled_ns"]] == [
        p["throttled_ns"] for p in done.to_json()["pods"] if p["name"] == "slow"
    ]
    (line,) = (line for line in text(done).splitlines() if line.startswith("  slow"))
    assert "THROTTLED" in text(done)
    assert f"({row['nr_throttled']}x)" in line
    (table,) = (table for table in done.tables() if table.name == "pods")
    assert {"nr_throttled", "throttled_ns"} <= set(table.columns)


def test_a_pod_keeps_what_its_ended_containers_slept(tmp_path: Path) -> None:
    """A restart begins a new cgroup, not a new count."""
    program = {"port": 0, "cpu": "500m", "runTime": "10s"}
    done = run(
        tmp_path, pod("slow", "250m"), program=program, expression="pods[0].nr_throttled > 300"
    )
    row = done.pod("slow")
    ended = done.facts()["ContainerThrottled"]

    assert done.passed
    assert row["restarts"] >= 2
    assert {0, 1, 2} <= {fact["attempt"] for fact in ended}
    assert sum(fact["throttled_ns"] for fact in ended) <= row["throttled_ns"]


def test_nobody_was_held_back(tmp_path: Path) -> None:
    """There is no column of zeros."""
    held = 'pods.all(p, p.throttled == duration("0s"))'

    assert run(tmp_path, pod("any", ""), expression=held).passed
    assert "THROTTLED" not in text(run(tmp_path, pod("any", ""), expression=held))
