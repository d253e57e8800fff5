"""How many pods fit on a node: who has the memory, and what is full first."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from kubesim.facts import ContainerExited
from kubesim.report.text import text
from kubesim.scenario import Scenario
from kubesim.telemetry import Run


@pytest.fixture(scope="module")
def density(shipped: Callable[[str], Run]) -> Run:
    """The shipped scenario."""
    return shipped("density")


def test_the_shipped_scenario_holds(density: Run) -> None:
    """110 pods of each kind; 250 of Wasm; containers stopped by memory."""
    assert [] == [result.name for result in density.expectations if not result.passed]


def test_memory_by_component_adds_up(density: Run) -> None:
    """Shims, zygotes, pauses and applications, for 110 pods of each kind."""
    nodes = {node["name"]: node for node in density.nodes}
    wasm, runc = nodes["wasm-0"], nodes["runc-0"]

    for node in nodes.values():
        parts = [node[f"memory_{part}"] for part in ("shim", "zygote", "pause", "app")]
        assert node["memory_peak"] == sum(parts)
    assert (110 * 15_350_000, 110 * 3_500_000) == (wasm["memory_shim"], wasm["memory_zygote"])
    assert (110 * 7_250_000, 0) == (runc["memory_shim"], runc["memory_zygote"])
    assert 110 * 750_000 == wasm["memory_pause"] == runc["memory_pause"]
    assert (110 * 3_200_000, 110 * 64_000_000) == (wasm["memory_app"], runc["memory_app"])


def test_the_report_says_which_limit_is_nearest(density: Run) -> None:
    """max-pods on three nodes, memory requests on the fourth."""
    lines = text(density).splitlines()
    found = {line.split()[0]: line for line in lines if "Mi" in line and "(100 %)" in line}

    assert {"wasm-0", "runc-0", "wasm-250-0"} == {name for name in found if "-" in name}
    assert [1] == [1 for line in lines if "runc-250-0" in line and "memory requests" in line]


SCENARIO = """
apiVersion: kubesim.dev/v1alpha1
kind: Scenario
metadata: {name: leak}
spec:
  seed: 1
  duration: 5m
  preset: seed
  nodePools:
    - {name: n, count: 1, capacity: {cpu: "2", memory: 1Gi}}
  images:
    - name: app:1
      layers: [{size: 1M}]
      program: {memory: 50Mi, port: 0, cpu: 300m, memoryGrowth: {by: 20Mi, every: 10s}}
  manifests: [pod.yaml]
"""
POD = """
apiVersion: v1
kind: Pod
metadata: {name: leak}
spec:
  restartPolicy: Never
  containers:
    - {name: main, image: "app:1", resources: {limits: {memory: 100Mi}}}
"""


def test_a_leak_ends_in_an_oom_kill(tmp_path: Path) -> None:
    """50Mi and 20Mi each ten seconds are over 100Mi after half a minute."""
    (tmp_path / "scenario.yaml").write_text(SCENARIO)
    (tmp_path / "pod.yaml").write_text(POD)
    run = Scenario.load(str(tmp_path / "scenario.yaml")).run()
    exits = [fact for _, fact in run.journal.of(ContainerExited)]

    assert [(137, "OOMKilled")] == [(fact.exit_code, fact.reason) for fact in exits]
    assert "OOMKilled" == run.pod("leak")["reason"]
