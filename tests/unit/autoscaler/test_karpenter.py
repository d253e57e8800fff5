"""Karpenter in whole runs: what it buys, what it gives up, and what it leaves alone."""

from pathlib import Path

import pytest

from kubesim.api.karpenterv1 import Budget, NodeClaim
from kubesim.controlplane.autoscaler.karpenter.budgets import allowed_disruptions
from kubesim.facts import InstanceLaunched, PodBound
from kubesim.sim.time import MINUTE
from tests.karpenter_harness import ON_DEMAND, TO_0, TO_1, events, launched, live, nodes


def test_the_cheapest_machine_that_holds_the_batch_is_bought(tmp_path: Path) -> None:
    """Four pods of 900m: one c5.xlarge, and all of them on it."""
    run = live(tmp_path)
    run.advance(3 * MINUTE)
    assert ["c5.xlarge"] == launched(run)
    assert all(pod["ready"] for pod in run.view.pods())
    claims = list(run.simulation.store.values(NodeClaim))
    assert [node.name for node in nodes(run)] == [claim.name for claim in claims]
    assert ["Launched", "Registered", "Initialized", "Ready"] == [
        c.type for c in claims[0].status.conditions
    ]
    assert nodes(run)[0].metadata.labels["karpenter.sh/initialized"] == "true"


def test_spot_is_bought_where_it_is_allowed(tmp_path: Path) -> None:
    """Without a requirement the cheapest is a spot instance."""
    run = live(tmp_path, requirements="")
    run.advance(MINUTE)
    assert [True] == [f.spot for _, f in run.simulation.sim.journal.of(InstanceLaunched)]


def test_requirements_are_heeded(tmp_path: Path) -> None:
    """Only memory-optimized machines, only one zone."""
    wanted = (
        f"{ON_DEMAND}, {{key: karpenter.k8s.aws/instance-category, operator: In, values: [r]}}, "
        "{key: topology.kubernetes.io/zone, operator: In, values: [us-east-1c]}"
    )
    run = live(tmp_path, requirements=wanted)
    run.advance(MINUTE)
    facts = [fact for _, fact in run.simulation.sim.journal.of(InstanceLaunched)]
    assert [("r5.xlarge", "us-east-1c")] == [(fact.machine, fact.zone) for fact in facts]


def test_what_is_sold_out_is_not_bought(tmp_path: Path) -> None:
    """The next cheapest takes its place."""
    run = live(tmp_path, cloud="capacity: {c5.xlarge: 0}")
    run.advance(MINUTE)
    assert ["m5.xlarge"] == launched(run)


def test_limits_are_kept(tmp_path: Path) -> None:
    """No more cpu than the pool allows, and the rest is told so."""
    run = live(tmp_path, replicas=20, limits='cpu: "4"')
    run.advance(5 * MINUTE)
    total = sum(node.status.capacity["cpu"].value() for node in nodes(run))
    assert 4 >= total > 0
    assert any('incompatible with nodepool "pool"' in m for m in events(run, "FailedScheduling"))


def test_every_node_that_was_bought_is_used(tmp_path: Path) -> None:
    """Pods that must be apart get a node each, and each of these its pod."""
    apart = (
        "affinity: {podAntiAffinity: {requiredDuringSchedulingIgnoredDuringExecution: "
        "[{topologyKey: kubernetes.io/hostname, labelSelector: {matchLabels: {app: web}}}]}}"
    )
    run = live(tmp_path, podspec=apart)
    run.advance(5 * MINUTE)
    made = {fact.node for _, fact in run.simulation.sim.journal.of(InstanceLaunched)}
    used = {fact.node for _, fact in run.simulation.sim.journal.of(PodBound)}
    assert 4 == len(made)
    assert made == used


def test_an_empty_node_goes_after_consolidate_after(tmp_path: Path) -> None:
    """It waits for that long, and then for the validation."""
    run = live(tmp_path, timeline=TO_0, disruption="consolidateAfter: 2m")
    run.advance(7 * MINUTE)
    assert 1 == len(nodes(run))
    run.advance(9 * MINUTE)
    assert [] == nodes(run)
    assert ["Disrupting Node: Empty"] == events(run, "DisruptionTerminating")


def test_a_node_is_replaced_by_a_cheaper_one(tmp_path: Path) -> None:
    """One pod is left on a machine for four: it moves to one for two."""
    run = live(tmp_path, timeline=TO_1)
    run.advance(10 * MINUTE)
    assert ["c5.xlarge", "c5.large"] == launched(run)
    assert ["Disrupting Node: Underutilized"] == events(run, "DisruptionTerminating")
    assert [True] == [pod["ready"] for pod in run.view.pods()]
    assert 1 == len(list(run.simulation.store.values(NodeClaim)))


@pytest.mark.parametrize(
    "given",
    [
        {"disruption": "consolidationPolicy: WhenEmpty"},
        {"disruption": "consolidateAfter: Never"},
        {"disruption": 'budgets: [{nodes: "0"}]'},
        {"annotations": '"karpenter.sh/do-not-disrupt": "true"'},
    ],
    ids=["when empty", "never", "budget", "do not disrupt"],
)
def test_what_keeps_a_node(tmp_path: Path, given: dict[str, object]) -> None:
    """Each of these keeps a machine that is much too large."""
    run = live(tmp_path, timeline=TO_1, **given)
    run.advance(30 * MINUTE)
    assert ["c5.xlarge"] == launched(run)


def test_a_node_expires(tmp_path: Path) -> None:
    """Whoever is on it moves to a new one."""
    run = live(tmp_path, template="expireAfter: 10m")
    run.advance(15 * MINUTE)
    assert 2 == len(launched(run))
    assert all(pod["ready"] for pod in run.view.pods())


def test_an_interrupted_spot_node_is_emptied_in_time(tmp_path: Path) -> None:
    """Its pods are ready elsewhere some minutes after the notice."""
    run = live(tmp_path, requirements="", cloud="spotInterruption: 20m")
    run.advance(60 * MINUTE)
    assert len(events(run, "SpotInterrupted")) >= 1
    assert len(launched(run)) > len(events(run, "SpotInterrupted"))


def test_nothing_ticks(tmp_path: Path) -> None:
    """Karpenter looks only when something changed."""
    run = live(tmp_path)
    run.advance(20 * MINUTE)
    before = run.simulation.sim.events_processed
    run.advance(60 * MINUTE)
    assert 0 == run.simulation.sim.events_processed - before


@pytest.mark.parametrize(
    ("budgets", "reason", "nodes", "expected"),
    [
        ([Budget()], "Empty", 5, 1),
        ([Budget()], "Empty", 25, 3),
        ([Budget(nodes="0")], "Empty", 25, 0),
        ([Budget(nodes="50%"), Budget(nodes="3")], "Empty", 10, 3),
        ([Budget(nodes="0", reasons=("Drifted",))], "Empty", 10, 10),
        ([Budget(nodes="0", reasons=("Drifted",))], "Drifted", 10, 0),
    ],
)
def test_budgets(budgets: list[Budget], reason: str, nodes: int, expected: int) -> None:
    """Percentages are rounded up, and the least of those that apply counts."""
    assert expected == allowed_disruptions(budgets, reason, nodes)
