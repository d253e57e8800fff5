"""A SpinApp's checks: the kubelet's probes really call the component."""

from __future__ import annotations

import pytest
from spinapp_harness import SpinRun, Write, spin_app

from kubesim.api.corev1 import Pod
from kubesim.facts import RequestCompleted, WasmExecuted

CHECKS = "replicas: 1\nchecks: {%s: {httpGet: {path: %s}}}"
POD = """
apiVersion: v1
kind: Pod
metadata: {name: visits-pod}
spec:
  runtimeClassName: wasmtime-spin-v2
  containers:
  - name: main
    image: ghcr.io/example/visits:v1
    readinessProbe: {httpGet: {path: %s, port: 80}, periodSeconds: 1}
"""


def started_ns(run: SpinRun) -> int:
    (pod,) = run.pods()
    state = pod.status.container_statuses[0].state.running
    assert state is not None
    assert state.started_at is not None
    return state.started_at - run.live.simulation.sim.start_time_ns


def ready_ns(run: SpinRun) -> int:
    (pod,) = run.pods()
    (condition,) = (c for c in pod.status.conditions if c.type == "Ready")
    assert "True" == condition.status
    assert condition.last_transition_time is not None
    return condition.last_transition_time - run.live.simulation.sim.start_time_ns


def test_readiness_waits_for_its_initial_delay(write_scenario: Write) -> None:
    """A component that answers well is ready ten seconds after its start, not before."""
    run = SpinRun(write_scenario, spin_app(CHECKS % ("readiness", "/visits"))).until(60)
    waited_s = (ready_ns(run) - started_ns(run)) / 1e9
    assert 10 <= waited_s < 22


def test_no_checks_no_delay(write_scenario: Write) -> None:
    """Without checks the pod is ready when the kubelet sees it run."""
    run = SpinRun(write_scenario, spin_app("replicas: 1")).until(60)
    assert (ready_ns(run) - started_ns(run)) / 1e9 < 3


def test_the_probe_calls_the_component(write_scenario: Write) -> None:
    """The probe's GET counts in the component's own store like anybody else's."""
    run = SpinRun(write_scenario, spin_app(CHECKS % ("readiness", "/visits"))).until(100)
    counted = int(run.body("/visits"))
    assert 8 <= counted <= 12  # one every ten seconds since the eleventh, and this one


def test_a_component_that_answers_badly_is_not_ready(write_scenario: Write) -> None:
    """A 404 fails the probe: the pod runs, gets no traffic, and the event says why."""
    run = SpinRun(write_scenario, spin_app(CHECKS % ("readiness", "/nothing"))).until(60)
    assert [] == run.ready()
    assert 0 == run.restarts()
    unhealthy = run.events("Unhealthy")
    assert "Readiness probe failed: HTTP probe failed with statuscode: 404" == unhealthy[0]


def test_liveness_restarts_a_component_that_answers_badly(write_scenario: Write) -> None:
    """Three failures, ten seconds apart from the tenth on, and the container is started again."""
    run = SpinRun(write_scenario, spin_app(CHECKS % ("liveness", "/nothing"))).until(28)
    assert 0 == run.restarts()
    run.until(45)
    assert 1 == run.restarts()
    assert "Container visits failed liveness probe, will be restarted" in run.events("Killing")
    run.until(300)
    assert run.restarts() >= 3


def test_liveness_leaves_a_component_alone_that_answers_well(write_scenario: Write) -> None:
    """Minutes of good answers, no restart."""
    run = SpinRun(write_scenario, spin_app(CHECKS % ("liveness", "/visits"))).until(300)
    assert 0 == run.restarts()


@pytest.mark.parametrize(("path", "ready"), [("/visits", True), ("/nothing", False)])
def test_a_plain_pod_is_probed_too(write_scenario: Write, path: str, ready: bool) -> None:
    """An httpGet probe of an ordinary Pod asks the real Wasm container."""
    run = SpinRun(write_scenario, POD % path).until(20)
    assert (["visits-pod"] if ready else []) == run.ready()


def test_headers_and_timings_reach_the_probe(write_scenario: Write) -> None:
    """What the SpinApp says of its checks is what the Deployment's probes say."""
    checks = (
        "replicas: 1\nchecks: {liveness: {initialDelaySeconds: 3, periodSeconds: 2, timeoutSeconds: 4,"
        " failureThreshold: 5, httpGet: {path: /visits, httpHeaders: [{name: X-A, value: b}]}}}"
    )
    run = SpinRun(write_scenario, spin_app(checks)).until(20)
    (pod,) = run.pods()
    assert isinstance(pod, Pod)
    probe = pod.spec.containers[0].liveness_probe
    assert probe is not None
    assert probe.http_get is not None
    assert (3, 2, 4, 1, 5) == (
        probe.initial_delay_seconds, probe.period_seconds, probe.timeout_seconds,
        probe.success_threshold, probe.failure_threshold,
    )  # fmt: skip
    assert [("X-A", "b")] == [(h.name, h.value) for h in probe.http_get.http_headers]
    assert int(run.body("/visits")) > 5


def test_probes_are_not_traffic(write_scenario: Write) -> None:
    """A Service's requests do not count what the kubelet asks."""
    run = SpinRun(write_scenario, spin_app(CHECKS % ("readiness", "/visits"))).until(60)
    journal = run.live.simulation.sim.journal
    assert [] == list(journal.of(RequestCompleted))
    assert [] == list(journal.of(WasmExecuted))
    assert 0 == run.live.view.services()["visits"]["requests"]
