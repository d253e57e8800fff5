"""Node pools as the node groups of the Cluster Autoscaler.

Mirrors: kubernetes/autoscaler cluster-autoscaler/cloudprovider/aws (auto_scaling_groups.go,
aws_cloud_provider.go).
Departs: an instance that the cloud took away is replaced at once, as an Auto Scaling group does after
its next health check.
"""

from __future__ import annotations

from kubesim.api.corev1 import Node, NodeCondition, NodeSpec, NodeStatus
from kubesim.api.metav1 import ObjectMeta
from kubesim.cluster.config import PoolConfig
from kubesim.cluster.fleet import Fleet, provider_id
from kubesim.controlplane.autoscaler.cloudprovider import GroupInstance, InstanceError
from kubesim.world.cloud import Instance, Refusal


class PoolGroup:
    """A pool whose number of nodes can be set.

    Args:
        fleet: Where its nodes are from.
        pool: The pool.
    """

    def __init__(self, fleet: Fleet, pool: PoolConfig) -> None:
        assert pool.max_size is not None, pool.name
        self.id = pool.name
        self.min_size = pool.min_size
        self.max_size = pool.max_size
        self.priority = pool.priority
        self.price_per_hour_nano_usd = pool.template.price_per_hour_nano_usd
        self._fleet = fleet
        self._pool = pool
        self._given_back: set[str] = set()
        self._errors: list[InstanceError] = []
        self._template = _template(pool)
        self._members: dict[str, Instance] = {
            instance.id: instance
            for instance in fleet.cloud.instances.values()
            if instance.spec.pool == pool.name
        }
        fleet.on_stopping(self._stopped)

    def target_size(self) -> int:
        """How many nodes there are to be."""
        return len(self._members) + len(self._errors)

    def instances(self) -> tuple[GroupInstance, ...]:
        """The instances that are neither gone nor going."""
        return tuple(
            GroupInstance(provider_id=provider_id(instance), node=instance.spec.node)
            for instance in self._members.values()
        )

    def template(self) -> Node:
        """A node as the pool would make it."""
        return self._template

    def increase_size(self, delta: int) -> None:
        """Ask the cloud for more nodes."""
        for _ in range(delta):
            answer = self._fleet.launch(self._pool)
            if isinstance(answer, Refusal):
                self._errors.append(InstanceError(code=answer.code, message=answer.message))
            else:
                self._members[answer.id] = answer

    def delete_node(self, name: str) -> None:
        """Give one instance back."""
        instance_id = self._fleet.instance_of.get(name)
        if instance_id is not None and self._members.pop(instance_id, None) is not None:
            self._given_back.add(instance_id)
            self._fleet.terminate(name)

    def take_errors(self) -> tuple[InstanceError, ...]:
        """What was not given since the last call."""
        errors, self._errors = tuple(self._errors), []
        return errors

    def _stopped(self, instance: Instance) -> None:
        """The group keeps its size when an instance is lost."""
        if instance.spec.pool != self.id:
            return
        if instance.id in self._given_back:
            self._given_back.discard(instance.id)
        elif self._members.pop(instance.id, None) is not None:
            self.increase_size(1)


def _template(pool: PoolConfig) -> Node:
    """A node of the pool as it will be once it is ready."""
    node = pool.node(0)
    usual = {
        "kubernetes.io/hostname": pool.name,
        "kubernetes.io/os": "linux",
        "kubernetes.io/arch": "amd64",
    }
    ready = NodeCondition(type="Ready", status="True", reason="KubeletReady")
    return Node(
        metadata=ObjectMeta(
            name=pool.name, labels=node.labels.merge(usual), annotations=node.annotations
        ),
        spec=NodeSpec(taints=node.taints),
        status=NodeStatus(
            capacity=node.capacity, allocatable=node.allocatable, conditions=(ready,)
        ),
    )
