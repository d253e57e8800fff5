"""The node's status: what it is, what it has, how it is, and which images are on it.

Upstream makes it every ten seconds and sends it when it changed. Here whoever changes something asks
for the next of these instants.

Mirrors: pkg/kubelet/kubelet_node_status.go, pkg/kubelet/nodestatus/setters.go (MemoryPressureCondition,
DiskPressureCondition, PIDPressureCondition, Images); reasons and messages as there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from kubesim.api.corev1 import (
    ContainerImage,
    Node,
    NodeAddress,
    NodeCondition,
    NodeSpec,
    NodeStatus,
    NodeSystemInfo,
    Taint,
)
from kubesim.api.frozenmap import FrozenMap
from kubesim.api.metav1 import ObjectMeta
from kubesim.api.quantity import Quantity
from kubesim.controlplane.client import Client, NotFound, Recorder
from kubesim.node.cri.services import ImageService
from kubesim.node.kubelet.configuration import KubeletConfiguration
from kubesim.sim import Sim, SimProcess

KUBELET_VERSION = "v1.36.2"
CONTAINERD_VERSION = "containerd://2.2.0"


@dataclass(frozen=True, slots=True)
class Said:
    """How a condition is put, when it is true and when it is not."""

    reason: tuple[str, str]
    message: tuple[str, str]
    event: tuple[str, str]


PRESSURES = {
    "MemoryPressure": Said(
        ("KubeletHasInsufficientMemory", "KubeletHasSufficientMemory"),
        ("kubelet has insufficient memory available", "kubelet has sufficient memory available"),
        ("NodeHasInsufficientMemory", "NodeHasSufficientMemory"),
    ),
    "DiskPressure": Said(
        ("KubeletHasDiskPressure", "KubeletHasNoDiskPressure"),
        ("kubelet has disk pressure", "kubelet has no disk pressure"),
        ("NodeHasDiskPressure", "NodeHasNoDiskPressure"),
    ),
    "PIDPressure": Said(
        ("KubeletHasInsufficientPID", "KubeletHasSufficientPID"),
        ("kubelet has insufficient PID available", "kubelet has sufficient PID available"),
        ("NodeHasInsufficientPID", "NodeHasSufficientPID"),
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeFacts:
    """What does not change of a node."""

    name: str
    ip: str
    capacity: FrozenMap[str, Quantity]
    allocatable: FrozenMap[str, Quantity]
    labels: FrozenMap[str, str]
    taints: tuple[Taint, ...]
    pod_cidr: str


def initial_node(facts: NodeFacts, *, wall_ns: int, pressures: tuple[str, ...] = ()) -> Node:
    """The Node object with which a kubelet registers."""
    labels = facts.labels.merge(
        {
            "kubernetes.io/hostname": facts.name,
            "kubernetes.io/os": "linux",
            "kubernetes.io/arch": "amd64",
        }
    )
    cidr = facts.pod_cidr
    return Node(
        metadata=ObjectMeta(name=facts.name, labels=labels),
        spec=NodeSpec(pod_cidr=cidr, pod_cidrs=(cidr,), taints=facts.taints),
        status=NodeStatus(
            capacity=facts.capacity,
            allocatable=facts.allocatable,
            conditions=(*_pressure_conditions(pressures, wall_ns), _ready(wall_ns)),
            addresses=(
                NodeAddress(type="InternalIP", address=facts.ip),
                NodeAddress(type="Hostname", address=facts.name),
            ),
            node_info=_system_info(facts.name),
        ),
    )


class NodeStatusReporter:
    """Brings the images and the conditions of a node into its status.

    Args:
        sim: The run.
        client: The kubelet's connection.
        node: The node as the kubelet sees it.
        config: How often, and how many images.
        offset_ns: Where on its grid this kubelet reports.
        images: The runtime's images.
        recorder: Where events go.
        pressures: The conditions that are true.
    """

    def __init__(  # noqa: PLR0913  # what a reporter is made of
        self,
        sim: Sim,
        *,
        client: Client,
        node: Callable[[], Node],
        config: KubeletConfiguration,
        offset_ns: int,
        images: ImageService,
        recorder: Recorder,
        pressures: Callable[[], tuple[str, ...]],
    ) -> None:
        self._sim = sim
        self._client = client
        self._node = node
        self._config = config
        self._offset_ns = offset_ns
        self._images = images
        self._recorder = recorder
        self._pressures = pressures
        self._said: tuple[str, ...] = ()
        self._due = self._off = False

    def stop(self) -> None:
        """The kubelet is gone."""
        self._off = True

    def changed(self) -> None:
        """There is something to report at the next update of the status."""
        if self._due or self._off:
            return
        self._due = True
        period_ns = self._config.node_status_update_frequency_ns
        delay_ns = period_ns - (self._sim.now - self._offset_ns) % period_ns
        self._sim.call_in(delay_ns, self._start)

    def _start(self) -> None:
        self._sim.process(self._report())

    def _report(self) -> SimProcess[None]:
        self._due = False
        if self._off:
            return
        images, pressures, wall_ns = self._listed(), self._pressures(), self._sim.wall_ns
        self._say(pressures)

        def update(node: Node) -> Node:
            made = _pressure_conditions(pressures, wall_ns)
            conditions = tuple(_since(c, node) for c in made)
            others = tuple(c for c in node.status.conditions if c.type not in PRESSURES)
            unchanged = all(_same(c, node) for c in conditions)
            if not unchanged:
                node = node.replace(status=node.status.replace(conditions=(*conditions, *others)))
            return node.replace(status=node.status.replace(images=images))

        try:
            yield from self._client.patch(Node, self._node().name, update, status=True)
        except NotFound:
            return

    def _listed(self) -> tuple[ContainerImage, ...]:
        most = self._config.node_status_max_images
        listed = self._images.list_images()
        return tuple(
            ContainerImage(names=image.repo_tags, size_bytes=image.size)
            for image in (listed if most < 0 else listed[:most])
        )

    def _say(self, pressures: tuple[str, ...]) -> None:
        """An event for each condition that became true or is true no more."""
        before, self._said = self._said, pressures
        for name, said in PRESSURES.items():
            if (name in before) == (name in pressures):
                continue
            node = self._node()
            reason = said.event[0 if name in pressures else 1]
            self._recorder.normal(node, reason, f"Node {node.name} status is now: {reason}")


def _pressure_conditions(true: tuple[str, ...], wall_ns: int) -> tuple[NodeCondition, ...]:
    return tuple(
        NodeCondition(
            type=name,
            status="True" if name in true else "False",
            reason=said.reason[0 if name in true else 1],
            message=said.message[0 if name in true else 1],
            last_heartbeat_time=wall_ns,
            last_transition_time=wall_ns,
        )
        for name, said in PRESSURES.items()
    )


def _same(condition: NodeCondition, node: Node) -> bool:
    return any(
        old.type == condition.type and old.status == condition.status
        for old in node.status.conditions
    )


def _since(condition: NodeCondition, node: Node) -> NodeCondition:
    """The condition with the time since when it has its status."""
    for old in node.status.conditions:
        if old.type == condition.type and old.status == condition.status:
            return condition.replace(last_transition_time=old.last_transition_time)
    return condition


def _ready(wall_ns: int) -> NodeCondition:
    return NodeCondition(
        type="Ready",
        status="True",
        reason="KubeletReady",
        message="kubelet is posting ready status",
        last_heartbeat_time=wall_ns,
        last_transition_time=wall_ns,
    )


def _system_info(node_name: str) -> NodeSystemInfo:
    return NodeSystemInfo(
        machine_id=node_name,
        system_uuid=node_name,
        boot_id=node_name,
        kernel_version="6.1.0-kubesim",
        os_image="kubesim",
        container_runtime_version=CONTAINERD_VERSION,
        kubelet_version=KUBELET_VERSION,
        kube_proxy_version="",
        operating_system="linux",
        architecture="amd64",
    )
