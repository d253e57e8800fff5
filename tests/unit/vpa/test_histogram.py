"""Histograms that forget, against values that were worked out by hand."""

from __future__ import annotations

import pytest

from kubesim.controlplane.autoscaling.vpa.histogram import DecayingHistogram, exponential_buckets
from kubesim.controlplane.autoscaling.vpa.model import CPU_BUCKETS, MEMORY_BUCKETS
from kubesim.sim.time import DAY, HOUR, MINUTE

EPSILON = 0.0001


def cpu() -> DecayingHistogram:
    """A histogram as the recommender keeps it for CPU."""
    return DecayingHistogram(CPU_BUCKETS, half_life_ns=DAY, epsilon=EPSILON)


def test_buckets_grow_by_five_percent() -> None:
    """0.01, then 0.0105 wide, then 0.011025; so many that the last begins at 1,000 cores or above."""
    assert CPU_BUCKETS[:4] == pytest.approx((0.0, 0.01, 0.0205, 0.031525))
    assert len(CPU_BUCKETS) == 176  # ceil(log(1000 * 0.05 / 0.01 + 1, 1.05)) + 1
    assert CPU_BUCKETS[-2] < 1000.0 <= CPU_BUCKETS[-1]
    assert len(MEMORY_BUCKETS) == 176
    assert MEMORY_BUCKETS[1] == pytest.approx(1e7)


def test_percentile_is_the_end_of_a_bucket() -> None:
    """With nine samples in the first bucket and one in the third p90 is the first one's end."""
    histogram = cpu()
    for _ in range(9):
        histogram.add(0.005, 1.0, 0)
    histogram.add(0.025, 1.0, 0)
    assert histogram.percentile(0.9) == pytest.approx(0.01)
    assert histogram.percentile(0.91) == pytest.approx(0.031525)
    assert histogram.percentile(1.0) == pytest.approx(0.031525)


def test_nothing_is_known_of_an_empty_histogram() -> None:
    """Any percentile of nothing is 0."""
    assert cpu().is_empty
    assert cpu().percentile(0.5) == 0.0


def test_what_is_beyond_all_buckets_counts_as_the_last() -> None:
    """The last bucket has no end: its beginning is told."""
    histogram = cpu()
    histogram.add(5000.0, 1.0, 0)
    assert histogram.percentile(0.5) == CPU_BUCKETS[-1]


def test_a_sample_counts_half_after_a_half_life() -> None:
    """Two old samples weigh as much as one that is a day younger; three more than it."""
    histogram = cpu()
    histogram.add(0.005, 1.0, 0)
    histogram.add(0.005, 1.0, 0)
    histogram.add(0.025, 1.0, DAY)
    assert histogram.total == pytest.approx(4.0)
    assert histogram.percentile(0.5) == pytest.approx(0.01)
    assert histogram.percentile(0.51) == pytest.approx(0.031525)


def test_a_sample_can_be_taken_away_again() -> None:
    """What was added and taken away leaves nothing."""
    histogram = cpu()
    histogram.add(0.005, 1.0, HOUR)
    histogram.add(0.5, 1.0, HOUR)
    histogram.subtract(0.5, 1.0, HOUR)
    assert histogram.percentile(1.0) == pytest.approx(0.01)
    histogram.subtract(0.005, 1.0, HOUR)
    assert histogram.is_empty


def test_large_exponents_are_divided_away() -> None:
    """After 101 half-lives the reference moves, and the percentiles do not."""
    histogram = cpu()
    histogram.add(0.005, 1.0, 100 * DAY)
    before = histogram.percentile(0.5)
    histogram.add(0.005, 1.0, 102 * DAY)
    assert histogram.reference_ns == 102 * DAY
    assert histogram.total == pytest.approx(1.25)
    assert histogram.percentile(0.5) == before


@pytest.mark.parametrize("count", [1, 2, 59, 1440, 10_000, 200_000])
def test_many_equal_samples_are_one_addition(count: int) -> None:
    """A geometric series comes to what the samples come to, one after another."""
    one, many = cpu(), cpu()
    for index in range(count):
        one.add(0.3, 0.1, HOUR + index * MINUTE)
    many.add_many(0.3, 0.1, HOUR, step_ns=MINUTE, count=count)
    scale = 2.0 ** ((many.reference_ns - one.reference_ns) / DAY)
    assert many.total * scale == pytest.approx(one.total, rel=1e-9)
    assert many.percentile(0.9) == one.percentile(0.9)


def test_merging_aligns_the_references() -> None:
    """Two histograms together weigh what their samples weigh in one."""
    one, other, both = cpu(), cpu(), cpu()
    for at_ns, value in ((0, 0.1), (DAY, 0.2)):
        one.add(value, 1.0, at_ns)
        both.add(value, 1.0, at_ns)
    for at_ns, value in ((105 * DAY, 0.3), (106 * DAY, 0.4)):
        other.add(value, 1.0, at_ns)
        both.add(value, 1.0, at_ns)
    one.merge(other)
    assert one.total == pytest.approx(both.total)
    for fraction in (0.1, 0.5, 0.9, 1.0):
        assert one.percentile(fraction) == both.percentile(fraction)


def test_a_copy_goes_its_own_way() -> None:
    """What is added to a copy is not in the original."""
    histogram = cpu()
    histogram.add(0.1, 1.0, 0)
    other = histogram.copy()
    other.add(5.0, 100.0, 0)
    assert histogram.percentile(1.0) < 0.2


def test_a_checkpoint_is_relative() -> None:
    """The weights of a checkpoint say how the whole weight is divided."""
    histogram = DecayingHistogram(
        exponential_buckets(1000.0, 0.01, 1.05), half_life_ns=DAY, epsilon=EPSILON
    )
    histogram.load({0: 2500, 2: 7500}, total=4.0, reference_ns=DAY)
    assert histogram.weights[0] == pytest.approx(1.0)
    assert histogram.weights[2] == pytest.approx(3.0)
    assert histogram.percentile(0.25) == pytest.approx(0.01)
