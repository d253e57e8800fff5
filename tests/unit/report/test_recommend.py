"""Which runtime for which workload: the limits, the numbers, and the shipped scenario."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from kubesim.report.recommend import Recommendation, _recommendation, recommend, recommendations
from kubesim.sim.time import MILLISECOND, SECOND
from kubesim.telemetry import Run
from kubesim.telemetry.workloads import WORKLOAD_COLUMNS


def row(name: str = "web", **values: Any) -> dict[str, Any]:
    """A stateless container that serves requests, with changes."""
    made: dict[str, Any] = {
        **dict.fromkeys(WORKLOAD_COLUMNS, 0),
        "namespace": "default", "kind": "Deployment", "name": name, "runtimeClass": "",
        "wasm": False, "portable": True, "pools": ["general"], "pods": 2, "ready": 2,
        "containers": 1, "devices": [], "exec": False, "image_bytes": 12_000_000,
        "startup_p50_ns": 2 * SECOND, "requests": 100, "latency_p99_ns": 2 * MILLISECOND,
        "memory_p50_bytes": 40 << 20,
    }  # fmt: skip
    return {**made, **values}


WASM = row(
    "hello", kind="SpinApp", wasm=True, runtimeClass="spin", image_bytes=25_000,
    startup_p50_ns=SECOND, instantiate_p50_ns=MILLISECOND, memory_p50_bytes=20 << 20,
)  # fmt: skip


def judged(judged_row: dict[str, Any], *others: dict[str, Any]) -> Recommendation:
    return _recommendation(judged_row, [judged_row, *others])


@pytest.mark.parametrize(
    ("values", "limit"),
    [
        ({"devices": ["nvidia.com/gpu"]}, "GPU"),
        ({"claims": 2}, "PersistentVolume"),
        ({"exec": True}, "exec"),
        ({"containers": 2}, "sidecars"),
        ({"portable": False}, "not portable"),
    ],
)
def test_limits_keep_a_workload_in_a_container(values: dict[str, Any], limit: str) -> None:
    """Each limit alone decides, whatever the numbers say, also for what runs as Wasm now."""
    for base in (row(), WASM):
        found = judged({**base, **values}, WASM)
        assert ("container", (limit,)) == (found.runtime, found.limits)
        assert found.reasons[0].startswith(f"{limit}: ")


def test_stateless_service_could_move() -> None:
    """A container that only serves requests is compared with the Wasm workloads of the run."""
    found = judged(row(), WASM)
    assert ("container", "Wasm", True) == (found.now, found.runtime, found.changes)
    assert "image 12.0 MB: 480 times more than Wasm here (25 kB)" == found.reasons[0]
    assert "ready after 2s: 2.0 times more than Wasm here (1s)" == found.reasons[1]
    assert "memory of a pod 40 MiB: 2.0 times more than Wasm here (20 MiB)" == found.reasons[2]


@pytest.mark.parametrize(("values", "others"), [({}, ()), ({"requests": 0}, (WASM,))])
def test_nothing_to_compare(values: dict[str, Any], others: tuple[dict[str, Any], ...]) -> None:
    """Without Wasm in the run, or without requests, a container stays what it is."""
    found = judged(row(**values), *others)
    assert ("container", False) == (found.runtime, found.changes)


def test_busy_handler_belongs_in_a_container() -> None:
    """A Wasm handler that computes long for each request would be faster in native code."""
    found = judged({**WASM, "execute_p50_ns": 80 * MILLISECOND}, row())
    assert ("container", True) == (found.runtime, found.changes)
    assert "its handler computes 80ms a request" in found.reasons[0]


@pytest.fixture(scope="module")
def run(shipped: Callable[[str], Run]) -> Run:
    return shipped("coexistence")


def test_coexistence_holds(run: Run) -> None:
    """Every expectation of the shipped scenario holds."""
    assert [] == [result.name for result in run.expectations if not result.passed]


def test_coexistence_is_recommended(run: Run) -> None:
    """The article's table comes out of the numbers; the one stateless container could move."""
    assert {
        "http-api": ("Wasm", "Wasm", ()),
        "event-handler": ("Wasm", "Wasm", ()),
        "edge-handler": ("Wasm", "Wasm", ()),
        "web": ("container", "Wasm", ()),
        "database": ("container", "container", ("PersistentVolume",)),
        "inference": ("container", "container", ("GPU",)),
        "legacy": ("container", "container", ("exec", "sidecars", "not portable")),
    } == {found.name: (found.now, found.runtime, found.limits) for found in recommend(run)}
    assert recommendations(run) is not None


def test_workloads_are_in_the_json(run: Run) -> None:
    """The table of workloads is part of a run's JSON."""
    rows = {workload["name"]: workload for workload in run.to_json()["workloads"]}
    assert ("SpinApp", ["edge"], 4) == (
        rows["edge-handler"]["kind"], rows["edge-handler"]["pools"], rows["edge-handler"]["ready"],
    )  # fmt: skip
