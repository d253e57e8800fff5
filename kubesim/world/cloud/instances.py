"""Instances as values: what is asked for, what one gets, and what one does not get."""

from __future__ import annotations

from dataclasses import dataclass

from kubesim.world.cloud.billing import billed_ns, cost_nano_usd

INSUFFICIENT_CAPACITY = "InsufficientInstanceCapacity"


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceSpec:
    """What is asked for.

    Attributes:
        node: The name of the node that it will be.
        pool: The pool for which it is.
        machine: The machine type; empty for machines of no type.
        zone: The zone; empty where there are none.
        spot: Whether the cloud may take it back.
        price_per_hour_nano_usd: Billionths of a dollar an hour.
    """

    node: str
    pool: str
    machine: str = ""
    zone: str = ""
    spot: bool = False
    price_per_hour_nano_usd: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """An instance that the cloud does not give."""

    code: str
    message: str


@dataclass(slots=True, kw_only=True)
class Instance:
    """One instance and its life.

    Attributes:
        id: Its identity at the cloud.
        spec: What was asked for.
        launched_ns: When it was asked for.
        running_ns: Since when it runs and is billed.
        ended_ns: When it was told to end.
        gone: Whether the cloud has forgotten it.
    """

    id: str
    spec: InstanceSpec
    launched_ns: int
    running_ns: int | None = None
    ended_ns: int | None = None
    gone: bool = False

    @property
    def alive(self) -> bool:
        """Whether nobody told it to end."""
        return self.ended_ns is None

    def billed_ns(self, now_ns: int) -> int:
        """How much of its time is on the bill by now."""
        return billed_ns(self.running_ns, self.ended_ns, now_ns)

    def cost_nano_usd(self, now_ns: int) -> int:
        """What it has cost by now."""
        return cost_nano_usd(self.spec.price_per_hour_nano_usd, self.billed_ns(now_ns))
