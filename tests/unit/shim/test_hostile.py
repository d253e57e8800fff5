"""The hostile set on a node: every container comes to its state, and the node lives on."""

from __future__ import annotations

from dataclasses import replace

import pytest
from harness import MILLISECOND, SECOND, Cluster, NodeUnderTest

from kubesim.bench.hostile import CASES, LIMITS, Hostile, hostile_engine, outcome
from kubesim.node.shim import ShimError, TaskSpec
from kubesim.node.shim.pool import InstanceNumbers
from kubesim.node.shim.precompiled import PrecompiledModules
from kubesim.node.shim.wasm import WasmShim
from kubesim.node.shim.wasmruntime import WasmRuntime
from kubesim.sim.distribution import Constant
from kubesim.wasm import Engine, TimeModel
from kubesim.wasm.memo import Memo
from kubesim.wire.http import HttpRequest, Served
from kubesim.wire.image import SpinGrants, WasmKind, WasmProgram, sha256_digest

RUNTIME = WasmRuntime(
    name="containerd-shim-spin-v2",
    kinds=frozenset(WasmKind),
    start=Constant(MILLISECOND),
    stop=Constant(MILLISECOND),
    listen=Constant(MILLISECOND),
    instances=InstanceNumbers(cold=Constant(MILLISECOND)),
    instance_bytes=1 << 20,
    pod_overhead_bytes=0,
    time=TimeModel(),
    horizon_ns=10_000 * SECOND,
)


@pytest.fixture(scope="module")
def guarded() -> Engine:
    """An engine that gives a compile bomb a second."""
    return hostile_engine()


@pytest.fixture
def frugal(monkeypatch) -> None:
    """Containers have less fuel than usual: what is endless need not take long to be so."""
    monkeypatch.setattr(
        "kubesim.node.shim.grants.Limits", lambda: replace(LIMITS, fuel=200_000_000)
    )


def spec(case: Hostile, kind: WasmKind) -> TaskSpec:
    """A container of a case with 16 MiB of memory."""
    module = case.module()
    return TaskSpec(
        namespace="default",
        pod=case.name.replace("_", "-"),
        uid="u1",
        container="main",
        attempt=0,
        program=WasmProgram(
            module=module,
            digest=sha256_digest(module),
            kind=kind,
            grants=SpinGrants(key_value_stores=("default",)),
        ),
        ip="10.244.0.2",
        memory_limit_bytes=16 << 20,
    )


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_hostile_container_comes_to_its_state(case, guarded, frugal):
    """It is refused, killed or ends; a component's client gets a 500; the next one is served."""
    node = NodeUnderTest(Cluster(), kubelet=False)
    modules = PrecompiledModules(
        node.services, runtime=RUNTIME.name, compile_per_kib=Constant(0), load=Constant(0)
    )
    memo = Memo(guarded)
    shim = WasmShim(
        node.services,
        runtime=RUNTIME,
        engine=lambda: guarded,
        memo=lambda: memo,
        modules=modules,
    )
    kind = WasmKind.HTTP if case.path else WasmKind.COMMAND
    task = shim.create(spec(case, kind))
    if case.state == "refused":
        with pytest.raises(ShimError):
            node.cluster.do(task.start())
        return
    node.cluster.do(task.start())
    node.cluster.run(5_000)
    if case.path:
        ask = node.network.request("10.244.0.2", 80, HttpRequest(path=case.path))
        bad, _ = node.cluster.do(ask)
        good, _ = node.cluster.do(
            node.network.request("10.244.0.2", 80, HttpRequest(path="/visits"))
        )

        assert isinstance(bad, Served)
        assert case.state == str(bad.response.status)
        assert isinstance(good, Served)
        assert 200 == good.response.status
        assert not task.exited.triggered
        return
    assert task.exited.triggered
    status = task.exited.value
    assert case.state == f"{status.exit_code} {status.reason}"


def test_the_set_is_large_enough():
    """At least 25 cases, of core modules and of components."""
    assert len(CASES) >= 25
    assert len({case.name for case in CASES}) == len(CASES)
    assert sum(bool(case.path) for case in CASES) >= 5


def test_the_benchmark_tells_the_same(guarded):
    """What the benchmark counts as contained is what the node says."""
    for case in CASES[:3]:
        assert case.state == outcome(guarded, case)
