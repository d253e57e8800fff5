"""Recorded cases from end to end: the same pods on the same nodes, in the same order."""

from __future__ import annotations

from pathlib import Path

import pytest

from kubesim.api.corev1 import Namespace
from kubesim.controlplane.apiserver.server import APIServer
from kubesim.controlplane.client import Client, ClientConfig
from kubesim.controlplane.controllers.tainteviction import TaintEvictionController
from kubesim.controlplane.scheduler.caserun import CaseRun
from kubesim.controlplane.scheduler.recorded import START_TIME_NS, load_case
from kubesim.controlplane.scheduler.scheduler import Scheduler, SchedulerTimings
from kubesim.sim import Sim
from kubesim.sim.distribution import Constant
from kubesim.sim.time import MILLISECOND, SECOND

NEEDS_CONTROLLERS = {"42-statefulset"}
CASES = sorted(
    path
    for path in (Path(__file__).parent / "cases").iterdir()
    if path.is_dir() and path.name not in NEEDS_CONTROLLERS
)


def played(folder: Path) -> CaseRun:
    """The case, played to its end."""
    case = load_case(folder)
    sim = Sim(seed=1, start_time_ns=START_TIME_NS)
    api = APIServer(sim)
    config = ClientConfig(
        qps=0,
        burst=0,
        request_latency=Constant(MILLISECOND),
        watch_latency=Constant(MILLISECOND),
    )
    if case.batch:
        for obj in case.objects:
            if isinstance(obj, Namespace):
                api.create(obj)
    else:
        _scheduler(sim, api, config, case.config)
    for name in ("default", "kube-system", "kube-public", "kube-node-lease"):
        if api.store.get(Namespace, name) is None:
            api.create(Namespace.model_validate({"metadata": {"name": name}}))
    controllers = Client(sim, apiserver=api, component="kube-controller-manager", config=config)
    TaintEvictionController(sim, client=controllers)
    client = Client(sim, apiserver=api, component="case", config=config)
    run = CaseRun(sim, case=case, client=client)
    if case.batch:
        sim.run_until(5 * SECOND)
        _scheduler(sim, api, config, case.config)
        sim.run_until(20 * SECOND)
    while not run.done:
        sim.run_until(sim.now + 100 * MILLISECOND)
    return run


def _scheduler(sim, api, config, scheduler_config):
    client = Client(sim, apiserver=api, component="kube-scheduler", config=config)
    timings = SchedulerTimings(cycle=Constant(MILLISECOND))
    return Scheduler(sim, client=client, config=scheduler_config, timings=timings)


@pytest.mark.parametrize("folder", CASES, ids=lambda path: path.name)
def test_case_ends_as_recorded(folder: Path) -> None:
    """Final states, bindings and their order are those of the real scheduler."""
    run = played(folder)
    expected = load_case(folder).expected

    wanted = {
        key: {name: state.get(name) for name in ("state", "node", "reason", "message")}
        for key, state in expected["final"].items()
    }
    final = run.final()
    actual = {
        key: {
            name: final.get(key, {}).get(name) for name in ("state", "node", "reason", "message")
        }
        for key in wanted
    }
    assert wanted == actual
    # Bindings race with each other in the real one, so the order of the decisions is what counts.
    decisions = [(item["pod"], item["selected"]) for item in expected["attempts"]]
    assert [item for item in decisions if item[1]] == run.bind_order
    assert sorted(expected.get("rejectedAtAdmission") or ()) == sorted(run.rejected)
