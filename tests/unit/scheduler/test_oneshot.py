"""Placing pods in one shot: order, room, budgets, and the words for what has no place."""

from __future__ import annotations

from typing import Any

from kubesim.api.corev1 import Pod
from kubesim.api.metav1 import KubeObject
from kubesim.api.policyv1 import PodDisruptionBudget
from kubesim.cluster.admitting import admitted
from kubesim.controlplane.scheduler.config import KubeSchedulerConfiguration
from kubesim.controlplane.scheduler.explain import verdict, verdict_lines
from kubesim.controlplane.scheduler.oneshot import OneShot, Outcome, largest_first
from kubesim.controlplane.scheduler.schedule_one import Attempt
from kubesim.controlplane.scheduler.testing import node, pod
from kubesim.sim.time import SECOND

CONFIG = KubeSchedulerConfiguration()
TAINT = {"key": "k", "value": "v", "effect": "NoSchedule"}


def placed(*objects: KubeObject, **more: Any) -> Outcome:
    """The outcome of one shot."""
    return OneShot(admitted(objects).objects, config=CONFIG, **more).run()


def running(name: str, on: str, **more: Any) -> Pod:
    """A pod that has a node."""
    return pod(name, nodeName=on, **more)


def test_pods_go_by_priority_then_by_order() -> None:
    """The most important pod is first, equals are in the order of the files."""
    pods = [pod("a"), pod("b", priority=10), pod("c"), pod("d", priority=10)]
    outcome = placed(node("n1"), node("n2"), *pods)
    assert ["b", "d", "a", "c"] == [key.partition("/")[2] for key, _ in outcome.bind_order]


def test_pods_with_a_node_take_their_room() -> None:
    """A pod that is bound counts as placed, wherever in the file it stands."""
    outcome = placed(node("n1", cpu="1"), pod("new", cpu="600m"), running("old", "n1", cpu="600m"))
    assert "pending" == outcome.final["default/new"]["state"]
    assert {"state": "bound", "node": "n1"} == outcome.final["default/old"]
    assert [] == outcome.bind_order


def test_pods_that_ended_take_no_room() -> None:
    """A pod that succeeded is no longer there for the scheduler."""
    old = running("old", "n1", cpu="600m")
    ended = old.replace(status=old.status.replace(phase="Succeeded"))
    outcome = placed(node("n1", cpu="1"), ended, pod("new", cpu="600m"))
    assert {"state": "bound", "node": "n1"} == outcome.final["default/new"]
    assert {"state": "succeeded", "node": "n1"} == outcome.final["default/old"]


def test_a_more_important_pod_makes_room() -> None:
    """Victims are gone at once, and the pod takes their place."""
    outcome = placed(
        node("n1", cpu="1"), running("old", "n1", cpu="600m"), pod("vip", cpu="600m", priority=9)
    )
    assert {"state": "bound", "node": "n1"} == outcome.final["default/vip"]
    assert {"state": "deleted", "node": "n1"} == outcome.final["default/old"]
    assert ["default/old"] == outcome.deleted


def test_budgets_steer_preemption() -> None:
    """The node whose victim no budget protects is preferred, with the budget counted from the pods."""
    budget = PodDisruptionBudget.model_validate(
        {
            "metadata": {"name": "b", "namespace": "default"},
            "spec": {"minAvailable": 1, "selector": {"matchLabels": {"app": "x"}}},
        }
    )
    outcome = placed(
        node("n1", cpu="1"),
        node("n2", cpu="1"),
        running("kept", "n1", cpu="600m", labels={"app": "x"}),
        running("gone", "n2", cpu="600m"),
        budget,
        pod("vip", cpu="600m", priority=9),
    )
    assert ["default/gone"] == outcome.deleted


def test_a_pod_may_wait_for_one_that_comes_later() -> None:
    """A pod that must be near another is tried again when the other was placed."""
    near = {
        "podAffinity": {
            "requiredDuringSchedulingIgnoredDuringExecution": [
                {
                    "topologyKey": "kubernetes.io/hostname",
                    "labelSelector": {"matchLabels": {"app": "x"}},
                }
            ]
        }
    }
    outcome = placed(
        node("n1"), node("n2"), pod("first", affinity=near), pod("second", labels={"app": "x"})
    )
    where = outcome.final["default/second"]["node"]
    assert {"state": "bound", "node": where} == outcome.final["default/first"]


def test_what_is_not_placed_says_why() -> None:
    """Pending pods have upstream's message, gated ones theirs, strangers none."""
    outcome = placed(
        node("n1", cpu="1"),
        pod("big", cpu="2"),
        pod("gated", schedulingGates=[{"name": "g"}]),
        pod("stranger", schedulerName="other"),
    )
    assert {
        "state": "pending",
        "reason": "Unschedulable",
        "message": "0/1 nodes are available: 1 Insufficient cpu. no new claims to deallocate, "
        "preemption: 0/1 nodes are available: 1 Preemption is not helpful for scheduling.",
    } == outcome.final["default/big"]
    assert "gated" == outcome.final["default/gated"]["state"]
    assert {"state": "pending", "reason": None, "message": None} == outcome.final[
        "default/stranger"
    ]


def test_looking_on_changes_nothing() -> None:
    """With an observer the reference path decides, and decides the same."""
    objects = [node(f"n{i}", cpu=f"{1 + i % 3}") for i in range(7)]
    pods = [pod(f"p{i}", cpu=f"{100 + 37 * (i % 5)}m") for i in range(60)]
    seen: list[Attempt] = []
    watched = placed(*objects, *pods, observe=seen.append)
    assert placed(*objects, *pods) == watched
    assert 60 <= len(seen)


def test_a_verdict_groups_nodes_by_plugin_and_reason() -> None:
    """The tree has a branch a plugin, a twig a reason, with the nodes it is about."""
    seen: list[Attempt] = []
    nodes = [node("n1", cpu="1"), node("n2", cpu="1"), node("n3", taints=[TAINT])]
    placed(*nodes, pod("big", cpu="2"), observe=seen.append)
    tree = verdict(seen[0])
    assert [("NodeResourcesFit", ["n1", "n2"]), ("TaintToleration", ["n3"])] == [
        (group["plugin"], group["nodes"]) for group in tree["refused"]
    ]
    lines = list(verdict_lines(tree))
    assert "default/big -> no node (0 of 3 nodes fit)" == lines[0]
    assert "│  └─ Insufficient cpu: 2 nodes (n1, n2)" in lines


def test_a_verdict_names_the_best_nodes_by_plugin() -> None:
    """Of the nodes that fit the chosen one comes first, with what each plugin gave it."""
    seen: list[Attempt] = []
    placed(node("n1", cpu="1"), node("n2", cpu="4"), pod("p"), observe=seen.append)
    best = verdict(seen[0])["scores"][0]
    assert ("n2", best["total"]) == (best["node"], sum(best["plugins"].values()))


def test_admission_is_applied_once() -> None:
    """A new pod gets the default tolerations; one that a real API server admitted is left alone."""
    new = pod("new").replace(metadata=pod("new").metadata.replace(uid=None))
    old = pod("old")
    result = admitted([new, old])
    tolerations = [len(obj.spec.tolerations) for obj in result.objects if isinstance(obj, Pod)]
    assert [2, 0] == tolerations


def test_admission_refuses_what_an_api_server_refuses() -> None:
    """A pod with an unknown class is not placed, and the refusal is the API server's."""
    lost = pod("lost", priorityClassName="nope")
    result = admitted([lost.replace(metadata=lost.metadata.replace(uid=None))])
    assert {
        "default/lost": 'pods "lost" is forbidden: no PriorityClass with name nope was found'
    } == result.rejected


def test_the_largest_pods_come_first() -> None:
    """In order of size pods come last, the one with the largest share of the cluster first."""
    machine = node("machine", cpu="8", memory="64Gi")
    small, large = pod("small", cpu="1"), pod("large", cpu="6")
    greedy = pod("greedy", cpu="1", memory="60Gi")

    ordered = largest_first([small, machine, large, greedy])

    assert ["machine", "greedy", "large", "small"] == [obj.name for obj in ordered]


def test_a_pod_that_leaves_makes_room_for_one_that_waits() -> None:
    """Who came too late is placed as soon as somebody went."""
    early, late = admitted([pod("early", cpu="3"), pod("late", cpu="3")]).objects
    assert isinstance(early, Pod)
    run = OneShot(admitted([node("n1", cpu="4"), early, late]).objects, config=CONFIG)
    run.settle()
    run.leave(early.uid)
    run.sleep_until(60 * SECOND)
    run.settle()
    assert [("default/early", "n1"), ("default/late", "n1")] == run.outcome().bind_order
