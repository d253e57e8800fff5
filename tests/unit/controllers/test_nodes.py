"""Lost nodes: how they are noticed, and when their pods go."""

from typing import Any

import pytest
from harness import EPOCH_NS, SECOND, Cluster, bound, node, pod

from kubesim.api.corev1 import Node, Pod, Taint, Toleration
from kubesim.api.podutil import get_node_condition, get_pod_condition, is_pod_ready
from kubesim.controlplane.controllers import NodeLifecycleController, TaintEvictionController
from kubesim.controlplane.controllers.tainteviction import tolerated_for

UNREACHABLE = "node.kubernetes.io/unreachable"
NO_EXECUTE = Taint(key="dedicated", effect="NoExecute")


@pytest.fixture
def cluster() -> Cluster:
    return Cluster()


@pytest.fixture
def lifecycle(cluster: Cluster) -> NodeLifecycleController:
    client = cluster.client()
    TaintEvictionController(cluster.sim, client=client)
    cluster.api.create(node())
    return NodeLifecycleController(cluster.sim, client=client)


def taint(cluster: Cluster, *taints: Taint) -> None:
    cluster.update(Node, "n1", lambda n: n.replace(spec=n.spec.replace(taints=taints)))


def tolerating(seconds: int | None, key: str = "dedicated") -> dict[str, Any]:
    more = {} if seconds is None else {"tolerationSeconds": seconds}
    return {"key": key, "operator": "Exists", "effect": "NoExecute", **more}


def going(cluster: Cluster, name: str = "web") -> bool:
    return cluster.pod(name).metadata.deletion_timestamp is not None


@pytest.mark.parametrize(("renewed_s", "noticed_s"), [(1, 55), (5, 55), (7.5, 60), (0, 50)])
def test_a_silent_node_is_noticed_by_the_tenth_look(
    cluster: Cluster, lifecycle: NodeLifecycleController, renewed_s: float, noticed_s: float
) -> None:
    """50 seconds after the look that saw the last renewal, on the monitor's grid of 5 s."""
    cluster.run_to(renewed_s)
    lifecycle.node_silent("n1", last_renewal_ns=cluster.sim.now)
    cluster.run_to(noticed_s - 0.001)

    assert "True" == _ready(cluster)

    cluster.run_to(noticed_s + 0.1)

    assert "Unknown" == _ready(cluster)


def _ready(cluster: Cluster) -> str:
    condition = get_node_condition(cluster.api.get(Node, "n1").status, "Ready")
    assert condition is not None
    return condition.status


def test_a_lost_node_is_marked_with_its_pods(
    cluster: Cluster, lifecycle: NodeLifecycleController
) -> None:
    """Conditions are unknown, two taints are there, pods are not ready, and events say so."""
    cluster.api.create(bound())
    cluster.set_ready("web")
    cluster.run_to(1)
    lifecycle.node_silent("n1", last_renewal_ns=cluster.sim.now)
    cluster.run_to(56)
    lost = cluster.api.get(Node, "n1")
    condition = get_node_condition(lost.status, "Ready")
    assert condition is not None

    assert ("NodeStatusUnknown", "Kubelet stopped posting node status.") == (
        condition.reason,
        condition.message,
    )
    assert [(UNREACHABLE, "NoSchedule"), (UNREACHABLE, "NoExecute")] == [
        (t.key, t.effect) for t in lost.spec.taints
    ]
    assert not is_pod_ready(cluster.pod())
    assert ["Node n1 status is now: NodeNotReady"] == [
        m for m in cluster.events("NodeNotReady") if m.startswith("Node n1")
    ]
    assert "Node is not ready" in cluster.events("NodeNotReady")


def test_pods_of_a_lost_node_are_evicted_five_minutes_later(
    cluster: Cluster, lifecycle: NodeLifecycleController
) -> None:
    """The two default tolerations hold for 300 s; the object then waits for a kubelet, for ever."""
    cluster.api.create(bound())
    cluster.set_ready("web")
    lifecycle.node_silent("n1", last_renewal_ns=0)
    cluster.run_to(349.9)

    assert not going(cluster)

    cluster.run_to(351)
    disruption = get_pod_condition(cluster.pod().status, "DisruptionTarget")
    assert disruption is not None

    assert going(cluster)
    assert "DeletionByTaintManager" == disruption.reason

    cluster.run_to(1000)

    assert going(cluster)


def test_a_node_that_is_deleted_is_not_marked(
    cluster: Cluster, lifecycle: NodeLifecycleController
) -> None:
    """Nothing is said of a node that is not there any more."""
    lifecycle.node_silent("n1", last_renewal_ns=0)
    cluster.run(1)
    cluster.api.delete(Node, "n1")
    cluster.run(100)

    assert [] == cluster.events("NodeNotReady")


def test_a_pod_that_does_not_tolerate_goes_at_once(
    cluster: Cluster, lifecycle: NodeLifecycleController
) -> None:
    """And one that tolerates for ever stays."""
    cluster.api.create(bound())
    cluster.api.create(bound("stays", tolerations=[tolerating(None)]))
    cluster.run(1)
    taint(cluster, NO_EXECUTE)
    cluster.run(0.1)

    assert (True, False) == (going(cluster), going(cluster, "stays"))
    assert ["Marking for deletion Pod default/web"] == cluster.events("TaintManagerEviction")


def test_seconds_count_from_when_the_taint_was_seen(
    cluster: Cluster, lifecycle: NodeLifecycleController
) -> None:
    """Three seconds of toleration are three seconds."""
    cluster.api.create(bound(tolerations=[tolerating(3)]))
    cluster.run(1)
    taint(cluster, NO_EXECUTE)
    cluster.run(2.9)

    assert not going(cluster)

    cluster.run(0.2)

    assert going(cluster)


def test_a_pod_that_comes_to_an_old_taint_has_its_seconds(
    cluster: Cluster, lifecycle: NodeLifecycleController
) -> None:
    """Binding to a node that was tainted long ago begins the count, it does not end it."""
    taint(cluster, NO_EXECUTE.replace(time_added=EPOCH_NS))
    cluster.run(1000)
    cluster.api.create(pod(tolerations=[tolerating(10)]))
    cluster.api.bind("default/web", "n1")
    cluster.run(9.9)

    assert not going(cluster)

    cluster.run(0.2)

    assert going(cluster)


def test_a_taint_that_goes_in_time_harms_nobody(
    cluster: Cluster, lifecycle: NodeLifecycleController
) -> None:
    """The plan is cancelled, and a new taint begins a new count."""
    cluster.api.create(bound(tolerations=[tolerating(10)]))
    cluster.run(1)
    taint(cluster, NO_EXECUTE)
    cluster.run(6)
    taint(cluster)
    cluster.run(1)
    taint(cluster, NO_EXECUTE)
    cluster.run(8)

    assert not going(cluster)
    assert ["Cancelling deletion of Pod default/web"] == cluster.events("TaintManagerEviction")

    cluster.run(3)

    assert going(cluster)


def test_another_taint_does_not_begin_the_count_again(
    cluster: Cluster, lifecycle: NodeLifecycleController
) -> None:
    """The first count goes on, with the shortest of the tolerations."""
    cluster.api.create(bound(tolerations=[tolerating(10), tolerating(60, "second")]))
    cluster.run(1)
    taint(cluster, NO_EXECUTE)
    cluster.run(5)
    taint(cluster, NO_EXECUTE, NO_EXECUTE.replace(key="second"))
    cluster.run(5.2)

    assert going(cluster)


def test_no_schedule_evicts_nobody(cluster: Cluster, lifecycle: NodeLifecycleController) -> None:
    """Only NoExecute is about pods that are there."""
    cluster.api.create(bound())
    taint(cluster, Taint(key="dedicated", effect="NoSchedule"))
    cluster.run(10)

    assert not going(cluster)


def test_a_name_that_is_used_again_begins_anew(
    cluster: Cluster, lifecycle: NodeLifecycleController
) -> None:
    """The next pod of the name does not inherit the seconds of the one before."""
    taint(cluster, NO_EXECUTE)
    cluster.api.create(bound(tolerations=[tolerating(10)]))
    cluster.run(8)
    cluster.api.delete(Pod, "default/web", grace_period_seconds=0)
    cluster.run(1)
    cluster.api.create(bound(tolerations=[tolerating(10)]))
    cluster.run(8)

    assert not going(cluster)


@pytest.mark.parametrize(
    ("tolerations", "expected"),
    [
        ([], 0),
        ([tolerating(None)], None),
        ([tolerating(30)], 30 * SECOND),
        ([tolerating(30), tolerating(None)], 30 * SECOND),
        ([tolerating(-5)], 0),
        ([{"operator": "Exists"}], None),
    ],
)
def test_how_long_a_pod_may_stay(tolerations: list[dict[str, Any]], expected: int | None) -> None:
    """The shortest of the matching tolerations; no seconds are for ever."""
    wanted = bound().spec.replace(
        tolerations=tuple(Toleration.model_validate(t) for t in tolerations)
    )

    assert expected == tolerated_for(bound().replace(spec=wanted), (NO_EXECUTE,))
