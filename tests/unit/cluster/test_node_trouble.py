"""Nodes that reboot, that lose the API server, and that are full."""

from pathlib import Path

import pytest

from kubesim.api.corev1 import Node, Pod
from kubesim.api.podutil import get_node_condition, get_pod_condition
from kubesim.facts import ContainerStarted, CriCalled, EventRecorded, NodeBooted
from kubesim.scenario.live import LiveRun
from kubesim.scenario.loading import load_scenario
from kubesim.sim.time import SECOND

HEAD = """\
apiVersion: kubesim.dev/v1alpha1
kind: Scenario
metadata: {name: trouble}
spec:
  duration: 30m
  nodePools:
    - {name: a, count: 2, machine: m5.large}
  images:
    - {name: "web:v1", layers: [{size: 1M}]}
  timeline:
"""
WORKLOAD = """\
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 1
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      nodeSelector: {kubernetes.io/hostname: a-0}
      containers: [{name: web, image: web:v1}]
"""


def live(folder: Path, timeline: str, more: str = WORKLOAD) -> LiveRun:
    (folder / "scenario.yaml").write_text(HEAD + timeline + more)
    return LiveRun(load_scenario(folder))


def run(run: LiveRun, until_s: float) -> None:
    run.simulation.run_until(round(until_s * SECOND))


def pods(live_run: LiveRun) -> list[Pod]:
    return list(live_run.simulation.store.values(Pod))


def ready_of(live_run: LiveRun, node: str = "a-0") -> str:
    condition = get_node_condition(live_run.simulation.store.get(Node, node).status, "Ready")
    assert condition is not None
    return condition.status


def starts(live_run: LiveRun) -> list[ContainerStarted]:
    return [fact for _, fact in live_run.simulation.sim.journal.of(ContainerStarted)]


def test_a_rebooted_node_starts_its_pods_again(tmp_path: Path) -> None:
    """The same pod, a restart counted, what ran before ended nobody knows how; no image is pulled."""
    web = live(tmp_path, "    - {at: 60s, reboot: a-0}\n")
    run(web, 400)
    pod = pods(web)[0]
    status = pod.status.container_statuses[0]
    booted = [at for at, _ in web.simulation.sim.journal.of(NodeBooted)]
    events = [fact.reason for _, fact in web.simulation.sim.journal.of(EventRecorded)]

    assert 1 == len(pods(web))
    assert 1 == len(booted)
    assert [0, 1] == [fact.attempt for fact in starts(web)]
    assert 1 == status.restart_count
    assert status.last_state.terminated is not None
    assert (255, "Unknown") == (
        status.last_state.terminated.exit_code,
        status.last_state.terminated.reason,
    )
    assert status.ready
    assert "True" == ready_of(web)
    assert "Rebooted" in events
    assert 1 == events.count("Pulling")


def test_a_node_that_failed_can_be_rebooted(tmp_path: Path) -> None:
    """Long after it was given up: its taints go, and it takes pods again."""
    web = live(tmp_path, "    - {at: 60s, failNode: a-0}\n    - {at: 200s, reboot: a-0}\n")
    run(web, 190)
    down = ready_of(web), [t.key for t in web.simulation.store.get(Node, "a-0").spec.taints]
    run(web, 500)

    assert ("Unknown", ["node.kubernetes.io/unreachable"] * 2) == down
    assert "True" == ready_of(web)
    assert () == web.simulation.store.get(Node, "a-0").spec.taints
    assert pods(web)[0].status.container_statuses[0].ready


def test_a_short_partition_is_not_noticed(tmp_path: Path) -> None:
    """Within the monitor's grace period nothing happens to anybody."""
    web = live(tmp_path, "    - {at: 60s, partition: {node: a-0, for: 30s}}\n")
    run(web, 300)
    events = [fact.reason for _, fact in web.simulation.sim.journal.of(EventRecorded)]

    assert "NodeNotReady" not in events
    assert 1 == len(starts(web))


def test_a_partitioned_node_is_not_ready_after_the_grace_period(tmp_path: Path) -> None:
    """Its pods run on and are believed not ready; when it is back, it and they are ready again."""
    web = live(tmp_path, "    - {at: 60s, partition: {node: a-0, for: 200s}}\n")
    run(web, 95)
    early = ready_of(web)
    run(web, 125)
    late = ready_of(web)
    believed = get_pod_condition(pods(web)[0].status, "Ready")
    run(web, 290)
    after = get_pod_condition(pods(web)[0].status, "Ready")

    assert ["True", "Unknown"] == [early, late]
    assert believed is not None
    assert "False" == believed.status
    assert "True" == ready_of(web)
    assert after is not None
    assert "True" == after.status
    assert [0] == [fact.attempt for fact in starts(web)]


def test_pods_that_were_evicted_meanwhile_are_killed_after_the_partition(tmp_path: Path) -> None:
    """Tolerated for 300 s, then replaced elsewhere; the old one runs until its kubelet hears of it."""
    anywhere = WORKLOAD.replace("      nodeSelector: {kubernetes.io/hostname: a-0}\n", "")
    web = live(tmp_path, "    - {at: 60s, partition: {node: a-0, for: 600s}}\n", anywhere)
    run(web, 50)
    first = pods(web)[0]
    if first.spec.node_name != "a-0":
        pytest.fail(f"the case is about the pod's node, and that is {first.spec.node_name}")
    run(web, 640)
    meanwhile = {pod.spec.node_name: pod for pod in pods(web)}
    run(web, 720)

    assert {"a-0", "a-1"} == set(meanwhile)
    assert meanwhile["a-0"].metadata.deletion_timestamp is not None
    assert ["a-1"] == [pod.spec.node_name for pod in pods(web)]


def test_a_boot_does_not_mend_a_partition(tmp_path: Path) -> None:
    """The node that rebooted meanwhile knows of no pod until the partition is over."""
    timeline = "    - {at: 60s, partition: {node: a-0, for: 300s}}\n    - {at: 70s, reboot: a-0}\n"
    web = live(tmp_path, timeline)
    run(web, 350)
    meanwhile, booted = ready_of(web), [*web.simulation.sim.journal.of(NodeBooted)]
    started = len(starts(web))
    run(web, 420)

    assert 1 == len(booted)
    assert ("Unknown", 1) == (meanwhile, started)
    assert "True" == ready_of(web)
    assert [0, 1] == [fact.attempt for fact in starts(web)]


def test_of_two_partitions_the_later_end_counts(tmp_path: Path) -> None:
    """A short one within a long one ends nothing."""
    timeline = (
        "    - {at: 60s, partition: {node: a-0, for: 200s}}\n"
        "    - {at: 70s, partition: {node: a-0, for: 10s}}\n"
    )
    web = live(tmp_path, timeline)
    run(web, 250)
    late = ready_of(web)
    run(web, 300)

    assert ["Unknown", "True"] == [late, ready_of(web)]


def test_a_node_that_fails_while_it_boots_stays_down(tmp_path: Path) -> None:
    """What goes down last counts."""
    web = live(tmp_path, "    - {at: 60s, reboot: a-0}\n    - {at: 62s, failNode: a-0}\n")
    run(web, 400)

    assert not [*web.simulation.sim.journal.of(NodeBooted)]
    assert "Unknown" == ready_of(web)


def test_what_the_power_failed_under_was_never_started(tmp_path: Path) -> None:
    """A container that was created and not started: no end is invented, and it counts as a restart."""
    whole = live(tmp_path, "    - {at: 1200s, failNode: a-1}\n")
    run(whole, 60)
    journal = whole.simulation.sim.journal
    (began_ns,) = [
        fact.began_ns for _, fact in journal.of(CriCalled) if fact.method == "StartContainer"
    ]
    web = live(tmp_path, f"    - {{at: {began_ns + 1000}ns, reboot: a-0}}\n")
    run(web, 120)
    status = pods(web)[0].status.container_statuses[0]

    assert status.last_state.terminated is None
    assert status.last_state.waiting is not None
    assert 1 == status.restart_count
    assert status.ready
