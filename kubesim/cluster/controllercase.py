"""A control plane for a recorded case of the controllers: API server, scheduler, all controllers.

No node runs anything: the fake kubelet of the case is one more client. Requests and watches take the
time that they took where the cases were recorded, a loopback interface; the limits of the clients are
the components' own.

Mirrors: how the cases were recorded: kube-apiserver, kube-scheduler and kube-controller-manager
(``--controllers=*,-node-lifecycle``) with default limits.
Departs: no jitter, so that two runs of a case are one.
"""

from __future__ import annotations

from kubesim.api.corev1 import Namespace
from kubesim.api.metav1 import KubeObject, ObjectMeta
from kubesim.cluster.autoscalers import NO_LIMITS
from kubesim.cluster.controllermanager import (
    KCM_LIMITS,
    ControllerManager,
    ControllerManagerConfig,
)
from kubesim.cluster.plugins import SCHEDULER_LIMITS
from kubesim.cluster.simulation import INITIAL_NAMESPACES
from kubesim.controlplane.apiserver.admission.priority import SYSTEM_PRIORITY_CLASSES
from kubesim.controlplane.apiserver.server import APIServer
from kubesim.controlplane.client import Client, ClientConfig
from kubesim.controlplane.client.informer import InformerFactory
from kubesim.controlplane.scheduler.config import KubeSchedulerConfiguration
from kubesim.controlplane.scheduler.scheduler import Scheduler, SchedulerTimings
from kubesim.sim import Sim
from kubesim.sim.distribution import Constant
from kubesim.sim.time import MICROSECOND, MILLISECOND

REQUEST_NS = 3_500 * MICROSECOND  # half of all recorded calls took up to 5 ms, there and back
ANSWER_NS = 1_500 * MICROSECOND
WATCH_NS = 1_500 * MICROSECOND
WITHOUT = ("node-controller",)


class ControllerCase:
    """The control plane of one case.

    Args:
        start_time_ns: The time on the wall when it starts.
        nodes: The nodes, with their status.

    Attributes:
        sim: The run.
        user: The user's connection to the API server, and that of whoever watches.
        kubelet: The fake kubelet's.
    """

    def __init__(self, *, start_time_ns: int, nodes: tuple[KubeObject, ...]) -> None:
        self.sim = Sim(seed=1, start_time_ns=start_time_ns)
        self._api = APIServer(self.sim)
        for name in INITIAL_NAMESPACES:
            self._api.create(Namespace(metadata=ObjectMeta(name=name)))
        for priority_class in SYSTEM_PRIORITY_CLASSES:
            self._api.create(priority_class)
        for node in nodes:
            self._api.create(node)
        self.user = self._client("user", NO_LIMITS)
        self.kubelet = self._client("kubelet", NO_LIMITS)
        self._controller_clients: dict[str, Client] = {}
        informers = self._client("kube-controller-manager", NO_LIMITS).informers
        ControllerManager(
            self.sim,
            client=lambda name: self._controller_client(name, informers),
            config=ControllerManagerConfig(without=WITHOUT),
        )
        Scheduler(
            self.sim,
            client=self._client("kube-scheduler", SCHEDULER_LIMITS),
            config=KubeSchedulerConfiguration(),
            timings=SchedulerTimings(cycle=Constant(MILLISECOND)),
        )

    def spend(self, controller: str, tokens: int) -> None:
        """A controller has made so many requests just now."""
        for _ in range(tokens):
            self._controller_clients[controller].take_token()

    def _controller_client(self, name: str, informers: InformerFactory) -> Client:
        client = self._client(f"kcm/{name}", KCM_LIMITS, informers=informers)
        self._controller_clients[name] = client
        return client

    def _client(
        self,
        component: str,
        limits: tuple[float, int],
        *,
        informers: InformerFactory | None = None,
    ) -> Client:
        qps, burst = limits
        return Client(
            self.sim,
            apiserver=self._api,
            component=component,
            config=ClientConfig(
                qps=qps,
                burst=burst,
                request_latency=Constant(REQUEST_NS),
                watch_latency=Constant(WATCH_NS),
                answer_latency=Constant(ANSWER_NS),
            ),
            informers=informers,
        )
