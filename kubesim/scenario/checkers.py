"""Invariants that every run must keep; a broken one is a bug of the simulator, and says so.

They read what everyone can read, the journal and the store, and run in every scenario.
"""

from __future__ import annotations

from typing import Any

from kubesim import facts
from kubesim.api.corev1 import Node, Pod
from kubesim.api.podutil import add_resources, is_pod_terminal, pod_requests
from kubesim.api.quantity import Quantity
from kubesim.errors import SimulationError
from kubesim.sim import Fact

PHASE_ARROWS = {
    "": ("Pending",),
    "Pending": ("Pending", "Running", "Succeeded", "Failed"),
    "Running": ("Running", "Succeeded", "Failed"),
    "Succeeded": ("Succeeded",),
    "Failed": ("Failed",),
}


class Checkers:
    """All invariants of a run; call it with every fact.

    Args:
        store: The object store, for what is checked at the end.
    """

    def __init__(self, store: Any) -> None:
        self._store = store
        self._revision = 0
        self._bound: dict[str, str] = {}
        self._phases: dict[str, str] = {}
        self._started: set[tuple[str, str, int]] = set()

    def __call__(self, at_ns: int, fact: Fact) -> None:
        """Check one fact against what was before it."""
        if isinstance(fact, facts.ObjectWritten):
            if fact.resource_version <= self._revision:
                _broken(at_ns, "resourceVersion rises with every write", fact)
            self._revision = fact.resource_version
        elif isinstance(fact, facts.PodBound):
            if fact.uid in self._bound:
                _broken(at_ns, "a pod is bound once", fact)
            self._bound[fact.uid] = fact.node
        elif isinstance(fact, facts.PodPhaseChanged):
            if fact.phase not in PHASE_ARROWS[self._phases.get(fact.uid, "")]:
                _broken(at_ns, "phases move along the arrows of the pod lifecycle", fact)
            self._phases[fact.uid] = fact.phase
        elif isinstance(fact, facts.ContainerStarted):
            run = (fact.uid, fact.container, fact.attempt)
            if run in self._started:
                _broken(at_ns, "no container runs twice", fact)
            self._started.add(run)

    def at_end(self) -> None:
        """Check what holds whenever nothing is on its way."""
        requested: dict[str, dict[str, Quantity]] = {}
        for pod in self._store.values(Pod):
            if pod.spec.node_name and not is_pod_terminal(pod):
                add_resources(requested.setdefault(pod.spec.node_name, {}), pod_requests(pod.spec))
        for node in self._store.values(Node):
            allocatable = node.status.allocatable
            for resource, amount in requested.get(node.name, {}).items():
                if resource in allocatable and amount > allocatable[resource]:
                    message = f"node {node.name}: {resource} {amount} > {allocatable[resource]}"
                    raise SimulationError(f"requests exceed allocatable: {message}")


def _broken(at_ns: int, invariant: str, fact: Fact) -> None:
    raise SimulationError(f"at {at_ns} ns: {invariant}, but {fact}")
