"""Plugins that are not part of kube-scheduler: GPU shares and gangs."""

from __future__ import annotations

from typing import Any

import pytest

from kubesim.api.corev1 import Node, Pod
from kubesim.api.metav1 import KubeObject
from kubesim.cluster.admitting import admitted
from kubesim.controlplane.scheduler.config import KubeSchedulerConfiguration
from kubesim.controlplane.scheduler.contrib.coscheduling import GROUP, MIN_AVAILABLE
from kubesim.controlplane.scheduler.contrib.gpushare import COUNT, MILLI, MODEL
from kubesim.controlplane.scheduler.oneshot import OneShot, Outcome
from kubesim.controlplane.scheduler.testing import node, pod


def config(plugin: str, weight: int = 50) -> KubeSchedulerConfiguration:
    """The default profile with one plugin more."""
    enabled = {"multiPoint": {"enabled": [{"name": plugin, "weight": weight}]}}
    return KubeSchedulerConfiguration.model_validate({"profiles": [{"plugins": enabled}]})


def placed(plugin: str, *objects: KubeObject, **more: Any) -> Outcome:
    """The outcome of one shot."""
    return OneShot(admitted(objects).objects, config=config(plugin), **more).run()


def gpu_node(name: str, gpus: int, model: str = "T4") -> Node:
    """A node with GPUs."""
    return node(name, cpu="64", memory="256Gi", labels={MODEL: model}, extra={COUNT: str(gpus)})


def task(name: str, count: int = 1, milli: int = 1000, model: str = "", **spec: Any) -> Pod:
    """A pod that wants GPUs."""
    made = pod(name, **spec)
    annotations = {COUNT: str(count), MILLI: str(milli), MODEL: model}
    return made.replace(metadata=made.metadata.replace(annotations=annotations))


def where(outcome: Outcome) -> dict[str, str | None]:
    """The nodes by pod."""
    return {key.partition("/")[2]: state.get("node") for key, state in outcome.final.items()}


def test_a_share_lies_on_one_gpu() -> None:
    """Two halves fill a GPU; 600 and 600 of a thousand need two."""
    outcome = placed("GpuShare", gpu_node("n", 1), task("a", milli=600), task("b", milli=600))
    assert {"a": "n", "b": None} == where(outcome)
    assert "1 Insufficient GPU" in outcome.final["default/b"]["message"]
    halves = placed("GpuShare", gpu_node("n", 1), task("a", milli=500), task("b", milli=500))
    assert {"a": "n", "b": "n"} == where(halves)


def test_shares_are_packed() -> None:
    """A share goes where it leaves the least over, and so whole GPUs stay whole."""
    nodes = [gpu_node("n1", 2), gpu_node("n2", 2)]
    outcome = placed(
        "GpuShare", *nodes, task("a", milli=700), task("b", milli=300), task("four", count=2)
    )
    assert where(outcome)["a"] == where(outcome)["b"] != where(outcome)["four"]


def test_models_are_heeded() -> None:
    """A pod that names models runs on one of them, and nodes without are told."""
    nodes = [gpu_node("t4", 1), gpu_node("v100", 1, "V100M32"), node("plain")]
    outcome = placed(
        "GpuShare", *nodes, task("a", model="V100M16|V100M32"), task("b", model="A100")
    )
    assert {"a": "v100", "b": None} == where(outcome)
    message = outcome.final["default/b"]["message"]
    assert "3 node(s) had no GPU of the wanted model" in message


def test_pods_without_gpus_leave_them_alone() -> None:
    """A pod that wants no GPU goes where none would lie idle."""
    outcome = placed("GpuShare", gpu_node("gpus", 8), node("plain"), pod("p"))
    assert {"p": "plain"} == where(outcome)


@pytest.mark.parametrize("seed", range(3))
def test_columns_and_nodes_say_the_same(seed: int) -> None:
    """All nodes at once and one after the other give the same placements."""
    objects: list[KubeObject] = [
        gpu_node(f"n{i}", (i * 7 + seed) % 5, ("T4", "P100")[i % 2]) for i in range(9)
    ]
    for i in range(50):
        number = i * 13 + seed
        kind = number % 4
        if kind == 0:
            objects.append(pod(f"p{i}"))
        elif kind == 1:
            objects.append(task(f"p{i}", count=1 + number % 3))
        else:
            model = ("", "T4", "P100|T4")[number % 3]
            objects.append(task(f"p{i}", milli=100 + 50 * (number % 15), model=model))
    slow = placed("GpuShare", *objects, observe=lambda _attempt: None)
    assert slow == placed("GpuShare", *objects)


def member(name: str, needed: int, cpu: str = "1") -> Pod:
    """A pod of the gang ``g``."""
    made = pod(name, cpu=cpu, labels={GROUP: "g"})
    return made.replace(metadata=made.metadata.replace(annotations={MIN_AVAILABLE: str(needed)}))


def test_a_complete_gang_is_placed() -> None:
    """Members wait for each other and are bound together."""
    outcome = placed("Coscheduling", node("n", cpu="4"), *[member(f"m{i}", 3) for i in range(3)])
    assert {"m0": "n", "m1": "n", "m2": "n"} == where(outcome)


def test_an_incomplete_gang_holds_nothing() -> None:
    """A gang that does not fit as a whole leaves its room to others."""
    outcome = placed(
        "Coscheduling",
        node("n", cpu="2"),
        *[member(f"m{i}", 3) for i in range(3)],
        pod("single", cpu="2"),
    )
    assert {"m0": None, "m1": None, "m2": None, "single": "n"} == where(outcome)


def test_a_gang_with_too_few_members_waits() -> None:
    """Two of three are there: nobody is bound, and the pods say why."""
    outcome = placed("Coscheduling", node("n"), member("m0", 3), member("m1", 3))
    assert {"m0": None, "m1": None} == where(outcome)
    assert "at plugin Coscheduling" in outcome.final["default/m0"]["message"]
