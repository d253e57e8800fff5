"""The scheduler's process, with a real API server and client."""

from __future__ import annotations

from typing import Any

from kubesim.api.corev1 import Node, Pod
from kubesim.controlplane.scheduler.testing import node, pod
from kubesim.facts import PodAttempted, PodBound, StartupPhaseEnded
from kubesim.sim.time import MILLISECOND, MINUTE, SECOND


def test_pods_are_bound_one_cycle_apart(cluster: Any) -> None:
    """Each pod takes a watch, a cycle and a binding; the next cycle does not wait for the binding."""
    cluster.api.create(node("n1"))
    cluster.api.create(pod("a"))
    cluster.api.create(pod("b"))

    cluster.run(SECOND)

    bound = [(at_ns, fact.name) for at_ns, fact in cluster.sim.journal.of(PodBound)]
    assert [(6 * MILLISECOND, "a"), (9 * MILLISECOND, "b")] == bound
    assert ["Successfully assigned default/a to n1", "Successfully assigned default/b to n1"] == (
        cluster.messages("Scheduled")
    )


def test_startup_phases_follow_each_other(cluster: Any) -> None:
    """Queue, schedule and bind of a pod leave no gap between them."""
    cluster.api.create(node("n1"))
    cluster.api.create(pod("a"))

    cluster.run(SECOND)

    phases = [(f.phase, f.began_ns, at) for at, f in cluster.sim.journal.of(StartupPhaseEnded)]
    assert [
        ("queue", 0, 1 * MILLISECOND),
        ("schedule", 1 * MILLISECOND, 4 * MILLISECOND),
        ("bind", 4 * MILLISECOND, 6 * MILLISECOND),
    ] == phases


def test_pod_that_fits_nowhere_is_told_why(cluster: Any) -> None:
    """The condition, the event and the fact carry upstream's sentence."""
    cluster.api.create(node("n1", cpu="1"))
    cluster.api.create(node("n2", taints=[{"key": "a", "effect": "NoSchedule"}]))
    cluster.api.create(pod("big", cpu="2"))

    cluster.run(SECOND)

    expected = (
        "0/2 nodes are available: 1 Insufficient cpu, 1 node(s) had untolerated taint(s). "
        "no new claims to deallocate, preemption: 0/2 nodes are available: "
        "2 Preemption is not helpful for scheduling."
    )
    condition = cluster.pod("big").status.conditions[0]
    assert ("PodScheduled", "False", "Unschedulable", expected) == (
        condition.type,
        condition.status,
        condition.reason,
        condition.message,
    )
    assert [expected] == cluster.messages("FailedScheduling")
    assert [expected] == [fact.message for _at, fact in cluster.sim.journal.of(PodAttempted)]


def test_new_node_ends_the_wait(cluster: Any) -> None:
    """A pending pod is tried again when a node comes on which it would fit."""
    cluster.api.create(node("n1", cpu="1"))
    cluster.api.create(pod("big", cpu="2"))
    cluster.run(20 * SECOND)

    cluster.api.create(node("n2", cpu="1"))
    cluster.run(20 * SECOND)
    assert None is cluster.pod("big").spec.node_name
    assert 1 == len(list(cluster.sim.journal.of(PodAttempted)))

    cluster.api.create(node("n3"))
    cluster.run(SECOND)
    assert "n3" == cluster.pod("big").spec.node_name


def test_room_made_by_a_deleted_pod_is_used(cluster: Any) -> None:
    """A pending pod is tried again when a pod leaves."""
    cluster.api.create(node("n1", cpu="1"))
    cluster.api.create(pod("first", cpu="1"))
    cluster.api.create(pod("second", cpu="1"))
    cluster.run(5 * SECOND)
    assert None is cluster.pod("second").spec.node_name

    cluster.api.delete(Pod, "default/first", grace_period_seconds=0)
    cluster.run(SECOND)

    assert "n1" == cluster.pod("second").spec.node_name


def test_uncordoned_node_takes_pods(cluster: Any) -> None:
    """Lifting a cordon wakes the pods that it refused."""
    cluster.api.create(node("n1", unschedulable=True))
    cluster.api.create(pod("a"))
    cluster.run(5 * SECOND)

    cluster.api.patch(
        Node, "n1", lambda obj: obj.replace(spec=obj.spec.replace(unschedulable=None))
    )
    cluster.run(SECOND)

    assert "n1" == cluster.pod("a").spec.node_name


def test_gated_pod_waits_for_its_gates(cluster: Any) -> None:
    """A pod with scheduling gates is not tried until they are gone."""
    cluster.api.create(node("n1"))
    cluster.api.create(pod("a", schedulingGates=[{"name": "example.com/a"}]))
    cluster.run(10 * MINUTE)
    assert None is cluster.pod("a").spec.node_name
    assert [] == cluster.messages("FailedScheduling")

    cluster.api.patch(
        Pod, "default/a", lambda obj: obj.replace(spec=obj.spec.replace(scheduling_gates=()))
    )
    cluster.run(SECOND)

    assert "n1" == cluster.pod("a").spec.node_name


def test_other_schedulers_pods_are_left_alone(cluster: Any) -> None:
    """A pod that asks for another scheduler is neither placed nor marked."""
    cluster.api.create(node("n1"))
    cluster.api.create(pod("a", schedulerName="other"))

    cluster.run(SECOND)

    assert (None, ()) == (cluster.pod("a").spec.node_name, cluster.pod("a").status.conditions)


def test_pending_pod_is_flushed_after_five_minutes(cluster: Any) -> None:
    """A pod that nothing helps is tried again on the 30 s grid after 5 minutes, not before."""
    cluster.api.create(node("n1", cpu="1"))
    cluster.api.create(pod("big", cpu="2"))

    cluster.run(330 * SECOND - MILLISECOND)
    assert 1 == len(list(cluster.sim.journal.of(PodAttempted)))
    cluster.run(10 * MILLISECOND)
    assert 2 == len(list(cluster.sim.journal.of(PodAttempted)))


def test_pod_that_vanishes_while_it_is_bound_is_forgotten(cluster: Any) -> None:
    """A binding that fails because the pod is gone gives the room back."""
    cluster.api.create(node("n1", cpu="1"))
    cluster.api.create(pod("a", cpu="1"))
    cluster.run(5 * MILLISECOND)

    cluster.api.delete(Pod, "default/a")
    cluster.api.create(pod("b", cpu="1"))
    cluster.run(2 * SECOND)

    assert "n1" == cluster.pod("b").spec.node_name


def test_nodes_that_come_later_than_pods(cluster: Any) -> None:
    """Without any node a pod is told so, and tried again with a growing delay."""
    cluster.api.create(pod("a"))
    cluster.run(10 * SECOND)

    assert "no nodes available to schedule pods" == cluster.pod("a").status.conditions[0].message
    attempts = [at // SECOND for at, _fact in cluster.sim.journal.of(PodAttempted)]
    assert [0, 2, 5] == attempts
    cluster.api.create(node("n1"))
    cluster.run(10 * SECOND)
    assert "n1" == cluster.pod("a").spec.node_name
