"""The machines: pools of equal nodes."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from kubesim.api.quantity import Quantity
from kubesim.scenario.format.containerd import ContainerdSettings
from kubesim.scenario.format.kubelet import KubeletSettings
from kubesim.scenario.format.values import PoolTaint, ScenarioModel, ScenarioQuantity


class Capacity(ScenarioModel):
    """What a machine has; devices are extended resources such as ``nvidia.com/gpu``."""

    cpu: ScenarioQuantity
    memory: ScenarioQuantity
    pods: int | None = Field(default=None, gt=0)
    ephemeral_storage: ScenarioQuantity = Quantity("100Gi")
    devices: dict[str, ScenarioQuantity] = Field(default_factory=dict)


class Autoscaling(ScenarioModel):
    """Between which sizes an autoscaler may change a pool.

    Attributes:
        min: How few nodes it may leave.
        max: How many nodes it may make.
        priority: What the priority expander goes by; the highest wins.
    """

    min: int = Field(default=0, ge=0)
    max: int = Field(ge=0, le=100_000)
    priority: int = 0

    @model_validator(mode="after")
    def _in_order(self) -> Autoscaling:
        if self.min > self.max:
            raise ValueError("min is above max")
        return self


class NodePool(ScenarioModel):
    """Equal nodes.

    Attributes:
        name: The nodes are called ``<name>-0``, ``<name>-1``, ...
        count: How many.
        machine: A machine type of ``models/machines``; or
        capacity: what such a machine has.
        labels: Labels of the nodes, beside the usual ones.
        taints: As ``key=value:Effect``, or as mappings.
        runtimes: Handlers in containerd's runtime table: what the nodes can run.
        zones: Zones over which the nodes are spread in turn.
        price_per_hour: Dollars an hour, when the machine type does not say.
        reserved: A cloud's formula for ``kubeReserved``, where ``kubelet`` does not say.
        kubelet: KubeletConfiguration, or a file with one.
        containerd: What containerd's ``config.toml`` says, or the file itself.
        autoscaling: Sizes between which the Cluster Autoscaler may change the pool.
        spot: Spot instances: cheaper, and the cloud may take them back with two minutes of notice.
        annotations: Annotations of the nodes.
    """

    name: str = Field(pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", max_length=50)
    count: int = Field(ge=0, le=100_000)
    machine: str | None = None
    capacity: Capacity | None = None
    labels: dict[str, str] = Field(default_factory=dict)
    taints: tuple[PoolTaint, ...] = ()
    runtimes: tuple[str, ...] = ("runc",)
    zones: tuple[str, ...] = ()
    price_per_hour: ScenarioQuantity | None = None
    reserved: Literal["eks", "gke", "aks"] | None = None
    kubelet: KubeletSettings = KubeletSettings()
    containerd: ContainerdSettings = ContainerdSettings()
    autoscaling: Autoscaling | None = None
    spot: bool = False
    annotations: dict[str, str] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _machine_or_capacity(self) -> NodePool:
        if (self.machine is None) == (self.capacity is None):
            raise ValueError("give either machine or capacity")
        return self
