"""What clients do when answers are late, wrong or missing, and that every request is accounted for."""

from __future__ import annotations

from typing import Any

import pytest
from harness import MILLISECOND, SECOND
from hypothesis import given, settings
from hypothesis import strategies as st
from traffic_harness import TEN_MS, Servers

from kubesim.facts import AttemptEnded, RequestCompleted, RequestFailed, RequestsInFlight
from kubesim.sim.distribution import Constant, Exponential
from kubesim.world.traffic import ClosedLoad, HedgePolicy, OpenLoad, RetryPolicy
from kubesim.world.traffic.profiles import Steady

ONE_A_SECOND = OpenLoad(profile=Steady(1000), arrival="constant")


def of(servers: Servers, kind: Any) -> list[Any]:
    return [fact for _, fact in servers.sim.journal.of(kind)]


def test_a_client_gives_up_and_the_server_works_on() -> None:
    """The failure comes at the time-out; the next request still waits for the first one's work."""
    servers = Servers()
    servers.start(service=Constant(3 * SECOND))
    servers.send(load=ONE_A_SECOND, end_ns=1, timeout_ns=SECOND)
    servers.send("late", load=ONE_A_SECOND, begin_ns=2 * SECOND, end_ns=2 * SECOND + 1)
    servers.run(10)
    (failed,), (answered,) = of(servers, RequestFailed), of(servers, RequestCompleted)

    assert ("timeout", SECOND) == (failed.reason, failed.latency_ns)
    assert ("late", SECOND) == (answered.traffic, answered.queue_ns)


def test_a_full_queue_answers_503_or_refuses() -> None:
    """One is worked on, one waits, the third is turned away as the program says."""
    for refuses, expected in ((False, [503]), (True, [])):
        servers = Servers(round_trip=Constant(MILLISECOND))
        servers.start(service=TEN_MS, queue_length=1, refuses_when_full=refuses)
        servers.send(load=ClosedLoad(connections=3), end_ns=1)
        servers.run(1)
        assert [*expected, 200, 200] == [f.status for f in of(servers, RequestCompleted)]
        refused = [f.reason for f in of(servers, RequestFailed)]
        assert (["connection refused"] if refuses else []) == refused


def test_a_503_is_tried_again_until_the_attempts_are_used_up() -> None:
    """Each attempt that did not decide says why; the last answer counts."""
    servers = Servers()
    servers.start(service=Constant(SECOND), queue_length=0)
    servers.send("first", load=ONE_A_SECOND, end_ns=1)
    retry = RetryPolicy(attempts=3, on=("5xx",), backoff_ns=10 * MILLISECOND, jitter=False)
    servers.send(load=ONE_A_SECOND, begin_ns=1, end_ns=2, retry=retry)
    servers.run(5)
    answers = {fact.traffic: fact for fact in of(servers, RequestCompleted)}

    assert (503, 3) == (answers["users"].status, answers["users"].attempts)
    assert 30 * MILLISECOND == answers["users"].latency_ns  # 10 ms, then 20 ms
    assert ["status 503"] * 2 == [fact.outcome for fact in of(servers, AttemptEnded)]


def test_a_hedge_answers_for_a_slow_pod() -> None:
    """The second request is sent late; its answer counts, the first one is abandoned."""
    servers = Servers(seed=4)
    servers.start(service=Constant(10 * SECOND))
    servers.start(service=TEN_MS)
    hedge = HedgePolicy(after_ns=50 * MILLISECOND, extra=10)
    servers.send(load=ClosedLoad(connections=20, keep_alive=False), end_ns=1, hedge=hedge)
    servers.run(5)
    hedged = [fact for fact in of(servers, RequestCompleted) if fact.attempts > 1]

    assert 20 == len(of(servers, RequestCompleted))
    assert hedged
    assert all(fact.pod == "pod-10.0.0.2" for fact in hedged)
    assert min(fact.latency_ns for fact in hedged) >= 50 * MILLISECOND
    assert sum(fact.attempts - 1 for fact in hedged) == len(of(servers, AttemptEnded))


def test_who_waits_when_the_process_dies_is_reset_at_once() -> None:
    """Not when its turn would have come."""
    servers = Servers()
    pod = servers.start(service=Constant(SECOND))
    servers.send(load=ClosedLoad(connections=3, reconnect_ns=100 * SECOND))
    servers.run(0.5, end=False)
    servers.stop(pod)
    servers.run(0.6, end=False)

    assert ["connection reset by peer"] * 2 == [f.reason for f in of(servers, RequestFailed)]


def test_a_kept_connection_is_opened_anew_when_its_pod_is_gone() -> None:
    """An idle connection that was closed costs no request."""
    servers = Servers()
    pod = servers.start(service=TEN_MS)
    servers.send(load=ClosedLoad(connections=1, think=Constant(SECOND)), end_ns=5 * SECOND)
    servers.run(1.5, end=False)
    servers.stop(servers.pods.pop())
    servers.start(service=TEN_MS, node="n2")
    other = servers.pods[-1]
    servers.run(10)

    assert [] == of(servers, RequestFailed)
    assert {pod.pod, other.pod} == {fact.pod for fact in of(servers, RequestCompleted)}


def test_a_node_without_power_gives_no_answer() -> None:
    """Neither to who is connected nor to who connects: a time-out, or silence, never a refusal."""
    servers = Servers()
    pod = servers.start(service=TEN_MS)
    servers.send("patient", load=ClosedLoad(connections=1), begin_ns=2 * SECOND)
    servers.send("hasty", load=ONE_A_SECOND, end_ns=5 * SECOND, timeout_ns=500 * MILLISECOND)
    servers.run(1.5, end=False)
    servers.network.power_off("n1")
    servers.stop(pod)
    servers.run(140)
    reasons = {(fact.traffic, fact.reason) for fact in of(servers, RequestFailed)}

    assert {("hasty", "timeout"), ("patient", "connection timed out")} == reasons


def test_an_address_that_was_given_back_has_no_route() -> None:
    """Neighbour discovery gives up after three seconds."""
    servers = Servers()
    pod = servers.start(service=TEN_MS)
    servers.run(1, end=False)
    servers.stop(pod)
    servers.network.detach(pod.ip)
    servers.send(load=ONE_A_SECOND, begin_ns=2 * SECOND, end_ns=2 * SECOND + 1)
    servers.run(10)
    (failed,) = of(servers, RequestFailed)

    assert ("no route to host", 3 * SECOND) == (failed.reason, failed.latency_ns)


PLANS = st.fixed_dictionaries(
    {
        "seed": st.integers(1, 1000),
        "timeout": st.sampled_from([0, 5, 20, 50]),
        "attempts": st.integers(1, 4),
        "hedge": st.sampled_from([0, 5, 30]),
        "connections": st.integers(0, 8),
        "queue": st.sampled_from([None, 0, 2]),
        "dies": st.booleans(),
        "dark": st.booleans(),
    }
)


def play(plan: dict[str, Any]) -> Servers:
    """Three seconds of two sources on two pods, one of which may die."""
    servers = Servers(seed=plan["seed"], round_trip=Constant(MILLISECOND))
    service = Exponential(15 * MILLISECOND)
    doomed = servers.start(service=service, queue_length=plan["queue"])
    servers.start(service=service, node="n2", refuses_when_full=True, queue_length=plan["queue"])
    patience: dict[str, Any] = {
        "timeout_ns": plan["timeout"] * MILLISECOND,
        "retry": RetryPolicy(attempts=plan["attempts"], on=("connect", "reset", "timeout", "5xx")),
        "hedge": HedgePolicy(after_ns=plan["hedge"] * MILLISECOND) if plan["hedge"] else None,
    }
    servers.send("open", load=OpenLoad(profile=Steady(60_000)), **patience)
    if plan["connections"]:
        servers.send("closed", load=ClosedLoad(connections=plan["connections"]), **patience)
    servers.run(1.5, end=False)
    if plan["dark"]:
        servers.network.power_off("n1")
    if plan["dies"]:
        servers.stop(doomed)
    servers.run(3)
    return servers


@settings(max_examples=40, deadline=None)
@given(PLANS)
def test_every_request_and_every_attempt_is_accounted_for(plan: dict[str, Any]) -> None:
    """Sent is completed, failed and in flight; so it is for attempts; numbers are used once."""
    servers = play(plan)
    ends = [*of(servers, RequestCompleted), *of(servers, RequestFailed)]
    left = {fact.traffic: fact for fact in of(servers, RequestsInFlight)}
    for name in ("open", "closed"):
        decided = [fact for fact in ends if fact.traffic == name]
        others = [fact for fact in of(servers, AttemptEnded) if fact.traffic == name]
        serials = {fact.serial for fact in decided}
        undecided = left[name].requests if name in left else 0
        sent = 1 + max([*serials, *(fact.serial for fact in others)], default=-1)
        assert len(decided) == len(serials)
        assert len(decided) <= sent <= len(decided) + undecided
        of_decided = [fact for fact in others if fact.serial in serials]
        assert sum(fact.attempts for fact in decided) == len(decided) + len(of_decided)
    totals = servers.observer.sources
    meter = servers.meters.service("default/web")
    waited_for = sum(fact.attempts for fact in left.values())
    assert waited_for == meter.in_flight()
    assert meter.responses() == len(ends) + len(of(servers, AttemptEnded))
    assert len(ends) == sum(len(source.ended_ns) for source in totals.values())


@settings(max_examples=8, deadline=None)
@given(PLANS)
def test_the_same_seed_is_the_same_run(plan: dict[str, Any]) -> None:
    """Byte for byte, whatever clients do."""
    assert play(plan).sim.journal.digest == play(plan).sim.journal.digest


@pytest.mark.parametrize("window_s", [1, 10])
def test_meters_are_exact_at_any_instant(window_s: int) -> None:
    """The past too: what a scrape would have seen then."""
    servers = Servers()
    servers.start(service=Constant(250 * MILLISECOND), workers=4)
    servers.send(load=OpenLoad(profile=Steady(10_000), arrival="constant"), end_ns=20 * SECOND)
    servers.run(30)
    meter = servers.meters.service("default/web")
    pod = servers.meters.pod("default/pod-10.0.0.1")

    assert 10.0 == meter.rps(window_ns=window_s * SECOND, at_ns=15 * SECOND)
    assert (0.0, 200) == (meter.rps(window_ns=SECOND), meter.requests())
    assert (3, 3) == (meter.in_flight(10 * SECOND), pod.in_flight(10 * SECOND))
    assert (0, 0) == (meter.in_flight(), meter.queue_length())


def test_the_queue_of_a_service_is_that_of_its_pods() -> None:
    """Twenty are in flight, two are worked on."""
    servers = Servers()
    servers.start(service=Constant(10 * SECOND))
    servers.start(service=Constant(10 * SECOND))
    servers.send(load=ClosedLoad(connections=20))
    servers.run(1)
    meter = servers.meters.service("default/web")

    assert (20, 18) == (meter.in_flight(), meter.queue_length())
