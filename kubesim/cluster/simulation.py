"""One whole cluster on one clock.

Constructs every component, lets the nodes of the beginning exist, and offers what a person at a
terminal could do to a cluster: apply, delete, scale, cordon and drain, pull a node's plug. Time
passes only when someone says so.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

from kubesim.api.appsv1 import ControllerRevision, Deployment, ReplicaSet, StatefulSet
from kubesim.api.corev1 import Namespace, Node, Pod
from kubesim.api.metav1 import KubeObject, ObjectMeta
from kubesim.cluster.autoscalers import NO_LIMITS, Autoscalers
from kubesim.cluster.config import ZONE_LABEL, ClusterConfig, NodeConfig
from kubesim.cluster.controllermanager import KCM_LIMITS, ControllerManager
from kubesim.cluster.draining import DEFAULT_DRAIN, DrainOptions
from kubesim.cluster.engine import new_runner, shared_engine
from kubesim.cluster.fleet import Fleet
from kubesim.cluster.httpaddon import HttpAddOn, install_http_add_on
from kubesim.cluster.kubectl import KUBECTL_LIMITS, Kubectl
from kubesim.cluster.network import topology_of
from kubesim.cluster.node import NodeAssembly, World
from kubesim.cluster.requests import Requests
from kubesim.cluster.spinkube import (
    SPIN_OPERATOR_LIMITS,
    start_feature_discovery,
    start_shim_installers,
    start_spin_operator,
)
from kubesim.controlplane.apiserver.admission.priority import SYSTEM_PRIORITY_CLASSES
from kubesim.controlplane.apiserver.admission.webhook import Webhook
from kubesim.controlplane.apiserver.server import APIServer
from kubesim.controlplane.autoscaling.keda import KEDA_WEBHOOKS
from kubesim.controlplane.autoscaling.keda.httpaddon import (
    HTTP_ADD_ON_WEBHOOKS,
    HttpAddOnConfig,
)
from kubesim.controlplane.autoscaling.vpa import VPA_WEBHOOKS
from kubesim.controlplane.client import (
    Client,
    ClientConfig,
    Controller,
)
from kubesim.controlplane.client.informer import InformerFactory
from kubesim.controlplane.scheduler.scheduler import Scheduler, SchedulerTimings
from kubesim.controlplane.spin import SPIN_WEBHOOKS
from kubesim.controlplane.spin.names import INSTALLER_NAMESPACES
from kubesim.facts import ExecutionsMeasured, RunStarted, StepTaken
from kubesim.node.shim.outbound import Outbound
from kubesim.sim import Event, Sim
from kubesim.wasm.measuring import Clock, Runner
from kubesim.wire.http import HttpRequest
from kubesim.wire.image import LinuxProgram, WasmProgram
from kubesim.wire.meters import RequestMeters
from kubesim.world.broker import Broker
from kubesim.world.network import PodNetwork, Topology
from kubesim.world.registry import Registry

KUBERNETES_VERSION = "1.36"
WASMTIME_VERSION = "50.0.1"
CURL_HEADERS = (("User-Agent", "curl/8.14.1"), ("Accept", "*/*"))
INITIAL_NAMESPACES = ("default", "kube-system", "kube-public", "kube-node-lease")

# Client-side limits of the real components: requests a second and burst.
HTTP_ADD_ON_LIMITS = (20.0, 30)  # controller-runtime's defaults


class Simulation:
    """A cluster and its world.

    Args:
        config: What it is made of.
        clock: The clock on the wall, if executions are to take as long as they take here.
    """

    def __init__(self, config: ClusterConfig, *, clock: Clock | None = None) -> None:
        self.config = config
        self._clock = clock
        self.sim = Sim(seed=config.seed, start_time_ns=config.start_time_ns)
        self.sim.emit(
            RunStarted(
                scenario=config.name,
                scenario_digest=config.digest,
                seed=config.seed,
                preset=config.preset.name,
                kubernetes=KUBERNETES_VERSION,
                wasmtime=WASMTIME_VERSION,
            )
        )
        if clock is not None:
            self.sim.emit(ExecutionsMeasured())
        self.apiserver = APIServer(self.sim, webhooks=_webhooks(config))
        self._bootstrap()
        self.topology = Topology(self.sim, topology_of(config))
        numbers = config.preset.network
        self._network = PodNetwork(
            self.sim,
            round_trip=numbers.client_round_trip.distribution,
            local_round_trip=numbers.local_round_trip.distribution,
            latency_ns=self.topology.latency_ns,
        )
        self.registry = Registry(
            self.sim,
            images={image.name: image for image in config.images},
            resolve=config.preset.registry.resolve.distribution,
            request=config.preset.registry.request.distribution,
            topology=self.topology,
            configs=config.registries,
        )
        self._kubectl = Kubectl(
            self.sim,
            client=self._client("kubectl", KUBECTL_LIMITS),
            pods=lambda: self.apiserver.list(Pod),
            history=lambda: (
                *self.apiserver.list(ReplicaSet),
                *self.apiserver.list(ControllerRevision),
            ),
        )
        self.broker = Broker(self.sim, config.queues)
        self._requests = Requests(
            self.sim,
            network=self._network,
            client=lambda name: self._client(name, NO_LIMITS),
            sync=config.preset.network.proxy_sync.distribution,
            broker=self.broker,
            zone_of=self._zone_of,
        )
        self._visitor: Outbound | None = None
        self._start_control_plane()
        self._start_operators()
        self._start_nodes()
        self._start_autoscalers()
        self._start_traffic()

    @property
    def store(self) -> Any:
        """The object store, for readers."""
        return self.apiserver.store

    @property
    def network(self) -> PodNetwork:
        """The pods' network."""
        return self._network

    @property
    def scheduler(self) -> Scheduler:
        """The scheduler, for those who want to know why."""
        return self._scheduler

    def _zone_of(self, node_name: str) -> str:
        node = self.apiserver.store.get(Node, node_name)
        return "" if node is None else node.metadata.labels.get(ZONE_LABEL, "")

    def node_facts(self, name: str) -> NodeAssembly | None:
        """What is known of a node beyond its object; ``None`` for one that is not simulated."""
        return self.nodes.get(name)

    @property
    def meters(self) -> RequestMeters:
        """What a metrics adapter can know of requests."""
        return self._requests.meters

    def at_end(self) -> None:
        """The run is over: components say what they leave undone."""
        self._requests.at_end()
        self.broker.at_end()

    def run_until(self, until_ns: int) -> None:
        """Let time pass."""
        self.sim.run_until(until_ns)

    def apply(self, objects: Sequence[KubeObject], *, what: str) -> None:
        """Begin to create or update objects, one after another, as ``kubectl apply -f`` does."""
        self.sim.emit(StepTaken(verb="apply", subject=what))
        self._kubectl.apply(objects)

    def delete(self, kind: type[KubeObject], key: str) -> None:
        """Begin to delete an object, as ``kubectl delete`` does."""
        self.sim.emit(StepTaken(verb="delete", subject=f"{kind.__name__}/{key}"))
        self._kubectl.delete(kind, key)

    def scale(
        self, kind: type[Deployment | ReplicaSet | StatefulSet], key: str, replicas: int
    ) -> None:
        """Begin to set a workload's number of replicas, as ``kubectl scale`` does."""
        self.sim.emit(
            StepTaken(verb="scale", subject=f"{kind.__name__}/{key} to {replicas} replicas")
        )
        self._kubectl.scale(kind, key, replicas)

    def change(
        self, verb: str, kind: type[KubeObject], key: str, change: Callable[[Any], Any]
    ) -> None:
        """Begin to change an object, as ``kubectl`` does with that verb."""
        self.sim.emit(StepTaken(verb=verb, subject=f"{kind.__name__}/{key}"))
        self._kubectl.change(kind, key, change)

    def resize(self, pod: str, change: Callable[[Any], Any]) -> None:
        """Begin to resize a pod, as ``kubectl patch --subresource resize`` does."""
        self.sim.emit(StepTaken(verb="resize", subject=f"Pod/{pod}"))
        self._kubectl.resize(pod, change)

    def undo(self, kind: type[KubeObject], key: str, to_revision: int) -> None:
        """Begin to take a workload back to a revision, as ``kubectl rollout undo`` does."""
        to = f" to revision {to_revision}" if to_revision else ""
        self.sim.emit(StepTaken(verb="undo", subject=f"{kind.__name__}/{key}{to}"))
        self._kubectl.undo(kind, key, to_revision)

    def evict(self, key: str, grace_period_seconds: int | None = None) -> None:
        """Begin to evict a pod, as a POST to its ``eviction`` does."""
        self.sim.emit(StepTaken(verb="evict", subject=f"Pod/{key}"))
        self._kubectl.evict(key, grace_period_seconds)

    def drain(self, node_name: str, options: DrainOptions = DEFAULT_DRAIN) -> None:
        """Begin to cordon a node and to evict its pods, as ``kubectl drain`` does."""
        self.sim.emit(StepTaken(verb="drain", subject=node_name))
        self._kubectl.drain(node_name, options)

    def fail_node(self, node_name: str) -> None:
        """A node goes down at once and stays down."""
        self.sim.emit(StepTaken(verb="fail node", subject=node_name))
        if self._exists(node_name):
            self.fleet.fail(node_name)

    def reboot(self, node_name: str) -> None:
        """A node goes down and boots again."""
        self.sim.emit(StepTaken(verb="reboot", subject=node_name))
        if self._exists(node_name):
            self.fleet.reboot(node_name)

    def partition(self, node_name: str, for_ns: int) -> None:
        """A node's kubelet does not reach the API server for a while."""
        self.sim.emit(StepTaken(verb="partition", subject=node_name))
        if self._exists(node_name):
            self.fleet.partition(node_name, for_ns)

    def add_node(self, pool: str) -> None:
        """Ask the cloud for one more node of a pool."""
        self.sim.emit(StepTaken(verb="add node", subject=pool))
        self.fleet.launch(self.fleet.pools[pool])

    def remove_node(self, node_name: str) -> None:
        """End the instance of a node."""
        self.sim.emit(StepTaken(verb="remove node", subject=node_name))
        if self._exists(node_name):
            self.fleet.terminate(node_name)

    def interrupt_node(self, node_name: str) -> None:
        """The cloud wants the instance of a node back and says so; two minutes later it is gone."""
        self.sim.emit(StepTaken(verb="interrupt node", subject=node_name))
        if self._exists(node_name):
            self.fleet.cloud.interrupt(self.fleet.instance_of[node_name])

    def curl(self, host: str, *, path: str = "/", query: str = "") -> Event:
        """Send a GET to a Service by its name; happens with its answer, or why there is none."""
        self.sim.emit(StepTaken(verb="curl", subject=f"http://{host}{path}"))
        if self._visitor is None:
            self._visitor = self._requests.outbound_from("")("default", "curl")
        request = HttpRequest(path=path, query=query, host=host, headers=CURL_HEADERS)
        return self.sim.process(self._visitor(request, "http"))

    @property
    def nodes(self) -> dict[str, NodeAssembly]:
        """The nodes that are simulated, by name."""
        return self.fleet.nodes

    def _exists(self, node_name: str) -> bool:
        """Whether there is such a node; a step that names one that there is not is refused."""
        if node_name not in self.nodes:
            self._kubectl.refuse(Node, node_name, "NotFound", f'nodes "{node_name}" not found')
        return node_name in self.nodes

    def cut(self, place: str) -> None:
        """A place of the network is cut off; what is said to the API server does not pass there."""
        self.sim.emit(StepTaken(verb="cut", subject=place))
        self.topology.isolate(place)

    def heal(self, place: str) -> None:
        """A place of the network is joined again."""
        self.sim.emit(StepTaken(verb="heal", subject=place))
        self.topology.rejoin(place)

    def fail_registry(self, host: str, *, silent: bool = False) -> None:
        """A registry answers 503, or nothing, from now on."""
        self.sim.emit(StepTaken(verb="fail registry", subject=host))
        self.registry.fail(host, silent=silent)

    def restore_registry(self, host: str) -> None:
        """A registry is back."""
        self.sim.emit(StepTaken(verb="restore registry", subject=host))
        self.registry.restore(host)

    def fail_queue(self, name: str) -> None:
        """The broker of a queue answers nobody from now on."""
        self.sim.emit(StepTaken(verb="fail queue", subject=name))
        self.broker.queue(name).go_down()

    def restore_queue(self, name: str) -> None:
        """It is back."""
        self.sim.emit(StepTaken(verb="restore queue", subject=name))
        self.broker.queue(name).come_up()

    def fill_disk(self, node_name: str) -> None:
        """Something that is no pod's takes all that is left of a node's disk."""
        self.sim.emit(StepTaken(verb="fill disk", subject=node_name))
        if self._exists(node_name):
            self.nodes[node_name].strain.fill_disk()

    def empty_disk(self, node_name: str) -> None:
        """That space is free again."""
        self.sim.emit(StepTaken(verb="empty disk", subject=node_name))
        if self._exists(node_name):
            self.nodes[node_name].strain.empty_disk()

    def take_memory(self, node_name: str, memory_bytes: int) -> None:
        """A daemon of a node takes memory; the kernel kills for it what it has to."""
        self.sim.emit(StepTaken(verb="take memory", subject=f"{memory_bytes} on {node_name}"))
        if self._exists(node_name):
            self.nodes[node_name].strain.take_memory(memory_bytes)

    def give_memory(self, node_name: str) -> None:
        """The daemons of a node give back what they took."""
        self.sim.emit(StepTaken(verb="give memory", subject=node_name))
        if self._exists(node_name):
            self.nodes[node_name].strain.give_memory()

    @cached_property
    def memo(self) -> Runner:
        """The engine, remembering this run's results or measuring them."""
        return new_runner(self._clock)

    def _client(
        self,
        component: str,
        limits: tuple[float, int],
        *,
        informers: InformerFactory | None = None,
    ) -> Client:
        numbers = self.config.preset.apiserver
        qps, burst = limits
        return Client(
            self.sim,
            apiserver=self.apiserver,
            component=component,
            config=ClientConfig(
                qps=qps,
                burst=burst,
                request_latency=numbers.request.distribution,
                watch_latency=numbers.watch.distribution,
            ),
            informers=informers,
        )

    def _bootstrap(self) -> None:
        """What every cluster has before anybody did anything."""
        installers = INSTALLER_NAMESPACES if self.config.shim_installers else ()
        for name in (*INITIAL_NAMESPACES, *installers):
            self.apiserver.create(Namespace(metadata=ObjectMeta(name=name)))
        for priority_class in SYSTEM_PRIORITY_CLASSES:
            self.apiserver.create(priority_class)
        if self.config.http_add_on is not None:
            install_http_add_on(self.apiserver)

    def _start_control_plane(self) -> None:
        sim = self.sim
        informers = self._client("kube-controller-manager", NO_LIMITS).informers

        def client(controller: str) -> Client:
            # Each controller of the real manager has a client, and so a rate limit, of its own.
            limits = self.config.controller_manager.limits
            return self._client(f"kcm/{controller}", limits, informers=informers)

        self._controllers = ControllerManager(
            sim, client=client, config=self.config.controller_manager
        )
        self._controller_client = client
        self._scheduler = Scheduler(
            sim,
            client=self._client("kube-scheduler", self.config.scheduler.limits),
            config=self.config.scheduler.config,
            registry=self.config.scheduler.registry,
            timings=SchedulerTimings(cycle=self.config.preset.scheduler.cycle.distribution),
        )

    def _start_operators(self) -> None:
        """What somebody installed into the cluster."""
        self._operators: tuple[Controller, ...] = ()
        if self.config.spinkube:
            client = self._client("spin-operator", SPIN_OPERATOR_LIMITS)
            self._operators = start_spin_operator(self.sim, client=client)
        if self.config.shim_installers:
            self._operators += start_shim_installers(self.sim, client=self._client)
        if self.config.node_feature_discovery:
            client = self._client("node-feature-discovery", SPIN_OPERATOR_LIMITS)
            self._operators += start_feature_discovery(self.sim, client=client)

    def _start_nodes(self) -> None:
        config = self.config
        world = World(
            sim=self.sim,
            preset=config.preset,
            network=self._network,
            topology=self.topology,
            registry=self.registry,
            engine=shared_engine,
            memo=lambda: self.memo,
            commands=None if self._clock is None else lambda: self.memo,
            horizon_ns=config.horizon_ns,
            queues=self.broker.queue if config.queues else None,
            calls_from=self._requests.calls_from if _pods_call(config) else None,
            shims_changed=self._kubectl.label_wasm,
            outbound_from=self._requests.outbound_from if _components_call(config) else None,
        )
        self.fleet = Fleet(
            world,
            config=config,
            apiserver=self.apiserver,
            client=self._kubelet_client,
            cloud_client=self._client("cloud-controller-manager", KCM_LIMITS),
            node_lifecycle=self._controllers.node_lifecycle,
        )

    def _kubelet_client(self, node: NodeConfig) -> Client:
        limits = (float(node.kubelet.kube_api_qps), node.kubelet.kube_api_burst)
        return self._client(f"kubelet/{node.name}", limits)

    def _start_autoscalers(self) -> None:
        self.autoscalers = Autoscalers(
            self.sim,
            config=self.config,
            fleet=self.fleet,
            meters=self._requests.meters,
            broker=self.broker,
            client=self._client,
            controller_client=self._controller_client,
        )
        if self.config.http_add_on is not None:
            self._start_http_add_on(self.config.http_add_on)

    def _start_http_add_on(self, config: HttpAddOnConfig) -> None:
        keda = self.autoscalers.keda
        assert keda is not None, "the HTTP add-on tells KEDA"
        node = self.config.nodes[0].name if self.config.nodes else ""
        HttpAddOn(
            self.sim,
            client=self._client("keda-add-ons-http", HTTP_ADD_ON_LIMITS),
            config=config,
            network=self._network,
            upstream=self._requests.upstream_from(node, "interceptor").send,
            keda=keda,
        )

    def _start_traffic(self) -> None:
        self._requests.start(self.config.traffic)


def _pods_call(config: ClusterConfig) -> bool:
    """Whether any program asks other Services for something: only then nodes need a kube-proxy."""
    programs = (image.program for image in config.images)
    return any(isinstance(program, LinuxProgram) and program.calls for program in programs)


def _components_call(config: ClusterConfig) -> bool:
    """The same of Wasm components, which call nobody whom their manifest does not allow."""
    programs = (image.program for image in config.images)
    return config.redis_stores or any(isinstance(p, WasmProgram) and p.calls_out for p in programs)


def _webhooks(config: ClusterConfig) -> tuple[Webhook, ...]:
    """What operators brought along."""
    spin: tuple[Webhook, ...] = SPIN_WEBHOOKS if config.spinkube else ()
    keda: tuple[Webhook, ...] = KEDA_WEBHOOKS if config.keda is not None else ()
    keda += HTTP_ADD_ON_WEBHOOKS if config.http_add_on is not None else ()
    return spin + keda + (VPA_WEBHOOKS if config.vertical_pod_autoscaler is not None else ())
