"""Making room, on both paths: what changes between two attempts is not overlooked."""

from __future__ import annotations

from typing import Any

import pytest

from kubesim.api.policyv1 import PodDisruptionBudget
from kubesim.controlplane.scheduler.config import KubeSchedulerConfiguration
from kubesim.controlplane.scheduler.engine import Engine
from kubesim.controlplane.scheduler.framework.listers import ObjectLister
from kubesim.controlplane.scheduler.schedule_one import Attempt
from kubesim.controlplane.scheduler.testing import node, pod

SECOND = 10**9
ZONE = "topology.kubernetes.io/zone"


class Room:
    """An engine over nodes of one core each."""

    def __init__(self, *, fast: bool, nodes: int = 2) -> None:
        self.now_ns = 1000 * SECOND
        self.lister = ObjectLister()
        self.engine = Engine(
            config=KubeSchedulerConfiguration(),
            lister=self.lister,
            clock=lambda: self.now_ns,
            fast=fast,
        )
        for i in range(nodes):
            labels = {ZONE: "ab"[i % 2]}
            self.engine.cache.add_node(node(f"n{i}", cpu="1", labels=labels))

    def run(self, name: str, node_name: str, *, cpu: str = "1", **spec: Any) -> None:
        """A pod is there, and has not started."""
        self.engine.cache.assume_pod(
            self.engine.pod_infos.of(pod(name, cpu=cpu, **spec)), node_name
        )

    def start(self, name: str, node_name: str, ago_s: int, *, cpu: str = "1") -> None:
        """A pod that is there has started."""
        made = pod(name, cpu=cpu)
        spec = made.spec.replace(node_name=node_name)
        status = made.status.replace(start_time=self.now_ns - ago_s * SECOND)
        self.engine.cache.update_pod(made.replace(spec=spec, status=status))

    def budgets(self, **allowed: int) -> None:
        """How many pods of each app may go."""
        for app, number in allowed.items():
            self.lister.put(
                PodDisruptionBudget.model_validate(
                    {
                        "metadata": {"name": app, "namespace": "default"},
                        "spec": {"selector": {"matchLabels": {"app": app}}},
                        "status": {"disruptionsAllowed": number},
                    }
                )
            )

    def try_(self, name: str, waits_for: str | None = None, **spec: Any) -> Attempt:
        """An attempt to place an important pod."""
        made = pod(name, **{"cpu": "1", "priority": 10, **spec})
        made = made.replace(status=made.status.replace(nominated_node_name=waits_for))
        return self.engine.schedule(self.engine.pod_infos.of(made))

    def evicts(self, name: str, **spec: Any) -> list[str]:
        """Who would have to make room."""
        result = self.try_(name, **spec).post_filter
        assert result is not None
        return [info.uid for info in result.victims.pods] if result.victims else []


@pytest.fixture(params=[False, True], ids=["reference", "fast"])
def room(request: pytest.FixtureRequest) -> Room:
    """Two nodes of one core, in two zones."""
    return Room(fast=request.param)


def test_budgets_that_change_change_the_victims(room: Room) -> None:
    """The pod whose budget allows it goes, as the budgets are now."""
    room.run("a", "n0", labels={"app": "a"})
    room.run("b", "n1", labels={"app": "b"})

    room.budgets(a=0, b=1)
    assert ["b"] == room.evicts("p")
    room.budgets(a=1, b=0)
    assert ["a"] == room.evicts("p")


def test_pod_that_started_last_goes(room: Room) -> None:
    """Of equal pods the one that started last is evicted; starting is heard of."""
    room.run("a", "n0")
    room.run("b", "n1")

    assert ["a"] == room.evicts("p")
    room.start("a", "n0", ago_s=5)
    assert ["b"] == room.evicts("p")
    room.start("b", "n1", ago_s=3)
    assert ["b"] == room.evicts("p")


def test_pod_that_has_not_started_becomes_the_younger_one(room: Room) -> None:
    """A pod that starts now and one that has not started are equals, but not for long."""
    room.run("full", "n1", priority=20)
    room.run("waits", "n0", cpu="500m")
    room.run("starts", "n0", cpu="500m")
    room.start("starts", "n0", ago_s=0, cpu="500m")

    assert ["starts"] == room.evicts("p", cpu="500m")
    room.now_ns += SECOND
    assert ["waits"] == room.evicts("p", cpu="500m")


def test_own_nomination_does_not_stand_in_the_way(room: Room) -> None:
    """A node kept for a pod is free for that pod, and for it alone."""
    room.run("full", "n1", priority=20)
    first = room.engine.pod_infos.of(pod("first", cpu="1", priority=10))
    room.engine.nominator.add(first, "n0")

    assert "" == room.try_("second").selected
    assert "n0" == room.try_("first").selected
    assert "" == room.try_("second").selected
    assert "n0" == room.try_("third", priority=11).selected
    assert "n0" == room.try_("first", waits_for="n0").selected


def test_nominated_pod_counts_for_its_node_only(room: Room) -> None:
    """A pod that waits for a node counts there, also where pods are spread."""
    constraint = {
        "maxSkew": 1,
        "topologyKey": ZONE,
        "whenUnsatisfiable": "DoNotSchedule",
        "labelSelector": {"matchLabels": {"app": "a"}},
    }
    spec = {"cpu": "100m", "labels": {"app": "a"}, "topologySpreadConstraints": [constraint]}
    room.engine.cache.assume_pod(room.engine.pod_infos.of(pod("x", **spec)), "n0")
    room.engine.cache.assume_pod(room.engine.pod_infos.of(pod("y", **spec)), "n1")
    waits = room.engine.pod_infos.of(pod("z", **{**spec, "priority": 10}))
    room.engine.nominator.add(waits, "n0")

    assert ["n1"] == list(room.try_("p", **spec).feasible)


@pytest.mark.parametrize("fast", [False, True], ids=["reference", "fast"])
def test_look_at_the_nominated_node_counts(fast: bool) -> None:
    """A nominated node that does not fit was looked at, although the search never came to it."""
    room = Room(fast=fast, nodes=300)
    last = room.engine.cache.node_infos[-1].name
    room.run("full", last, priority=20)

    attempt = room.try_("p", waits_for=last)

    assert 144 == len(attempt.feasible)
    assert 145 == attempt.evaluated_nodes
    assert 145 == room.engine.algorithm.next_start_node_index
