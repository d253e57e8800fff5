"""What would make a pod fit, node by node."""

from __future__ import annotations

from typing import Any

import pytest

from kubesim.api.corev1 import Node, Pod
from kubesim.controlplane.scheduler.config import KubeSchedulerConfiguration
from kubesim.controlplane.scheduler.engine import Engine
from kubesim.controlplane.scheduler.framework.listers import ObjectLister
from kubesim.controlplane.scheduler.nearest import nearest
from kubesim.controlplane.scheduler.testing import node, pod

TAINT = {"key": "dedicated", "value": "gpu", "effect": "NoSchedule"}
NEEDS_SSD = {
    "nodeAffinity": {
        "requiredDuringSchedulingIgnoredDuringExecution": {
            "nodeSelectorTerms": [
                {"matchExpressions": [{"key": "disk", "operator": "In", "values": ["ssd"]}]}
            ]
        }
    }
}


def lacks(wanted: Pod, *nodes: Node, placed: tuple[Pod, ...] = ()) -> list[Any]:
    """Which nodes lack what."""
    engine = Engine(config=KubeSchedulerConfiguration(), lister=ObjectLister(), clock=lambda: 0)
    for one in nodes:
        engine.cache.add_node(one)
    for other in placed:
        engine.cache.add_pod(other)
    _, found = nearest(engine, engine.pod_infos.of(wanted))
    return [(lack.nodes, lack.missing) for lack in found]


def test_what_is_short_is_said_in_its_unit() -> None:
    """Cpu in thousandths, memory in binary units; what the pod could never have is told as such."""
    taken = pod("old", cpu="3", memory="1Gi", nodeName="n1")
    assert [
        (("n1",), ("500m cpu more",)),
        (("n2",), ("500m cpu more (it has 1 in all)", "1Gi memory more (it has 1Gi in all)")),
    ] == lacks(
        pod("p", cpu="1500m", memory="2Gi"),
        node("n1", cpu="4"),
        node("n2", cpu="1", memory="1Gi"),
        placed=(taken,),
    )


@pytest.mark.parametrize(
    ("wanted", "there", "missing"),
    [
        ({}, {"taints": [TAINT]}, "tolerate dedicated=gpu:NoSchedule"),
        ({"nodeSelector": {"a": "b"}}, {}, "label a=b"),
        ({"nodeSelector": {"a": "b"}}, {"labels": {"a": "c"}}, "label a=b (it is c)"),
        ({"affinity": NEEDS_SSD}, {}, "label disk In (ssd)"),
        ({}, {"unschedulable": True}, "uncordon the node"),
        ({}, {"pods": "0"}, "room for one pod more"),
    ],
)
def test_each_refusal_names_its_cure(
    wanted: dict[str, Any], there: dict[str, Any], missing: str
) -> None:
    """Every common refusal is put as what would lift it."""
    assert [(("n1",), (missing,))] == lacks(pod("p", **wanted), node("n1", **there))


def test_all_plugins_are_asked() -> None:
    """A node that is refused for two reasons lacks two things, and comes after one that lacks one."""
    found = lacks(
        pod("p", cpu="5"),
        node("both", taints=[TAINT]),
        node("one", cpu="4"),
        node("fits", cpu="8"),
    )
    assert ["fits", "one", "both"] == [nodes[0] for nodes, _ in found]
    assert ("tolerate dedicated=gpu:NoSchedule", "1 cpu more (it has 4 in all)") == found[2][1]


def test_nodes_that_lack_the_same_are_together() -> None:
    """One line for a pool of equal nodes."""
    nodes = [node(f"n{i}", taints=[TAINT]) for i in range(3)]
    assert [(("n0", "n1", "n2"), ("tolerate dedicated=gpu:NoSchedule",))] == lacks(
        pod("p"), *nodes
    )
