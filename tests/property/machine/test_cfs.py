"""Sharing the cores against a naive fluid model in exact fractions, and against queueing theory."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st

from kubesim.node.machine import Cgroup, Machine, Resources
from kubesim.sim import Sim, SimProcess

US = 1_000
PERIOD_US = 100


@dataclass(frozen=True)
class Leaf:
    """A container: its pod, its weight, its quota in a period of 100 us (0: none)."""

    pod: int
    shares: int
    quota_us: int


@dataclass(frozen=True)
class Case:
    """A machine with pods, their containers, and the threads that begin in them."""

    cores: int
    pods: tuple[int, ...]
    leaves: tuple[Leaf, ...]
    threads: tuple[tuple[int, int, int], ...]  # begin, leaf, work


@st.composite
def cases(draw: st.DrawFn, *, quotas: bool) -> Case:
    shares = st.integers(2, 4096)
    pods = draw(st.lists(shares, min_size=1, max_size=3))
    quota = st.sampled_from([0, 10, 35, 150]) if quotas else st.just(0)
    leaf = st.builds(Leaf, pod=st.integers(0, len(pods) - 1), shares=shares, quota_us=quota)
    leaves = draw(st.lists(leaf, min_size=1, max_size=4))
    thread = st.tuples(
        st.integers(0, 500 * US), st.integers(0, len(leaves) - 1), st.integers(1, 200 * US)
    )
    threads = draw(st.lists(thread, min_size=1, max_size=8))
    return Case(draw(st.integers(1, 3)), tuple(pods), tuple(leaves), tuple(threads))


def run(case: Case, order: tuple[int, ...] | None = None) -> tuple[list[int], Sim, Machine]:
    """When each thread ended."""
    sim = Sim(seed=1)
    machine = Machine(sim, cpu_millis=case.cores * 1000, memory_bytes=0)
    pods = [
        machine.kubepods.child(f"pod{index}", Resources(cpu_shares=shares))
        for index, shares in enumerate(case.pods)
    ]
    leaves = [
        pods[leaf.pod].child(f"c{index}", Resources(cpu_shares=leaf.shares, cpu_quota_us=leaf.quota_us, cpu_period_us=PERIOD_US))  # noqa: E501
        for index, leaf in enumerate(case.leaves)
    ]  # fmt: skip
    ends = [0] * len(case.threads)

    def thread(index: int) -> SimProcess[None]:
        begin_ns, leaf, work_ns = case.threads[index]
        yield sim.timeout(begin_ns)
        yield from leaves[leaf].compute(work_ns)
        ends[index] = sim.now

    for index in order or range(len(case.threads)):
        sim.process(thread(index))
    sim.run_until(10**9)
    return ends, sim, machine


def shared(amount: Fraction, claims: dict[int, tuple[int, Fraction]]) -> dict[int, Fraction]:
    """Weighted max-min by rounds: whoever wants no more than its share is served and leaves."""
    given: dict[int, Fraction] = {}
    left = dict(claims)
    while left:
        weight = sum(w for w, _ in left.values())
        content = [k for k, (w, want) in left.items() if want * weight <= amount * w]
        if not content:
            return {**given, **{k: amount * w / weight for k, (w, _) in left.items()}}
        for key in content:
            given[key] = left.pop(key)[1]
            amount -= given[key]
    return given


def fluid(case: Case) -> list[Fraction]:
    """The same in small steps: arrivals, ends, empty quotas and the ends of periods."""
    period = Fraction(PERIOD_US * US)
    left = {i: Fraction(work) for i, (_, _, work) in enumerate(case.threads)}
    quota = {i: Fraction(leaf.quota_us * US) for i, leaf in enumerate(case.leaves)}
    budget = dict(quota)
    ends: dict[int, Fraction] = {}
    now = Fraction(0)
    while len(ends) < len(left):
        living = [i for i, (at, _, _) in enumerate(case.threads) if i not in ends and at <= now]
        runnable = [
            i for i in living if not quota[case.threads[i][1]] or budget[case.threads[i][1]] > 0
        ]
        rates = _rates(case, runnable)
        steps = [
            at - now for i, (at, _, _) in enumerate(case.threads) if i not in ends and at > now
        ]
        steps += [left[i] / rate for i, rate in rates.items() if rate]
        steps.append((now // period + 1) * period - now)
        use = dict.fromkeys(quota, Fraction(0))
        for i, rate in rates.items():
            use[case.threads[i][1]] += rate
        steps += [budget[k] / rate for k, rate in use.items() if quota[k] and rate]
        step = min(steps)
        now += step
        for i, rate in rates.items():
            left[i] -= rate * step
            if left[i] == 0:
                ends[i] = now
        for k, rate in use.items():
            budget[k] = quota[k] if now % period == 0 else budget[k] - rate * step
    return [ends[i] for i in range(len(left))]


def _rates(case: Case, runnable: list[int]) -> dict[int, Fraction]:
    count = {k: sum(case.threads[i][1] == k for i in runnable) for k in range(len(case.leaves))}
    busy = {k: Fraction(n) for k, n in count.items() if n}
    pods = {
        p: (shares, sum((n for k, n in busy.items() if case.leaves[k].pod == p), Fraction(0)))
        for p, shares in enumerate(case.pods)
    }
    by_pod = shared(Fraction(case.cores), {p: claim for p, claim in pods.items() if claim[1]})
    by_leaf: dict[int, Fraction] = {}
    for p, amount in by_pod.items():
        mine = {k: (case.leaves[k].shares, n) for k, n in busy.items() if case.leaves[k].pod == p}
        by_leaf.update(shared(amount, mine))
    return {i: by_leaf[case.threads[i][1]] / count[case.threads[i][1]] for i in runnable}


@settings(deadline=None, max_examples=150)
@given(cases(quotas=False))
def test_sharing_is_hierarchical_weighted_max_min(case: Case) -> None:
    """Every thread ends when the fluid model says, within a nanosecond a change."""
    ends, _, machine = run(case)

    for expected, actual in zip(fluid(case), ends, strict=True):
        assert abs(expected - actual) <= 2 * len(case.threads)
    assert abs(sum(work for _, _, work in case.threads) - machine.root.cpu_usage_ns()) <= 10


@settings(deadline=None, max_examples=150)
@given(cases(quotas=True))
def test_quotas_are_real_periods(case: Case) -> None:
    """The same when some containers sleep from the end of their quota to the end of a period."""
    ends, _, _ = run(case)

    for expected, actual in zip(fluid(case), ends, strict=True):
        assert abs(expected - actual) <= 20 * len(case.threads)


@settings(deadline=None, max_examples=60)
@given(cases(quotas=False), st.randoms())
def test_the_order_of_beginners_does_not_matter(case: Case, random: object) -> None:
    """Whoever begins at the same instant may begin in any order."""
    order = list(range(len(case.threads)))
    random.shuffle(order)  # type: ignore[attr-defined]
    first, _, _ = run(case)
    second, _, _ = run(case, tuple(order))

    assert all(abs(a - b) <= 2 * len(order) for a, b in zip(first, second, strict=True))


@settings(deadline=None, max_examples=60)
@given(
    st.integers(1, 300), st.lists(st.integers(1, 400 * US), min_size=1, max_size=6),
    st.lists(st.integers(0, 2000 * US), min_size=2, max_size=12, unique=True),
)  # fmt: skip
def test_nobody_uses_more_than_the_quota(
    quota_us: int, works: list[int], instants: list[int]
) -> None:
    """In any window, never more than the quotas of the periods that it touches."""
    sim = Sim(seed=1)
    machine = Machine(sim, cpu_millis=4000, memory_bytes=0)
    limits = Resources(cpu_quota_us=quota_us, cpu_period_us=PERIOD_US)
    cgroup = machine.kubepods.child("main", limits)
    for work in works:
        sim.process(cgroup.compute(work))
    used = []
    for at in sorted(instants):
        sim.run_until(at)
        used.append((at, cgroup.cpu_usage_ns()))
    for i, (since, before) in enumerate(used):
        for until, after in used[i + 1 :]:
            periods = until // (PERIOD_US * US) - since // (PERIOD_US * US) + 1
            assert after - before <= periods * quota_us * US + 5


def busy(cgroup: Cgroup, threads: int, sim: Sim) -> None:
    """More work than can be done."""
    for _ in range(threads):
        sim.process(cgroup.compute(10**12))


def test_backlogged_weights_are_honoured() -> None:
    """Two cores, three busy pods of four threads: by shares exactly, and nothing is lost."""
    sim = Sim(seed=1)
    machine = Machine(sim, cpu_millis=2000, memory_bytes=0)
    pods = [machine.kubepods.child(f"p{w}", Resources(cpu_shares=w)) for w in (512, 1024, 2560)]
    for pod in pods:
        busy(pod, 4, sim)
    sim.run_until(4 * 10**9)

    assert [10**9, 2 * 10**9, 5 * 10**9] == [pod.cpu_usage_ns() for pod in pods]
    assert 8 * 10**9 == machine.root.cpu_usage_ns()


def test_a_saturated_quota_is_its_long_run_average() -> None:
    """Half a core, two threads: 25 ms of each 100, then sleep; cpu.stat counts it."""
    sim = Sim(seed=1)
    machine = Machine(sim, cpu_millis=2000, memory_bytes=0)
    cgroup = machine.kubepods.child("main", Resources(cpu_quota_us=50_000))
    busy(cgroup, 2, sim)
    sim.run_until(10 * 10**9)
    stat = cgroup.cpu_stat()

    assert (5 * 10**9, 100, 100) == (stat.usage_ns, stat.nr_periods, stat.nr_throttled)
    assert 7_500_000_000 == stat.throttled_ns


def test_a_steady_load_is_held_to_its_quota_without_an_event() -> None:
    """800m under a limit of 500m for an hour: the same counts, and hardly anything happened."""
    sim = Sim(seed=1)
    machine = Machine(sim, cpu_millis=2000, memory_bytes=0)
    cgroup = machine.kubepods.child("main", Resources(cpu_quota_us=50_000))
    cgroup.set_background(800)
    sim.run_until(3600 * 10**9)
    stat = cgroup.cpu_stat()

    assert (1800 * 10**9, 36_000, 36_000) == (stat.usage_ns, stat.nr_periods, stat.nr_throttled)
    assert sim.events_processed < 10


def sojourns(seed: int, count: int) -> float:
    """The mean time of so many requests with exponential gaps and work, two thirds of one core."""
    sim = Sim(seed=seed)
    machine = Machine(sim, cpu_millis=1000, memory_bytes=0)
    gaps, works = sim.rng("gaps"), sim.rng("works")
    times: list[int] = []

    def request() -> SimProcess[None]:
        began = sim.now
        yield from machine.compute(max(1, round(works.exponential(1_000_000))))
        times.append(sim.now - began)

    def arrivals() -> SimProcess[None]:
        while True:
            yield sim.timeout(round(gaps.exponential(1_500_000)))
            sim.process(request())

    sim.process(arrivals())
    while len(times) < count:
        sim.step()
    return statistics.fmean(times)


def test_m_m_1_processor_sharing_has_its_mean_sojourn() -> None:
    """1 / (mu - lambda) within the 99 % confidence interval of eight runs of 20,000 requests."""
    means = [sojourns(seed, 20_000) for seed in range(1, 9)]
    half_width = 3.499 * statistics.stdev(means) / len(means) ** 0.5  # t of 7 degrees, 99 %

    assert abs(statistics.fmean(means) - 3_000_000) <= half_width
    assert half_width <= 150_000  # narrow enough to tell
