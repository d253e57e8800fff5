"""The Cluster Autoscaler in whole runs: what it makes, what it removes, and what it says."""

from pathlib import Path

import pytest

from kubesim.api.corev1 import ConfigMap, Node
from kubesim.errors import InputError
from kubesim.facts import EventRecorded, InstanceLaunched
from kubesim.scenario.live import LiveRun
from kubesim.scenario.loading import load_scenario
from kubesim.sim.time import MINUTE, SECOND

SPEC = """\
apiVersion: kubesim.dev/v1alpha1
kind: Scenario
metadata: {{name: ca}}
spec:
  duration: 60m
  clusterAutoscaler: {{{flags}}}
  cloud: {{{cloud}}}
  nodePools: [{pools}]
  timeline: [{timeline}]
---
apiVersion: apps/v1
kind: Deployment
metadata: {{name: web}}
spec:
  replicas: {replicas}
  selector: {{matchLabels: {{app: web}}}}
  template:
    metadata: {{labels: {{app: web}}, annotations: {{{annotations}}}}}
    spec:
      {podspec}
      containers: [{{name: web, image: web:v1, resources: {{requests: {{cpu: {cpu}}}}}}}]
{more}
"""
SMALL = "{name: small, count: 0, machine: m5.large, autoscaling: {max: 5}}"
LARGE = "{name: large, count: 0, machine: m5.xlarge, autoscaling: {max: 5}}"
SCALE_TO_0 = "{at: 5m, scale: {kind: Deployment, name: web, replicas: 0}}"
SCALE_TO_1 = "{at: 5m, scale: {kind: Deployment, name: web, replicas: 1}}"


def live(folder: Path, **given: object) -> LiveRun:
    """A run with what was given in place of the usual."""
    usual: dict[str, object] = {
        "flags": "", "cloud": "", "pools": SMALL, "timeline": "", "replicas": 3, "cpu": "900m",
        "annotations": "", "podspec": "", "more": "",
    }  # fmt: skip
    (folder / "scenario.yaml").write_text(SPEC.format(**{**usual, **given}))
    return LiveRun(load_scenario(folder))


def nodes(run: LiveRun) -> list[str]:
    return sorted(node.name for node in run.simulation.store.values(Node))


def events(run: LiveRun, reason: str) -> list[str]:
    recorded = (event for _, event in run.simulation.sim.journal.of(EventRecorded))
    return [event.message for event in recorded if event.reason == reason]


def launched(run: LiveRun) -> list[str]:
    return [fact.node for _, fact in run.simulation.sim.journal.of(InstanceLaunched)]


def test_pods_are_packed_on_as_few_nodes_as_hold_them(tmp_path: Path) -> None:
    """Three pods of 900m need two nodes of two cores, and nodes on the way are not asked for twice."""
    run = live(tmp_path)
    run.advance(10 * MINUTE)
    assert ["small-0", "small-1"] == nodes(run)
    assert ["pod triggered scale-up: [{small 0->2 (max: 5)}]"] * 3 == events(
        run, "TriggeredScaleUp"
    )
    assert all(pod["ready"] for pod in run.view.pods())


def test_the_maximum_size_is_kept_and_said(tmp_path: Path) -> None:
    """More pods than the group may hold: it grows to its maximum, and the rest is told why."""
    run = live(tmp_path, replicas=20)
    run.advance(10 * MINUTE)
    assert 5 == len(nodes(run))
    assert "pod didn't trigger scale-up: 1 max node group size reached" in events(
        run, "NotTriggerScaleUp"
    )


def test_max_nodes_total_is_kept(tmp_path: Path) -> None:
    """The cluster as a whole has a limit, too."""
    run = live(tmp_path, replicas=20, flags="max-nodes-total: 3")
    run.advance(10 * MINUTE)
    assert 3 == len(nodes(run))


@pytest.mark.parametrize(
    ("expander", "pools", "chosen"),
    [
        ("least-waste", f"{SMALL}, {LARGE}", "small"),
        ("most-pods", "{name: one, count: 0, machine: m5.large, autoscaling: {max: 1}}, " + LARGE,
         "large"),
        ("price", "{name: dear, count: 0, machine: m5.large, pricePerHour: 9, "
         "autoscaling: {max: 5}}, " + LARGE, "large"),
        ("priority", SMALL + ", {name: first, count: 0, machine: m5.xlarge, "
         "autoscaling: {max: 5, priority: 7}}", "first"),
    ],
)  # fmt: skip
def test_the_expander_chooses(tmp_path: Path, expander: str, pools: str, chosen: str) -> None:
    """Each strategy has its own idea of the best group."""
    run = live(tmp_path, pools=pools, flags=f"expander: {expander}", replicas=2, cpu="1800m")
    run.advance(2 * MINUTE)
    assert {chosen} == {name.rpartition("-")[0] for name in launched(run)}


def test_similar_groups_grow_together(tmp_path: Path) -> None:
    """With the flag, new nodes are spread over groups that differ in nothing but their zone."""
    pools = (
        "{name: a, count: 0, machine: m5.large, zones: [a], autoscaling: {max: 5}}, "
        "{name: b, count: 0, machine: m5.large, zones: [b], autoscaling: {max: 5}}"
    )
    run = live(tmp_path, pools=pools, flags="balance-similar-node-groups: true", replicas=8)
    run.advance(2 * MINUTE)
    assert ["a-0", "a-1", "b-0", "b-1"] == sorted(launched(run))


def test_a_refused_instance_backs_its_group_off(tmp_path: Path) -> None:
    """The cloud has one small machine: the group is left alone, and another one is taken."""
    run = live(tmp_path, pools=f"{SMALL}, {LARGE}", cloud="capacity: {m5.large: 1}", replicas=4)
    run.advance(10 * MINUTE)
    failed = events(run, "ScaleUpFailed")
    assert 1 == len(failed)
    assert failed[0].startswith(
        "Failed adding 1 nodes (1 unseen previously) to group small due to "
        "InsufficientInstanceCapacity"
    )
    assert ["large-0", "small-0"] == nodes(run)
    assert all(pod["ready"] for pod in run.view.pods())


def test_an_instance_that_never_registers_is_given_up(tmp_path: Path) -> None:
    """After max-node-provision-time it is removed, and the group is backed off."""
    run = live(tmp_path, flags="max-node-provision-time: 20s", replicas=1)
    run.advance(2 * MINUTE)
    assert ["Removed unregistered node small-0"] == events(run, "DeleteUnregistered")
    assert ["Nodes added to group small failed to register within 20s"] == events(
        run, "ScaleUpTimedOut"
    )
    assert ["small-0"] == launched(run)


def test_an_empty_node_goes_after_ten_minutes(tmp_path: Path) -> None:
    """Not before it was unneeded for that long; then the pool is at zero."""
    run = live(tmp_path, timeline=SCALE_TO_0, replicas=4)
    run.advance(15 * MINUTE)
    assert 2 == len(nodes(run))
    run.advance(17 * MINUTE)
    assert [] == nodes(run)
    assert [
        'Scale-down: removing empty node "small-0"',
        'Scale-down: removing empty node "small-1"',
        "Scale-down: empty node small-0 removed",
        "Scale-down: empty node small-1 removed",
    ] == events(run, "ScaleDownEmpty")


def test_a_node_that_could_not_go_is_left_alone_for_five_minutes(tmp_path: Path) -> None:
    """A half empty node whose pod had no other place is not looked at again before that."""
    run = live(tmp_path, timeline=SCALE_TO_0, replicas=3)
    run.advance(17 * MINUTE)
    assert 1 == len(nodes(run))
    run.advance(22 * MINUTE)
    assert [] == nodes(run)


def test_a_node_below_the_threshold_is_drained(tmp_path: Path) -> None:
    """Two nodes of one small pod each become one, and the pod moves."""
    pools = "{name: small, count: 2, machine: m5.large, autoscaling: {max: 5}}"
    run = live(tmp_path, pools=pools, replicas=2, cpu="100m")
    run.advance(20 * MINUTE)
    assert 1 == len(nodes(run))
    assert ["deleting pod for node scale down"] == [
        m for m in events(run, "ScaleDown") if m.startswith("deleting pod")
    ]
    assert 2 == sum(pod["ready"] for pod in run.view.pods())


@pytest.mark.parametrize(
    "given",
    [
        {"annotations": '"cluster-autoscaler.kubernetes.io/safe-to-evict": "false"'},
        {"podspec": "volumes: [{name: v, emptyDir: {}}]"},
        {"pools": "{name: small, count: 2, machine: m5.large, autoscaling: {min: 2, max: 5}}"},
        {"flags": "scale-down-enabled: false"},
        {"flags": "scale-down-utilization-threshold: 0.01"},
        {"pools": "{name: small, count: 2, machine: m5.large, autoscaling: {max: 5}, annotations: "
         '{"cluster-autoscaler.kubernetes.io/scale-down-disabled": "true"}}'},
    ],
    ids=["not safe to evict", "local storage", "minimum", "disabled", "threshold", "annotation"],
)  # fmt: skip
def test_what_keeps_a_node(tmp_path: Path, given: dict[str, object]) -> None:
    """Each of these keeps two little used nodes for an hour."""
    pools = "{name: small, count: 2, machine: m5.large, autoscaling: {max: 5}}"
    usual: dict[str, object] = {"pools": pools, "replicas": 2, "cpu": "100m"}
    run = live(tmp_path, **{**usual, **given})
    run.advance(60 * MINUTE)
    assert ["small-0", "small-1"] == nodes(run)


def test_a_lost_instance_is_replaced(tmp_path: Path) -> None:
    """The group keeps its size when the cloud takes a spot instance back."""
    pools = "{name: small, count: 1, machine: m5.large, spot: true, autoscaling: {min: 1, max: 5}}"
    run = live(tmp_path, pools=pools, replicas=1, timeline="{at: 1m, interruptNode: small-0}")
    run.advance(10 * MINUTE)
    assert ["small-1"] == nodes(run)


def test_nothing_ticks(tmp_path: Path) -> None:
    """A cluster in which nothing changes costs no events, however long it runs."""
    run = live(tmp_path)
    run.advance(20 * MINUTE)
    before = run.simulation.sim.events_processed
    run.advance(60 * MINUTE)
    assert 0 == run.simulation.sim.events_processed - before


def test_the_status_says_how_it_is(tmp_path: Path) -> None:
    """The ConfigMap has the group's counts and limits."""
    run = live(tmp_path)
    run.advance(10 * MINUTE)
    status = run.simulation.store.get(ConfigMap, "kube-system/cluster-autoscaler-status")
    for line in (
        "- name: small",
        "    cloudProviderTarget: 2",
        "    maxSize: 5",
        "      ready: 2",
    ):
        assert line in status.data["status"]


def test_scans_are_on_a_grid(tmp_path: Path) -> None:
    """Decisions of one run are a multiple of the scan interval apart."""
    run = live(tmp_path, timeline=SCALE_TO_1, flags="frequent-loops-enabled: false")
    run.advance(60 * MINUTE)
    at = [
        at_ns
        for at_ns, event in run.simulation.sim.journal.of(EventRecorded)
        if event.reason == "TriggeredScaleUp" or "removing empty" in event.message
    ]
    assert len(set(at)) > 1
    assert {0} == {(ns - at[0]) % (10 * SECOND) for ns in at}


def test_a_pod_that_fits_nowhere_is_looked_at_at_once(tmp_path: Path) -> None:
    """It is too new to be acted upon; ten seconds later, not at a grid's whim, nodes are made."""
    spec = "{at: 1m, scale: {kind: Deployment, name: web, replicas: 2}}"
    run = live(tmp_path, timeline=spec, replicas=0)
    run.advance(2 * MINUTE)
    journal = run.simulation.sim.journal
    failed = [at for at, e in journal.of(EventRecorded) if e.reason == "FailedScheduling"]
    grown = [at for at, e in journal.of(EventRecorded) if e.reason == "TriggeredScaleUp"]
    assert 10 * SECOND <= grown[0] - failed[1] < 11 * SECOND


PRIORITIES = """\
---
apiVersion: v1
kind: ConfigMap
metadata: {name: cluster-autoscaler-priority-expander, namespace: kube-system}
data: {priorities: TEXT}
"""


@pytest.mark.parametrize(
    ("text", "reason", "chosen"),
    [
        ('"10: [small]\\n50: [^lar]"', None, "large"),
        ('"10: [^lar]\\n50: [small]"', None, "small"),
        ('"50: [small]"', "PriorityConfigMapNotMatchedGroup", "small"),
        ('"50: [medium]"', "PriorityConfigMapNoGroupMatched", None),
        ('"50: small"', "PriorityConfigMapInvalid", None),
        ("\"50: ['[']\"", "PriorityConfigMapInvalid", None),
        ('""', "PriorityConfigMapInvalid", None),
    ],
)
def test_priorities_are_read_from_the_config_map(
    tmp_path: Path, text: str, reason: str | None, chosen: str | None
) -> None:
    """Regular expressions choose the group; what makes no sense is an event and chooses nothing."""
    pools = f"{SMALL}, {LARGE}"
    more = PRIORITIES.replace("TEXT", text)
    run = live(tmp_path, pools=pools, flags="expander: priority", replicas=2, more=more)
    run.advance(2 * MINUTE)
    made = {name.rpartition("-")[0] for name in launched(run)}
    assert made <= {"small", "large"}
    assert len(made) == 1
    if chosen is not None:
        assert {chosen} == made
    if reason is not None:
        assert events(run, reason)


def test_the_price_expander_prefers_nodes_that_suit_the_cluster(tmp_path: Path) -> None:
    """At the same price for the same work, few nodes want to be small, and many may be large."""
    pools = (
        "{name: small, count: 0, machine: m5.large, autoscaling: {max: 50}}, "
        "{name: giant, count: 0, machine: m5.2xlarge, autoscaling: {max: 50}}"
    )
    run = live(tmp_path, pools=pools, flags="expander: price", replicas=4, cpu="1900m")
    run.advance(2 * MINUTE)
    assert {"small"} == {name.rpartition("-")[0] for name in launched(run)}


@pytest.mark.parametrize("flag", ["cores-total: '0:4'", "memory-total: '0:20'"])
def test_the_totals_of_the_cluster_are_kept(tmp_path: Path, flag: str) -> None:
    """Two machines of two cores and 8 GiB, and no third."""
    run = live(tmp_path, replicas=20, flags=flag)
    run.advance(10 * MINUTE)
    assert 2 == len(nodes(run))
    what = flag.partition("-")[0].replace("cores", "cpu")
    assert f"pod didn't trigger scale-up: 1 max cluster {what} limit reached" in events(
        run, "NotTriggerScaleUp"
    )


def test_a_node_that_goes_is_cordoned_and_its_daemon_pods_are_evicted(tmp_path: Path) -> None:
    """Both flags are on by default; an occupied node's DaemonSet pods go with its others."""
    more = """\
---
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: agent}
spec:
  selector: {matchLabels: {app: agent}}
  template:
    metadata: {labels: {app: agent}}
    spec: {containers: [{name: agent, image: agent:v1}]}
"""
    pools = "{name: small, count: 2, machine: m5.large, autoscaling: {max: 5}}"
    run = live(tmp_path, pools=pools, replicas=2, cpu="100m", more=more)
    cordoned = []
    for second in range(600, 1300, 1):
        run.advance(second * SECOND)
        cordoned += [n.name for n in run.simulation.store.values(Node) if n.spec.unschedulable]
    assert cordoned
    facts = [e for _, e in run.simulation.sim.journal.of(EventRecorded)]
    gone = {
        e.name.partition("-")[0] for e in facts if e.message == "deleting pod for node scale down"
    }
    assert {"web", "agent"} == gone


def test_a_flag_that_is_not_simulated_is_refused(tmp_path: Path) -> None:
    """With its place, its name and the reason."""
    with pytest.raises(InputError) as caught:
        live(tmp_path, flags="max-inactivity: 10m")
    assert "--max-inactivity is not supported: the process" in str(caught.value)
    assert "scenario.yaml:6" in str(caught.value)


def test_startup_taints_are_not_held_against_new_nodes(tmp_path: Path) -> None:
    """A pool whose nodes have a taint until an agent took it away grows nevertheless."""
    pool = (
        "{name: small, count: 0, machine: m5.large, taints: ['agent=starting:NoSchedule'], "
        "autoscaling: {max: 5}}"
    )
    run = live(tmp_path, pools=pool, replicas=2)
    run.advance(2 * MINUTE)
    assert [] == launched(run)
    run = live(tmp_path, pools=pool, replicas=2, flags="startup-taint: agent")
    run.advance(2 * MINUTE)
    assert ["small-0"] == launched(run)


def test_a_pod_may_ask_for_more_patience(tmp_path: Path) -> None:
    """The annotation is a delay of its own."""
    note = '"cluster-autoscaler.kubernetes.io/pod-scale-up-delay": 90s'
    run = live(tmp_path, annotations=note, replicas=1)
    run.advance(85 * SECOND)
    assert [] == launched(run)
    run.advance(2 * MINUTE)
    assert ["small-0"] == launched(run)


def test_an_unknown_flag_has_a_place_and_a_suggestion(tmp_path: Path) -> None:
    """A misspelt flag or expander is an input error."""
    with pytest.raises(InputError) as caught:
        live(tmp_path, flags="expander: least-wast")
    assert 'did you mean "least-waste"?' in str(caught.value)
    with pytest.raises(InputError) as caught:
        live(tmp_path, flags="scan-intervall: 5s")
    assert "scan-interval" in str(caught.value)
