"""The kubelet of one node.

Hears of the pods that are bound to its node, gives each a worker, looks at the runtime by way of
the PLEG's grid, and reports. It runs the same whatever the runtime underneath is: it speaks CRI.

Mirrors: pkg/kubelet/kubelet.go, pkg/kubelet/kubelet_node_status.go.
Departs: the lease is not renewed by events; when it was last renewed is computed from the grid
(``last_lease_renewal``), because nothing but a node's death makes a difference.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from kubesim.api.corev1 import (
    ConfigMap,
    Node,
    Pod,
    PodStatus,
    Secret,
    Taint,
)
from kubesim.api.frozenmap import FrozenMap
from kubesim.api.labels import required_node_affinity_matches
from kubesim.api.nodev1 import RuntimeClass
from kubesim.api.quantity import Quantity
from kubesim.controlplane.client import Client, NotFound, Recorder
from kubesim.facts import NodeFailed, StartupPhaseEnded
from kubesim.node.cri.services import ImageService, RuntimeService
from kubesim.node.kubelet.admission import MISMATCH, REJECTED, fits
from kubesim.node.kubelet.allocation import AllocationManager
from kubesim.node.kubelet.configuration import KubeletConfiguration
from kubesim.node.kubelet.containergc import CONTAINER_GC_PERIOD_NS, ContainerGC
from kubesim.node.kubelet.context import WorkerContext
from kubesim.node.kubelet.eviction import EvictionManager, Meters, refusal
from kubesim.node.kubelet.eviction.manager import MONITORING_PERIOD_NS, EvictionHooks
from kubesim.node.kubelet.eviction.observing import PodStats
from kubesim.node.kubelet.eviction.ranking import has_local_limits
from kubesim.node.kubelet.imagegc import ImageGCManager
from kubesim.node.kubelet.images import ImageManager
from kubesim.node.kubelet.lifecycle import Killer
from kubesim.node.kubelet.nodestatus import NodeFacts, NodeStatusReporter, initial_node
from kubesim.node.kubelet.oom import SYSTEM_OOM_EVENT, system_oom_message
from kubesim.node.kubelet.pleg import PLEG, RELIST_PERIOD_NS
from kubesim.node.kubelet.pod_worker import PodWorker
from kubesim.node.kubelet.prober import Asker, PodConnections, ProberContext
from kubesim.node.kubelet.registration import report_alive
from kubesim.node.kubelet.status import Ending, is_ready, rejected
from kubesim.node.kubelet.status_manager import StatusManager
from kubesim.node.kubelet.volumes import VolumeHost
from kubesim.node.kubelet.volumes.manager import LocalDisk
from kubesim.sim import Event, Sim, SimProcess
from kubesim.sim.distribution import Distribution
from kubesim.sim.time import DAY
from kubesim.wire.filetree import Directory


@dataclass(frozen=True, slots=True, kw_only=True)
class KubeletConfig:
    """One node's kubelet configuration and the machine it finds.

    Attributes:
        node_name: The node's name.
        node_ip: Its address.
        capacity: The machine's resources.
        allocatable: What pods may have of them.
        labels: Labels it registers with.
        taints: Taints it registers with (``registerWithTaints``).
        pod_cidr: The addresses of its pods.
        settings: KubeletConfiguration.
        volumes: Admission, cgroup and mounts of a pod.
        persistent_volumes: The contents of volumes that outlive nodes, shared by all of them.
        host_paths: The node's own directories that pods have mounted.
        started_ns: When the kubelet started; by default long before the run began.
    """

    node_name: str
    node_ip: str
    capacity: FrozenMap[str, Quantity]
    allocatable: FrozenMap[str, Quantity]
    labels: FrozenMap[str, str]
    taints: tuple[Taint, ...]
    pod_cidr: str
    volumes: Distribution
    settings: KubeletConfiguration = field(default_factory=KubeletConfiguration)
    started_ns: int = -DAY
    persistent_volumes: dict[str, Directory] = field(default_factory=dict)
    host_paths: dict[str, Directory] = field(default_factory=dict)


class Kubelet:
    """The agent of one node.

    Args:
        sim: The run.
        client: Its connection to the API server.
        config: Its configuration.
        runtime: The runtime's RuntimeService.
        images: The runtime's ImageService.
        connections: The node's way to the pods on it.
        meters: What it reads of its machine.
        disk: Where the pods' own volumes are.
    """

    def __init__(  # noqa: PLR0913  # what a kubelet finds on its node
        self,
        sim: Sim,
        *,
        client: Client,
        config: KubeletConfig,
        runtime: RuntimeService,
        images: ImageService,
        connections: PodConnections,
        meters: Meters,
        disk: LocalDisk,
    ) -> None:
        self._sim = sim
        self._client = client
        self._config = config
        self._images = images
        self._runtime = runtime
        self._meters = meters
        self._disk = disk
        rng = sim.rng(f"kubelet/{config.node_name}")
        self._recorder = Recorder(sim, component=f"kubelet, {config.node_name}")
        self._workers: dict[str, PodWorker] = {}
        self._running_seen_ns: dict[str, int] = {}
        self._ready_seen_ns: dict[str, int] = {}
        self._failed_at_ns: int | None = None
        self._cut_off = False
        self._refused: dict[str, None] = {}
        self._lease_offset_ns = rng.uniform(0, config.settings.lease_renew_period_ns)
        self._runtime_classes = client.informer(RuntimeClass)
        self._pleg = PLEG(
            sim,
            offset_ns=rng.uniform(0, RELIST_PERIOD_NS),
            list_containers=runtime.list_containers,
            on_event=self._relisted,
        )
        asker = Asker(sim, runtime=runtime, connections=connections)
        self._context = WorkerContext(
            sim=sim,
            node=config.node_name,
            host_ip=config.node_ip,
            runtime=runtime,
            images=self._image_manager(),
            statuses=self._status_manager(),
            recorder=self._recorder,
            rng=rng,
            cached=self._pleg.containers,
            volumes=config.volumes,
            runtime_handler=self._runtime_handler,
            fetch=self._fetch,
            allocatable=config.allocatable,
            memory_capacity_bytes=_amount(config.capacity, "memory"),
            asker=asker,
            probes=self._probe_context(asker),
            killer=Killer(sim, runtime=runtime, recorder=self._recorder, asker=asker),
            volume_host=self._volume_host(),
            settings=config.settings,
        )
        self._image_gc = self._image_collector()
        self._container_gc, self._eviction = self._collectors()
        self._allocations = self._allocation_manager()
        self._reporter = self._status_reporter()
        self._registered = self.node()
        meters.watch_oom(self._system_oom)
        runtime.subscribe(self._pleg.changed)
        runtime.subscribe(lambda _uid: self._image_gc.changed())
        client.informer(Pod, node_name=config.node_name).add_handler(self._pod_changed)

    def _status_manager(self) -> StatusManager:
        return StatusManager(
            self._sim,
            client=self._client,
            committed=self._status_committed,
            reported=self._status_reported,
        )

    def _allocation_manager(self) -> AllocationManager:
        return AllocationManager(
            self._sim,
            workers=self._workers,
            allocatable=self._config.allocatable,
            recorder=self._recorder,
        )

    def _image_manager(self) -> ImageManager:
        return ImageManager(
            self._sim,
            images=self._images,
            recorder=self._recorder,
            config=self._config.settings,
        )

    def _image_collector(self) -> ImageGCManager:
        return ImageGCManager(
            self._sim,
            images=self._images,
            config=self._config.settings,
            capacity_bytes=_amount(self._config.capacity, "ephemeral-storage"),
            in_use=lambda: frozenset(
                status.image_ref
                for uid in self._workers
                for status in self._runtime.list_containers(uid)
            ),
            failed=lambda reason, message: self._recorder.warning(self.node(), reason, message),
            removed=self._report_later,
        )

    def _collectors(self) -> tuple[ContainerGC, EvictionManager]:
        """What looks after dead containers, and after a node that runs out of something."""
        rng = self._sim.rng(f"kubelet/{self._config.node_name}/eviction")
        collector = ContainerGC(
            self._sim, runtime=self._runtime, offset_ns=rng.uniform(0, CONTAINER_GC_PERIOD_NS)
        )
        manager = EvictionManager(
            self._sim,
            config=self._config.settings,
            meters=self._meters,
            offset_ns=rng.uniform(0, MONITORING_PERIOD_NS),
            hooks=EvictionHooks(
                active=lambda: [w.pod for w in self._workers.values() if not w.is_over],
                stats=self._pod_stats,
                evict=self._evict,
                reclaim=self._reclaim,
                said=lambda reason, message: self._recorder.warning(self.node(), reason, message),
                changed=self._report_later,
            ),
        )
        return collector, manager

    def _status_reporter(self) -> NodeStatusReporter:
        return NodeStatusReporter(
            self._sim,
            client=self._client,
            node=self.node,
            config=self._config.settings,
            offset_ns=self._lease_offset_ns,
            images=self._images,
            recorder=self._recorder,
            pressures=lambda: self._eviction.conditions,
        )

    def _report_later(self) -> None:
        self._reporter.changed()

    def _volume_host(self) -> VolumeHost:
        return VolumeHost(
            self._client,
            persistent=self._config.persistent_volumes,
            host_paths=self._config.host_paths,
            disk=self._disk,
            written=lambda pod: self._eviction.storage_changed(pod, volume=True),
        )

    def _probe_context(self, asker: Asker) -> ProberContext:
        return ProberContext(
            sim=self._sim,
            asker=asker,
            recorder=self._recorder,
            rng=self._sim.rng(f"kubelet/{self._config.node_name}/probes"),
            kubelet_started_ns=self._config.started_ns,
        )

    def node(self) -> Node:
        """The Node object with which the kubelet registers."""
        config = self._config
        facts = NodeFacts(
            name=config.node_name,
            ip=config.node_ip,
            capacity=config.capacity,
            allocatable=config.allocatable,
            labels=config.labels,
            taints=config.taints,
            pod_cidr=config.pod_cidr,
        )
        return initial_node(facts, wall_ns=self._sim.wall_ns, pressures=self._eviction.conditions)

    def last_lease_renewal_ns(self) -> int:
        """When the node's lease was last renewed: on its grid, until the node failed."""
        until_ns = self._sim.now if self._failed_at_ns is None else self._failed_at_ns
        period_ns = self._config.settings.lease_renew_period_ns
        return until_ns - (until_ns - self._lease_offset_ns) % period_ns

    @property
    def cut_off(self) -> bool:
        """Whether it does not reach the API server."""
        return self._cut_off

    def cut(self) -> None:
        """The API server is out of reach: everything here goes on, nobody is told."""
        self._cut_off = True
        self._client.cut()

    def join(self) -> None:
        """The API server is reached again: it hears of everything, and this kubelet of it."""
        self._cut_off = False
        for worker in self._workers.values():
            worker.report_again()
        self._client.join()
        self._sim.process(report_alive(self._client, self.node()))

    def report_boot(self) -> None:
        """The machine has booted again."""
        node = self.node()
        name, boot_id = node.name, f"{node.name}-{self._sim.now}"
        message = f"Node {name} has been rebooted, boot id: {boot_id}"
        self._recorder.warning(node, "Rebooted", message)
        self._sim.process(report_alive(self._client, node, boot_id=boot_id))

    def power_off(self) -> None:
        """The node is gone: everything stops at once and nobody is told."""
        self._failed_at_ns = self._sim.now
        for part in (self._image_gc, self._container_gc, self._eviction, self._reporter):
            part.stop()
        self._client.stop()
        for worker in self._workers.values():
            worker.power_off()
        self._sim.emit(NodeFailed(node=self._config.node_name))

    def _pod_changed(self, old: Pod | None, new: Pod | None) -> None:
        pod = new or old
        assert pod is not None
        worker = self._workers.get(pod.uid)
        if new is None:
            self._refused.pop(pod.uid, None)
            # The kubelet itself deletes the object last; whoever did it before meant it by force.
            if worker is not None:
                worker.update(pod, removed=True)
        elif worker is not None:
            self._allocations.update(worker, new)
        elif new.status.phase not in ("Succeeded", "Failed") and new.uid not in self._refused:
            self._add(new)

    def _add(self, pod: Pod) -> None:
        """A pod that is new here, or was here before the machine went down."""
        if self._pleg.prime(pod.uid):
            self._running_seen_ns[pod.uid] = self._ready_seen_ns[pod.uid] = -1
        elif pod.metadata.deletion_timestamp is None:
            pressed = refusal(pod, self._eviction.conditions)
            if pressed is not None:
                self._reject(pod, pressed)
                return
            others = (w.resizer.reserved() for w in self._workers.values() if not w.is_over)
            refused = fits(pod, others, self._config.allocatable)
            if refused is not None:
                self._reject(pod, refused)
                return
            if not required_node_affinity_matches(pod.spec, self._registered):
                # Somebody may have labelled the node since: only the API server knows.
                self._sim.process(self._add_if_it_matches(pod))
                return
        self._admit(pod)

    def _admit(self, pod: Pod) -> None:
        if has_local_limits(pod):
            self._runtime.watch_disk(
                pod.uid, lambda: self._eviction.storage_changed(pod, volume=False)
            )
        self._workers[pod.uid] = PodWorker(self._context, pod=pod, finished=self._finished)
        self._eviction.pods_changed()

    def _add_if_it_matches(self, pod: Pod) -> SimProcess[None]:
        node = yield from self._client.get(Node, self._config.node_name)
        if not required_node_affinity_matches(pod.spec, node):
            self._reject(pod, MISMATCH)
        elif self._failed_at_ns is None and pod.uid not in self._workers:
            self._admit(pod)

    def _reject(self, pod: Pod, why: Ending) -> None:
        self._refused[pod.uid] = None
        message = why.message.removeprefix(REJECTED)
        self._recorder.warning(pod, why.reason, message)
        why = replace(why, message=f"{REJECTED}{message}")
        self._context.statuses.report(pod, rejected(pod, why))

    def _relisted(self, pod_uid: str) -> None:
        worker = self._workers.get(pod_uid)
        if worker is None or self._failed_at_ns is not None:
            return
        status = worker.observe()
        running = [s.state.running for s in status.container_statuses]
        if pod_uid not in self._running_seen_ns and running and all(running):
            self._running_seen_ns[pod_uid] = self._sim.now
            started_ns = max(one.started_at or 0 for one in running if one is not None)
            self._phase_ended(worker.pod, "pleg", started_ns - self._sim.start_time_ns)
        worker.kick()
        evicted = worker.evicted
        self._container_gc.died(pod_uid, everything=evicted)
        if evicted:
            self._container_gc.evicted(worker.sandbox_id)

    def _pod_stats(self, pod: Pod) -> PodStats | None:
        """What a pod uses, as the eviction manager sees it."""
        worker = self._workers[pod.uid]
        memory_bytes = self._meters.memory_bytes(worker.cgroup)
        if memory_bytes is None:
            return None
        memory: dict[str, int] = {}
        for run in self._runtime.list_containers(pod.uid):
            used = self._meters.memory_bytes(f"{worker.cgroup}/{run.name}-{run.attempt}")
            if used is not None:
                memory[run.name] = used
        return PodStats(
            memory_bytes=memory_bytes,
            container_memory=memory,
            container_disk=self._runtime.container_disk(pod.uid),
            volumes=worker.volume_use(),
        )

    def _system_oom(self, name: str, pid: int) -> None:
        if self._failed_at_ns is None:
            self._recorder.warning(self.node(), SYSTEM_OOM_EVENT, system_oom_message(name, pid))

    def _evict(self, pod: Pod, ending: Ending) -> Event:
        self._recorder.warning(pod, ending.reason, ending.message)
        gone = self._workers[pod.uid].evict(ending)
        self._sim.when(gone, lambda _: self._pleg.changed(pod.uid))
        return gone

    def _reclaim(self) -> SimProcess[bool]:
        ended = [uid for uid, worker in self._workers.items() if worker.is_over]
        yield from self._container_gc.delete_all_unused(ended)
        return (yield from self._image_gc.delete_unused())

    def _status_reported(self, pod: Pod, status: PodStatus) -> None:
        if status.phase in ("Succeeded", "Failed"):
            self._allocations.forget(pod.uid)
        if pod.uid in self._ready_seen_ns or not is_ready(status):
            return
        self._ready_seen_ns[pod.uid] = self._sim.now
        running_ns = self._running_seen_ns.get(pod.uid, self._sim.now)
        if running_ns < self._sim.now:
            self._phase_ended(pod, "probe", running_ns)

    def _status_committed(self, pod: Pod) -> None:
        seen_ns = self._ready_seen_ns.get(pod.uid)
        if seen_ns is not None and seen_ns >= 0 and is_ready(pod.status):
            self._phase_ended(pod, "status", seen_ns)
            self._ready_seen_ns[pod.uid] = -1  # once only
        self._report_later()

    def _phase_ended(self, pod: Pod, phase: str, began_ns: int) -> None:
        self._sim.emit(
            StartupPhaseEnded(
                namespace=pod.namespace or "",
                name=pod.name,
                uid=pod.uid,
                container="",
                phase=phase,
                began_ns=began_ns,
            )
        )

    def _finished(self, pod_uid: str) -> None:
        self._workers.pop(pod_uid, None)
        self._allocations.forget(pod_uid)
        self._image_gc.changed()
        self._pleg.forget(pod_uid)
        self._running_seen_ns.pop(pod_uid, None)
        self._ready_seen_ns.pop(pod_uid, None)

    def _runtime_handler(self, class_name: str) -> str | None:
        runtime_class = self._runtime_classes.get(class_name)
        return None if runtime_class is None else runtime_class.handler

    def _fetch(
        self, kind: type[ConfigMap | Secret], key: str
    ) -> SimProcess[ConfigMap | Secret | None]:
        """A ConfigMap or a Secret; upstream watches those that its pods use."""
        try:
            return (yield from self._client.get(kind, key))
        except NotFound:
            return None


def _amount(resources: FrozenMap[str, Quantity], name: str) -> int:
    return resources[name].value() if name in resources else 0
