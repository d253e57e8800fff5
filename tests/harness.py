"""Small real pieces for tests: a control plane with constant latencies, a node, objects.

Nothing here is a mock: it constructs what ``kubesim.cluster`` constructs, with round numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from ipaddress import IPv4Network
from typing import Any, TypeVar

from kubesim.api.appsv1 import Deployment, ReplicaSet
from kubesim.api.corev1 import Namespace, Node, Pod, PodCondition, Service, Taint
from kubesim.api.frozenmap import FrozenMap
from kubesim.api.metav1 import KubeObject, ObjectMeta
from kubesim.api.podutil import set_pod_condition
from kubesim.api.quantity import Quantity
from kubesim.controlplane.apiserver.server import APIServer
from kubesim.controlplane.client import Client, ClientConfig
from kubesim.facts import ContainerExited, ContainerStarted, CriCalled, EventRecorded
from kubesim.node.containerd import Containerd, ContainerdConfig
from kubesim.node.containerd.cni import HostLocal
from kubesim.node.containerd.config import CriConfig, EndingTimes
from kubesim.node.containerd.images import ImageStoreConfig
from kubesim.node.containerd.remotes import RemoteError
from kubesim.node.kubelet import Kubelet, KubeletConfig
from kubesim.node.kubelet.configuration import KubeletConfiguration
from kubesim.node.machine import Cadvisor, Disk, Machine
from kubesim.node.shim import NodeServices, Shim
from kubesim.node.shim.runc import Commands, LinuxRuntime, RuncShim
from kubesim.sim import Fact, Sim, SimProcess
from kubesim.sim.distribution import Constant
from kubesim.sim.time import MICROSECOND, MILLISECOND, SECOND, seconds
from kubesim.wire.image import Image, Layer, LinuxProgram, Program, sha256_digest
from kubesim.world.network import LinkConfig, PodNetwork, Topology, TopologyConfig
from kubesim.world.registry import Registry, RegistryError

T = TypeVar("T")
K = TypeVar("K", bound=KubeObject)
F = TypeVar("F", bound=Fact)

EPOCH_NS = 1_767_225_600 * SECOND  # 2026-01-01T00:00:00Z
MB = 1_000_000


class Cluster:
    """An API server and its clients on one clock."""

    def __init__(self, *, seed: int = 1, latency_ns: int = MILLISECOND) -> None:
        self.sim = Sim(seed=seed, start_time_ns=EPOCH_NS)
        self.latency = Constant(latency_ns)
        self.api = APIServer(self.sim)
        for name in ("default", "other"):
            self.api.create(Namespace(metadata=ObjectMeta(name=name)))

    def client(self, component: str = "test", *, qps: float = 0, burst: int = 0) -> Client:
        """A connection with constant latencies."""
        config = ClientConfig(
            qps=qps, burst=burst, request_latency=self.latency, watch_latency=self.latency
        )
        return Client(self.sim, apiserver=self.api, component=component, config=config)

    def run(self, for_seconds: float) -> None:
        """Let time pass."""
        self.sim.run_until(self.sim.now + seconds(for_seconds))

    def run_to(self, at_seconds: float) -> None:
        """Let time pass up to an instant."""
        self.sim.run_until(seconds(at_seconds))

    def do(self, work: SimProcess[T]) -> T:
        """Let time pass until some work is done; gives its result or raises its error."""
        return run_process(self.sim, work)

    def facts(self, kind: type[F]) -> list[F]:
        """All facts of a kind so far."""
        return [fact for _, fact in self.sim.journal.of(kind)]

    def events(self, reason: str) -> list[str]:
        """The messages of the recorded Kubernetes Events with that reason."""
        return [event.message for event in self.facts(EventRecorded) if event.reason == reason]

    def pods(self) -> list[Pod]:
        """All pods, in the order of their creation."""
        return list(self.api.list(Pod))

    def pod(self, name: str = "web") -> Pod:
        """A pod of the default namespace."""
        return self.api.get(Pod, f"default/{name}")

    def exists(self, kind: type[KubeObject], key: str) -> bool:
        """Whether the API server has such an object."""
        return self.api.store.get(kind, key) is not None

    def update(self, kind: type[K], key: str, change: Callable[[K], K]) -> None:
        """Change an object's main resource at once."""
        self.api.patch(kind, key, change)

    def set_ready(self, name: str, *, ready: bool = True, ip: str | None = None) -> None:
        """Play the kubelet: a pod is running, and ready or not, since now."""
        condition = PodCondition(
            type="Ready", status="True" if ready else "False",
            last_transition_time=self.sim.wall_ns,
        )  # fmt: skip

        def change(pod: Pod) -> Pod:
            status = set_pod_condition(pod.status, condition).replace(phase="Running")
            return pod.replace(status=status if ip is None else status.replace(pod_ip=ip))

        self.api.patch(Pod, f"default/{name}", change, status=True)


class PlayedKubelet:
    """Plays scheduler and kubelet: binds, makes ready after a while, takes away after a while.

    What the recorded cases of real controllers were made with, too.
    """

    def __init__(
        self,
        cluster: Cluster,
        *,
        ready_s: float = 0.1,
        delete_s: float = 0.1,
        stagger_s: float = 0,
    ) -> None:
        self._cluster = cluster
        self._ready_s = ready_s
        self._delete_s = delete_s
        self._stagger_s = stagger_s
        self.seen = 0
        cluster.client("played").informer(Pod).add_handler(self._changed)

    def _changed(self, old: Pod | None, new: Pod | None) -> None:
        sim = self._cluster.sim
        if old is None and new is not None:
            self.seen += 1
            if not new.spec.node_name:
                self._cluster.api.bind(new.key, f"n{self.seen % 5}")
            ready_s = self._ready_s + self._stagger_s * self.seen
            sim.call_in(seconds(ready_s), self._ready, new.key, new.uid)
        elif new is not None and old is not None:
            going = new.metadata.deletion_timestamp is not None
            if going and old.metadata.deletion_timestamp is None:
                sim.call_in(seconds(self._delete_s), self._gone, new.key, new.uid)

    def _ready(self, key: str, uid: str) -> None:
        found = self._cluster.api.store.get(Pod, key)
        if found is not None and found.uid == uid:
            self._cluster.set_ready(found.name, ip=f"10.0.0.{self.seen}")

    def _gone(self, key: str, uid: str) -> None:
        found = self._cluster.api.store.get(Pod, key)
        if found is not None and found.uid == uid:
            self._cluster.api.delete(Pod, key, grace_period_seconds=0)


class NodeUnderTest:
    """One whole node: machine, runtime, kubelet, a registry behind a link of 10 MB/s."""

    def __init__(
        self,
        cluster: Cluster,
        *images: Image,
        name: str = "n1",
        cpu: int = 4,
        serialize: bool = True,
        bandwidth: int = 10 * MB,
        shims: Callable[[NodeServices], Mapping[str, Shim]] | None = None,
        kubelet: bool = True,
        images_config: Mapping[str, Any] | None = None,
        disk: str = "100Gi",
        disk_bytes: int = 0,
        cri: CriConfig | None = None,
        ending: EndingTimes | None = None,
        **settings: Any,
    ) -> None:
        sim = cluster.sim
        self.cluster = cluster
        self.settings = settings
        self.disk = disk
        self.machine = Machine(
            sim,
            cpu_millis=cpu * 1000,
            memory_bytes=8 << 30,
            disk=Disk(sim, capacity_bytes=disk_bytes),
        )
        self.network = PodNetwork(sim, round_trip=Constant(MILLISECOND))
        self.services = NodeServices(
            sim=sim, node=name, machine=self.machine, sockets=self.network
        )
        self.topology = Topology(sim, TopologyConfig(node_link=LinkConfig(bandwidth=bandwidth)))
        self.topology.add_node(name)
        self.name = name
        self.registry = Registry(
            sim,
            images={image.name: image for image in images},
            resolve=Constant(200 * MILLISECOND),
            request=Constant(0),
            topology=self.topology,
        )
        runtimes = {"runc": runc(self.services)}
        self.containerd = Containerd(
            self.services,
            config=ContainerdConfig(
                sandbox_network=Constant(100 * MILLISECOND),
                sandbox_runtime=Constant(50 * MILLISECOND),
                create_container=Constant(10 * MILLISECOND),
                create_wasm_container=Constant(5 * MILLISECOND),
                images=ImageStoreConfig(unpack_rate=20 * MB, **(images_config or {})),
                cri=cri or CriConfig(),
                ending=ending or EndingTimes(),
            ),
            runtimes={**runtimes, **(shims(self.services) if shims else {})},
            remote=self,
            cni=HostLocal(IPv4Network("10.244.0.0/24")),
        )
        if kubelet:
            self._start_kubelet(name, serialize=serialize)

    def _start_kubelet(self, name: str, *, serialize: bool) -> None:
        amounts = quantities(cpu="4", memory="8Gi", pods="110")
        amounts = amounts.set("ephemeral-storage", Quantity(self.disk))
        self.kubelet = Kubelet(
            self.cluster.sim,
            client=self.cluster.client(f"kubelet/{name}"),
            config=KubeletConfig(
                node_name=name,
                node_ip="192.168.0.10",
                capacity=amounts,
                allocatable=amounts,
                labels=FrozenMap(),
                taints=(),
                pod_cidr="10.244.0.0/24",
                volumes=Constant(0),
                settings=KubeletConfiguration(serialize_image_pulls=serialize, **self.settings),
            ),
            runtime=self.containerd,
            images=self.containerd,
            connections=self.network,
            meters=Cadvisor(self.machine),
            disk=self.machine.disk,
        )
        self.cluster.api.create(self.kubelet.node())
        self.relist_offset_ns = self.kubelet._pleg._offset_ns

    def resolve(self, reference: str) -> SimProcess[Image | None]:
        """The registry's answer."""
        try:
            return (yield from self.registry.resolve(reference, self.name))
        except RegistryError as error:
            raise RemoteError(str(error)) from None

    def fetch(self, layer: Layer, *, reference: str) -> SimProcess[None]:
        """A download over this node's link."""
        try:
            yield from self.registry.fetch(layer, self.name, reference=reference)
        except RegistryError as error:
            raise RemoteError(f"failed to copy: {error}") from None

    def cri_calls(self, **wanted: str) -> list[str]:
        """The names of the CRI calls that have ended, in order."""
        return [
            call.method
            for call in self.cluster.facts(CriCalled)
            if all(getattr(call, field) == value for field, value in wanted.items())
        ]

    def starts(self, container: str = "main") -> list[int]:
        """When a container's process began, each time."""
        journal = self.cluster.sim.journal
        return [at for at, fact in journal.of(ContainerStarted) if fact.container == container]

    def exits(self, container: str = "main") -> list[tuple[int, ContainerExited]]:
        """When and how a container's process ended, each time."""
        journal = self.cluster.sim.journal
        return [
            (at, fact) for at, fact in journal.of(ContainerExited) if fact.container == container
        ]


def run_process(sim: Sim, work: SimProcess[T]) -> T:
    """Let time pass until some work is done; gives its result or raises its error."""
    process = sim.process(work)
    while process.is_alive:
        sim.step()
    if not process.ok:
        process.defused = True
        raise process.value
    return process.value  # type: ignore[no-any-return]


def runc(
    services: NodeServices, *, stop_ns: int = 0, commands: Commands | None = None
) -> RuncShim:
    """A runc that takes 20 ms to start a container."""
    runtime = LinuxRuntime(
        name="containerd-shim-runc-v2",
        start=Constant(20 * MILLISECOND),
        stop=Constant(stop_ns),
        pod_overhead_bytes=1 << 20,
        commands=commands,
    )
    return RuncShim(services, runtime=runtime)


def program(
    *, run_ns: int | None = None, exit_code: int = 0, port: int = 80, **more: Any
) -> LinuxProgram:
    """A program that is up at once and needs 1 ms a request."""
    values: dict[str, Any] = {
        "init": Constant(0),
        "service": Constant(MILLISECOND),
        "workers": 1,
        "memory_bytes": 10 << 20,
        "port": port,
        "run_time": None if run_ns is None else Constant(run_ns),
        "exit_code": exit_code,
    }
    return LinuxProgram(**{**values, **more})


def image(name: str = "app:1", *sizes: int, runs: Program | None = None) -> Image:
    """An image with layers of those sizes, one of 1 MB by default."""
    layers = tuple(
        Layer(digest=sha256_digest(f"{name}/{number}".encode()), size_bytes=size)
        for number, size in enumerate(sizes or (MB,))
    )
    digest = sha256_digest(name.encode())
    return Image(name=name, digest=digest, layers=layers, program=runs or program())


def quantities(**amounts: str) -> FrozenMap[str, Quantity]:
    """A resource list."""
    return FrozenMap({name: Quantity(text) for name, text in amounts.items()})


def pod(name: str = "web", *, containers: Sequence[Mapping[str, Any]] = (), **more: Any) -> Pod:
    """A pod of one container ``main`` of ``app:1``; ``more`` is of its spec, by wire names.

    ``labels``, ``annotations``, ``namespace`` and ``finalizers`` go into its metadata.
    """
    metadata: dict[str, Any] = {"name": name, "namespace": "default"}
    for field in ("labels", "annotations", "namespace", "finalizers", "generateName"):
        if field in more:
            metadata[field] = more.pop(field)
    mains = containers or ({"name": "main", "image": "app:1"},)
    body = {"metadata": metadata, "spec": {"containers": list(mains), **more}}
    if not name:
        del metadata["name"]
    return Pod.model_validate(body)


def bound(name: str = "web", *, node: str = "n1", **more: Any) -> Pod:
    """A pod that names its node, as a static test of a kubelet wants it."""
    return pod(name, nodeName=node, **more)


def node(name: str = "n1", *, taints: tuple[Taint, ...] = (), **labels: str) -> Node:
    """A node that says it is ready."""
    condition = {"type": "Ready", "status": "True"}
    made = Node.model_validate(
        {"metadata": {"name": name, "labels": labels}, "status": {"conditions": [condition]}}
    )
    return made.replace(spec=made.spec.replace(taints=taints))


def replica_set(name: str = "web", replicas: int = 1, **more: Any) -> ReplicaSet:
    """A ReplicaSet of one-container pods."""
    return ReplicaSet.model_validate(
        {
            "metadata": {"name": name, "namespace": "default"},
            "spec": {"replicas": replicas, **_workload(name), **more},
        }
    )


def deployment(
    name: str = "web", replicas: int = 1, *, image: str = "app:1", **more: Any
) -> Deployment:
    """A Deployment of one-container pods."""
    return Deployment.model_validate(
        {
            "metadata": {"name": name, "namespace": "default"},
            "spec": {"replicas": replicas, **_workload(name, image), **more},
        }
    )


def service(name: str = "web", **more: Any) -> Service:
    """A Service on port 80 for the pods of that name."""
    spec = {"selector": {"app": name}, "ports": [{"port": 80, "targetPort": 8080}], **more}
    return Service.model_validate(
        {"metadata": {"name": name, "namespace": "default"}, "spec": spec}
    )


def _workload(name: str, image: str = "app:1") -> dict[str, Any]:
    labels = {"app": name}
    return {
        "selector": {"matchLabels": labels},
        "template": {
            "metadata": {"labels": labels},
            "spec": {"containers": [{"name": "main", "image": image}]},
        },
    }


__all__ = [
    "EPOCH_NS", "MB", "MICROSECOND", "MILLISECOND", "SECOND",
    "Cluster", "NodeUnderTest", "PlayedKubelet",
    "bound", "deployment", "image", "node", "pod", "program", "quantities", "replica_set",
    "run_process", "runc", "service",
]  # fmt: skip
