"""Probes cost CPU, asked or left out; and a probe of a Wasm container really calls its module."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from harness import MILLISECOND, SECOND, Cluster, NodeUnderTest, bound, image, program

from kubesim.api.corev1 import Pod
from kubesim.api.podutil import is_pod_ready
from kubesim.facts import ContainerExited, EventRecorded
from kubesim.scenario.live import LiveRun
from kubesim.scenario.loading import load_scenario
from kubesim.sim.distribution import Constant

MODULES = Path("scenarios/mixed-pool/modules").resolve()
DAY = 86_400


def probed(**probes: Any) -> Any:
    return bound(containers=[{"name": "main", "image": "app:1", **probes}])


@pytest.mark.parametrize("kind", ["readinessProbe", "livenessProbe"])
def test_probes_that_are_left_out_cost_what_they_would(kind: str) -> None:
    """10 ms of CPU once in ten seconds: 86.4 s a day, and hardly an event."""
    cluster = Cluster()
    node = NodeUnderTest(cluster, image(runs=program(service=Constant(10 * MILLISECOND))))
    probe = {"httpGet": {"port": 80}, "periodSeconds": 10}
    cluster.api.create(probed(**{kind: probe}))
    cluster.run(100)
    used_ns, events = node.machine.kubepods.cpu_usage_ns(), cluster.sim.events_processed
    cluster.run(DAY)

    took_ns = node.machine.kubepods.cpu_usage_ns() - used_ns
    assert 86.4 * SECOND == pytest.approx(took_ns, rel=0.001)
    assert cluster.sim.events_processed - events < 20


def test_commands_that_are_left_out_cost_the_node() -> None:
    """Starting a process is the runtime's work, not the container's: 20 ms each."""
    cluster = Cluster()
    node = NodeUnderTest(cluster, image())
    probe = {"exec": {"command": ["true"]}, "periodSeconds": 5}
    cluster.api.create(probed(livenessProbe=probe))
    cluster.run(100)
    before_ns = node.machine.system.cpu_usage_ns()
    cluster.run(1000)

    took_ns = node.machine.system.cpu_usage_ns() - before_ns
    assert 200 * 20 * MILLISECOND == pytest.approx(took_ns, rel=0.01)


def test_the_load_ends_with_the_container() -> None:
    """What is gone answers nobody."""
    cluster = Cluster()
    node = NodeUnderTest(cluster, image(runs=program(service=Constant(10 * MILLISECOND))))
    cluster.api.create(probed(readinessProbe={"httpGet": {"port": 80}}))
    cluster.run(100)
    cluster.api.delete(Pod, "default/web", grace_period_seconds=1)
    cluster.run(100)
    before_ns = node.machine.kubepods.cpu_usage_ns()
    cluster.run(1000)

    assert before_ns == node.machine.kubepods.cpu_usage_ns()


def wasm_run(folder: Path, probes: dict[str, Any]) -> LiveRun:
    """A pod of the greeter module, with probes."""
    documents = [
        {
            "apiVersion": "kubesim.dev/v1alpha1",
            "kind": "Scenario",
            "metadata": {"name": "probes"},
            "spec": {
                "duration": "1h",
                "nodePools": [{"name": "n", "count": 1, "machine": "m5.large",
                               "runtimes": ["runc", "spin"]}],
                "images": [{"name": "g:1", "wasm": {
                    "module": str(MODULES / "greeter" / "greeter.wasm"), "kind": "wagi"}}],
            },
        },
        {"apiVersion": "node.k8s.io/v1", "kind": "RuntimeClass", "metadata": {"name": "spin"},
         "handler": "spin"},
        {
            "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "g"},
            "spec": {
                "runtimeClassName": "spin",
                "containers": [{"name": "g", "image": "g:1", **probes}],
            },
        },
    ]  # fmt: skip
    (folder / "scenario.yaml").write_text(yaml.safe_dump_all(documents))
    return LiveRun(load_scenario(folder))


def test_a_probe_calls_the_module_of_a_wasm_container(tmp_path: Path) -> None:
    """The module's own answer makes the pod ready, and its execution is on the pod's account."""
    run = wasm_run(tmp_path, {"readinessProbe": {"httpGet": {"path": "/", "port": 80}},
                              "livenessProbe": {"httpGet": {"path": "/", "port": 80}}})  # fmt: skip
    sim, machine = run.simulation.sim, run.simulation.nodes["n-0"].machine
    run.simulation.run_until(60 * SECOND)
    [pod] = run.simulation.store.values(Pod)
    used_ns, events = machine.kubepods.cpu_usage_ns(), sim.events_processed
    run.simulation.run_until(1060 * SECOND)
    a_probe_ns = (machine.kubepods.cpu_usage_ns() - used_ns) / 200

    assert is_pod_ready(pod)
    assert 10_000 < a_probe_ns < 10 * MILLISECOND
    assert sim.events_processed - events < 50


def test_a_wasm_container_that_answers_nobody_is_restarted(tmp_path: Path) -> None:
    """Nobody listens there: three failures, ten seconds apart, then the restart."""
    run = wasm_run(
        tmp_path, {"livenessProbe": {"httpGet": {"path": "/", "port": 81}, "periodSeconds": 10}}
    )
    run.simulation.run_until(120 * SECOND)
    journal = run.simulation.sim.journal
    unhealthy = [f.message for _, f in journal.of(EventRecorded) if f.reason == "Unhealthy"]

    assert len(unhealthy) >= 3
    assert "Liveness probe failed: Get" in unhealthy[0]
    assert "connect: connection refused" in unhealthy[0]
    assert list(journal.of(ContainerExited))


@pytest.mark.parametrize(("speaks", "ready"), [(True, True), (False, False)])
def test_a_grpc_probe_asks_for_the_health_service(speaks: bool, ready: bool) -> None:
    """Who serves on that port answers; nobody there, and it times out."""
    cluster = Cluster()
    NodeUnderTest(cluster, image(runs=program()))
    cluster.api.create(probed(readinessProbe={"grpc": {"port": 80 if speaks else 81}}))
    cluster.run(30)

    assert ready is is_pod_ready(cluster.pod())
    if not speaks:
        assert 'timeout: failed to connect service "10.244.0' in cluster.events("Unhealthy")[0]
