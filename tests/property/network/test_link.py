"""Link sharing against a naive fluid model, in exact fractions."""

from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st

from kubesim.sim import Sim, SimProcess
from kubesim.sim.time import SECOND
from kubesim.world.network import Link

TRANSFERS = st.lists(
    st.tuples(st.integers(0, 5 * SECOND), st.integers(1, 50_000_000)), min_size=1, max_size=8
)


def fluid(transfers: list[tuple[int, int]], bandwidth: int) -> list[Fraction]:
    """When each transfer is whole, if the link is divided equally at every instant."""
    left = {index: Fraction(size) for index, (_, size) in enumerate(transfers)}
    ends: dict[int, Fraction] = {}
    now = Fraction(0)
    while len(ends) < len(transfers):
        active = [i for i in left if i not in ends and transfers[i][0] <= now]
        begins = [Fraction(t[0]) for i, t in enumerate(transfers) if i not in ends and t[0] > now]
        rate = Fraction(bandwidth, SECOND * max(1, len(active)))
        steps = [left[i] / rate for i in active] + [begin - now for begin in begins]
        step = min(steps)
        for i in active:
            left[i] -= rate * step
        now += step
        ends.update({i: now for i in active if left[i] == 0})
    return [ends[i] for i in range(len(transfers))]


@settings(deadline=None)
@given(TRANSFERS, st.sampled_from([1_000_000, 12_500_000, 333_333_333]))
def test_sharing_is_fluid_sharing(transfers: list[tuple[int, int]], bandwidth: int) -> None:
    """Every transfer ends when the fluid model says, within some nanoseconds of rounding."""
    sim = Sim(seed=1)
    link = Link(sim, bandwidth=bandwidth)
    ends = [0] * len(transfers)

    def one(index: int, at_ns: int, size_bytes: int) -> SimProcess[None]:
        yield sim.timeout(at_ns)
        yield from link.transfer(size_bytes)
        ends[index] = sim.now

    for index, (at_ns, size_bytes) in enumerate(transfers):
        sim.process(one(index, at_ns, size_bytes))
    sim.run_until(10_000 * SECOND)

    # A transfer counts as whole a thousandth of a byte early; each change rounds up a nanosecond.
    early = 2 + len(transfers) * SECOND // (1000 * bandwidth)
    for expected, actual in zip(fluid(transfers, bandwidth), ends, strict=True):
        assert -early <= actual - expected <= 2 * len(transfers) + 2
