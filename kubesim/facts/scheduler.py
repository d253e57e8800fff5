"""What the scheduler decided."""

from __future__ import annotations

from dataclasses import dataclass

from kubesim.sim.journal import Fact


@dataclass(frozen=True, slots=True, kw_only=True)
class PodAttempted(Fact):
    """A scheduling attempt that did not bind; ``message`` is what the pod's condition says."""

    namespace: str
    name: str
    uid: str
    attempt: int
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PodBound(Fact):
    """A pod was bound to a node."""

    namespace: str
    name: str
    uid: str
    node: str
    attempts: int
    feasible_nodes: int
    evaluated_nodes: int
