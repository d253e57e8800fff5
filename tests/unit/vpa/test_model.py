"""What a recommender remembers of containers, and what it makes of it."""

from __future__ import annotations

import pytest

from kubesim.api.quantity import Quantity
from kubesim.api.vpav1 import PodResourcePolicy
from kubesim.controlplane.autoscaling.vpa.config import RecommenderConfig
from kubesim.controlplane.autoscaling.vpa.estimator import (
    Amounts,
    confidence,
    estimate,
    minimum,
    recommend,
)
from kubesim.controlplane.autoscaling.vpa.model import Aggregate, ContainerState
from kubesim.sim.time import DAY, HOUR, MINUTE

CONFIG = RecommenderConfig()
MI = 1 << 20
MB = 1_000_000
NONE = Amounts(0, 0)


def fed(*, minutes: int, milli_cpu: int = 100, memory: int = 200 * MB) -> Aggregate:
    """What one container has used for so many minutes."""
    aggregate, state = Aggregate(CONFIG), ContainerState(CONFIG)
    for minute in range(minutes):
        at_ns = (minute + 1) * MINUTE
        state.add_cpu(aggregate, milli_cpu, at_ns)
        state.add_memory(aggregate, memory, at_ns)
    return aggregate


def test_memory_is_one_peak_a_day() -> None:
    """A higher sample takes the place of the peak before it; the next day has a peak of its own."""
    aggregate, state = Aggregate(CONFIG), ContainerState(CONFIG)
    state.add_memory(aggregate, 100 * MB, HOUR)
    state.add_memory(aggregate, 300 * MB, 2 * HOUR)
    state.add_memory(aggregate, 200 * MB, 3 * HOUR)
    weight = aggregate.memory.total
    assert aggregate.memory.percentile(0.01) > 300 * MB
    state.add_memory(aggregate, 50 * MB, HOUR + DAY)
    assert aggregate.memory.total == pytest.approx(3 * weight)  # its day is worth twice as much
    assert aggregate.memory.percentile(0.5) < 60 * MB


def test_samples_that_are_not_news_are_dropped() -> None:
    """A sample of CPU that is not later than the last one counts nothing."""
    aggregate, state = Aggregate(CONFIG), ContainerState(CONFIG)
    assert state.add_cpu(aggregate, 100, MINUTE)
    assert not state.add_cpu(aggregate, 100, MINUTE)
    assert aggregate.samples == 1


@pytest.mark.parametrize(
    ("requested", "needed"),
    [(200 * MI, 300 * MI), (500 * MI, 600 * MI), (1000 * MI, 1200 * MI)],
)
def test_an_oom_kill_is_a_peak(requested: int, needed: int) -> None:
    """A fifth more than it had, 100 MiB at least."""
    aggregate, state = Aggregate(CONFIG), ContainerState(CONFIG)
    state.record_oom(aggregate, requested, HOUR)
    found = aggregate.memory.percentile(1.0)
    assert needed < found <= needed * 1.06


def test_repeated_oom_kills_do_not_add_up() -> None:
    """The bump is over what was asked for or measured, not over the last bump."""
    aggregate, state = Aggregate(CONFIG), ContainerState(CONFIG)
    for minute in range(5):
        state.record_oom(aggregate, 200 * MI, HOUR + minute * MINUTE)
    assert aggregate.memory.percentile(1.0) <= 300 * MI * 1.06


def test_many_equal_samples_are_the_same_one_by_one() -> None:
    """Sleeping through three days comes to what being awake comes to."""
    one, many = Aggregate(CONFIG), Aggregate(CONFIG)
    awake, asleep = ContainerState(CONFIG), ContainerState(CONFIG)
    first_ns, count = 17 * MINUTE, 3 * 1440
    for index in range(count):
        at_ns = first_ns + index * MINUTE
        awake.add_cpu(one, 130, at_ns)
        awake.add_memory(one, 200 * MB, at_ns)
    asleep.add_many(
        many, milli_cpu=130, memory_bytes=200 * MB, first_ns=first_ns, step_ns=MINUTE, count=count
    )
    assert many.samples == one.samples
    assert (many.first_ns, many.last_ns) == (one.first_ns, one.last_ns)
    assert many.cpu.total == pytest.approx(one.cpu.total)
    assert many.memory.total == pytest.approx(one.memory.total)
    assert estimate(many, NONE, CONFIG) == estimate(one, NONE, CONFIG)


def test_confidence_is_days_or_samples_whichever_is_less() -> None:
    """One day of samples is one; the first sample alone is none."""
    assert confidence(Aggregate(CONFIG), DAY) == 0.0
    assert confidence(fed(minutes=1), DAY) == 0.0
    assert confidence(fed(minutes=1441), DAY) == pytest.approx(1.0)
    assert confidence(fed(minutes=721), DAY) == pytest.approx(0.5)


def test_target_is_a_percentile_and_a_margin() -> None:
    """100m lie in the bucket that ends at 110.26m; with 15 % that is 126m. 200 MB: 211.6 MB, 243 MB."""
    found = estimate(fed(minutes=1441), NONE, CONFIG)
    assert found.target.cpu == 110 + 16
    ends = [1e7 * (1.05**n - 1) / 0.05 for n in range(40)]
    end = int(next(value for value in ends if value > 200 * MB))
    assert found.target.memory == end + int(end * 0.15)


def test_bounds_come_together_with_time() -> None:
    """Above: twice the percentile after a day. Below: nearly all of it."""
    day = estimate(fed(minutes=1441), NONE, CONFIG)
    assert day.upper_bound.cpu == pytest.approx(2 * 126, abs=2)
    assert day.lower_bound.cpu == pytest.approx(126 / 1.001**2, abs=1)
    hour = estimate(fed(minutes=61), NONE, CONFIG)
    assert hour.upper_bound.cpu == pytest.approx(126 * (1 + 24), rel=0.01)
    assert hour.lower_bound.cpu == pytest.approx(126 / (1 + 0.001 * 24) ** 2, abs=1.5)


def test_a_pod_gets_the_minimum_however_many_containers_it_has() -> None:
    """25m and 250 MiB are shared by the containers of a pod."""
    assert minimum(1, CONFIG) == Amounts(25, 250 * MI)
    assert minimum(2, CONFIG) == Amounts(12, 125 * MI)
    idle = {"a": fed(minutes=10, milli_cpu=0, memory=0), "b": fed(minutes=10, milli_cpu=1)}
    found = recommend(idle, None, CONFIG).container_recommendations
    assert [item.container_name for item in found] == ["a", "b"]
    assert found[0].target["cpu"] == Quantity("12m")
    assert found[0].target["memory"] == Quantity("125Mi")


def test_policies_turn_off_bound_and_choose() -> None:
    """Mode Off leaves a container out; min and max do not bound uncappedTarget; resources are chosen."""
    policy = PodResourcePolicy.model_validate(
        {
            "containerPolicies": [
                {"containerName": "off", "mode": "Off"},
                {"containerName": "capped", "maxAllowed": {"cpu": "50m"},
                 "minAllowed": {"memory": "1Gi"}},
                {"containerName": "*", "controlledResources": ["memory"]},
            ]
        }
    )  # fmt: skip
    used = {name: fed(minutes=100) for name in ("off", "capped", "other")}
    found = {
        item.container_name: item
        for item in recommend(used, policy, CONFIG).container_recommendations
    }
    assert sorted(name or "" for name in found) == ["capped", "other"]
    capped = found["capped"]
    assert capped.target == {"cpu": Quantity("50m"), "memory": Quantity("1Gi")}
    assert capped.upper_bound["cpu"] == Quantity("50m")
    assert capped.uncapped_target["cpu"] == Quantity("126m")
    assert list(found["other"].target) == ["memory"]


def test_rounding_is_upwards() -> None:
    """--round-cpu-millicores and --round-memory-bytes."""
    config = RecommenderConfig(round_cpu_millis=50, round_memory_bytes=1 << 20)
    item = recommend({"a": fed(minutes=100)}, None, config).container_recommendations[0]
    assert item.target["cpu"] == Quantity("150m")
    assert item.target["memory"].value() % (1 << 20) == 0
