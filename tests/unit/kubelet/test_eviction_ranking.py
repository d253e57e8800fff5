"""Thresholds, ranking and messages of evictions: pure functions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from harness import SECOND, pod

from kubesim.api.corev1 import Pod
from kubesim.api.frozenmap import FrozenMap
from kubesim.node.kubelet.configuration import KubeletConfiguration, Threshold
from kubesim.node.kubelet.eviction import refusal
from kubesim.node.kubelet.eviction.observing import Observation, PodStats
from kubesim.node.kubelet.eviction.ranking import (
    eviction_message,
    exceeded_local_storage,
    rank,
)
from kubesim.node.kubelet.eviction.thresholds import (
    Pressure,
    look,
    next_change_ns,
    thresholds_of,
)

MI, GI = 1 << 20, 1 << 30


def config(**settings: Any) -> KubeletConfiguration:
    maps = {
        name: FrozenMap({s: Threshold.parse(t, zero=True) for s, t in value.items()})
        for name, value in settings.items()
        if name in ("eviction_hard", "eviction_soft", "eviction_minimum_reclaim")
    }
    return KubeletConfiguration(**{**settings, **maps})


def wants(name: str, memory: str = "", *, priority: int = 0, limit: str = "") -> Pod:
    resources: dict[str, Any] = {"requests": {"memory": memory}} if memory else {}
    if limit:
        resources["limits"] = {"ephemeral-storage": limit}
    made = pod(name, containers=[{"name": "main", "image": "app:1", "resources": resources}])
    return made.replace(spec=made.spec.replace(priority=priority))


def seen(available_mi: int) -> dict[str, Observation]:
    return {"memory.available": Observation(available_mi * MI, 8 * GI)}


def after(pressure: Pressure, at_s: int, available_mi: int, **settings: Any) -> Pressure:
    return look(
        pressure,
        thresholds_of(config(**settings)),
        seen(available_mi),
        now_ns=at_s * SECOND,
        last_look_ns=(at_s - 10) * SECOND,
        transition_ns=300 * SECOND,
    )


def test_the_default_thresholds_are_upstreams() -> None:
    """Memory and disk; the limit of all pods has a threshold of its own."""
    found = {t.signal: t.quantity(100 * GI) for t in thresholds_of(KubeletConfiguration())}

    assert 100 * MI == found["memory.available"] == found["allocatableMemory.available"]
    assert 10 * GI == found["nodefs.available"]
    assert 15 * GI == found["imagefs.available"]


@pytest.mark.parametrize("value", ["0%", "100%"])
def test_a_threshold_of_nothing_or_everything_is_none(value: str) -> None:
    """How an operator turns one off."""
    assert () == thresholds_of(config(eviction_hard={"nodefs.available": value}))


def test_a_hard_threshold_counts_at_once_and_a_soft_one_after_its_grace_period() -> None:
    """Under 500Mi for 90 s, or under 100Mi."""
    soft = {
        "eviction_hard": {"memory.available": "100Mi"},
        "eviction_soft": {"memory.available": "500Mi"},
        "eviction_soft_grace_period_ns": {"memory.available": 90 * SECOND},
        "enforce_node_allocatable": (),
    }
    first = after(Pressure(), 10, 400, **soft)

    assert () == first.acted_upon
    assert ("MemoryPressure",) == first.conditions
    assert 100 * SECOND == next_change_ns(first, now_ns=10 * SECOND, transition_ns=300 * SECOND)
    assert [False] == [t.is_hard for t in after(first, 100, 400, **soft).acted_upon]
    assert () == after(first, 90, 400, **soft).acted_upon
    assert [True] == [t.is_hard for t in after(first, 20, 50, **soft).acted_upon]


def test_a_soft_grace_period_begins_anew_after_a_break() -> None:
    """What was over in between was over."""
    soft = {
        "eviction_hard": {},
        "eviction_soft": {"memory.available": "500Mi"},
        "eviction_soft_grace_period_ns": {"memory.available": 30 * SECOND},
    }
    first = after(Pressure(), 10, 400, **soft)
    broken = after(first, 20, 600, **soft)
    again = after(broken, 30, 400, **soft)

    assert () == after(again, 50, 400, **soft).acted_upon
    assert 1 == len(after(again, 60, 400, **soft).acted_upon)


def test_a_threshold_that_was_met_needs_the_minimum_reclaim_back() -> None:
    """100Mi and 200Mi more."""
    hard = {
        "eviction_hard": {"memory.available": "100Mi"},
        "eviction_minimum_reclaim": {"memory.available": "200Mi"},
        "enforce_node_allocatable": (),
    }
    met = after(Pressure(), 10, 50, **hard)

    assert 1 == len(after(met, 20, 299, **hard).acted_upon)
    assert () == after(met, 20, 300, **hard).acted_upon
    assert () == after(Pressure(), 20, 299, **hard).acted_upon


def test_a_condition_stays_for_the_transition_period() -> None:
    """Since the last look that saw a reason for it."""
    hard = {"eviction_hard": {"memory.available": "100Mi"}, "enforce_node_allocatable": ()}
    met = after(Pressure(), 10, 50, **hard)
    over = after(met, 60, 1000, **hard)

    assert ("MemoryPressure",) == over.conditions
    assert 350 * SECOND == next_change_ns(over, now_ns=60 * SECOND, transition_ns=300 * SECOND)
    assert ("MemoryPressure",) == after(over, 340, 1000, **hard).conditions
    assert () == after(over, 350, 1000, **hard).conditions


def ranked(pods: Mapping[Pod, int | None]) -> list[str]:
    used = {one.name: amount for one, amount in pods.items()}

    def stats(one: Pod) -> PodStats | None:
        amount = used[one.name]
        return None if amount is None else PodStats(memory_bytes=amount * MI)

    return [one.name for one in rank(pods, "memory", stats)]


def test_who_exceeds_its_request_goes_before_who_does_not() -> None:
    """However much more the other one uses, and whatever its priority is."""
    modest, greedy = wants("modest", "4Gi"), wants("greedy", "10Mi", priority=1000)

    assert ["greedy", "modest"] == ranked({modest: 3000, greedy: 20})


def test_then_the_lower_priority_goes_then_who_exceeds_it_most() -> None:
    """Usage beyond the request, not usage."""
    pods = {
        wants("low", "100Mi", priority=-5): 110,
        wants("much", "1Gi"): 1500,
        wants("little", "2Gi"): 2100,
    }

    assert ["low", "much", "little"] == ranked(pods)


def test_who_has_no_sandbox_yet_goes_first() -> None:
    """Nothing is known of it."""
    assert ["new", "greedy"] == ranked({wants("greedy"): 500, wants("new", "1Gi"): None})


def test_the_message_names_threshold_and_containers() -> None:
    """As upstream puts it, blank at the end included."""
    used = PodStats(memory_bytes=900 * MI, container_memory={"main": 900 * MI})
    thresholds = thresholds_of(KubeletConfiguration())
    message = eviction_message(wants("p", "100Mi"), "memory", used, thresholds, seen(60))

    assert message == (
        "The node was low on resource: memory. Threshold quantity: 100Mi, available: 60Mi. "
        "Container main was using 900Mi, request is 100Mi, has larger consumption of memory. "
    )


def test_limits_of_local_storage_have_their_own_messages() -> None:
    """A volume's, the pod's, a container's."""
    volume = pod("v", volumes=[{"name": "cache", "emptyDir": {"sizeLimit": "10Mi"}}])
    limited = wants("p", limit="50Mi")

    assert 'Usage of EmptyDir volume "cache" exceeds the limit "10Mi". ' == exceeded_local_storage(
        volume, PodStats(volumes={"cache": 11 * MI})
    )
    assert exceeded_local_storage(volume, PodStats(volumes={"cache": 10 * MI})) is None
    total = exceeded_local_storage(limited, PodStats(container_disk={"main": 51 * MI}))
    assert (
        "Pod ephemeral local storage usage exceeds the total limit of containers 50Mi. " == total
    )


@pytest.mark.parametrize(
    ("conditions", "memory", "priority", "admitted"),
    [
        ((), "", 0, True),
        (("MemoryPressure",), "", 0, False),
        (("MemoryPressure",), "10Mi", 0, True),
        (("DiskPressure",), "10Mi", 0, False),
        (("MemoryPressure", "DiskPressure"), "10Mi", 0, False),
        (("DiskPressure",), "", 2_000_000_000, True),
    ],
)
def test_who_is_let_in_under_pressure(
    conditions: tuple[str, ...], memory: str, priority: int, admitted: bool
) -> None:
    """Memory pressure keeps best effort out, everything else everybody but the critical."""
    assert admitted is (refusal(wants("p", memory, priority=priority), conditions) is None)
