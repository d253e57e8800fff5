"""The work queue's promises, and the token bucket against a naive one."""

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from kubesim.controlplane.client import WorkQueue
from kubesim.controlplane.client.flowcontrol import TokenBucket
from kubesim.sim import Sim
from kubesim.sim.time import SECOND

KEYS = st.sampled_from("abcd")


class Queue(RuleBasedStateMachine):
    """Producers add, workers take and finish, time passes."""

    def __init__(self) -> None:
        super().__init__()
        self.sim = Sim(seed=1)
        self.queue = WorkQueue(self.sim, lambda: None)
        self.working: set[str] = set()
        self.dirty: set[str] = set()  # added since it was last taken
        self.due: dict[str, int] = {}

    @rule(key=KEYS)
    def add(self, key: str) -> None:
        """Somebody changed the object."""
        self.queue.add(key)
        self.dirty.add(key)

    @rule(key=KEYS, delay=st.integers(1, 50))
    def add_after(self, key: str, delay: int) -> None:
        """Somebody wants another look later."""
        self.queue.add_after(key, delay)
        at = self.sim.now + delay
        self.due[key] = min(at, self.due.get(key, at))

    @rule(duration=st.integers(0, 60))
    def wait(self, duration: int) -> None:
        """Delays end."""
        self.sim.run_until(self.sim.now + duration)
        for key in [key for key, at in self.due.items() if at <= self.sim.now]:
            del self.due[key]
            self.dirty.add(key)

    @precondition(lambda self: len(self.queue))
    @rule()
    def take(self) -> None:
        """A worker takes the oldest key; nobody else holds it."""
        key = self.queue.get()
        assert key not in self.working
        assert key in self.dirty
        self.dirty.discard(key)
        self.working.add(key)

    @precondition(lambda self: self.working)
    @rule(data=st.data())
    def finish(self, data: st.DataObject) -> None:
        """A worker is done."""
        key = data.draw(st.sampled_from(sorted(self.working)))
        self.working.discard(key)
        self.queue.done(key)

    @invariant()
    def nothing_is_lost_and_nothing_is_twice(self) -> None:
        """What was added and is not being worked on waits, once."""
        assert len(self.dirty - self.working) == len(self.queue)


class TestQueue(Queue.TestCase):  # type: ignore[name-defined,misc]
    """Runs the machine."""

    settings = settings(max_examples=60, stateful_step_count=40, deadline=None)


class NaiveBucket:
    """Tokens that are counted, and calls that wait for theirs in order."""

    def __init__(self, *, qps: int, burst: int) -> None:
        self._interval_ns = SECOND // qps
        self._burst_ns = burst * self._interval_ns
        self._saved_ns = self._burst_ns  # tokens, in nanoseconds of refilling; may be owed
        self._at_ns = 0

    def reserve(self, now_ns: int) -> int:
        """Refill, take one, wait until the debt is paid."""
        self._saved_ns = min(self._burst_ns, self._saved_ns + now_ns - self._at_ns)
        self._at_ns = now_ns
        self._saved_ns -= self._interval_ns
        return max(0, -self._saved_ns)


@given(
    qps=st.sampled_from([1, 5, 20, 50, 100]),
    burst=st.integers(1, 100),
    gaps=st.lists(st.integers(0, SECOND), max_size=300),
)
def test_the_bucket_is_the_naive_bucket(qps: int, burst: int, gaps: list[int]) -> None:
    """One number says the same as counting tokens."""
    bucket, naive, now = TokenBucket(qps=qps, burst=burst), NaiveBucket(qps=qps, burst=burst), 0
    for gap in gaps:
        now += gap
        assert naive.reserve(now) == bucket.reserve(now)


@given(
    qps=st.sampled_from([5, 20, 50]),
    burst=st.integers(1, 50),
    gaps=st.lists(st.integers(0, SECOND // 10), min_size=1, max_size=300),
)
def test_no_second_sees_more_than_burst_and_rate(qps: int, burst: int, gaps: list[int]) -> None:
    """In any second at most ``burst + qps`` calls pass, and they pass in order."""
    bucket, now, passed = TokenBucket(qps=qps, burst=burst), 0, []
    for gap in gaps:
        now += gap
        passed.append(now + bucket.reserve(now))

    assert sorted(passed) == passed
    for at in passed:
        assert sum(at <= other < at + SECOND for other in passed) <= burst + qps
