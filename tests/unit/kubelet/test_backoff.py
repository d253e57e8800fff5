"""The back-off that doubles, and what containers become for CRI."""

from typing import Any

import pytest
from harness import SECOND, pod

from kubesim.api.corev1 import Container
from kubesim.node.kubelet.backoff import BackOff
from kubesim.node.kubelet.container import (
    cpu_quota_us,
    cpu_shares,
    linux_resources,
    should_pull,
    should_restart,
)


def test_each_failure_doubles_the_delay_up_to_five_minutes() -> None:
    """10, 20, 40, 80, 160, 300, 300 seconds, counted from the end of the container."""
    backoff, now, waits = BackOff(), 0, []
    for _ in range(8):
        finished = now + SECOND
        remaining = backoff.remaining_ns("c", now_ns=finished, since_ns=finished)
        waits.append(remaining // SECOND)
        now = finished + remaining
        backoff.next("c", now_ns=now, since_ns=finished)

    assert [0, 10, 20, 40, 80, 160, 300, 300] == waits


@pytest.mark.parametrize(("ran_s", "delay_s"), [(600, 40), (601, 0)])
def test_ten_minutes_without_trouble_begin_anew(ran_s: int, delay_s: int) -> None:
    """Counted from the last start, not from the failure before it."""
    backoff = BackOff()
    backoff.next("c", now_ns=0, since_ns=0)
    backoff.next("c", now_ns=20 * SECOND, since_ns=0)
    backoff.next("c", now_ns=60 * SECOND, since_ns=20 * SECOND)
    finished = (60 + ran_s) * SECOND

    assert delay_s * SECOND == backoff.remaining_ns("c", now_ns=finished, since_ns=finished)

    backoff.next("c", now_ns=finished, since_ns=finished)

    assert (80 if delay_s else 10) * SECOND == backoff.delay_ns("c")


def test_keys_do_not_share_their_failures() -> None:
    """One container's crashes do not delay another's start."""
    backoff = BackOff()
    backoff.next("a", now_ns=0, since_ns=0)

    assert (10 * SECOND, 0) == (backoff.delay_ns("a"), backoff.delay_ns("b"))
    assert 0 == backoff.remaining_ns("b", now_ns=0)


@pytest.mark.parametrize(
    ("millis", "shares"), [(0, 2), (1, 2), (100, 102), (1000, 1024), (10**9, 262_144)]
)
def test_requests_become_shares(millis: int, shares: int) -> None:
    """1024 a core, between 2 and 262144."""
    assert shares == cpu_shares(millis)


@pytest.mark.parametrize(("millis", "quota"), [(0, 0), (1, 1000), (500, 50_000), (2500, 250_000)])
def test_limits_become_quotas(millis: int, quota: int) -> None:
    """Microseconds of each 100 ms, at least one millisecond, none without a limit."""
    assert quota == cpu_quota_us(millis)


def container(**more: Any) -> Container:
    return pod(containers=[{"name": "c", "image": "app:1", **more}]).spec.containers[0]


def test_a_limit_without_a_request_is_the_request() -> None:
    """Shares follow from the limit then."""
    limits = {"limits": {"cpu": "500m", "memory": "64Mi"}}
    resources = linux_resources(container(resources=limits))

    assert (512, 50_000, 64 << 20) == (
        resources.cpu_shares,
        resources.cpu_quota,
        resources.memory_limit_in_bytes,
    )


@pytest.mark.parametrize(
    ("policy", "present", "pull"),
    [
        ("Always", True, True), ("Always", False, True),
        ("IfNotPresent", True, False), ("IfNotPresent", False, True),
        ("Never", True, False), ("Never", False, False),
    ],
)  # fmt: skip
def test_the_pull_policy_decides(policy: str, present: bool, pull: bool) -> None:
    """Always asks the registry again, Never never."""
    assert pull is should_pull(container(imagePullPolicy=policy), present=present)


@pytest.mark.parametrize(
    ("policy", "exit_code", "restart"),
    [
        ("Always", 0, True), ("Always", 1, True), ("OnFailure", 0, False), ("OnFailure", 1, True),
        ("Never", 0, False), ("Never", 1, False),
    ],
)  # fmt: skip
def test_the_restart_policy_decides(policy: str, exit_code: int, restart: bool) -> None:
    """OnFailure looks at the exit code."""
    assert restart is should_restart(pod(restartPolicy=policy), exit_code)
