"""When is a node short of something? Pure functions.

A hard threshold counts at once, a soft one when it was met for its grace period without a break. One
that was met counts as met until the minimum reclaim is back, too. The condition that a threshold means
stays for the transition period after it was last observed, so that it does not flap.

Mirrors: pkg/kubelet/eviction/helpers.go (ParseThresholdConfig, thresholdsMet, thresholdsFirstObservedAt,
thresholdsMetGracePeriod, nodeConditionsObservedSince, byEvictionPriority).
Departs: thresholds are in the order of the signals where upstream ranges over a map.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from kubesim.node.kubelet.configuration import SIGNALS, KubeletConfiguration, Threshold
from kubesim.node.kubelet.eviction.observing import (
    ALLOCATABLE_MEMORY,
    DISK_SIGNALS,
    MEMORY,
    Observation,
)

MEMORY_PRESSURE, DISK_PRESSURE, PID_PRESSURE = "MemoryPressure", "DiskPressure", "PIDPressure"
CONDITIONS = (MEMORY_PRESSURE, DISK_PRESSURE, PID_PRESSURE)


@dataclass(frozen=True, slots=True, kw_only=True)
class EvictionThreshold:
    """One threshold.

    Attributes:
        signal: Of what.
        value: How little has to be left.
        grace_ns: How long it has to be so; 0 makes the threshold a hard one.
        min_reclaim: How much more has to be free again for it to be over.
    """

    signal: str
    value: Threshold
    grace_ns: int = 0
    min_reclaim: Threshold | None = None

    @property
    def is_hard(self) -> bool:
        """Whether pods are evicted at once."""
        return not self.grace_ns

    @property
    def resource(self) -> str:
        """What is short, as messages call it."""
        return "memory" if self.signal in (MEMORY, ALLOCATABLE_MEMORY) else "ephemeral-storage"

    @property
    def condition(self) -> str:
        """The condition of a node where it is met."""
        return DISK_PRESSURE if self.signal in DISK_SIGNALS else MEMORY_PRESSURE

    def quantity(self, capacity: int, *, with_reclaim: bool = False) -> int:
        """Less than this has to be left for it to be met."""
        reclaim = self.min_reclaim.of(capacity) if with_reclaim and self.min_reclaim else 0
        return self.value.of(capacity) + reclaim

    def is_met(self, seen: Observation, *, with_reclaim: bool = False) -> bool:
        """Whether too little is left."""
        return seen.available < self.quantity(seen.capacity, with_reclaim=with_reclaim)


def thresholds_of(config: KubeletConfiguration) -> tuple[EvictionThreshold, ...]:
    """All thresholds of a kubelet; one of 0 % or 100 % is none."""
    found: list[EvictionThreshold] = []
    reclaims = config.eviction_minimum_reclaim
    for soft, values in ((False, config.eviction_hard), (True, config.eviction_soft)):
        for signal in SIGNALS:
            value = values.get(signal)
            if value is None or not value.is_set:
                continue
            found.append(
                EvictionThreshold(
                    signal=signal,
                    value=value,
                    grace_ns=config.eviction_soft_grace_period_ns.get(signal, 0) if soft else 0,
                    min_reclaim=reclaims.get(signal),
                )
            )
            if signal == MEMORY and not soft and "pods" in config.enforce_node_allocatable:
                found.append(
                    EvictionThreshold(
                        signal=ALLOCATABLE_MEMORY, value=value, min_reclaim=reclaims.get(signal)
                    )
                )
    return tuple(found)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pressure:
    """What is remembered from one look to the next.

    Attributes:
        first_observed: Thresholds that are met, and since which look.
        acted_upon: Those whose grace period was over at the last look.
        last_observed: Conditions, and the last look that saw a reason for each.
        conditions: The conditions that the node has.
    """

    first_observed: Mapping[EvictionThreshold, int] = field(default_factory=dict)
    acted_upon: tuple[EvictionThreshold, ...] = ()
    last_observed: Mapping[str, int] = field(default_factory=dict)
    conditions: tuple[str, ...] = ()


def look(
    before: Pressure,
    thresholds: Iterable[EvictionThreshold],
    seen: Mapping[str, Observation],
    *,
    now_ns: int,
    last_look_ns: int,
    transition_ns: int,
) -> Pressure:
    """What a look makes of what it sees.

    Args:
        before: What the look before made.
        thresholds: All thresholds.
        seen: What is left of what.
        now_ns: When it is.
        last_look_ns: When the monitor looked before: what was so then was so at all looks between.
        transition_ns: ``evictionPressureTransitionPeriod``.
    """
    met = {
        threshold: before.first_observed.get(threshold, now_ns)
        for threshold in thresholds
        if threshold.signal in seen
        and threshold.is_met(seen[threshold.signal], with_reclaim=threshold in before.acted_upon)
    }
    last = dict(before.last_observed)
    for threshold in before.first_observed:
        last[threshold.condition] = last_look_ns
    for threshold in met:
        last[threshold.condition] = now_ns
    return Pressure(
        first_observed=met,
        acted_upon=tuple(t for t, since_ns in met.items() if now_ns - since_ns >= t.grace_ns),
        last_observed=last,
        conditions=tuple(
            name for name in CONDITIONS if name in last and now_ns - last[name] < transition_ns
        ),
    )


def next_change_ns(pressure: Pressure, *, now_ns: int, transition_ns: int) -> int | None:
    """When a look would see something else although nothing happens; ``None``: never."""
    grace_ends = [
        since_ns + threshold.grace_ns
        for threshold, since_ns in pressure.first_observed.items()
        if threshold not in pressure.acted_upon
    ]
    observed = {threshold.condition for threshold in pressure.first_observed}
    transitions = [
        pressure.last_observed[name] + transition_ns
        for name in pressure.conditions
        if name not in observed
    ]
    return min((at_ns for at_ns in (*grace_ends, *transitions) if at_ns > now_ns), default=None)


def first_to_reclaim(thresholds: Iterable[EvictionThreshold]) -> EvictionThreshold | None:
    """Memory before everything else."""
    return min(thresholds, key=lambda t: t.resource != "memory", default=None)


def levels(thresholds: Iterable[EvictionThreshold], capacity: int) -> list[int]:
    """The amounts of use at which one of these begins or ceases to be met."""
    return [
        capacity - threshold.quantity(capacity, with_reclaim=with_reclaim) + 1
        for threshold in thresholds
        for with_reclaim in (False, True)
    ]
