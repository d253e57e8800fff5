"""The timeline of nodes: from the pod that fits nowhere to the node that goes."""

from pathlib import Path

from kubesim.scenario.live import LiveRun
from kubesim.scenario.loading import load_scenario
from kubesim.share import share_path
from kubesim.sim.time import MINUTE, SECOND
from kubesim.telemetry.nodetimeline import node_timeline


def test_the_way_from_zero_is_one_timeline() -> None:
    """Pending, decision, instance, node, shim, pod: in this order, and nothing else between."""
    run = LiveRun(load_scenario(share_path("scenarios") / "scale-from-zero"))
    run.advance(150 * SECOND)
    whats = list(dict.fromkeys(line.what for line in node_timeline(run.simulation.sim.journal)))
    assert [
        "pod fits nowhere", "instance asked for", "TriggeredScaleUp",
        "instance runs: billed from here", "node registered", "node Ready", "shim installed",
        "pod ready",
    ] == [what for what in whats if what != "NotTriggerScaleUp"]  # fmt: skip


def test_things_of_one_kind_are_one_line() -> None:
    """Four pods, one line; and two nodes named."""
    run = LiveRun(load_scenario(share_path("scenarios") / "scale-from-zero"))
    run.advance(MINUTE)
    lines = {line.what: line for line in node_timeline(run.simulation.sim.journal)}
    assert 4 == len(lines["pod fits nowhere"].names)
    assert "wasm-0, wasm-1" == lines["instance asked for"].whom


def test_a_run_without_new_nodes_has_none(tmp_path: Path) -> None:
    """Nothing is said where nothing came."""
    (tmp_path / "scenario.yaml").write_text(
        "apiVersion: kubesim.dev/v1alpha1\nkind: Scenario\nmetadata: {name: still}\n"
        "spec: {duration: 1m, nodePools: [{name: a, count: 1, machine: m5.large}]}\n"
    )
    run = LiveRun(load_scenario(tmp_path))
    run.advance(MINUTE)
    assert [] == node_timeline(run.simulation.sim.journal)
