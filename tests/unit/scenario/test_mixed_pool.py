"""The story: manifests in, two pools, real Wasm, every phase, every request."""

from __future__ import annotations

import hashlib

from kubesim import facts
from kubesim.cluster.engine import shared_engine
from kubesim.share import share_path
from kubesim.telemetry import Run
from kubesim.telemetry.startup import PHASES, TOTAL
from kubesim.wasm import wagi
from kubesim.wasm.execution import WasiContext
from kubesim.wire.http import HttpRequest

MODULES = share_path("scenarios") / "mixed-pool" / "modules"
NO_NODE = (
    "0/4 nodes are available: 2 node(s) didn't match Pod's node affinity/selector, "
    "2 node(s) had untolerated taint(s). no new claims to deallocate, preemption: 0/4 nodes are "
    "available: 4 Preemption is not helpful for scheduling."
)


def test_expectations_hold(mixed_pool: Run) -> None:
    """Everything that the scenario expects of itself holds."""
    assert [] == [r.name for r in mixed_pool.expectations if not r.passed]


def test_log_is_what_the_module_prints(mixed_pool: Run) -> None:
    """The completed pod's log is what the module prints when it is run by hand."""
    engine = shared_engine()
    module = engine.load((MODULES / "report" / "report.wasm").read_bytes())
    started_ns = next(
        at_ns for at_ns, f in mixed_pool.journal.of(facts.ContainerStarted) if f.name == "report"
    )
    context = WasiContext(
        args=("/report.wasm", "1000000"),
        env=(("REPORT_TITLE", "primes"),),
        start_ns=mixed_pool.start_time_ns + started_ns,
    )
    printed = engine.run(module, context).stdout.decode().splitlines()
    assert printed == mixed_pool.pod("report")["log"]


def test_bodies_come_from_the_module(mixed_pool: Run) -> None:
    """Each response's digest is that of what the module answers to that very request."""
    engine = shared_engine()
    module = engine.load((MODULES / "greeter" / "greeter.wasm").read_bytes())
    completed = [f for _, f in mixed_pool.journal.of(facts.RequestCompleted)]
    for fact in [f for f in completed if f.service == "greeter"][:20]:
        request = HttpRequest(path="/hello", query=f"n={fact.serial}", host="greeter.default.svc")
        execution = engine.run(module, wagi.context(request, wagi.WagiHandler()))
        body = wagi.respond(execution).body
        assert b"Hello from Wasm!" in body
        assert hashlib.sha256(body).hexdigest() == fact.body_sha256


def test_homeless_pod(mixed_pool: Run) -> None:
    """The pod that no node takes says so in the scheduler's words."""
    pod = mixed_pool.pod("homeless")
    assert ("Pending", "Unschedulable", NO_NODE) == (pod["phase"], pod["reason"], pod["message"])


def test_every_phase_of_a_start(mixed_pool: Run) -> None:
    """A served Wasm pod without probes has every other phase; a container all but the module's."""
    greeter, shop = (
        next(p for p in mixed_pool.pods if p["name"].startswith(name))
        for name in ("greeter", "shop")
    )
    served = {*PHASES, TOTAL} - {"probe"}
    assert served == set(greeter["startup"])
    assert served - {"module", "listen"} == set(shop["startup"])


def test_module_is_compiled_once_a_node(mixed_pool: Run) -> None:
    """Each node compiles a module once; every later start loads it."""
    loaded = [f for _, f in mixed_pool.journal.of(facts.ModuleLoaded)]
    compiled = [(f.node, f.digest) for f in loaded if f.compiled]
    assert len(set(compiled)) == len(compiled)
    assert len(loaded) > len(compiled)


def test_cri_calls_in_order(mixed_pool: Run) -> None:
    """A pod's CRI calls come by their real names in the kubelet's order."""
    uid = mixed_pool.pod("report")["uid"]
    calls = [f.method for _, f in mixed_pool.journal.of(facts.CriCalled) if f.pod_uid == uid]
    expected = [
        "RunPodSandbox", "PodSandboxStatus", "ImageStatus", "PullImage", "ImageStatus", "ImageStatus",
        "CreateContainer", "StartContainer", "StopPodSandbox",
    ]  # fmt: skip
    assert expected == calls


def test_requests_are_conserved(mixed_pool: Run) -> None:
    """Every request is completed or failed, once."""
    serials = [
        (f.traffic, f.serial)
        for kind in (facts.RequestCompleted, facts.RequestFailed)
        for _, f in mixed_pool.journal.of(kind)
    ]
    assert len(set(serials)) == len(serials)
    assert sum(row["requests"] for row in mixed_pool.services) == len(serials)


def test_latency_has_parts(mixed_pool: Run) -> None:
    """A request's latency is the sum of its parts."""
    for _, fact in mixed_pool.journal.of(facts.RequestCompleted):
        parts = fact.network_ns + fact.queue_ns + fact.instantiate_ns + fact.execute_ns
        assert parts == fact.latency_ns


def test_nothing_unsimulated(mixed_pool: Run) -> None:
    """Every field of the story's manifests has its effect."""
    assert () == mixed_pool.unsimulated
