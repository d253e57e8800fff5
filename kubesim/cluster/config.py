"""What a cluster is made of, after everything that a user may leave open was filled in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from kubesim.api.corev1 import Taint
from kubesim.api.frozenmap import FrozenMap
from kubesim.api.quantity import Quantity
from kubesim.calibration import Preset
from kubesim.cluster.controllermanager import DEFAULT as DEFAULT_CONTROLLER_MANAGER
from kubesim.cluster.controllermanager import ControllerManagerConfig
from kubesim.cluster.plugins import SchedulerSetup
from kubesim.controlplane.autoscaler.clusterautoscaler import (
    Options as ClusterAutoscalerOptions,
)
from kubesim.controlplane.autoscaler.karpenter import Options as KarpenterOptions
from kubesim.controlplane.autoscaling.hpa import HPAConfig
from kubesim.controlplane.autoscaling.keda import KedaConfig
from kubesim.controlplane.autoscaling.keda.httpaddon import HttpAddOnConfig
from kubesim.controlplane.autoscaling.vpa import VPAConfig
from kubesim.node.containerd.config import CriConfig
from kubesim.node.kubelet.configuration import KubeletConfiguration
from kubesim.wire.image import Image
from kubesim.world.broker import QueueConfig
from kubesim.world.network import TopologyConfig
from kubesim.world.registry import RegistryConfig
from kubesim.world.traffic import Slo, TrafficConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeConfig:
    """One node.

    Attributes:
        name: Its name.
        pool: The pool it belongs to.
        capacity: The machine's resources.
        allocatable: What pods may have of them.
        labels: Labels beside the usual ones.
        taints: Taints.
        runtimes: The handlers of its runtime table.
        kubelet: KubeletConfiguration.
        cri: containerd's ``config.toml``.
        price_per_hour_nano_usd: Billionths of a dollar an hour.
        machine: Its machine type; empty for one of no type.
        zone: Its zone, if it is in one.
        spot: Whether the cloud may take it back.
        annotations: Annotations of the Node.
        finalizers: Who has to agree before the Node is deleted.
    """

    name: str
    pool: str
    capacity: FrozenMap[str, Quantity]
    allocatable: FrozenMap[str, Quantity]
    labels: FrozenMap[str, str]
    taints: tuple[Taint, ...]
    runtimes: tuple[str, ...]
    price_per_hour_nano_usd: int
    kubelet: KubeletConfiguration = field(default_factory=KubeletConfiguration)
    cri: CriConfig = field(default_factory=CriConfig)
    machine: str = ""
    zone: str = ""
    spot: bool = False
    annotations: FrozenMap[str, str] = field(default_factory=FrozenMap)
    finalizers: tuple[str, ...] = ()


ZONE_LABEL = "topology.kubernetes.io/zone"


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolConfig:
    """A pool of equal nodes, which may grow and shrink.

    Attributes:
        name: Its name.
        template: A node of it, but for its name and zone.
        zones: Zones over which its nodes are spread in turn.
        count: How many nodes there are when the run begins.
        min_size: How few nodes an autoscaler may leave.
        max_size: How many nodes an autoscaler may make; ``None`` if no autoscaler looks after it.
        priority: What the priority expander goes by.
    """

    name: str
    template: NodeConfig
    zones: tuple[str, ...] = ()
    count: int = 0
    min_size: int = 0
    max_size: int | None = None
    priority: int = 0

    def node(self, number: int) -> NodeConfig:
        """The node of that number."""
        zone = self.zones[number % len(self.zones)] if self.zones else ""
        labels = {ZONE_LABEL: zone} if zone else {}
        return replace(
            self.template,
            name=f"{self.name}-{number}",
            zone=zone,
            labels=FrozenMap({**labels, **self.template.labels}),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class KarpenterConfig:
    """What Karpenter can buy.

    Attributes:
        machines: A node of each machine type, but for its name, pool and zone, at its on-demand
            price.
        spot_prices: By machine type, billionths of a dollar an hour.
        zones: The zones that there are.
        flags: Its settings.
    """

    machines: tuple[NodeConfig, ...]
    spot_prices: Mapping[str, int]
    zones: tuple[str, ...]
    flags: KarpenterOptions = field(default_factory=KarpenterOptions)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterConfig:
    """A cluster and its world.

    Attributes:
        name: What the run is called.
        digest: Stands for everything that was configured.
        seed: The seed.
        start_time_ns: Wall clock at the beginning, nanoseconds since the epoch.
        horizon_ns: How long the run will be; modules that run past it are not executed further.
        preset: All numbers.
        nodes: The nodes that exist when the run begins.
        images: What the registries have.
        traffic: The users.
        queues: Queues at message brokers.
        network: What lies between nodes, registries and users.
        registries: Registries with limits.
        spinkube: Whether SpinKube is installed.
        keda: KEDA's flags; ``None`` where it is not installed.
        http_add_on: The settings of KEDA's HTTP add-on; ``None`` where it is not installed.
        node_feature_discovery: Whether Node Feature Discovery is installed.
        redis_stores: Whether some application's runtime configuration may name a Redis server.
        vertical_pod_autoscaler: Flags of the VerticalPodAutoscaler; ``None`` where it is not
            installed.
        shim_installers: Whether something may bring shims to nodes while the run is on.
        scheduler: The scheduler's configuration and plugins.
        pools: The pools that the nodes are of.
        controller_manager: Flags of kube-controller-manager.
        horizontal_pod_autoscaler: Its flags of kube-controller-manager.
        metrics_server: Whether metrics-server works from the beginning: something will ask it.
        cluster_autoscaler: Flags of the Cluster Autoscaler; ``None`` where it does not run.
        karpenter: What Karpenter can buy; ``None`` where it does not run.
        cloud_capacity: How many instances of a machine type (or ``type/spot``) there are.
        spot_interruption_ns: Mean time until the cloud takes a spot instance back, if not the
            preset's.
    """

    name: str
    digest: str
    seed: int
    start_time_ns: int
    horizon_ns: int
    preset: Preset
    nodes: tuple[NodeConfig, ...]
    images: tuple[Image, ...]
    traffic: tuple[TrafficConfig, ...]
    queues: tuple[QueueConfig, ...] = ()
    network: TopologyConfig = field(default_factory=TopologyConfig)
    registries: tuple[RegistryConfig, ...] = ()
    spinkube: bool = False
    keda: KedaConfig | None = None
    http_add_on: HttpAddOnConfig | None = None
    vertical_pod_autoscaler: VPAConfig | None = None
    shim_installers: bool = False
    redis_stores: bool = False
    node_feature_discovery: bool = False
    scheduler: SchedulerSetup = field(default_factory=SchedulerSetup)
    pools: tuple[PoolConfig, ...] = ()
    controller_manager: ControllerManagerConfig = DEFAULT_CONTROLLER_MANAGER
    horizontal_pod_autoscaler: HPAConfig = field(default_factory=HPAConfig)
    metrics_server: bool = False
    cluster_autoscaler: ClusterAutoscalerOptions | None = None
    karpenter: KarpenterConfig | None = None
    cloud_capacity: Mapping[str, int] = field(default_factory=dict)
    spot_interruption_ns: int | None = None

    @property
    def promises(self) -> dict[str, Slo]:
        """What the users of each source were promised."""
        return {source.name: source.slo for source in self.traffic if source.slo is not None}
