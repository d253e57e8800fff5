"""What a cluster is made of, after everything that a user may leave open was filled in."""

from __future__ import annotations

from dataclasses import dataclass, field

from kubesim.api.corev1 import Taint
from kubesim.api.frozenmap import FrozenMap
from kubesim.api.quantity import Quantity
from kubesim.calibration import Preset
from kubesim.cluster.plugins import SchedulerSetup
from kubesim.wire.image import Image
from kubesim.world.traffic import TrafficConfig


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
        serialize_image_pulls: ``serializeImagePulls``.
        price_per_hour_nano_usd: Billionths of a dollar an hour.
    """

    name: str
    pool: str
    capacity: FrozenMap[str, Quantity]
    allocatable: FrozenMap[str, Quantity]
    labels: FrozenMap[str, str]
    taints: tuple[Taint, ...]
    runtimes: tuple[str, ...]
    serialize_image_pulls: bool
    price_per_hour_nano_usd: int


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
        spinkube: Whether SpinKube is installed.
        shim_installers: Whether something may bring shims to nodes while the run is on.
        scheduler: The scheduler's configuration and plugins.
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
    spinkube: bool = False
    shim_installers: bool = False
    scheduler: SchedulerSetup = field(default_factory=SchedulerSetup)
