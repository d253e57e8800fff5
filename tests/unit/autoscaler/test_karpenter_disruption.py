"""How Karpenter gives nodes up: drift, consolidation, budgets, and the way a node ends."""

from pathlib import Path

import pytest

from kubesim.api.corev1 import Node
from kubesim.api.karpenterv1 import Budget, NodeClaim, NodePool
from kubesim.controlplane.autoscaler.karpenter.budgets import (
    allowed_disruptions,
    is_active,
    next_change_ns,
)
from kubesim.controlplane.autoscaler.karpenter.drift import template_hash
from kubesim.controlplane.autoscaler.karpenter.termination import DISRUPTED
from kubesim.facts import InstanceInterruptionNoticed, InstanceLaunched
from kubesim.scenario.live import LiveRun
from kubesim.sim.time import HOUR, MINUTE, SECOND
from tests.karpenter_harness import ON_DEMAND, TO_1, events, launched, live, nodes

PDB = """\
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: web}
spec: {minAvailable: MIN, selector: {matchLabels: {app: web}}}
"""
AMPLE = "budgets: [{nodes: '100%'}]"
NINE = 1_767_225_600 * SECOND + 9 * HOUR  # 2026-01-01T09:00:00Z


def changed_pool(run: LiveRun, **change: object) -> None:
    """Change the pool's template, as ``kubectl edit`` would."""
    pool = run.simulation.store.get(NodePool, "pool")
    spec = pool.spec.template.spec.model_validate(
        {**pool.spec.template.spec.model_dump(by_alias=True), **change}
    )
    template = pool.spec.template.replace(spec=spec)
    run.simulation.apiserver.update(pool.replace(spec=pool.spec.replace(template=template)))


def ready(run: LiveRun) -> int:
    return sum(pod["ready"] for pod in run.view.pods())


def claims(run: LiveRun) -> list[NodeClaim]:
    return list(run.simulation.store.values(NodeClaim))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"taints": [{"key": "new", "value": "yes", "effect": "PreferNoSchedule"}]},
         "NodePoolDrifted"),
        ({"requirements": [
            {"key": "karpenter.sh/capacity-type", "operator": "In", "values": ["on-demand"]},
            {"key": "karpenter.k8s.aws/instance-family", "operator": "In", "values": ["m5"]},
        ]}, "RequirementsDrifted"),
    ],
    ids=["template", "requirements"],
)  # fmt: skip
def test_a_drifted_node_is_replaced(
    tmp_path: Path, change: dict[str, object], reason: str
) -> None:
    """The new node is there first; then the pods move, and the old one goes."""
    run = live(tmp_path, disruption="consolidateAfter: Never")
    run.advance(3 * MINUTE)
    before = {node.name for node in nodes(run)}
    changed_pool(run, **change)
    run.advance(3 * MINUTE + 11 * SECOND)
    found = [(c.type, c.reason) for claim in claims(run) for c in claim.status.conditions]
    assert ("Drifted", reason) in found
    run.advance(10 * MINUTE)
    assert ["Disrupting Node: Drifted"] == events(run, "DisruptionTerminating")
    assert {"Evicted pod: Drifted"} == set(events(run, "Evicted"))
    after = {node.name for node in nodes(run)}
    assert 1 == len(after)
    assert not before & after
    assert 4 == ready(run)


def test_requirements_that_a_node_still_meets_are_no_drift(tmp_path: Path) -> None:
    """A requirement more, which the node meets; and lists in another order are the same list."""
    run = live(tmp_path, disruption="consolidateAfter: Never")
    run.advance(3 * MINUTE)
    wanted = [
        {"key": "karpenter.k8s.aws/instance-cpu", "operator": "Gt", "values": ["3"]},
        {"key": "karpenter.sh/capacity-type", "operator": "In", "values": ["on-demand"]},
    ]
    changed_pool(run, requirements=wanted)
    run.advance(20 * MINUTE)
    assert ["c5.xlarge"] == launched(run)


def test_the_hash_knows_no_order_and_no_requirements() -> None:
    """What is compared is what a node cannot change later."""
    one = {"taints": [{"key": "a", "effect": "NoSchedule"}, {"key": "b", "effect": "NoExecute"}]}
    two = {"taints": one["taints"][::-1], "requirements": [{"key": "k", "operator": "Exists"}]}
    three = {"taints": one["taints"], "expireAfter": "1h"}

    def hashed(spec: object) -> str:
        pool = {"metadata": {"name": "p"}, "spec": {"template": {"spec": spec}}}
        return template_hash(NodePool.model_validate(pool).spec.template)

    assert hashed(one) == hashed(two)
    assert hashed(one) != hashed(three)


def test_several_nodes_become_one(tmp_path: Path) -> None:
    """Three nodes of a pod each, which had to be apart, are given up for one that holds all three."""
    more = """\
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: spread}
spec:
  replicas: 4
  selector: {matchLabels: {app: spread}}
  template:
    metadata: {labels: {app: spread}}
    spec:
      containers: [{name: web, image: web:v1, resources: {requests: {cpu: 1500m}}}]
"""
    timeline = "{at: 5m, scale: {kind: Deployment, name: spread, replicas: 0}}"
    run = live(
        tmp_path, disruption=f"consolidateAfter: 1m, {AMPLE}", replicas=3, cpu="400m",
        podspec="affinity: {podAntiAffinity: {preferredDuringSchedulingIgnoredDuringExecution: "
        "[{weight: 100, podAffinityTerm: {topologyKey: kubernetes.io/hostname, "
        "labelSelector: {matchLabels: {app: web}}}}]}}",
        more=more, timeline=timeline, cloud="machines: [c5.large, m5.large]",
    )  # fmt: skip
    run.advance(4 * MINUTE)
    assert len(nodes(run)) >= 4
    run.advance(20 * MINUTE)
    assert 1 == len(nodes(run))
    assert 3 == ready(run)
    going = events(run, "DisruptionTerminating")
    assert "Disrupting Node: Underutilized" in going


def test_a_budget_of_pods_is_heeded_while_a_node_goes(tmp_path: Path) -> None:
    """An expired node's two pods leave one after the other, each when the other one's heir is ready."""
    run = live(
        tmp_path, replicas=2, more=PDB.replace("MIN", "1"), template="expireAfter: 10m",
        disruption="consolidateAfter: Never",
    )  # fmt: skip
    least = 2
    for second in range(590, 800, 2):
        run.advance(second * SECOND)
        least = min(least, ready(run))
    assert 1 == least
    assert events(run, "FailedDraining")
    assert all("evicting pod violates a PDB" in m for m in events(run, "FailedDraining"))
    assert 2 == ready(run)
    assert {"Evicted pod: Forceful Termination"} == set(events(run, "Evicted"))


def test_an_eviction_that_is_never_allowed_keeps_the_node(tmp_path: Path) -> None:
    """Without a termination grace period it waits, for as long as it takes, and costs no events."""
    run = live(
        tmp_path, replicas=1, more=PDB.replace("MIN", "1"), template="expireAfter: 10m",
        disruption="consolidateAfter: Never",
    )  # fmt: skip
    run.advance(30 * MINUTE)
    before = run.simulation.sim.events_processed
    run.advance(60 * MINUTE)
    assert 0 == run.simulation.sim.events_processed - before
    assert 1 == ready(run)
    gone = [node for node in nodes(run) if node.metadata.deletion_timestamp is not None]
    assert 1 == len(gone)
    assert [DISRUPTED] == [t.key for t in gone[0].spec.taints if t.key == DISRUPTED]


@pytest.mark.parametrize(
    "given",
    [
        {"more": PDB.replace("MIN", "1")},
        {"annotations": '"karpenter.sh/do-not-disrupt": "true"'},
    ],
    ids=["budget", "annotation"],
)
def test_the_termination_grace_period_is_the_end(tmp_path: Path, given: dict[str, object]) -> None:
    """What protects a pod protects it until thirty seconds, its own grace, before that."""
    template = "expireAfter: 10m\n      terminationGracePeriod: 5m"
    run = live(
        tmp_path, replicas=1, template=template, disruption="consolidateAfter: Never", **given
    )
    run.advance(14 * MINUTE)
    assert [] == events(run, "Disrupted")
    first = nodes(run)[0].name
    run.advance(16 * MINUTE)
    (message,) = events(run, "Disrupted")
    assert "was granted 29 seconds of grace-period of its 30" in message
    run.advance(20 * MINUTE)
    assert first not in [node.name for node in nodes(run)]
    assert 1 == ready(run)


def test_a_deleted_node_is_drained_before_it_goes(tmp_path: Path) -> None:
    """The finalizer holds the object until its pods and its instance are gone."""
    run = live(tmp_path)
    run.advance(5 * MINUTE)
    (node,) = nodes(run)
    assert ("karpenter.sh/termination",) == node.metadata.finalizers
    run.simulation.delete(Node, node.name)
    run.advance(5 * MINUTE + 5 * SECOND)
    assert node.name in [n.name for n in nodes(run)]
    run.advance(10 * MINUTE)
    assert node.name not in [n.name for n in nodes(run)]
    assert [claim.name for claim in claims(run)] == [n.name for n in nodes(run)]
    assert 4 == ready(run)


def test_a_pool_that_goes_takes_its_nodes_along(tmp_path: Path) -> None:
    """And nobody buys new ones."""
    run = live(tmp_path)
    run.advance(5 * MINUTE)
    run.simulation.delete(NodePool, "pool")
    run.advance(15 * MINUTE)
    assert [] == nodes(run)
    assert [] == claims(run)
    assert 1 == len(launched(run))


def test_startup_taints_keep_a_node_uninitialized(tmp_path: Path) -> None:
    """Pods are planned onto it, nobody runs there, and it is not consolidated before they go."""
    taints = "startupTaints: [{key: agent, value: starting, effect: NoSchedule}]"
    run = live(tmp_path, template=taints)
    run.advance(10 * MINUTE)
    assert ["c5.xlarge"] == launched(run)
    assert 0 == ready(run)
    (claim,) = claims(run)
    assert ["Launched", "Registered"] == [c.type for c in claim.status.conditions]
    (node,) = nodes(run)
    kept = tuple(t for t in node.spec.taints if t.key != "agent")
    run.simulation.apiserver.update(node.replace(spec=node.spec.replace(taints=kept)))
    run.advance(12 * MINUTE)
    assert 4 == ready(run)
    (claim,) = claims(run)
    assert "Initialized" in [c.type for c in claim.status.conditions]


@pytest.mark.parametrize(
    ("requirement", "chosen"),
    [
        ("key: karpenter.k8s.aws/instance-family, operator: NotIn, values: [c5]", "m5.xlarge"),
        ("key: karpenter.k8s.aws/instance-cpu, operator: Gt, values: ['4']", "c5.2xlarge"),
        ("key: karpenter.k8s.aws/instance-memory, operator: Gt, values: ['16384']", "r5.xlarge"),
        ("key: karpenter.k8s.aws/instance-cpu, operator: Lt, values: ['5']", "c5.xlarge"),
        ("key: karpenter.k8s.aws/instance-family, operator: Exists", "c5.xlarge"),
        ("key: karpenter.k8s.aws/instance-family, operator: DoesNotExist", None),
        ("key: node.kubernetes.io/instance-type, operator: In, values: [m5.2xlarge, r5.xlarge]",
         "r5.xlarge"),
        ("key: karpenter.k8s.aws/instance-family, operator: Exists, minValues: 3", "c5.xlarge"),
        ("key: karpenter.k8s.aws/instance-family, operator: Exists, minValues: 4", None),
    ],
)  # fmt: skip
def test_operators(tmp_path: Path, requirement: str, chosen: str | None) -> None:
    """Every operator of a requirement, and how various what is left has to be."""
    run = live(tmp_path, requirements=f"{ON_DEMAND}, {{{requirement}}}")
    run.advance(MINUTE)
    assert ([] if chosen is None else [chosen]) == launched(run)


def test_the_heavier_pool_comes_first(tmp_path: Path) -> None:
    """Whatever it costs."""
    more = """\
---
apiVersion: karpenter.sh/v1
kind: NodePool
metadata: {name: dear}
spec:
  weight: 10
  template:
    spec:
      requirements:
        - {key: karpenter.sh/capacity-type, operator: In, values: [on-demand]}
        - {key: karpenter.k8s.aws/instance-family, operator: In, values: [r5]}
"""
    run = live(tmp_path, more=more)
    run.advance(MINUTE)
    assert ["r5.xlarge"] == launched(run)


@pytest.mark.parametrize(
    ("gate", "types", "moves"),
    [(True, 20, True), (True, 12, False), (False, 20, False)],
    ids=["gate", "too few types", "no gate"],
)
def test_spot_to_spot(tmp_path: Path, gate: bool, types: int, moves: bool) -> None:
    """One spot node becomes a cheaper one only with the gate, and among at least fifteen types."""
    small = [
        f"{family}.{size}"
        for family in ("m5", "m5a", "m6i", "m6a", "c5", "c5a", "c6i", "c6a", "c7i", "c7a")
        for size in ("large", "xlarge")
    ][:types]
    large = ["m5.4xlarge"]
    given = f"machines: [{', '.join([*small, *large])}]"
    spot = "{key: karpenter.sh/capacity-type, operator: In, values: [spot]}"
    run = live(
        tmp_path, requirements=spot, cloud=given, replicas=14, cpu="1", podspec="",
        timeline=TO_1, disruption=f"consolidateAfter: 1m, {AMPLE}",
        karpenter=f"feature-gates: {{SpotToSpotConsolidation: {str(gate).lower()}}}",
    )  # fmt: skip
    run.advance(25 * MINUTE)
    assert (len(launched(run)) > 1) == moves
    assert 1 == ready(run)


def test_batches(tmp_path: Path) -> None:
    """Pods are collected until none came for batch-idle-duration."""
    run = live(tmp_path, karpenter="batch-idle-duration: 5s")
    run.advance(4 * SECOND)
    assert [] == launched(run)
    run.advance(6 * SECOND)
    assert ["c5.xlarge"] == launched(run)


def test_an_interrupted_node_does_not_wait_for_a_budget_forever(tmp_path: Path) -> None:
    """When the cloud took the instance, the node's objects go, whatever was protected there."""
    run = live(
        tmp_path, requirements="", replicas=1, more=PDB.replace("MIN", "1"),
        cloud="spotInterruption: 10m",
    )  # fmt: skip
    run.advance(60 * MINUTE)
    taken = {f.node for _, f in run.simulation.sim.journal.of(InstanceInterruptionNoticed)}
    assert taken
    alive = {i.spec.node for i in run.simulation.fleet.cloud.instances.values() if not i.gone}
    assert {node.name for node in nodes(run)} <= alive


@pytest.mark.parametrize(
    ("schedule", "duration", "at_ns", "active"),
    [
        ("0 9 * * *", "8h", NINE, True),
        ("0 9 * * *", "8h", NINE - SECOND, False),
        ("0 9 * * *", "8h", NINE + 7 * HOUR, True),
        ("0 9 * * *", "8h", NINE + 8 * HOUR + MINUTE, False),
        ("@daily", "10m", NINE, False),
    ],
)
def test_schedules(schedule: str, duration: str, at_ns: int, active: bool) -> None:
    """A budget with a schedule counts for its duration after each time of it, in UTC."""
    budget = Budget(nodes="0", schedule=schedule, duration=duration)
    assert active == is_active(budget, at_ns)
    assert (0 if active else 5) == allowed_disruptions([budget], "Empty", 5, at_ns)


def test_when_budgets_change() -> None:
    """The next instant at which a schedule begins or ends to count."""
    budget = Budget(nodes="0", schedule="0 9 * * *", duration="8h")
    assert NINE == next_change_ns([budget], NINE - HOUR)
    assert 0 <= (next_change_ns([budget], NINE + HOUR) or 0) - (NINE + 8 * HOUR) <= SECOND
    assert next_change_ns([Budget()], NINE) is None


def test_a_scheduled_budget_delays_consolidation(tmp_path: Path) -> None:
    """Nothing goes in the first half hour of each hour; right after it, the node does."""
    budgets = 'budgets: [{nodes: "0", schedule: "0 * * * *", duration: 30m}]'
    run = live(tmp_path, timeline=TO_1, disruption=f"consolidateAfter: 1m, {budgets}")
    run.advance(30 * MINUTE)
    assert ["c5.xlarge"] == launched(run)
    run.advance(32 * MINUTE)
    assert ["c5.xlarge", "c5.large"] == launched(run)


def test_a_budget_that_makes_no_sense_allows_nothing() -> None:
    """It fails closed."""
    assert 0 == allowed_disruptions([Budget(nodes="5", schedule="nonsense")], "Empty", 9, NINE)


def test_what_is_bought_again_is_not_what_was_given_up(tmp_path: Path) -> None:
    """Every machine that was bought held a pod, and Karpenter came to rest."""
    run = live(tmp_path, timeline=TO_1, disruption=f"consolidateAfter: 1m, {AMPLE}")
    run.advance(40 * MINUTE)
    before = len(list(run.simulation.sim.journal.of(InstanceLaunched)))
    run.advance(60 * MINUTE)
    assert before == len(list(run.simulation.sim.journal.of(InstanceLaunched)))
