"""The machine types of the price book as Karpenter's offerings.

Mirrors: aws/karpenter-provider-aws pkg/providers/instancetype (labels, offerings),
pkg/providers/instance (launch); Azure/karpenter-provider-azure and cloudpilot-ai/karpenter-provider-gcp
(labels).
Departs: CreateFleet's price-capacity-optimized is the cheapest that there is; nodes have containerd
with runc, whatever their class says.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace

from kubesim.api.corev1 import Node, NodeCondition, NodeStatus
from kubesim.api.frozenmap import FrozenMap
from kubesim.api.metav1 import ObjectMeta
from kubesim.cluster.config import ZONE_LABEL, KarpenterConfig, NodeConfig
from kubesim.cluster.fleet import Fleet
from kubesim.controlplane.autoscaler.karpenter.cloudprovider import Offering
from kubesim.world.cloud import Instance, Refusal

CAPACITY_TYPE = "karpenter.sh/capacity-type"
_FAMILY = re.compile(r"([a-z]+)(\d+)[a-z]*\.(\w+)")


class KarpenterCloud:
    """The cloud, as Karpenter needs it.

    Args:
        fleet: Where nodes are from.
        config: The machine types and zones.
    """

    def __init__(self, fleet: Fleet, config: KarpenterConfig) -> None:
        self._fleet = fleet
        self._machines = {machine.machine: machine for machine in config.machines}
        offerings = [
            Offering(
                machine=machine.machine,
                zone=zone,
                spot=spot,
                price=(
                    config.spot_prices[machine.machine]
                    if spot
                    else machine.price_per_hour_nano_usd
                ),
                node=_node(machine, zone, spot=spot),
            )
            for machine in config.machines
            for zone in config.zones
            for spot in (False, True)
        ]
        self._offerings = tuple(
            sorted(offerings, key=lambda o: (o.price, o.machine, o.zone, o.spot))
        )

    def offerings(self) -> Sequence[Offering]:
        """What there is now, the cheapest first."""
        available = self._fleet.cloud.available
        return [o for o in self._offerings if available(o.machine, spot=o.spot) != 0]

    def create(self, node: Node, offering: Offering, *, pool: str) -> str | None:
        """Ask for a node; why it is not given, if it is not."""
        machine = self._machines[offering.machine]
        answer = self._fleet.launch_node(
            replace(
                machine,
                name=node.name,
                pool=pool,
                labels=node.metadata.labels,
                taints=node.spec.taints,
                price_per_hour_nano_usd=offering.price,
                zone=offering.zone,
                spot=offering.spot,
                annotations=node.metadata.annotations,
                finalizers=node.metadata.finalizers,
            )
        )
        return answer.message if isinstance(answer, Refusal) else None

    def delete(self, name: str) -> None:
        """End the instance of a node."""
        if name in self._fleet.instance_of:
            self._fleet.terminate(name)

    def exists(self, name: str) -> bool:
        """Whether the cloud still knows the instance of a node."""
        return name in self._fleet.instance_of

    def on_interruption(self, notify: Callable[[str], None]) -> None:
        """Be told of the nodes that the cloud wants back."""

        def tell(instance: Instance) -> None:
            notify(instance.spec.node)

        self._fleet.cloud.on_interruption(tell)


def _of_provider(machine: NodeConfig) -> dict[str, str]:
    """The labels by which a provider's pools choose machine types."""
    name = machine.machine
    cpu = str(machine.capacity["cpu"].value())
    memory = str(machine.capacity["memory"].value() >> 20)
    family = _FAMILY.fullmatch(name)
    if family is not None:
        return {
            "karpenter.k8s.aws/instance-category": family[1],
            "karpenter.k8s.aws/instance-family": name.partition(".")[0],
            "karpenter.k8s.aws/instance-generation": family[2],
            "karpenter.k8s.aws/instance-size": family[3],
            "karpenter.k8s.aws/instance-cpu": cpu,
            "karpenter.k8s.aws/instance-memory": memory,
        }
    if name.startswith("Standard_"):
        return {
            "karpenter.azure.com/sku-name": name,
            "karpenter.azure.com/sku-family": name.removeprefix("Standard_")[0],
            "karpenter.azure.com/sku-cpu": cpu,
            "karpenter.azure.com/sku-memory": memory,
        }
    return {
        "karpenter.k8s.gcp/instance-family": name.partition("-")[0],
        "karpenter.k8s.gcp/instance-cpu": cpu,
        "karpenter.k8s.gcp/instance-memory": memory,
    }


def _node(machine: NodeConfig, zone: str, *, spot: bool) -> Node:
    labels = {
        "kubernetes.io/os": "linux",
        "kubernetes.io/arch": "amd64",
        "node.kubernetes.io/instance-type": machine.machine,
        ZONE_LABEL: zone,
        CAPACITY_TYPE: "spot" if spot else "on-demand",
        **_of_provider(machine),
    }
    ready = NodeCondition(type="Ready", status="True", reason="KubeletReady")
    return Node(
        metadata=ObjectMeta(name=machine.machine, labels=FrozenMap(labels)),
        status=NodeStatus(
            capacity=machine.capacity, allocatable=machine.allocatable, conditions=(ready,)
        ),
    )
