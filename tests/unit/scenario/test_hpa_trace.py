"""The published trace of the HorizontalPodAutoscaler, out of traffic."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from kubesim.errors import InputError
from kubesim.facts import EventRecorded
from kubesim.scenario import Scenario
from kubesim.sim.time import SECOND
from kubesim.telemetry import Run

SCENARIO = Path(__file__).parents[3] / "scenarios" / "hpa-trace"


def steps(run: Run) -> list[tuple[int, str]]:
    """When the autoscaler rescaled, in whole seconds, and to what."""
    return [
        (at_ns // SECOND, fact.message.split(";")[0])
        for at_ns, fact in run.journal.of(EventRecorded)
        if fact.reason == "SuccessfulRescale"
    ]


def test_the_replicas_step_as_published(shipped: Callable[[str], Run]) -> None:
    """1 -> 4 -> 8 -> 10 at exact steps of 15 s; back to 1 five minutes after the last need."""
    run = shipped("hpa-trace")

    assert [] == [result for result in run.expectations if not result.passed]
    assert [(105, "New size: 4"), (120, "New size: 8"), (135, "New size: 10")] == steps(run)[:3]


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        (
            "horizontal-pod-autoscaler-sync-period: 30s",
            [(120, "New size: 4"), (150, "New size: 8")],
        ),
        ("horizontal-pod-autoscaler-tolerance: 100", []),
    ],
)
def test_flags_of_the_controller_manager_have_their_effect(tmp_path, flags, expected):
    """The sync period and the tolerance are kube-controller-manager's flags."""
    scenario = changed(tmp_path, f"  kubeControllerManager: {{{flags}}}\n")

    run = Scenario.load(str(scenario)).run()

    assert expected == steps(run)[:2]


def test_a_flag_that_does_not_exist_is_bad_input(tmp_path):
    """A misspelt flag is refused with its place."""
    scenario = changed(tmp_path, "  kubeControllerManager: {horizontal-pod-autoscaler-sink: 1s}\n")

    with pytest.raises(InputError, match="horizontal-pod-autoscaler-sink"):
        Scenario.load(str(scenario))


def changed(folder: Path, line: str) -> Path:
    """The scenario with a line more, without its expectations, for three minutes."""
    text = (SCENARIO / "scenario.yaml").read_text().partition("  expectations:")[0]
    text = text.replace("duration: 10m", "duration: 160s").replace("until: 3m", "until: 160s")
    text = text.replace("modules/primes.wasm", str(SCENARIO / "modules/primes.wasm"))
    text = text.replace("apply: later/", f"apply: {SCENARIO}/later/")
    path = folder / "scenario.yaml"
    path.write_text(text + f"  manifests: [{SCENARIO}/manifests]\n" + line)
    return path
