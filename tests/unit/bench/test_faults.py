"""Fault injection: the schedules, what they must not break, and what is said when they do."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from kubesim import facts
from kubesim.bench.faults import Schedule, live_run, replay, schedule_of, unsettled
from kubesim.cli.benching import bench_command
from kubesim.cli.options import OutputFormat
from kubesim.controlplane.scheduler.framework import nodeinfo
from kubesim.controlplane.scheduler.framework.resources import Resource
from kubesim.errors import SimulationError
from kubesim.node.containerd import Containerd
from kubesim.node.containerd.store import Container
from kubesim.node.kubelet import status
from kubesim.scenario.format import Step
from kubesim.scenario.steps import VERBS
from kubesim.world.traffic.client import Client


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
    """Containers are killed for memory, pods are evicted, pulls fail and requests are lost."""
    felt = {"NodeNotReady", "Failed", "Evicted"}
    seen: set[str] = set()
    for seed in (10, 14, 20, 28):
        live = live_run(schedule_of(seed))
        live.advance(live.end_ns)
        for _, fact in live.simulation.sim.journal:
            if isinstance(fact, facts.ContainerExited) and fact.reason == "OOMKilled":
                seen.add("OOMKilled")
            if isinstance(fact, facts.EventRecorded) and fact.reason in felt:
                seen.add(fact.reason)
            if isinstance(fact, facts.RequestFailed):
                seen.add("RequestFailed")
    assert felt | {"OOMKilled", "RequestFailed"} == seen


def test_every_kind_of_fault_is_drawn() -> None:
    """Crash, reboot, both partitions, registry outage, full disk and a daemon that takes memory."""
    drawn = Counter(
        verb
        for seed in range(1, 101)
        for step in schedule_of(seed).steps
        for verb in VERBS
        if getattr(step, verb) is not None
    )
    wanted = {
        "fail_node", "reboot", "partition", "cut", "heal", "fail_registry", "restore_registry",
        "fill_disk", "empty_disk", "take_memory", "give_memory", "scale",
    }  # fmt: skip
    assert wanted == set(drawn)
    assert 15 <= min(drawn.values())


def _forgets_to_stop(patch: pytest.MonkeyPatch) -> None:
    def stop(self: Any, *_: Any) -> Any:
        yield self._sim.timeout(1)

    patch.setattr(Containerd, "stop_container", stop)
    patch.setattr(Containerd, "stop_pod_sandbox", stop)
    patch.setattr(Containerd, "remove_pod_sandbox", stop)


def _loses_an_answer(patch: pytest.MonkeyPatch) -> None:
    honest = Client._completed

    def completed(self: Client, attempt: Any, *rest: Any) -> None:
        if attempt.exchange.serial != 7:
            honest(self, attempt, *rest)

    patch.setattr(Client, "_completed", completed)


def _invents_an_end(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(status, "_last_state", _as_if_it_had_run)


def _as_if_it_had_run(run: Any, seen: Any) -> Any:
    return status._terminated(replace(run, started_at=1), seen)


@pytest.mark.parametrize(
    ("plant", "found"),
    [
        (_forgets_to_stop, "nobody knows|runs twice"),
        (_loses_an_answer, "never ended"),
        (_invents_an_end, "older than the pod"),
    ],
)
def test_a_planted_bug_is_found(plant: Any, found: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A few schedules find what one line of a component does wrong."""
    plant(monkeypatch)
    assert any(re.search(found, replay(seed).violation) for seed in (20, 59, *range(1, 10)))


def test_a_scheduler_that_believes_nodes_twice_as_large_is_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It binds more than there is, and the first pod too many is named."""

    def allocatable(amounts: Any = None) -> Resource:
        found = Resource(amounts)
        if amounts is not None:
            found.milli_cpu *= 2
        return found

    monkeypatch.setattr(nodeinfo, "Resource", allocatable)
    target = {"kind": "Deployment", "name": "shop", "replicas": 28}
    step = Step.model_validate({"at": "5s", "scale": target})
    live = live_run(Schedule(seed=1, steps=(step,)))
    with pytest.raises(SimulationError, match="requests never exceed allocatable"):
        live.advance(live.end_ns)


def test_a_pull_that_the_power_failed_under_stays_gone() -> None:
    """A node that boots while it is cut off pulls by itself, and does not wait for what it was."""
    timeline = [
        {"at": "300ms", "cut": "node/node-2"},
        {"at": "1s", "reboot": "node-2"},
        {"at": "160s", "heal": "node/node-2"},
    ]
    steps = tuple(Step.model_validate(step) for step in timeline)
    live = live_run(Schedule(seed=1, steps=steps))
    live.advance(live.end_ns)
    live.finish()
    assert [] == list(unsettled(live))


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
