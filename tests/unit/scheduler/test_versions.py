"""What older kube-schedulers do otherwise."""

from __future__ import annotations

from typing import Any

import pytest

from kubesim.controlplane.scheduler.config import KubeSchedulerConfiguration
from kubesim.controlplane.scheduler.engine import Engine
from kubesim.controlplane.scheduler.framework.listers import ObjectLister
from kubesim.controlplane.scheduler.schedule_one import Attempt
from kubesim.controlplane.scheduler.testing import node, pod
from kubesim.errors import InputError
from kubesim.sim import Rng


def engine(version: str, **more: Any) -> Engine:
    """A scheduler of a version, with one worker."""
    return Engine(
        config=KubeSchedulerConfiguration(parallelism=1),
        lister=ObjectLister(),
        clock=lambda: 0,
        fast=False,
        version=version,
        **more,
    )


def attempt(version: str, *, nodes: Any, **spec: Any) -> Attempt:
    """One attempt on empty nodes."""
    made = engine(version)
    for item in nodes:
        made.cache.add_node(item)
    return made.schedule(made.pod_infos.of(pod("p", **spec)))


@pytest.mark.parametrize(("version", "score"), [("1.31", 87), ("1.35", 87), ("1.36", 68)])
def test_balance_is_measured_otherwise(version: str, score: int) -> None:
    """Up to 1.35 the balance with the pod counts, since 1.36 what the pod changes."""
    nodes = [node(name, cpu="4", memory="8Gi") for name in ("a", "b")]
    made = attempt(version, nodes=nodes, cpu="1", memory=None)

    assert made.scores is not None
    assert [score, score] == made.scores.raw["NodeResourcesBalancedAllocation"]


@pytest.mark.parametrize(("version", "scored"), [("1.32", True), ("1.33", False)])
def test_pods_without_requests(version: str, scored: bool) -> None:
    """Since 1.33 the balance does not count for pods that ask for nothing."""
    made = attempt(version, nodes=[node("a"), node("b")], cpu=None)

    assert made.scores is not None
    assert scored == ("NodeResourcesBalancedAllocation" in made.scores.raw)


@pytest.mark.parametrize(
    ("version", "message"),
    [
        (
            "1.33",
            (
                "0/2 nodes are available: 1 Insufficient cpu, 1 node(s) had untolerated taint {a: b}. "
                "preemption: 0/2 nodes are available: 1 No preemption victims found for incoming pod, "
                "1 Preemption is not helpful for scheduling."
            ),
        ),
        (
            "1.34",
            (
                "0/2 nodes are available: 1 Insufficient cpu, 1 node(s) had untolerated taint(s). "
                "no new claims to deallocate, preemption: 0/2 nodes are available: "
                "2 Preemption is not helpful for scheduling."
            ),
        ),
    ],
)
def test_refusals_are_worded_otherwise(version: str, message: str) -> None:
    """Taints were named, too big was not final, and device claims were nobody's business."""
    taints = [{"key": "a", "value": "b", "effect": "NoSchedule"}]
    nodes = [node("small", cpu="1"), node("tainted", taints=taints)]

    assert message == attempt(version, nodes=nodes, cpu="2").message


@pytest.mark.parametrize(("version", "winners"), [("1.34", 3), ("1.35", 1)])
def test_winner_among_equals(version: str, winners: int) -> None:
    """Up to 1.34 the winner among equals is drawn."""
    made = engine(version, rng=lambda name: Rng(1, name))
    for name in "abc":
        made.cache.add_node(node(name))
    info = made.pod_infos.of(pod("p"))

    assert winners == len({made.schedule(info).selected for _attempt in range(50)})


def test_unknown_version_is_an_input_error() -> None:
    """A version that nobody looked at is refused, with those that are known."""
    with pytest.raises(InputError, match=r'no kube-scheduler version "1.2"; there are 1.31'):
        engine("1.2")
