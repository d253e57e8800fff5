"""A case for the scheduler on a control plane of its own: API server, scheduler, controllers.

There are no kubelets: a pod that is bound runs and is ready at once. Used by ``kubesim schedule
--case`` and by the tests that hold the scheduler against recordings.

Mirrors: how the cases were recorded: kube-apiserver, kube-scheduler and kube-controller-manager on
fake nodes.
"""

from __future__ import annotations

from kubesim.api.corev1 import Namespace
from kubesim.api.metav1 import ObjectMeta
from kubesim.controlplane.apiserver.admission.priority import SYSTEM_PRIORITY_CLASSES
from kubesim.controlplane.apiserver.server import APIServer
from kubesim.controlplane.client import Client, ClientConfig
from kubesim.controlplane.controllers import (
    DeploymentController,
    GarbageCollector,
    ReplicaSetController,
    StatefulSetController,
    TaintEvictionController,
)
from kubesim.controlplane.scheduler.caserun import CaseRun
from kubesim.controlplane.scheduler.config import KubeSchedulerConfiguration
from kubesim.controlplane.scheduler.oneshot import START_TIME_NS, Observe
from kubesim.controlplane.scheduler.recorded import Case
from kubesim.controlplane.scheduler.scheduler import Scheduler, SchedulerTimings
from kubesim.controlplane.scheduler.witness import witness
from kubesim.sim import Sim
from kubesim.sim.distribution import Constant
from kubesim.sim.time import MILLISECOND, SECOND

NAMESPACES = ("default", "kube-system", "kube-public", "kube-node-lease")
LATENCY = ClientConfig(
    qps=0, burst=0, request_latency=Constant(MILLISECOND), watch_latency=Constant(MILLISECOND)
)
TIMINGS = SchedulerTimings(cycle=Constant(MILLISECOND))
BATCH_CREATED_NS = 5 * SECOND
BATCH_PLACED_NS = 20 * SECOND
LOOK_NS = 100 * MILLISECOND


def play_case(case: Case, *, observe: Observe | None = None) -> CaseRun:
    """Play a case to its end.

    Args:
        case: The case.
        observe: Called with every scheduling attempt.
    """
    sim = Sim(seed=1, start_time_ns=START_TIME_NS)
    api = APIServer(sim)
    for priority_class in SYSTEM_PRIORITY_CLASSES:
        api.create(priority_class)
    if case.batch:
        for obj in case.objects:
            if isinstance(obj, Namespace):
                api.create(obj)
    else:
        _start_scheduler(sim, api, case.config, observe)
    for name in NAMESPACES:
        if api.store.get(Namespace, name) is None:
            api.create(Namespace(metadata=ObjectMeta(name=name)))
    _start_controllers(sim, api)
    run = CaseRun(sim, case=case, client=_client(sim, api, "case"))
    if case.batch:
        sim.run_until(BATCH_CREATED_NS)
        _start_scheduler(sim, api, case.config, observe)
        sim.run_until(BATCH_PLACED_NS)
    while not run.done:
        sim.run_until(sim.now + LOOK_NS)
    return run


def _start_scheduler(
    sim: Sim, api: APIServer, config: KubeSchedulerConfiguration, observe: Observe | None
) -> None:
    client = _client(sim, api, "kube-scheduler")
    scheduler = Scheduler(sim, client=client, config=config, timings=TIMINGS, by_chance=False)
    if observe is not None:
        witness(scheduler.engine, observe)


def _start_controllers(sim: Sim, api: APIServer) -> None:
    client = _client(sim, api, "kube-controller-manager")
    for controller in (
        DeploymentController,
        ReplicaSetController,
        StatefulSetController,
        GarbageCollector,
        TaintEvictionController,
    ):
        controller(sim, client=client)


def _client(sim: Sim, api: APIServer, component: str) -> Client:
    return Client(sim, apiserver=api, component=component, config=LATENCY)
