"""Pods that are held back before they are bound."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from typing_extensions import override

from kubesim.api.corev1 import Pod
from kubesim.api.schedulingv1 import PriorityClass
from kubesim.controlplane.scheduler.framework.interface import PermitPlugin
from kubesim.controlplane.scheduler.framework.status import Code, Status
from kubesim.controlplane.scheduler.framework.waiting import PodsToActivate
from kubesim.controlplane.scheduler.testing import node, pod
from kubesim.facts import PodAttempted, PodBound
from kubesim.sim.time import MILLISECOND, SECOND


class Gate(PermitPlugin):
    """Holds pods with a name that begins with ``w`` back for ten seconds."""

    name = "Gate"

    @override
    def permit(self, state: Any, info: Any, node_name: str) -> tuple[Status | None, int]:
        if info.pod.name.startswith("w"):
            return Status(Code.WAIT), 10 * SECOND
        activate = PodsToActivate()
        activate.uids["pending"] = None
        state.write(activate)
        return None, 0


@pytest.fixture
def gated(cluster: Any) -> Any:
    """A cluster with one node of one core, whose scheduler has the plugin."""
    framework = cluster.scheduler.engine.frameworks["default-scheduler"]
    framework.plugins = replace(framework.plugins, permit=(Gate(),))
    cluster.api.create(node("n1", cpu="1"))
    return cluster


def test_pod_waits_with_its_node_until_it_is_allowed(gated: Any) -> None:
    """A pod that is held back keeps its room, and is bound when the plugin lets it go."""
    gated.api.create(pod("waits", cpu="1"))
    gated.run(3 * SECOND)
    gated.api.create(pod("late", cpu="1"))
    gated.run(2 * SECOND)
    (waiting,) = gated.scheduler.engine.waiting_pods

    assert None is gated.pod("waits").spec.node_name
    assert ("n1", ("Gate",)) == (waiting.node_name, waiting.pending_plugins)
    assert None is gated.pod("late").spec.node_name
    waiting.allow("Gate")
    gated.run(SECOND)
    assert "n1" == gated.pod("waits").spec.node_name
    assert [5 * SECOND + 2 * MILLISECOND] == [at for at, _ in gated.sim.journal.of(PodBound)]
    assert [] == list(gated.scheduler.engine.waiting_pods)


def test_pod_that_waits_too_long_is_turned_down(gated: Any) -> None:
    """The timeout takes the promise back, in upstream's words; others may have the room."""
    gated.api.create(pod("waits", cpu="1"))
    gated.run(SECOND)
    gated.api.create(pod("late", cpu="1"))
    gated.run(9 * SECOND + 100 * MILLISECOND)

    expected = (
        "0/1 nodes are available: 1 rejected due to timeout after waiting 10s at plugin Gate."
    )
    messages = [fact.message for _at, fact in gated.sim.journal.of(PodAttempted)]
    assert expected in messages
    gated.run(5 * SECOND)
    assert "n1" == gated.pod("late").spec.node_name


def test_rejection_comes_at_once(gated: Any) -> None:
    """A plugin that rejects a waiting pod is quoted."""
    gated.api.create(pod("waits", cpu="1"))
    gated.run(SECOND)
    (waiting,) = gated.scheduler.engine.waiting_pods

    assert waiting.reject("Gate", "the others will not come")
    assert not waiting.reject("Gate", "again")
    gated.run(10 * MILLISECOND)
    message = gated.pod("waits").status.conditions[0].message
    assert "0/1 nodes are available: 1 the others will not come." == message


def test_pod_that_is_deleted_while_it_waits_leaves_no_trace(gated: Any) -> None:
    """Its room is free at once."""
    gated.api.create(pod("waits", cpu="1"))
    gated.run(SECOND)
    gated.api.delete(Pod, "default/waits")
    gated.api.create(pod("late", cpu="1"))
    gated.run(SECOND)

    assert "n1" == gated.pod("late").spec.node_name
    assert [] == list(gated.scheduler.engine.waiting_pods)


def test_preempted_pod_that_waits_goes_back_into_the_queue(gated: Any) -> None:
    """Nobody else knows of its node, so there is nothing to delete."""
    gated.api.create(pod("waits", cpu="1"))
    gated.run(SECOND)
    gated.api.create(PriorityClass.model_validate({"metadata": {"name": "high"}, "value": 10}))
    gated.api.create(pod("boss", cpu="1", priorityClassName="high"))
    gated.run(5 * SECOND)

    assert "n1" == gated.pod("boss").spec.node_name
    assert None is gated.pod("waits").metadata.deletion_timestamp
    (event,) = gated.messages("Preempted")
    assert event.endswith("on node n1 (in kube-scheduler memory).")
