"""Named random streams."""

import re
from collections import Counter
from math import exp, sqrt
from statistics import fmean, median, stdev

import pytest

from kubesim.sim import Rng, Sim
from kubesim.sim.distribution import Constant, Exponential, Lognormal, Uniform
from kubesim.sim.elementary import log

PINNED = [294074495, 961898841, 931226316]


class Always(Rng):
    """A stream that gives one number for ever."""

    __slots__ = ()

    def __init__(self, value: float) -> None:
        super().__init__(0, "always")
        self.random = lambda: value


def test_a_stream_follows_from_seed_and_name_alone() -> None:
    """The numbers of a stream are a promise: they hold on every machine and Python."""
    rng = Rng(7, "kubelet/n1")

    assert PINNED == [rng.uniform(0, 10**9) for _ in range(3)]


def test_the_same_name_is_the_same_stream() -> None:
    """Asking a run twice for a stream goes on where the first left off."""
    sim, alone = Sim(seed=1), Rng(1, "a")

    assert [alone.random(), alone.random()] == [sim.rng("a").random(), sim.rng("a").random()]


def test_a_new_draw_in_one_stream_never_shifts_another() -> None:
    """Two policies can be compared on equal luck."""
    quiet, busy = Sim(seed=3), Sim(seed=3)
    for _ in range(1000):
        busy.rng("somebody/else").random()

    assert [quiet.rng("a").random() for _ in range(20)] == [
        busy.rng("a").random() for _ in range(20)
    ]


def test_names_and_seeds_make_different_streams() -> None:
    """No two owners share their luck."""
    firsts = {Rng(seed, name).random() for seed in range(10) for name in ("a", "b", "a/b", "ab")}

    assert 40 == len(firsts)


def test_uniform_integers_fill_their_range_evenly() -> None:
    """Each of six faces comes up a sixth of the time; the upper bound never."""
    rng = Rng(1, "die")
    counts = Counter(rng.uniform(1, 7) for _ in range(60_000))

    assert {1, 2, 3, 4, 5, 6} == set(counts)
    assert all(abs(count - 10_000) < 5 * sqrt(10_000 * 5 / 6) for count in counts.values())


def test_exponential_draws_have_their_mean_and_deviation() -> None:
    """Mean and standard deviation of an exponential are the same."""
    rng = Rng(1, "gaps")
    draws = [rng.exponential(100.0) for _ in range(40_000)]

    assert 100.0 == pytest.approx(fmean(draws), rel=0.02)
    assert 100.0 == pytest.approx(stdev(draws), rel=0.03)
    assert min(draws) >= 0


def test_lognormal_draws_have_their_median_and_mean() -> None:
    """The median is what was given, the mean is exp(sigma^2 / 2) above it."""
    rng = Rng(1, "latency")
    draws = [rng.lognormal(100.0, 0.5) for _ in range(40_000)]

    assert 100.0 == pytest.approx(median(draws), rel=0.02)
    assert 100.0 * exp(0.125) == pytest.approx(fmean(draws), rel=0.02)
    assert 0.5 == pytest.approx(stdev([log(draw) for draw in draws]), rel=0.02)


@pytest.mark.parametrize("extreme", [0.0, 1.0 - 2.0**-53])
def test_the_extremes_of_a_stream_can_be_drawn(extreme: float) -> None:
    """The smallest and the largest number that random() gives make finite draws."""
    rng = Always(extreme)

    assert abs(rng.normal()) < 9
    assert rng.lognormal(100.0, 0.5) > 0
    assert rng.exponential(1.0) < 40
    assert rng.choice("abc") in "abc"


def test_a_shuffle_keeps_every_item_and_reaches_every_order() -> None:
    """All six orders of three items are about as likely."""
    rng = Rng(1, "cards")
    counts: Counter[tuple[int, ...]] = Counter()
    for _ in range(6000):
        items = [1, 2, 3]
        rng.shuffle(items)
        counts[tuple(items)] += 1

    assert 6 == len(counts)
    assert all(850 < count < 1150 for count in counts.values())


def test_a_uuid_is_a_version_4_uuid() -> None:
    """Version and variant bits are where RFC 9562 wants them."""
    rng = Rng(1, "uid")
    pattern = r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"

    assert all(re.fullmatch(pattern, rng.uuid()) for _ in range(100))


def test_distributions_draw_whole_nanoseconds() -> None:
    """Whatever the shape, a draw is an integer and not negative."""
    rng = Rng(1, "d")
    shapes = (
        Constant(5),
        Uniform(3, 9),
        Lognormal.from_quantiles(1000, 4000),
        Exponential(1000),
    )

    for shape in shapes:
        draws = [shape.draw(rng) for _ in range(200)]
        assert all(isinstance(draw, int) and draw >= 0 for draw in draws)


def test_a_lognormal_goes_through_its_quantiles() -> None:
    """One draw in a hundred is above the 99th percentile, one in two above the median."""
    rng = Rng(1, "q")
    shape = Lognormal.from_quantiles(450, 1200)
    draws = [shape.draw(rng) for _ in range(40_000)]

    assert 0.01 == pytest.approx(sum(draw > 1200 for draw in draws) / 40_000, abs=0.002)
    assert 0.5 == pytest.approx(sum(draw > 450 for draw in draws) / 40_000, abs=0.01)


def test_a_constant_takes_nothing_from_the_stream() -> None:
    """Replacing a spread by a constant leaves the draws of others in the stream's owner alone."""
    rng, untouched = Rng(1, "c"), Rng(1, "c")
    Constant(7).draw(rng)

    assert untouched.random() == rng.random()
