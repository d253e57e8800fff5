"""What all pod workers of a kubelet share.

Mirrors: pkg/kubelet/kubelet.go (the fields of Kubelet that a sync reaches for).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from kubesim.api.corev1 import ConfigMap, Secret
from kubesim.api.quantity import Quantity
from kubesim.controlplane.client import Recorder
from kubesim.node.cri import messages as cri
from kubesim.node.cri.services import RuntimeService
from kubesim.node.kubelet.configuration import KubeletConfiguration
from kubesim.node.kubelet.environment import Surroundings
from kubesim.node.kubelet.images import ImageManager
from kubesim.node.kubelet.lifecycle import Killer
from kubesim.node.kubelet.prober import Asker, ProberContext
from kubesim.node.kubelet.status_manager import StatusManager
from kubesim.node.kubelet.volumes import VolumeHost
from kubesim.sim import Rng, Sim, SimProcess
from kubesim.sim.distribution import Distribution

EMPTY: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerContext:
    """What all workers of a kubelet share.

    Attributes:
        cached: A pod's containers as the last relist saw them.
        volumes: Admission, cgroup and mounts, before the first sync.
        runtime_handler: The handler of a RuntimeClass by the class's name.
        fetch: A ConfigMap or a Secret from the API server.
        allocatable: What of the node's resources pods may have.
        memory_capacity_bytes: The machine's memory.
        asker: Who puts the questions of probes and hooks.
        probes: What probe workers share.
        killer: Who ends containers.
        volume_host: The node's volumes.
        settings: KubeletConfiguration.
    """

    sim: Sim
    node: str
    host_ip: str
    runtime: RuntimeService
    images: ImageManager
    statuses: StatusManager
    recorder: Recorder
    rng: Rng
    cached: Callable[[str], tuple[cri.ContainerStatus, ...]]
    volumes: Distribution
    runtime_handler: Callable[[str], str | None]
    fetch: Callable[[type[ConfigMap | Secret], str], SimProcess[ConfigMap | Secret | None]]
    allocatable: Mapping[str, Quantity]
    memory_capacity_bytes: int
    asker: Asker
    probes: ProberContext
    killer: Killer
    volume_host: VolumeHost
    settings: KubeletConfiguration

    def surroundings(
        self,
        pod_ip: str,
        *,
        config_maps: Mapping[str, ConfigMap] = EMPTY,
        secrets: Mapping[str, Secret] = EMPTY,
    ) -> Surroundings:
        """What references of a pod can point to."""
        return Surroundings(
            config_maps=config_maps,
            secrets=secrets,
            node=self.node,
            host_ip=self.host_ip,
            pod_ip=pod_ip,
            allocatable=self.allocatable,
        )
