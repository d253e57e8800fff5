"""Calls that take time, one after another through a rate limit."""

import pytest
from harness import MILLISECOND, SECOND, Cluster, pod

from kubesim.api.corev1 import Pod
from kubesim.controlplane.client import Client, ClientConfig, NotFound
from kubesim.controlplane.client.flowcontrol import TokenBucket
from kubesim.sim import SimProcess
from kubesim.sim.distribution import Constant


def test_a_call_takes_its_latency_and_then_commits() -> None:
    """What another component reads meanwhile is the state before."""
    cluster = Cluster(latency_ns=7 * MILLISECOND)
    call = cluster.sim.process(cluster.client().create(pod()))
    cluster.run(0.006)

    assert [] == cluster.pods()

    cluster.run(0.001)

    assert cluster.pod() is call.value


def test_a_refusal_arrives_at_the_caller() -> None:
    """The server's errors are raised where the call was made."""
    cluster = Cluster()

    with pytest.raises(NotFound):
        cluster.do(cluster.client().get(Pod, "default/web"))


def test_a_burst_passes_and_the_rest_waits_its_turn() -> None:
    """Thirty at once, then one every fiftieth of a second: the numbers of a controller manager."""
    bucket = TokenBucket(qps=20, burst=30)
    waits = [bucket.reserve(0) for _ in range(40)]

    assert [0] * 30 == waits[:30]
    assert [50 * MILLISECOND * n for n in range(1, 11)] == waits[30:]


def test_tokens_are_saved_up_to_the_burst() -> None:
    """After a long rest there are thirty tokens, not more."""
    bucket = TokenBucket(qps=20, burst=30)
    for _ in range(30):
        bucket.reserve(0)
    later = [bucket.reserve(3600 * SECOND) for _ in range(31)]

    assert [0] * 30 + [50 * MILLISECOND] == later


def test_no_limit_is_no_limit() -> None:
    """QPS 0 never waits."""
    bucket = TokenBucket(qps=0, burst=0)

    assert {0} == {bucket.reserve(0) for _ in range(1000)}


def test_a_client_creates_fifty_in_its_first_second() -> None:
    """500 creations at 20 a second with a burst of 30: 50 after one second, 20 in each after it."""
    cluster = Cluster(latency_ns=0)
    client = cluster.client(qps=20, burst=30)
    for number in range(500):
        cluster.sim.process(client.create(pod(f"p{number}")))
    counts = []
    for _ in range(25):
        before = len(cluster.pods())
        cluster.run(1)
        counts.append(len(cluster.pods()) - before)

    assert [50, *[20] * 22, 10, 0] == counts


def test_clients_have_buckets_of_their_own() -> None:
    """One component's rush does not slow another."""
    cluster = Cluster()
    busy, idle = (cluster.client(name, qps=1, burst=1) for name in ("busy", "idle"))
    for number in range(10):
        cluster.sim.process(busy.create(pod(f"p{number}")))
    cluster.do(idle.create(pod()))

    assert MILLISECOND == cluster.sim.now


def test_a_component_that_is_gone_sends_nothing_more() -> None:
    """A call that was on its way when the machine died has no effect, and nobody waits for it."""
    cluster = Cluster(latency_ns=10 * MILLISECOND)
    client = cluster.client()
    returned: list[Pod] = []

    def caller() -> SimProcess[None]:
        returned.append((yield from client.create(pod())))

    cluster.sim.process(caller())
    cluster.run(0.005)
    client.stop()
    cluster.run(1)

    assert ([], []) == (cluster.pods(), returned)


def test_an_answer_may_take_its_time() -> None:
    """With a delay of its own the answer, or the refusal, comes after what was done is seen."""
    cluster = Cluster()
    config = ClientConfig(
        qps=0,
        burst=0,
        request_latency=Constant(2 * MILLISECOND),
        watch_latency=Constant(0),
        answer_latency=Constant(3 * MILLISECOND),
    )
    client = Client(cluster.sim, apiserver=cluster.api, component="slow", config=config)
    call = cluster.sim.process(client.create(pod()))
    cluster.run(0.002)

    assert 1 == len(cluster.pods())
    assert not call.triggered

    cluster.run(0.003)

    assert cluster.pod() is call.value

    with pytest.raises(NotFound):
        cluster.do(client.get(Pod, "default/other"))
