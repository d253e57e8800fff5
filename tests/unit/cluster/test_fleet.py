"""Nodes that come and go while a run is on."""

from pathlib import Path

import pytest

from kubesim.api.corev1 import Node, Pod
from kubesim.api.podutil import get_node_condition
from kubesim.errors import InputError
from kubesim.facts import EventRecorded, NodeBecameReady, NodeRegistered, ObjectRefused
from kubesim.scenario.live import LiveRun
from kubesim.scenario.loading import load_scenario
from kubesim.sim.time import SECOND

HEAD = """\
apiVersion: kubesim.dev/v1alpha1
kind: Scenario
metadata: {name: fleet}
spec:
  duration: 10m
  nodePools:
    - {name: a, count: 0, machine: m5.large}
  timeline:
"""
POD = """\
---
apiVersion: v1
kind: Pod
metadata: {name: web}
spec: {containers: [{name: web, image: web:v1}]}
"""


def live(folder: Path, timeline: str, more: str = "") -> LiveRun:
    """A run of that timeline on one pool without nodes."""
    (folder / "scenario.yaml").write_text(HEAD + timeline + more)
    return LiveRun(load_scenario(folder))


def test_a_new_node_is_tainted_until_it_is_ready(tmp_path: Path) -> None:
    """It registers not ready and with the taint; both end together, and then it takes a pod."""
    run = live(tmp_path, "    - {at: 1s, addNode: a}\n", POD)
    store, journal = run.simulation.store, run.simulation.sim.journal
    run.advance(300 * SECOND)
    registered_ns, _ = next(iter(journal.of(NodeRegistered)))
    ready_ns, _ = next(iter(journal.of(NodeBecameReady)))
    again = live(tmp_path, "    - {at: 1s, addNode: a}\n", POD)
    again.advance(registered_ns + SECOND)
    node = again.simulation.store.get(Node, "a-0")
    condition = get_node_condition(node.status, "Ready")
    assert condition is not None
    assert ("False", "KubeletNotReady") == (condition.status, condition.reason)
    assert ["node.kubernetes.io/not-ready"] == [t.key for t in node.spec.taints]
    assert not store.get(Node, "a-0").spec.taints
    assert registered_ns < ready_ns
    pod = store.get(Pod, "default/web")
    assert ("a-0", "Running") == (pod.spec.node_name, pod.status.phase)


def test_the_node_of_an_ended_instance_is_deleted(tmp_path: Path) -> None:
    """It falls silent, is not ready after the grace period, and then the cloud's controller acts."""
    run = live(tmp_path, "    - {at: 1s, addNode: a}\n    - {at: 200s, removeNode: a-0}\n")
    run.advance(240 * SECOND)
    assert run.simulation.store.get(Node, "a-0") is not None
    run.advance(300 * SECOND)
    assert run.simulation.store.get(Node, "a-0") is None
    events = [event for _, event in run.simulation.sim.journal.of(EventRecorded)]
    assert "Deleting node a-0 because it does not exist in the cloud provider" in [
        event.message for event in events
    ]


def test_numbers_are_not_used_again(tmp_path: Path) -> None:
    """A node that comes after one that went has a name of its own."""
    timeline = (
        "    - {at: 1s, addNode: a}\n    - {at: 200s, removeNode: a-0}\n"
        "    - {at: 300s, addNode: a}\n"
    )
    run = live(tmp_path, timeline)
    run.advance(600 * SECOND)
    assert ["a-1"] == [node.name for node in run.simulation.store.values(Node)]


def test_a_step_about_a_node_that_is_not_there_is_refused(tmp_path: Path) -> None:
    """Which nodes there will be is not known beforehand, so the run says it."""
    run = live(tmp_path, "    - {at: 1s, addNode: a}\n    - {at: 2s, removeNode: a-0}\n")
    run.advance(5 * SECOND)
    refused = [fact for _, fact in run.simulation.sim.journal.of(ObjectRefused)]
    assert ['nodes "a-0" not found'] == [fact.message for fact in refused]


def test_an_unknown_pool_is_an_input_error(tmp_path: Path) -> None:
    """It is said before the run, with a suggestion."""
    with pytest.raises(InputError) as caught:
        live(tmp_path, "    - {at: 1s, addNode: aa}\n")
    assert 'no pool "aa"' == caught.value.problems[0].message
    assert 'did you mean "a"?' == caught.value.problems[0].suggestion
