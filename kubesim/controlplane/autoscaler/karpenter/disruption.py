"""Giving nodes up: those that are empty, those that others could stand in for, those out of date.

A look every ten seconds, on a grid, when something changed or a time has come. What is found is
looked at again fifteen seconds later, and done if it is still so: the nodes are tainted, a
replacement is bought and waited for, and then the nodes go.

Mirrors: kubernetes-sigs/karpenter pkg/controllers/disruption (emptiness.go, drift.go,
multinodeconsolidation.go, singlenodeconsolidation.go, consolidation.go, validation.go, queue.go).
Departs: one command at a time; single nodes are not taken from the pools in turn.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction

from kubesim.api.corev1 import Node, Pod
from kubesim.api.duration import parse_duration
from kubesim.api.karpenterv1 import Budget, NodePool
from kubesim.api.policyv1 import PodDisruptionBudget
from kubesim.controlplane.autoscaler.karpenter.budgets import (
    allowed_disruptions,
    next_change_ns,
)
from kubesim.controlplane.autoscaler.karpenter.cloudprovider import Offering
from kubesim.controlplane.autoscaler.karpenter.fleet import NEVER, Owned, OwnedNodes
from kubesim.controlplane.autoscaler.karpenter.options import Options
from kubesim.controlplane.autoscaler.karpenter.scheduling import NewNode, satisfies_min_values
from kubesim.controlplane.autoscaler.karpenter.termination import DO_NOT_DISRUPT
from kubesim.controlplane.autoscaler.simulator.drainability import protects
from kubesim.controlplane.client import Recorder
from kubesim.sim import Sim, SimProcess
from kubesim.sim.time import MINUTE, SECOND, next_grid_point

POLL_NS = 10 * SECOND
VALIDATION_NS = 15 * SECOND
REPLACEMENT_TIMEOUT_NS = 15 * MINUTE
MAX_NODES_AT_ONCE = 100
SPOT_TO_SPOT_TYPES = 15  # MinInstanceTypesForSpotToSpotConsolidation
DELETION_COST = "controller.kubernetes.io/pod-deletion-cost"

Simulate = Callable[[frozenset[str]], tuple[bool, tuple[NewNode, ...]]]


@dataclass(frozen=True, slots=True)
class Command:
    """What is to be done.

    Attributes:
        reason: ``Empty``, ``Drifted`` or ``Underutilized``.
        names: The nodes that go.
        new: The nodes that come in their place.
    """

    reason: str
    names: tuple[str, ...]
    new: tuple[NewNode, ...] = ()


class Disruptor:
    """Finds nodes that can go, and lets them go.

    Args:
        sim: The run.
        recorder: For events.
        nodes: Karpenter's nodes.
        node: The Node of a name.
        budgets: The disruption budgets of pods.
        pools: The pools.
        options: The settings.
        simulate: Whether everybody has a place without some nodes, and what new nodes it takes.
    """

    def __init__(  # noqa: PLR0913  # the parts of a component
        self,
        sim: Sim,
        *,
        recorder: Recorder,
        nodes: OwnedNodes,
        node: Callable[[str], Node | None],
        budgets: Callable[[], Sequence[PodDisruptionBudget]],
        pools: Callable[[], Sequence[NodePool]],
        simulate: Simulate,
        options: Options,
    ) -> None:
        self._sim, self._recorder, self._nodes = sim, recorder, nodes
        self._node, self._budgets, self._pools = node, budgets, pools
        self._simulate, self._options = simulate, options
        self._offset_ns = sim.rng("karpenter/disruption").uniform(0, POLL_NS)
        self._planned_ns: int | None = None
        self._busy = False
        self._held = False

    def changed(self) -> None:
        """Something changed: look at the next point of the grid."""
        if self._nodes.owned:
            self._look_at(self._sim.now + 1)

    def _look_at(self, at_ns: int) -> None:
        due_ns = next_grid_point(at_ns - 1, period_ns=POLL_NS, offset_ns=self._offset_ns)
        if self._planned_ns is None or due_ns < self._planned_ns:
            self._planned_ns = due_ns
            self._sim.call_in(due_ns - self._sim.now, self._look, due_ns)

    def _look(self, due_ns: int) -> None:
        if due_ns != self._planned_ns:
            return
        self._planned_ns = None
        if self._busy:
            return  # its end is a change
        command = self._find()
        if command is not None:
            self._busy = True
            self._sim.process(self._carry_out(command))
            return
        waits = [self._settled_ns(o) for o in self._nodes.owned.values() if not o.ending]
        waits += [self._budgets_change_ns()] if self._held else []
        later = [at_ns for at_ns in waits if at_ns is not None and at_ns > self._sim.now]
        if later:
            self._look_at(min(later))

    def _find(self, within: frozenset[str] | None = None) -> Command | None:
        """The first thing worth doing; only about some nodes if they are given."""
        candidates = [
            owned
            for owned in self._nodes.owned.values()
            if (within is None or owned.name in within) and self._may_go(owned)
        ]
        self._held = False
        candidates.sort(key=lambda owned: (-self._savings_ratio(owned), owned.name))
        for method in (self._empty, self._drifted, self._multi, self._single):
            command = method(candidates)
            if command is not None:
                return command
        return None

    def _empty(self, candidates: list[Owned]) -> Command | None:
        """All nodes without pods, as many as the budgets allow."""
        empty = [o for o in candidates if self._is_settled(o) and not self._nodes.pods_on(o.name)]
        allowed = self._within_budgets(empty, "Empty")
        return Command("Empty", tuple(owned.name for owned in allowed)) if allowed else None

    def _drifted(self, candidates: list[Owned]) -> Command | None:
        """A node that is no longer as its pool says."""
        current = {pool.name: pool for pool in self._pools()}
        drifted = [
            owned
            for owned in candidates
            if owned.pool.name in current
            and self._nodes.drift(owned, current[owned.pool.name]) is not None
        ]
        drifted.sort(key=lambda owned: owned.launched_ns)
        for owned in self._within_budgets(drifted, "Drifted"):
            placed, new = self._simulate(frozenset([owned.name]))
            if placed:
                return Command("Drifted", (owned.name,), new)
        return None

    def _multi(self, candidates: list[Owned]) -> Command | None:
        """As many nodes at once as one cheaper node can stand in for, by bisection."""
        able = self._within_budgets(self._consolidatable(candidates), "Underutilized")
        low, high, best = 2, min(len(able), MAX_NODES_AT_ONCE), None
        while low <= high:
            middle = (low + high) // 2
            command = self._consolidate(able[:middle])
            if command is None:
                high = middle - 1
            else:
                best, low = command, middle + 1
        return best

    def _single(self, candidates: list[Owned]) -> Command | None:
        for owned in self._within_budgets(self._consolidatable(candidates), "Underutilized"):
            command = self._consolidate([owned])
            if command is not None:
                return command
        return None

    def _consolidatable(self, candidates: Iterable[Owned]) -> list[Owned]:
        return [
            owned
            for owned in candidates
            if owned.pool.spec.disruption.consolidation_policy != "WhenEmpty"
            and self._is_settled(owned)
        ]

    def _consolidate(self, going: Sequence[Owned]) -> Command | None:
        """Let nodes go if the others have room, or one cheaper node has."""
        names = tuple(owned.name for owned in going)
        placed, new = self._simulate(frozenset(names))
        if not placed or len(new) > 1:
            return None
        if not new:
            return Command("Underutilized", names)
        cheaper = self._cheaper(going, new[0])
        if not cheaper or not satisfies_min_values(new[0].pool, cheaper):
            return None
        new[0].options = cheaper
        return Command("Underutilized", names, new)

    def _cheaper(self, going: Sequence[Owned], new: NewNode) -> list[Offering]:
        """The offerings for which it is worth it to give up some nodes."""
        price = sum(owned.offering.price for owned in going)
        spot = [offering for offering in new.options if offering.spot]
        if spot and all(owned.offering.spot for owned in going):
            if not self._options.spot_to_spot_consolidation:
                return []
            cheaper = [offering for offering in spot if offering.price < price]
            types = list(dict.fromkeys(offering.machine for offering in cheaper))
            if len(going) == 1:
                if len(types) < SPOT_TO_SPOT_TYPES:
                    return []
                cheaper = [o for o in cheaper if o.machine in types[:SPOT_TO_SPOT_TYPES]]
        else:
            cheaper = [offering for offering in new.options if offering.price < price]
            if spot and len(spot) < len(new.options):
                cheaper = [offering for offering in cheaper if offering.spot]
        return cheaper if len(going) == 1 else _without_same_types(cheaper, going)

    def _savings_ratio(self, owned: Owned) -> Fraction:
        """What a node costs for what it takes to move its pods."""
        pods = self._nodes.pods_on(owned.name)
        cost = 1 + sum((max(eviction_cost(pod), Fraction(0)) for pod in pods), Fraction(0))
        return Fraction(owned.offering.price) / cost

    def _budgets_change_ns(self) -> int | None:
        """When the passing of time alone changes what the pools' budgets allow."""
        wall_ns = self._sim.wall_ns
        budgets = [b for pool in self._pools() for b in pool.spec.disruption.budgets]
        at_ns = next_change_ns(budgets, wall_ns)
        return None if at_ns is None else at_ns - wall_ns + self._sim.now

    def _may_go(self, owned: Owned) -> bool:
        """Whether nothing about a node or its pods forbids it."""
        node = self._node(owned.name)
        if node is None or owned.ending or owned.initialized_ns is None:
            return False
        if node.metadata.annotations.get(DO_NOT_DISRUPT) == "true":
            return False
        return not any(self._blocks(pod) for pod in self._nodes.pods_on(owned.name))

    def _blocks(self, pod: Pod) -> bool:
        if pod.metadata.annotations.get(DO_NOT_DISRUPT) == "true":
            return True
        return any(
            protects(budget, pod) and (budget.status.disruptions_allowed or 0) < 1
            for budget in self._budgets()
        )

    def _settled_ns(self, owned: Owned) -> int | None:
        """When a node may be consolidated; ``None`` for never."""
        after = owned.pool.spec.disruption.consolidate_after or "0s"
        if after == NEVER or owned.initialized_ns is None:
            return None
        return owned.last_pod_ns + parse_duration(after)

    def _is_settled(self, owned: Owned) -> bool:
        settled_ns = self._settled_ns(owned)
        return settled_ns is not None and settled_ns <= self._sim.now

    def _within_budgets(self, owned: Iterable[Owned], reason: str) -> list[Owned]:
        """As many of some nodes as the budgets of their pools allow to go for a reason."""
        allowed: dict[str, int] = {}
        chosen = []
        for one in owned:
            name = one.pool.name
            if name not in allowed:
                members = [o for o in self._nodes.owned.values() if o.pool.name == name]
                going = sum(member.ending for member in members)
                budgets = one.pool.spec.disruption.budgets or (Budget(),)
                wall_ns = self._sim.wall_ns
                most = allowed_disruptions(budgets, reason, len(members), wall_ns)
                allowed[name] = most - going
            if allowed[name] > 0:
                allowed[name] -= 1
                chosen.append(one)
            else:
                self._held = True
        return chosen

    def _carry_out(self, found: Command) -> SimProcess[None]:
        yield self._sim.timeout(VALIDATION_NS)
        command = self._find(frozenset(found.names))
        if command is None or command.names != found.names or len(command.new) > len(found.new):
            self._finish()
            return
        owned = [self._nodes.owned[name] for name in command.names]
        for one in owned:
            one.ending = True
            yield from self._nodes.taint(one.name)
        came = yield from self._replace(command)
        if not came:
            for one in owned:
                one.ending = False
                yield from self._nodes.untaint(one.name)
            self._finish()
            return
        for one in owned:
            message = f"Disrupting Node: {command.reason}"
            self._nodes.end(
                one.name, message=message, reason="DisruptionTerminating", why=command.reason
            )
        self._finish()

    def _replace(self, command: Command) -> SimProcess[bool]:
        """Buy what comes in place, and wait for it."""
        coming = []
        for new in command.new:
            answer = self._nodes.launch(new)
            if isinstance(answer, str):
                return False
            coming.append(answer)
        until_ns = self._sim.now + REPLACEMENT_TIMEOUT_NS
        while any(one.initialized_ns is None for one in coming):
            if self._sim.now >= until_ns or any(o.name not in self._nodes.owned for o in coming):
                return False
            yield self._sim.timeout(SECOND)
        return True

    def _finish(self) -> None:
        self._busy = False
        self.changed()


def _without_same_types(options: Iterable[Offering], going: Iterable[Owned]) -> list[Offering]:
    """Only what is cheaper than the cheapest node that goes of a type that would come again."""
    options = list(options)
    coming = {offering.machine for offering in options}
    prices = [o.offering.price for o in going if o.offering.machine in coming]
    most = min(prices, default=None)
    return options if most is None else [o for o in options if o.price < most]


def eviction_cost(pod: Pod) -> Fraction:
    """What it takes to evict a pod: one, more or less by its deletion cost and its priority."""
    cost = Fraction(1) + Fraction(pod.spec.priority or 0, 1 << 25)
    with contextlib.suppress(ValueError):
        cost += Fraction(int(pod.metadata.annotations.get(DELETION_COST, "0")), 1 << 27)
    return min(max(cost, Fraction(-10)), Fraction(10))
