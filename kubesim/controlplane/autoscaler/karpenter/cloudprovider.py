"""The door between Karpenter and a cloud.

Mirrors: kubernetes-sigs/karpenter pkg/cloudprovider/types.go (InstanceType, Offering).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from kubesim.api.corev1 import Node


@dataclass(frozen=True, slots=True, kw_only=True)
class Offering:
    """A machine type in a zone, on demand or spot.

    Attributes:
        machine: The machine type.
        zone: The zone.
        spot: Whether it may be taken back.
        price: Billionths of a dollar an hour.
        node: Such a node, without what a pool adds to it.
    """

    machine: str
    zone: str
    spot: bool
    price: int
    node: Node


class CloudProvider(Protocol):
    """A cloud, as Karpenter needs it."""

    def offerings(self) -> Sequence[Offering]:
        """Everything there is, the cheapest first."""
        ...

    def create(self, node: Node, offering: Offering, *, pool: str) -> str | None:
        """Ask for a node; why it is not given, if it is not."""
        ...

    def delete(self, name: str) -> None:
        """End the instance of a node."""
        ...

    def exists(self, name: str) -> bool:
        """Whether the cloud still knows the instance of a node."""
        ...

    def on_interruption(self, notify: Callable[[str], None]) -> None:
        """Be told of the nodes that the cloud wants back."""
        ...
