"""The article's manifests, as printed, one discrepancy after another: W1 to W18, and nothing else.

What a cluster refuses is a problem read strictly; what it accepts in vain is one, too; what it does
differently from what the article says is shown by a run.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from spinapp_harness import SpinRun, Write, spin_app

from kubesim.api.autoscalingv2 import HorizontalPodAutoscaler
from kubesim.api.corev1 import Service
from kubesim.cli.validating import validate_command
from kubesim.errors import InputError
from kubesim.facts import ShimInstalled
from kubesim.scenario import LiveRun, Scenario
from kubesim.share import share_path
from kubesim.sim.time import SECOND
from kubesim.telemetry import Run

FOLDER = share_path("scenarios") / "seed-manifests" / "manifests"


def strictly() -> list[str]:
    """File, line and message of everything that is wrong, read strictly."""
    with pytest.raises(InputError) as refused:
        validate_command([str(FOLDER)], strictness="strict")
    return [f"{Path(p.file or '').name}:{p.line} {p}" for p in refused.value.problems]


def found(words: str) -> list[str]:
    """Where a strict reading says something: ``file:line``."""
    return [problem.partition(" ")[0] for problem in strictly() if words in problem]


@pytest.fixture(scope="module")
def run(shipped: Callable[[str], Run]) -> Run:
    """The shipped scenario: the same manifests, read leniently."""
    return shipped("seed-manifests")


def said(run: Run, number: str) -> list[str]:
    """What the lenient run said about a discrepancy."""
    return [note for note in run.unsimulated if note.endswith(f"({number})")]


def test_w1_the_groups_name() -> None:
    """All four objects are of a group that no cluster has any more."""
    assert ["coexistence.yaml:2", "spinapp.yaml:1", "spinapp.yaml:31", "spinapp.yaml:40"] == found(
        "no matches for kind"
    )


def test_w2_the_labels_of_pods(run: Run) -> None:
    """Pods carry the new label; who selects by the old one gets none."""
    facts = run.facts()["ObjectWritten"]
    assert any(row["kind"] == "Pod" for row in facts)
    assert ["service.yaml:8"] == found('no pod of a SpinApp has the label "core.spinoperator.dev')


def test_w3_replicas_with_autoscaling(run: Run) -> None:
    """The webhook's rule, before any cluster; read leniently the replicas are dropped."""
    assert ["spinapp.yaml:8"] == found("replicas cannot be set when autoscaling is enabled")
    assert 1 == len(said(run, "W3"))


def test_w4_the_runtime_configuration(run: Run) -> None:
    """No version had maps there; read leniently they are lists, and libsql gets a token."""
    assert ["spinapp.yaml:21"] == found('unknown field "spec.runtime-config"')
    (note,) = said(run, "W4")
    assert "its libsql database with an empty token" in note


def test_w5_pod_spec(run: Run) -> None:
    """No version had it; read leniently its tolerations and selector reach the pods."""
    assert ["coexistence.yaml:12"] == found('unknown field "spec.podSpec"')
    pods = [pod for pod in run.pods if pod["name"].startswith("edge-handler-")]
    assert {"wasm-0", "wasm-1"} == {pod["node"] for pod in pods}


def test_w6_the_variables_name(run: Run) -> None:
    """Spin's variables are lower case; the environment is the same."""
    assert ["spinapp.yaml:16"] == found('"DATABASE_URL" is no name of a Spin variable')
    assert 1 == len(said(run, "W6"))


def test_w7_nobody_makes_an_autoscaler(run: Run) -> None:
    """One replica, no HorizontalPodAutoscaler, and a word about it."""
    assert 1 == len([pod for pod in run.pods if pod["name"].startswith("hello-spin-")])
    assert HorizontalPodAutoscaler.__name__ not in {
        row["kind"] for row in run.facts()["ObjectWritten"]
    }
    assert 1 == len(said(run, "W7"))


def test_w8_every_application_has_a_service(run: Run) -> None:
    """Whatever its triggers are: the operator never looks at them."""
    names = {service["name"] for service in run.services}
    assert {"hello-spin", "hello-k8s", "edge-handler"} <= names


def test_w9_the_architecture_of_nodes(run: Run) -> None:
    """No node has it; read leniently any node with a Wasm shim is meant."""
    places = ["coexistence.yaml:19", "runtimeclass.yaml:8", "runtimeclass.yaml:21"]
    assert places == found("no node has kubernetes.io/arch=wasm32-wasi")
    assert 3 == len(said(run, "W9"))


def test_w9_pods_that_name_it_stay_pending(write_scenario: Write) -> None:
    """What a cluster that accepts it makes of it: no node fits, for ever."""
    pod = """
apiVersion: v1
kind: Pod
metadata: {name: lost}
spec:
  nodeSelector: {kubernetes.io/arch: wasm32-wasi}
  containers: [{name: a, image: 'ghcr.io/example/visits:v1'}]
"""
    run = SpinRun(write_scenario, pod, spec="strictness: warn").until(60)
    (lost,) = run.pods("lost")
    assert "Pending" == lost.status.phase
    assert any("(W9)" in note for note in run.scenario.unsimulated)


def test_w10_the_services_selector(run: Run) -> None:
    """By the new label the article's Service has endpoints."""
    (service,) = (s for s in run.services if s["name"] == "wasm-service")
    assert service["requests"] > 0
    assert 0 == service["errors"]
    assert 1 == len(said(run, "W10"))


PRINTED = FOLDER / "daemonset.yaml"


def test_w11_the_installer_as_printed_crashes(write_scenario: Write) -> None:
    """Its script wants NODE_ROOT; a cluster accepts the DaemonSet, and it installs nothing."""
    spec = "duration: 60s\nstrictness: strict"
    live = LiveRun(Scenario.load(write_scenario(spec, PRINTED.read_text())))
    live.advance(60 * SECOND)
    (pod,) = live.view.pods()
    assert "CrashLoopBackOff" == pod["reason"]
    assert "NODE_ROOT: parameter not set" in pod["log"][0]
    assert [] == list(live.simulation.sim.journal.of(ShimInstalled))


def test_w11_read_leniently_it_installs(write_scenario: Write) -> None:
    """Given the host's root, it brings the shim to its node."""
    spec = "duration: 60s\nstrictness: lenient"
    live = LiveRun(Scenario.load(write_scenario(spec, PRINTED.read_text())))
    live.advance(60 * SECOND)
    ((_, installed),) = live.simulation.sim.journal.of(ShimInstalled)
    assert ("pool-0", "spin") == (installed.node, installed.handler)


def test_w13_a_retired_shim_still_runs(write_scenario: Write) -> None:
    """The handler slight is accepted, and runs modules."""
    module = share_path("scenarios") / "mixed-pool" / "modules" / "greeter" / "greeter.wasm"
    images = f"duration: 20s\nimages: [{{name: 'old:v1', wasm: {{module: {module}, kind: wagi}}}}]"
    manifests = """
{apiVersion: node.k8s.io/v1, kind: RuntimeClass, metadata: {name: slight}, handler: slight}
---
apiVersion: v1
kind: Pod
metadata: {name: old}
spec: {runtimeClassName: slight, containers: [{name: a, image: 'old:v1'}]}
"""
    pools = "[{name: pool, count: 1, capacity: {cpu: '4', memory: 8Gi}, runtimes: [runc, slight]}]"
    live = LiveRun(Scenario.load(write_scenario(images, manifests, pools=pools)))
    live.advance(20 * SECOND)
    assert [True] == [pod["ready"] for pod in live.view.pods()]


SIDE_BY_SIDE = """
apiVersion: v1
kind: Pod
metadata: {name: visits-pod, labels: {app: visits}}
spec:
  runtimeClassName: wasmtime-spin-v2
  containers:
  - {name: module, image: 'ghcr.io/example/visits:v1'}
  - name: sidecar
    image: docker.io/library/redis:7
    volumeMounts: [{name: shared, mountPath: /data}]
  volumes: [{name: shared, emptyDir: {}}]
---
apiVersion: v1
kind: Service
metadata: {name: outside}
spec: {type: NodePort, selector: {app: visits}, ports: [{port: 80, nodePort: 30080}]}
"""


def test_w14_sidecars_volumes_and_node_ports_work(write_scenario: Write) -> None:
    """A Linux container runs beside the module, with a volume; a NodePort Service leads there."""
    run = SpinRun(write_scenario, SIDE_BY_SIDE).until(20)
    assert ["visits-pod"] == run.ready()
    assert "1" == run.body("/visits")
    service = run.live.simulation.store.get(Service, "default/outside")
    assert 30080 == service.spec.ports[0].node_port


EXEC = """
apiVersion: v1
kind: Pod
metadata: {name: visits-pod}
spec:
  runtimeClassName: wasmtime-spin-v2
  containers:
  - name: module
    image: ghcr.io/example/visits:v1
    readinessProbe: {exec: {command: [cat, /tmp/healthy]}, periodSeconds: 1}
"""


def test_w15_exec_does_not_work_and_logs_do(write_scenario: Write) -> None:
    """The shims have no Exec: such a probe errs, the pod is never ready, and is not restarted."""
    run = SpinRun(write_scenario, EXEC).until(30)
    assert [] == run.ready()
    assert 0 == run.restarts()
    assert any("Exec is not supported" in message for message in run.events("Unhealthy"))


def test_w18_the_executor_comes_too_late(run: Run) -> None:
    """Applications before their executor are refused; read leniently executors go first."""
    assert ["coexistence.yaml:9", "spinapp.yaml:9"] == found(
        "executor does not exist in namespace"
    )
    assert 1 == len(said(run, "W18"))


def test_w18_an_executor_of_another_namespace(write_scenario: Write) -> None:
    """It must be in the application's own."""
    app = spin_app("replicas: 1\nexecutor: containerd-shim-spin").replace(
        "metadata: {name: visits}", "metadata: {name: visits, namespace: kube-public}"
    )
    run = SpinRun(write_scenario, app).until(5)
    (refused,) = run.live.view.refused()
    assert "executor does not exist in namespace" in refused["message"]


def test_strict_says_these_things_and_no_others() -> None:
    """Fourteen problems: four groups, W3 to W6, three architectures, the selector, two executors."""
    assert 14 == len(strictly())


def test_the_rest_runs_as_it_is(run: Run) -> None:
    """Read leniently, nothing is refused and every expectation of the scenario holds."""
    assert 0 == len(run.refused)
    assert run.passed
