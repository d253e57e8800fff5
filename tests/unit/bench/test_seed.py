"""The article's tables come out of the simulator, not out of its preset."""

from __future__ import annotations

import pytest

from kubesim.bench.seed import SUBJECTS, Subject, cold_starts_ns, memory_mb, served_per_second
from kubesim.sim.time import MILLISECOND
from kubesim.telemetry.quantiles import quantile

STARTS = 2_000


@pytest.mark.parametrize("subject", SUBJECTS, ids=lambda subject: subject.name)
def test_cold_starts_are_those_of_the_article(subject: Subject) -> None:
    """The median within 5 %, the 99th percentile of this smaller sample within 15 %."""
    samples = cold_starts_ns(subject, STARTS)
    p50, p99 = (quantile(samples, q) / MILLISECOND for q in (50, 99))
    assert p50 == pytest.approx(subject.p50_ms, rel=0.05)
    assert p99 == pytest.approx(subject.p99_ms, rel=0.15)


@pytest.mark.parametrize(("kind", "published"), [("docker", 6400.0), ("spin", 320.0)])
def test_a_hundred_pods_take_the_published_memory(kind: str, published: float) -> None:
    """Applications take what the article says, and their runtimes more than nothing."""
    application, whole = memory_mb(kind)
    assert application == pytest.approx(published, rel=0.05)
    assert whole > application


@pytest.mark.parametrize(("kind", "published"), [("docker", 45_230.0), ("spin", 38_750.0)])
def test_the_closed_loop_is_the_published_one(kind: str, published: float) -> None:
    """Requests a second of 400 connections within 5 %, and Little's law to 1 %."""
    rps, mean_latency_s = served_per_second(kind)
    assert rps == pytest.approx(published, rel=0.05)
    assert rps * mean_latency_s == pytest.approx(400, rel=0.01)
