"""What the cloud did: instances that were asked for, came, were warned and went."""

from __future__ import annotations

from dataclasses import dataclass

from kubesim.sim.journal import Fact


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceLaunched(Fact):
    """The cloud accepted a request for an instance."""

    instance: str
    node: str
    pool: str
    machine: str
    zone: str
    spot: bool
    price_per_hour_nano_usd: int


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceRefused(Fact):
    """The cloud had no such instance to give."""

    pool: str
    machine: str
    zone: str
    spot: bool
    code: str


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceStarted(Fact):
    """An instance runs; from now on it costs money."""

    instance: str
    node: str


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceInterruptionNoticed(Fact):
    """The cloud wants a spot instance back and says when."""

    instance: str
    node: str
    ends_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceTerminated(Fact):
    """An instance is gone."""

    instance: str
    node: str
    reason: str
    lifetime_ns: int
    cost_nano_usd: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeRegistered(Fact):
    """The kubelet of a new instance created its Node."""

    node: str
    instance: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeBecameReady(Fact):
    """The API server heard from a new node that it is Ready."""

    node: str
    instance: str
