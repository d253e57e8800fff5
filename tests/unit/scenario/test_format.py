"""The scenario format: what is accepted, and how mistakes are told."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from kubesim.errors import InputError
from kubesim.scenario import Scenario

WriteScenario = Callable[..., Path]
POD = "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec: {containers: [{name: c, image: i:v1}]}\n"


def problems(file: Path) -> str:
    """What loading a scenario complains about, one problem a line."""
    with pytest.raises(InputError) as refused:
        Scenario.load(file)
    return "\n".join(str(problem) for problem in refused.value.problems)


MISTAKES = {
    "unknown field": ("sed: 3", "seed"),
    "no such machine": ("", "m5.large"),
    "bad duration": ("duration: 2 minutes", "2 minutes"),
    "zero duration": ("duration: 0s", "duration"),
    "no such preset": ("preset: sed", "seed"),
    "bad rate": ("traffic: [{name: t, service: s, rate: fast}]", "50/s"),
    "two verbs": ("timeline: [{at: 1s, drain: pool-0, failNode: pool-0}]", "exactly one of"),
    "no such node": ("timeline: [{at: 1s, drain: pol-0}]", "pool-0"),
    "no such kind": ("timeline: [{at: 1s, delete: {kind: Podd, name: x}}]", "Podd"),
    "cannot scale": ("timeline: [{at: 1s, scale: {kind: Pod, name: x, replicas: 1}}]", "Pod"),
    "missing manifests": ("manifests: [nowhere]", "nowhere"),
    "bad CEL": ("expectations: [{name: e, expr: 'pods.size( =='}]", "expr"),
    "unknown variable": ("expectations: [{name: e, expr: 'pod.size() == 1'}]", "pods"),
    "neither form": ("expectations: [{name: e}]", "expr or never"),
    "two of a name": (
        "expectations: [{name: e, expr: 'true'}, {name: e, expr: 'true'}]",
        "two expectations",
    ),
    "image of nothing": ("images: [{name: a}]", "layers"),
    "no such program": ("images: [{name: a, layers: [{size: 1M}], program: {model: x}}]", "x"),
}


@pytest.mark.parametrize(("spec", "mention"), MISTAKES.values(), ids=MISTAKES.keys())
def test_mistakes_have_a_place(write_scenario: WriteScenario, spec: str, mention: str) -> None:
    """Every mistake is told with file, line and column, and mentions what helps."""
    pools = "[{name: pool, count: 1, machine: m5.larg}]" if not spec else None
    file = write_scenario(spec, **({"pools": pools} if pools else {}))
    told = problems(file)
    assert told.startswith(f"{file}:")
    assert told.removeprefix(f"{file}:").split(":")[0].isdigit()
    assert mention in told


def test_all_mistakes_at_once(write_scenario: WriteScenario) -> None:
    """Mistakes of different rooms are told together."""
    told = problems(
        write_scenario("timeline: [{at: 1s, drain: pol-0}]\nmanifests: [nowhere]", POD)
    )
    assert "nowhere" in told
    assert "pol-0" in told


def test_strict_refuses_images_without_a_model(write_scenario: WriteScenario) -> None:
    """In strict mode an image that the scenario does not have is an error at its line."""
    told = problems(write_scenario("strictness: strict", POD))
    assert 'image "i:v1" has no model' in told


def test_warn_takes_a_stated_default(write_scenario: WriteScenario) -> None:
    """By default such an image runs the preset's program, and the run says so."""
    scenario = Scenario.load(write_scenario("", POD))
    assert ['image "i:v1" has no model: the preset\'s default program runs in it'] == list(
        scenario.unsimulated
    )


def test_kinds_that_are_not_acted_on(write_scenario: WriteScenario) -> None:
    """An object of a kind that is not simulated is accepted, and the run says so."""
    manifest = "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: s}\n"
    scenario = Scenario.load(write_scenario("", manifest))
    assert ("kind ServiceAccount is stored and not acted on (1 object)",) == scenario.unsimulated


def test_manifests_in_the_same_file(write_scenario: WriteScenario) -> None:
    """Documents after the scenario in one file are its manifests."""
    scenario = Scenario.load(write_scenario("", POD + "---\n" + POD.replace("name: p", "name: q")))
    assert ["p", "q"] == [manifest.obj.name for manifest in scenario.manifests]


def test_two_scenarios_in_one_file(write_scenario: WriteScenario) -> None:
    """A file has one scenario."""
    file = write_scenario("")
    file.write_text(file.read_text() + "---\n" + file.read_text())
    assert "found 2" in problems(file)


def test_pool_names_zones_and_taints(write_scenario: WriteScenario) -> None:
    """Pools become nodes with names, zones in turn, taints and an allocatable below capacity."""
    pools = (
        "[{name: a, count: 3, capacity: {cpu: 2, memory: 4Gi}, zones: [x, y], "
        "taints: ['k=v:NoSchedule', 'solo:NoExecute']}]"
    )
    scenario = Scenario.load(write_scenario("", pools=pools))
    nodes = scenario.cluster_config(seed=1, horizon_ns=1).nodes
    assert ["a-0", "a-1", "a-2"] == [node.name for node in nodes]
    zone = "topology.kubernetes.io/zone"
    assert ["x", "y", "x"] == [node.labels[zone] for node in nodes]
    taints = [(t.key, t.value, t.effect) for t in nodes[0].taints]
    assert [("k", "v", "NoSchedule"), ("solo", "", "NoExecute")] == taints
    assert 4 * 1024 - 100 == nodes[0].allocatable["memory"].value() >> 20
