"""Histograms, recommendations and what is done with them, over whatever comes."""

from __future__ import annotations

from typing import Any

from harness import pod as plain_pod
from hypothesis import given
from hypothesis import strategies as st

from kubesim.api.corev1 import Pod
from kubesim.api.quantity import Quantity
from kubesim.api.vpav1 import PodResourcePolicy, RecommendedPodResources, VerticalPodAutoscaler
from kubesim.controlplane.autoscaling.vpa.capping import Bounds, processed, resized, sizes
from kubesim.controlplane.autoscaling.vpa.config import RecommenderConfig, UpdaterConfig
from kubesim.controlplane.autoscaling.vpa.estimator import recommend
from kubesim.controlplane.autoscaling.vpa.histogram import DecayingHistogram
from kubesim.controlplane.autoscaling.vpa.model import CPU_BUCKETS, Aggregate, ContainerState
from kubesim.controlplane.autoscaling.vpa.priority import priority_of, worth_an_update
from kubesim.controlplane.autoscaling.vpa.restriction import Restriction
from kubesim.sim.time import DAY, MINUTE

CONFIG = RecommenderConfig()
MILLIS = st.integers(min_value=0, max_value=64_000)
BYTES = st.integers(min_value=0, max_value=64 << 30)
SAMPLES = st.lists(st.tuples(MILLIS, BYTES, st.integers(1, 500)), min_size=1, max_size=12)
FRACTIONS = (0.0, 0.1, 0.5, 0.9, 0.95, 1.0)


def fed(samples: list[tuple[int, int, int]]) -> Aggregate:
    """What a container has used: cpu, memory, and for how many minutes."""
    aggregate, state, at_ns = Aggregate(CONFIG), ContainerState(CONFIG), MINUTE
    for milli_cpu, memory_bytes, count in samples:
        state.add_many(
            aggregate,
            milli_cpu=milli_cpu,
            memory_bytes=memory_bytes,
            first_ns=at_ns,
            step_ns=MINUTE,
            count=count,
        )
        at_ns += count * MINUTE
    return aggregate


def one_by_one(samples: list[tuple[int, int, int]]) -> Aggregate:
    """The same, minute by minute."""
    aggregate, state, at_ns = Aggregate(CONFIG), ContainerState(CONFIG), MINUTE
    for milli_cpu, memory_bytes, count in samples:
        for _ in range(count):
            state.add_cpu(aggregate, milli_cpu, at_ns)
            state.add_memory(aggregate, memory_bytes, at_ns)
            at_ns += MINUTE
    return aggregate


def recommended(
    aggregate: Aggregate, policy: PodResourcePolicy | None = None
) -> RecommendedPodResources:
    """What is recommended for the one container."""
    return recommend({"main": aggregate}, policy, CONFIG)


@given(SAMPLES)
def test_asleep_is_as_good_as_awake(samples: list[tuple[int, int, int]]) -> None:
    """Equal samples in one go give the recommendation that they give minute by minute."""
    assert recommended(fed(samples)) == recommended(one_by_one(samples))


@given(SAMPLES)
def test_percentiles_grow_with_the_fraction(samples: list[tuple[int, int, int]]) -> None:
    """A higher percentile is never lower, and all lie between the extremes and a bucket above."""
    aggregate = fed(samples)
    found = [aggregate.cpu.percentile(fraction) for fraction in FRACTIONS]
    assert found == sorted(found)
    highest = max(milli_cpu for milli_cpu, _, _ in samples) / 1000
    assert found[-1] <= max(highest * 1.05 + 0.011, CPU_BUCKETS[1])


@given(SAMPLES, SAMPLES)
def test_merging_does_not_depend_on_the_order(
    one: list[tuple[int, int, int]], other: list[tuple[int, int, int]]
) -> None:
    """Two aggregates recommend the same whichever is merged into which."""
    left, right = fed(one), fed(other)
    left.merge(fed(other))
    right.merge(fed(one))
    for fraction in FRACTIONS[1:-1]:
        assert left.memory.percentile(fraction) == right.memory.percentile(fraction)
    assert left.samples == right.samples


@given(SAMPLES, MILLIS, MILLIS, BYTES, BYTES)
def test_recommendations_stay_within_the_policy(
    samples: list[tuple[int, int, int]], cpu_a: int, cpu_b: int, mem_a: int, mem_b: int
) -> None:
    """Target and bounds lie between minAllowed and maxAllowed, and in the right order."""
    low, high = sorted((cpu_a, cpu_b))
    least, most = sorted((mem_a, mem_b))
    policy = PodResourcePolicy.model_validate(
        {
            "containerPolicies": [
                {
                    "containerName": "*",
                    "minAllowed": {"cpu": f"{low}m", "memory": str(least)},
                    "maxAllowed": {"cpu": f"{high}m", "memory": str(most)},
                }
            ]
        }
    )
    item = recommended(fed(samples), policy).container_recommendations[0]
    for name, bottom, top in (
        ("cpu", Quantity.of_millis(low), Quantity.of_millis(high)),
        ("memory", Quantity.of_value(least), Quantity.of_value(most)),
    ):
        for amounts in (item.lower_bound, item.target, item.upper_bound):
            assert not bottom or amounts[name] >= bottom or amounts[name] == top
            assert not top or amounts[name] <= top
        assert item.lower_bound[name] <= item.upper_bound[name]


@given(st.integers(25, 32_000), st.integers(300 << 20, 32 << 30), st.integers(1, 20))
def test_the_target_converges_to_what_is_used(
    milli_cpu: int, memory_bytes: int, days: int
) -> None:
    """Whatever was before, after enough days of steady use the target is a bucket and 15 % above."""
    before = [(64_000, 64 << 30, 100)]
    item = recommended(
        fed([*before, (milli_cpu, memory_bytes, (10 + days) * 1440)])
    ).container_recommendations[0]
    cpu, memory = item.target["cpu"].milli_value(), item.target["memory"].value()
    assert milli_cpu * 1.15 - 2 <= cpu <= (milli_cpu * 1.05 + 11) * 1.15
    assert memory_bytes * 1.15 - 2 <= memory <= (memory_bytes * 1.05 + 11e6) * 1.15


def vpa(recommendation: RecommendedPodResources, mode: str) -> VerticalPodAutoscaler:
    """An autoscaler that recommends it."""
    body = {
        "metadata": {"name": "v", "namespace": "default"},
        "spec": {
            "targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "w"},
            "updatePolicy": {"updateMode": mode},
        },
    }
    made = VerticalPodAutoscaler.model_validate(body)
    return made.replace(status=made.status.replace(recommendation=recommendation))


def owned(name: str, resources: dict[str, Any] | None = None, phase: str = "Running") -> Pod:
    """A pod of a ReplicaSet."""
    container = {"name": "main", "image": "a", "resources": resources or {}}
    made = plain_pod(name, containers=[container]).model_dump(by_alias=True, exclude_unset=True)
    owner = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "rs", "uid": "u"}
    made["metadata"]["ownerReferences"] = [{**owner, "controller": True}]
    made["status"] = {"phase": phase}
    return Pod.model_validate(made)


@given(SAMPLES, st.integers(1, 9_000), st.integers(1, 4))
def test_an_update_leaves_nothing_to_update(
    samples: list[tuple[int, int, int]], request: int, factor: int
) -> None:
    """A pod that was sized is not worth another update, and sizing it again changes nothing."""
    own = vpa(recommended(fed(samples)), "Recreate")
    resources = {
        "requests": {"cpu": f"{request}m", "memory": f"{request}Mi"},
        "limits": {"cpu": f"{request * factor}m", "memory": f"{request * factor}Mi"},
    }
    pod = owned("web", resources)
    before = pod.spec.containers[0]
    after = before.replace(resources=resized(before.resources, sizes(own, pod, Bounds())[0]))
    pod = pod.replace(spec=pod.spec.replace(containers=(after,)))
    again = resized(after.resources, sizes(own, pod, Bounds())[0])
    assert again.requests == after.resources.requests
    priority = priority_of(pod, processed(own, pod, Bounds())[0])
    assert priority.difference == 0
    pod = pod.replace(status=pod.status.replace(start_time=0))
    assert not worth_an_update(pod, own, priority, config=UpdaterConfig(), wall_ns=100 * DAY)


@given(
    st.lists(st.sampled_from(["Running", "Pending"]), min_size=1, max_size=12),
    st.integers(1, 14),
    st.sampled_from([0.0, 0.25, 0.5, 1.0]),
)
def test_enough_pods_stay(phases: list[str], replicas: int, tolerance: float) -> None:
    """Of those that run never more go than the tolerance, or the one that may go when all run."""
    pods = [owned(f"p{index}", phase=phase) for index, phase in enumerate(phases)]
    own = vpa(RecommendedPodResources(), "Recreate")
    allowed = Restriction(
        own,
        pods,
        config=UpdaterConfig(eviction_tolerance=tolerance),
        replicas=lambda _: replicas,
        resized_since_ns={},
        wall_ns=0,
    )
    gone = 0
    for pod in pods:
        if pod.status.phase == "Running" and allowed.may_evict(pod):
            allowed.evicted(pod)
            gone += 1
    running = phases.count("Running")
    may_be_away = int(replicas * tolerance)
    assert gone == 0 or running - gone >= replicas - may_be_away or (gone == 1 and not may_be_away)
    assert gone == 0 or len(pods) >= 2


@given(st.lists(st.tuples(st.integers(0, 2000), st.integers(0, 300 * 1440)), max_size=30))
def test_what_is_added_can_be_taken_away(samples: list[tuple[int, int]]) -> None:
    """A sample that is taken away again leaves the percentiles of the others."""
    histogram = DecayingHistogram(CPU_BUCKETS, half_life_ns=DAY, epsilon=1e-4)
    for milli_cpu, minute in samples:
        histogram.add(milli_cpu / 1000, 1.0, minute * MINUTE)
    before = [histogram.percentile(fraction) for fraction in (0.1, 0.5, 0.9)]
    at_ns = 300 * DAY  # later than all, so that its weight is the greatest
    other = histogram.copy()
    other.add(900.0, 1.0, at_ns)
    assert other.percentile(1.0) > 900
    other.subtract(900.0, 1.0, at_ns)
    after = [other.percentile(fraction) for fraction in (0.1, 0.5, 0.9)]
    assert after == before or other.is_empty  # what is so much older may be forgotten
