"""Runtimes as a user meets them: pods of every shim, what Wasm containers refuse, and overheads."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from harness import run_process

from kubesim.api.corev1 import Pod
from kubesim.cluster.shims import KNOWN_SHIMS, WASM_SHIMS
from kubesim.facts import LogWritten, ModuleLoaded
from kubesim.node.cri.messages import CriError
from kubesim.scenario import Scenario
from kubesim.scenario.live import LiveRun
from kubesim.share import share_path
from kubesim.sim.time import SECOND

MODULES = share_path("scenarios") / "mixed-pool" / "modules"
SPEC = f"""
duration: 60s
images:
- name: report:v1
  wasm: {{module: {MODULES}/report/report.wasm, kind: command}}
- name: greeter:v1
  wasm: {{module: {MODULES}/greeter/greeter.wasm, kind: wagi}}
- name: linux:v1
  layers: [{{size: 1M}}]
  program: {{}}
"""
CLASS = """
apiVersion: node.k8s.io/v1
kind: RuntimeClass
metadata: {{name: {name}}}
handler: {name}
{more}
---
"""
POD = """
apiVersion: v1
kind: Pod
metadata: {{name: {name}}}
spec:
  runtimeClassName: {runtime}
  restartPolicy: {restart}
  containers:
  - {{name: c, image: '{image}'{more}}}
---
"""
MIB = 1 << 20

Write = Callable[..., Path]


def pod(name: str, runtime: str, image: str, restart: str = "Always", more: str = "") -> str:
    return POD.format(name=name, runtime=runtime, image=image, restart=restart, more=more)


def ran(write: Write, manifests: str, *runtimes: str, pool: str = "") -> LiveRun:
    """A minute of one node with those runtimes."""
    capacity = "{cpu: '4', memory: 8Gi}"
    table = ", ".join(runtimes)
    pools = f"[{{name: pool, count: 1, capacity: {capacity}, runtimes: [{table}]{pool}}}]"
    live = LiveRun(Scenario.load(write(SPEC, manifests, pools=pools)))
    live.advance(60 * SECOND)
    return live


def test_every_shim_starts_a_pod(write_scenario: Write) -> None:
    """Ten handlers in one runtime table; a module or a Linux program, as each takes them."""
    manifests = ""
    for name in KNOWN_SHIMS:
        wasm = name in WASM_SHIMS
        manifests += CLASS.format(name=name, more="")
        image, restart = ("report:v1", "Never") if wasm else ("linux:v1", "Always")
        manifests += pod(name, name, image, restart)
    live = ran(write_scenario, manifests, *KNOWN_SHIMS)
    phases = {row["name"]: row["phase"] for row in live.view.pods()}
    printed = {
        fact.name
        for _, fact in live.simulation.sim.journal.of(LogWritten)
        if isinstance(fact, LogWritten) and "78498 primes" in fact.line
    }

    assert {
        name: "Succeeded" if name in WASM_SHIMS else "Running" for name in KNOWN_SHIMS
    } == phases
    assert set(WASM_SHIMS) == printed


@pytest.mark.parametrize(
    ("runtime", "image", "exec_error", "checkpoint_error"),
    [
        (
            "spin",
            "greeter:v1",
            "/containerd.task.v2.Task/Exec is not supported",
            "/containerd.task.v2.Task/Checkpoint is not supported",
        ),
        ("runc", "linux:v1", "", 'exec: "criu": executable file not found in $PATH'),
    ],
)
def test_what_a_container_cannot_do_fails_as_its_shim_does(
    write_scenario: Write, runtime: str, image: str, exec_error: str, checkpoint_error: str
) -> None:
    """exec and checkpoint on a Wasm container; on a Linux one exec works, and CRIU is not there."""
    manifests = CLASS.format(name=runtime, more="") + pod("web", runtime, image)
    live = ran(write_scenario, manifests, "runc", "spin")
    (node,) = live.simulation.nodes.values()
    (stored,) = live.simulation.store.values(Pod)
    (container,) = node.containerd.list_containers(stored.uid)
    calls = (
        (node.containerd.exec_sync(container.id, ("ls",), 0), exec_error),
        (node.containerd.checkpoint_container(container.id), checkpoint_error),
    )
    for call, expected in calls:
        if not expected:
            assert run_process(live.simulation.sim, call) is not None
            continue
        with pytest.raises(CriError) as refused:
            run_process(live.simulation.sim, call)
        assert refused.value.message.endswith(f": {expected}")


def test_a_probe_that_executes_never_knows_of_a_wasm_container(write_scenario: Write) -> None:
    """An error is no failure: liveness does not kill it, nor a relist while it starts; never ready."""
    probe = "{exec: {command: [ls]}, periodSeconds: 1, failureThreshold: 3}"
    classes = "".join(CLASS.format(name=name, more="") for name in ("runc", "spin"))
    manifests = classes
    for kind in ("liveness", "readiness"):
        more = f", {kind}Probe: {probe}"
        manifests += pod(f"wasm-{kind}", "spin", "greeter:v1", more=more)
        manifests += pod(f"linux-{kind}", "runc", "linux:v1", more=more)
    live = ran(write_scenario, manifests, "runc", "spin")
    rows = live.view.pods()
    said = {e["name"] for e in live.view.events() if "Exec is not supported" in e["message"]}

    assert {0} == {row["restarts"] for row in rows}
    assert {"wasm-liveness", "linux-liveness", "linux-readiness"} == {
        row["name"] for row in rows if row["ready"]
    }
    assert {"wasm-liveness", "wasm-readiness"} == said


def test_an_overhead_counts_on_the_node_and_in_the_pods_cgroup(write_scenario: Write) -> None:
    """The scheduler reserves it, and the shim's memory is in the pod's cgroup instead of beside it."""
    found = []
    for overhead in ("", 'overhead: {podFixed: {cpu: "1", memory: 256Mi}}'):
        manifests = CLASS.format(name="spin", more=overhead)
        sized = ", resources: {requests: {cpu: 500m}}"
        for number in range(6):
            manifests += pod(f"web-{number}", "spin", "greeter:v1", more=sized)
        live = ran(write_scenario, manifests, "runc", "spin")
        (node,) = live.simulation.nodes.values()
        on_node = [row for row in live.view.pods() if row["node"]]
        root = node.machine.root.children
        found.append(
            (len(on_node), root["kubepods"].memory_bytes, root["system.slice"].memory_bytes)
        )
    (plain, in_pods, beside), (fewer, in_pods_with, beside_with) = found

    assert (6, 2) == (plain, fewer)  # of 4 cores, something of them reserved: 0.5 or 1.5 a pod
    assert beside > 0
    assert 0 == beside_with
    assert (in_pods + beside) * 2 == 6 * in_pods_with


def test_a_module_is_compiled_once_a_node_and_shim(write_scenario: Write) -> None:
    """What one shim precompiled is nothing that another one could load."""
    manifests = "".join(CLASS.format(name=name, more="") for name in ("spin", "wasmtime"))
    for runtime in ("spin", "wasmtime"):
        for number in range(2):
            manifests += pod(f"{runtime}-{number}", runtime, "report:v1", "Never")
    live = ran(write_scenario, manifests, "runc", "spin", "wasmtime")
    compiled = [
        fact.compiled
        for _, fact in live.simulation.sim.journal.of(ModuleLoaded)
        if isinstance(fact, ModuleLoaded)
    ]

    assert [False, False, True, True] == sorted(compiled)
