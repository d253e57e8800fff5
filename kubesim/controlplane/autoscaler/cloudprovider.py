"""The door between an autoscaler and a cloud.

Mirrors: kubernetes/autoscaler cluster-autoscaler/cloudprovider/cloud_provider.go (NodeGroup).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from kubesim.api.corev1 import Node


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupInstance:
    """An instance of a node group that is neither gone nor going."""

    provider_id: str
    node: str


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceError:
    """An instance that a group asked for and did not get."""

    code: str
    message: str


class NodeGroup(Protocol):
    """Equal nodes, whose number can be set."""

    @property
    def id(self) -> str:
        """Its name."""
        ...

    @property
    def min_size(self) -> int:
        """How few nodes may be left."""
        ...

    @property
    def max_size(self) -> int:
        """How many nodes there may be."""
        ...

    @property
    def priority(self) -> int:
        """What the priority expander goes by."""
        ...

    @property
    def price_per_hour_nano_usd(self) -> int:
        """The price of one node."""
        ...

    def target_size(self) -> int:
        """How many nodes there are to be."""
        ...

    def instances(self) -> Sequence[GroupInstance]:
        """The instances of the group, nodes or not yet nodes."""
        ...

    def template(self) -> Node:
        """A node as the group would make it."""
        ...

    def increase_size(self, delta: int) -> None:
        """Ask for more nodes."""
        ...

    def delete_node(self, name: str) -> None:
        """End one instance and want one node less."""
        ...

    def take_errors(self) -> Sequence[InstanceError]:
        """What was asked for and not given since the last call; it is no longer asked for."""
        ...
