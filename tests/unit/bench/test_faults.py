"""Fault injection: the schedules, what they must not break, and what is said when they do."""

from __future__ import annotations

from typing import Any

import pytest

from kubesim import facts
from kubesim.bench.faults import live_run, replay, schedule_of
from kubesim.cli.benching import bench_command
from kubesim.cli.options import OutputFormat
from kubesim.node.containerd import Containerd
from kubesim.node.containerd.store import Container


def test_a_schedule_follows_from_its_seed() -> None:
    """The same seed makes the same schedule and the same run; another one makes another."""
    assert schedule_of(7) == schedule_of(7)
    assert schedule_of(7) != schedule_of(8)
    assert replay(7) == replay(7)


def test_twenty_schedules_violate_nothing() -> None:
    """Whatever breaks, no pod is lost, nothing runs twice, and every request is accounted for."""
    verdicts = [replay(seed) for seed in range(1, 21)]
    assert [] == [verdict for verdict in verdicts if verdict.violation]
    assert all(verdict.requests > 500 for verdict in verdicts)


def test_faults_are_felt() -> None:
    """Among a few schedules containers are killed for memory, pulls fail and requests are lost."""
    seen: set[str] = set()
    for seed in range(1, 13):
        live = live_run(schedule_of(seed))
        live.advance(live.end_ns)
        for _, fact in live.simulation.sim.journal:
            if isinstance(fact, facts.ContainerExited) and fact.reason == "OOMKilled":
                seen.add("OOMKilled")
            if isinstance(fact, facts.EventRecorded) and fact.reason in ("NodeNotReady", "Failed"):
                seen.add(fact.reason)
            if isinstance(fact, facts.RequestFailed):
                seen.add("RequestFailed")
    assert {"OOMKilled", "NodeNotReady", "Failed", "RequestFailed"} == seen


def test_a_broken_component_is_found_and_its_seed_printed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A runtime that starts a container twice is found, and the replay command is printed."""
    honest = Containerd._start_container

    def twice(self: Containerd, container: Container) -> Any:
        yield from honest(self, container)
        spec = container.spec
        self._sim.emit(
            facts.ContainerStarted(
                namespace=spec.namespace, name=spec.pod, uid=spec.uid, node="node-1",
                container=spec.container, attempt=spec.attempt,
            )
        )  # fmt: skip

    monkeypatch.setattr(Containerd, "_start_container", twice)
    assert 1 == bench_command("faults", seed=3, output=OutputFormat.TEXT)
    said = capsys.readouterr().err
    assert "no container runs twice" in said
    assert "replay: kubesim bench faults --seed 3" in said
