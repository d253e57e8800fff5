"""Assembling one node: machine, shims, containerd, kubelet."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from dataclasses import dataclass, field

from kubesim.calibration import Preset
from kubesim.calibration.number import DurationNumber
from kubesim.calibration.preset import ContainerdNumbers
from kubesim.cluster.config import NodeConfig
from kubesim.cluster.installing import download_script, install_script
from kubesim.cluster.shims import ShimMaker
from kubesim.controlplane.client import Client
from kubesim.facts import ShimInstalled, ShimRemoved
from kubesim.node.containerd import Containerd, ContainerdConfig
from kubesim.node.containerd.cni import Cni, HostLocal
from kubesim.node.containerd.config import LAZY_SNAPSHOTTERS, NO_TIME, CriConfig, EndingTimes
from kubesim.node.containerd.content import ContentStore
from kubesim.node.containerd.images import ImageStoreConfig
from kubesim.node.containerd.remotes import RemoteError
from kubesim.node.kubelet import Kubelet, KubeletConfig
from kubesim.node.kubelet.configuration import kubepods_memory_bytes
from kubesim.node.machine import Cadvisor, Cgroup, Machine
from kubesim.node.machine.disk import Disk
from kubesim.node.machine.strain import Strain
from kubesim.node.shim import NodeServices, Shim, ShimError
from kubesim.node.shim.outbound import Outbounds
from kubesim.node.shim.runc import Calls
from kubesim.sim import Sim, SimProcess
from kubesim.sim.distribution import Distribution
from kubesim.sim.time import DAY
from kubesim.wasm.engine import Engine
from kubesim.wasm.measuring import Runner
from kubesim.wire.filetree import Directory
from kubesim.wire.image import Image, Layer, Role
from kubesim.world.broker import MessageQueue
from kubesim.world.network import PodNetwork, Topology
from kubesim.world.registry import Registry, RegistryError

POD_NETWORK = ipaddress.IPv4Network("10.240.0.0/12")  # 4,096 nodes of 256 addresses each
LONG_AGO_NS = -DAY
NODE_NETWORK = ipaddress.IPv4Network("192.168.0.0/16")


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """What all nodes share."""

    sim: Sim
    preset: Preset
    network: PodNetwork
    topology: Topology
    registry: Registry
    engine: Callable[[], Engine]
    memo: Callable[[], Runner]
    horizon_ns: int
    commands: Callable[[], Runner] | None = None
    queues: Callable[[str], MessageQueue] | None = None
    calls_from: Callable[[str], Calls] | None = None
    outbound_from: Callable[[str], Outbounds] | None = None
    shims_changed: Callable[[str, bool], None] = lambda _node, _wasm: None
    persistent_volumes: dict[str, Directory] = field(default_factory=dict)
    host_paths: dict[str, dict[str, Directory]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """What an installer finds on a node's host."""

    sim: Sim
    numbers: ContainerdNumbers
    make_shim: Callable[[str], Shim]
    shims_changed: Callable[[str, bool], None]
    network: PodNetwork


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeAssembly:
    """One node's components; ``runtimes`` has the shim of each configured handler."""

    config: NodeConfig
    machine: Machine
    containerd: Containerd
    kubelet: Kubelet
    host: Host
    runtimes: dict[str, str]
    strain: Strain
    since_ns: int = 0

    @property
    def pool(self) -> str:
        """The pool it belongs to."""
        return self.config.pool

    @property
    def price_per_hour_nano_usd(self) -> int:
        """Billionths of a dollar an hour."""
        return self.config.price_per_hour_nano_usd

    @property
    def memory_peak_bytes(self) -> int:
        """The most memory that was in use."""
        return self.machine.memory_peak_bytes

    @property
    def memory_peak_by_component(self) -> dict[str, int]:
        """Who had it then."""
        return self.machine.memory.peak_by_component

    def pod_memory_bytes(self, uid: str, handler: str) -> int:
        """What a pod takes now: its cgroup, and its shim's processes beside it; 0 when it is gone."""
        found = self._pod_cgroup(uid)
        if found is None:
            return 0
        shim = self.containerd.shim(handler)
        beside = 0 if shim is None else shim.pod_overhead_bytes - shim.pause_bytes
        return found.memory_bytes + beside

    def pod_throttling(self, uid: str) -> tuple[int, int]:
        """``nr_throttled`` of a pod's containers that run, and how long they slept, in nanoseconds."""
        found = self._pod_cgroup(uid)
        stats = [] if found is None else [below.cpu_stat() for below in found.children.values()]
        return sum(s.nr_throttled for s in stats), sum(s.throttled_ns for s in stats)

    def _pod_cgroup(self, uid: str) -> Cgroup | None:
        groups = [self.machine.kubepods]
        while groups:
            group = groups.pop()
            found = group.children.get(f"pod{uid}")
            if found is not None:
                return found
            groups += [child for name, child in group.children.items() if name[:3] != "pod"]
        return None

    def add_shim(self, handler: str, shim: str) -> SimProcess[bool]:
        """Configure a handler and restart containerd; false when it is there already."""
        if handler in self.containerd.runtimes:
            return False
        began_ns = self.host.sim.now
        self.runtimes[handler] = shim
        self.containerd.runtimes[handler] = self.host.make_shim(shim)
        yield from self._restart_containerd()
        node = self.config.name
        self.host.sim.emit(ShimInstalled(node=node, handler=handler, began_ns=began_ns))
        self.host.shims_changed(node, self._runs_wasm())
        return True

    def remove_shim(self, handler: str) -> SimProcess[bool]:
        """Take a handler away and restart containerd; what runs by it runs on."""
        if handler not in self.containerd.runtimes:
            return False
        began_ns = self.host.sim.now
        del self.containerd.runtimes[handler], self.runtimes[handler]
        yield from self._restart_containerd()
        node = self.config.name
        self.host.sim.emit(ShimRemoved(node=node, handler=handler, began_ns=began_ns))
        self.host.shims_changed(node, self._runs_wasm())
        return True

    def _restart_containerd(self) -> SimProcess[None]:
        rng = self.host.sim.rng(f"installer/{self.config.name}")
        yield from self.containerd.restart(self.host.numbers.restart.distribution.draw(rng))

    def _runs_wasm(self) -> bool:
        return any(shim.runs_wasm for shim in self.containerd.runtimes.values())

    def power_off(self) -> None:
        """The node goes down with everything on it."""
        self.host.network.power_off(self.config.name)
        self.kubelet.power_off()
        self.containerd.power_off()


def assemble_node(
    world: World,
    *,
    config: NodeConfig,
    index: int,
    client: Client,
    before: NodeAssembly | None = None,
) -> NodeAssembly:
    """Construct a node's components and connect them.

    Args:
        world: What all nodes share.
        config: The node.
        index: Its number, from which its addresses follow.
        client: The kubelet's connection to the API server.
        before: The node before it went down: its disk is the new one's.
    """
    sim, numbers = world.sim, world.preset.containerd
    world.topology.add_node(config.name, config.zone)
    machine = _machine(sim, config, disk=None if before is None else before.machine.disk)
    images = _image_store(numbers, config.cri)
    ratio = images.unpack_ratio_percent
    content = ContentStore(sim, disk=machine.disk, unpack_ratio_percent=ratio)
    if before is not None:
        content = before.containerd.images.content
    services = _services(world, config.name, machine, content)
    remote = _Remote(
        world.registry, node=config.name, patience_ns=config.cri.image_pull_progress_timeout_ns
    )
    # What is configured is on the disk: a reboot does not change it.
    configured = {handler: entry.shim for handler, entry in config.cri.runtimes.items()}
    table = configured if before is None else dict(before.runtimes)
    made: list[NodeAssembly] = []
    shims = _shim_maker(world, services, remote, lambda: made[0])
    containerd = Containerd(
        services,
        config=_containerd_config(numbers, config.cri, images),
        runtimes={handler: shims.make(shim) for handler, shim in table.items()},
        remote=remote,
        cni=_Attached(HostLocal(_pod_cidr(index)), network=world.network, node=config.name),
        content=content,
    )
    if before is not None:
        containerd.recover(before.containerd)
    kubelet = make_kubelet(
        world,
        config=config,
        index=index,
        client=client,
        containerd=containerd,
        machine=machine,
        started_ns=LONG_AGO_NS if before is None else sim.now,
    )
    assembly = NodeAssembly(
        config=config,
        machine=machine,
        containerd=containerd,
        kubelet=kubelet,
        host=_host(world, shims),
        runtimes=table,
        strain=Strain(machine) if before is None else before.strain.after_boot(machine),
    )
    made.append(assembly)
    return assembly


def _host(world: World, shims: ShimMaker) -> Host:
    return Host(
        sim=world.sim,
        numbers=world.preset.containerd,
        make_shim=shims.make,
        shims_changed=world.shims_changed,
        network=world.network,
    )


def _containerd_config(
    numbers: ContainerdNumbers, cri: CriConfig, images: ImageStoreConfig
) -> ContainerdConfig:
    return ContainerdConfig(
        sandbox_network=numbers.sandbox_network.distribution,
        sandbox_runtime=numbers.sandbox_runtime.distribution,
        create_container=numbers.create_container.distribution,
        create_wasm_container=numbers.create_wasm_container.distribution,
        images=images,
        cri=cri,
        ending=_ending(numbers),
    )


def _services(world: World, node: str, machine: Machine, content: ContentStore) -> NodeServices:
    return NodeServices(
        sim=world.sim,
        node=node,
        machine=machine,
        sockets=world.network,
        content=content,
        queues=world.queues,
    )


def _machine(sim: Sim, config: NodeConfig, *, disk: Disk | None) -> Machine:
    capacity = config.capacity
    machine = Machine(
        sim,
        cpu_millis=capacity["cpu"].milli_value(),
        memory_bytes=capacity["memory"].value(),
        disk=disk or Disk(sim, capacity_bytes=capacity["ephemeral-storage"].value()),
    )
    machine.limit_pods(memory_bytes=kubepods_memory_bytes(capacity, config.kubelet))
    return machine


def _shim_maker(
    world: World, services: NodeServices, remote: _Remote, host: Callable[[], NodeAssembly]
) -> ShimMaker:
    node = services.node
    return ShimMaker(
        services,
        preset=world.preset,
        engine=world.engine,
        memo=world.memo,
        commands=world.commands,
        horizon_ns=world.horizon_ns,
        calls=world.calls_from(node) if world.calls_from is not None else None,
        outbound=world.outbound_from(node) if world.outbound_from is not None else None,
        fetch=remote.fetch_all,
        scripts={
            Role.NODE_INSTALLER: install_script(host),
            Role.SHIM_DOWNLOADER: download_script,
        },
    )


def make_kubelet(  # noqa: PLR0913  # what a kubelet finds on its node
    world: World,
    *,
    config: NodeConfig,
    index: int,
    client: Client,
    containerd: Containerd,
    machine: Machine,
    started_ns: int = LONG_AGO_NS,
) -> Kubelet:
    """A node's kubelet, as it starts."""
    return Kubelet(
        world.sim,
        client=client,
        config=_kubelet_config(world, config, index, started_ns=started_ns),
        runtime=containerd,
        images=containerd,
        connections=world.network,
        meters=Cadvisor(
            machine,
            allocatable_memory_bytes=kubepods_memory_bytes(config.capacity, config.kubelet),
        ),
        disk=machine.disk,
    )


def _kubelet_config(
    world: World, config: NodeConfig, index: int, *, started_ns: int
) -> KubeletConfig:
    return KubeletConfig(
        node_name=config.name,
        node_ip=str(NODE_NETWORK.network_address + 10 + index),
        capacity=config.capacity,
        allocatable=config.allocatable,
        labels=config.labels,
        taints=config.taints,
        pod_cidr=str(_pod_cidr(index)),
        volumes=world.preset.kubelet.volumes.distribution,
        settings=config.kubelet,
        persistent_volumes=world.persistent_volumes,
        host_paths=world.host_paths.setdefault(config.name, {}),
        started_ns=started_ns,
    )


class _Attached:
    """A node's network plugin, which the network learns addresses from."""

    def __init__(self, cni: Cni, *, network: PodNetwork, node: str) -> None:
        self._cni = cni
        self._network = network
        self._node = node

    def add(self) -> str:
        ip = self._cni.add()
        self._network.attach(ip, self._node)
        return ip

    def delete(self, ip: str) -> None:
        self._network.detach(ip)
        self._cni.delete(ip)


class _Remote:
    """The registries, as this node reaches them."""

    def __init__(self, registry: Registry, *, node: str, patience_ns: int) -> None:
        self._registry = registry
        self._node = node
        self._patience_ns = patience_ns

    def resolve(self, reference: str) -> SimProcess[Image | None]:
        work = self._registry.resolve(reference, self._node, patience_ns=self._patience_ns)
        try:
            return (yield from work)
        except RegistryError as error:
            raise RemoteError(str(error)) from None

    def fetch(self, layer: Layer, *, reference: str) -> SimProcess[None]:
        work = self._registry.fetch(
            layer, self._node, reference=reference, patience_ns=self._patience_ns
        )
        try:
            yield from work
        except RegistryError as error:
            raise RemoteError(f"failed to copy: {error}") from None

    def fetch_all(self, reference: str) -> SimProcess[Image]:
        """An image with all its layers, as a process on the node gets it without containerd."""
        try:
            image = yield from self.resolve(reference)
            for layer in () if image is None else image.layers:
                yield from self.fetch(layer, reference=reference)
        except RemoteError as error:
            raise ShimError(f"failed to pull {reference}: {error}") from None
        if image is None:
            raise ShimError(f"failed to pull {reference}: manifest unknown")
        return image


def _image_store(numbers: ContainerdNumbers, cri: CriConfig) -> ImageStoreConfig:
    return ImageStoreConfig(
        unpack_rate=numbers.unpack_rate.value,
        unpack_ratio_percent=numbers.unpack_ratio_percent.value,
        max_concurrent_downloads=cri.max_concurrent_downloads,
        discard_unpacked_layers=cri.discard_unpacked_layers,
        lazy=cri.snapshotter in LAZY_SNAPSHOTTERS,
        prefetch_per_mille=numbers.lazy_prefetch_per_mille.value,
        unpack_image=_or_no_time(numbers.unpack_image),
        unpack_layer=_or_no_time(numbers.unpack_layer),
    )


def _ending(numbers: ContainerdNumbers) -> EndingTimes:
    return EndingTimes(
        kill_container=_or_no_time(numbers.kill_container),
        remove_container=_or_no_time(numbers.remove_container),
        stop_sandbox=_or_no_time(numbers.stop_sandbox),
        stop_network=_or_no_time(numbers.stop_network),
        remove_sandbox=_or_no_time(numbers.remove_sandbox),
        remove_network=_or_no_time(numbers.remove_network),
        update_container=_or_no_time(numbers.update_container),
    )


def _or_no_time(number: DurationNumber | None) -> Distribution:
    return NO_TIME if number is None else number.distribution


def _pod_cidr(index: int) -> ipaddress.IPv4Network:
    return ipaddress.IPv4Network((int(POD_NETWORK.network_address) + 256 * index, 24))
