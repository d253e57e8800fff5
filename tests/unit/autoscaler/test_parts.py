"""The Cluster Autoscaler's rules by themselves."""

import pytest

from kubesim.api.corev1 import Pod
from kubesim.api.policyv1 import PodDisruptionBudget
from kubesim.controlplane.autoscaler.clusterautoscaler.backoff import Backoff
from kubesim.controlplane.autoscaler.simulator import Drainability, drainability
from kubesim.controlplane.autoscaler.simulator.drainability import DrainRules
from kubesim.sim.time import HOUR, MINUTE

OWNED = {
    "kind": "ReplicaSet",
    "apiVersion": "apps/v1",
    "name": "r",
    "uid": "u",
    "controller": True,
}


def pod(namespace: str = "default", **given: object) -> Pod:
    """A pod of a ReplicaSet, changed as given."""
    metadata: dict[str, object] = {
        "name": "p", "namespace": namespace, "labels": {"app": "p"}, "ownerReferences": [OWNED]
    }  # fmt: skip
    spec: dict[str, object] = {"containers": [{"name": "c", "image": "i"}]}
    metadata.update(given.pop("metadata", {}))  # type: ignore[call-overload]
    spec.update(given.pop("spec", {}))  # type: ignore[call-overload]
    return Pod.model_validate({"metadata": metadata, "spec": spec, **given})


def budget(namespace: str, allowed: int) -> PodDisruptionBudget:
    """A budget of the pod's."""
    return PodDisruptionBudget.model_validate(
        {
            "metadata": {"name": "b", "namespace": namespace},
            "spec": {"selector": {"matchLabels": {"app": "p"}}},
            "status": {"disruptionsAllowed": allowed},
        }
    )


SAFE = {"annotations": {"cluster-autoscaler.kubernetes.io/safe-to-evict": "true"}}
UNSAFE = {"annotations": {"cluster-autoscaler.kubernetes.io/safe-to-evict": "false"}}
LISTED = {"annotations": {"cluster-autoscaler.kubernetes.io/safe-to-evict-local-volumes": "v"}}
EMPTY_DIR = {"volumes": [{"name": "v", "emptyDir": {}}]}
IN_MEMORY = {"volumes": [{"name": "v", "emptyDir": {"medium": "Memory"}}]}


@pytest.mark.parametrize(
    ("given", "budgets", "expected"),
    [
        (pod(), [], Drainability.DRAIN),
        (pod(metadata={"ownerReferences": []}), [], Drainability.NOT_REPLICATED),
        (pod(metadata={"ownerReferences": [], **SAFE}), [], Drainability.DRAIN),
        (pod(metadata={"ownerReferences": [{**OWNED, "kind": "DaemonSet"}]}), [],
         Drainability.SKIP),
        (pod(metadata={"ownerReferences": []}, status={"phase": "Failed"}), [],
         Drainability.DRAIN),
        (pod("kube-system"), [], Drainability.UNMOVABLE_SYSTEM_POD),
        (pod("kube-system"), [budget("kube-system", 1)], Drainability.DRAIN),
        (pod(metadata=UNSAFE), [], Drainability.NOT_SAFE_TO_EVICT),
        (pod(spec=EMPTY_DIR), [], Drainability.LOCAL_STORAGE),
        (pod(spec=EMPTY_DIR, metadata=LISTED), [], Drainability.DRAIN),
        (pod(spec=IN_MEMORY), [], Drainability.DRAIN),
        (pod(), [budget("default", 0)], Drainability.NOT_ENOUGH_PDB),
        (pod(), [budget("other", 0)], Drainability.DRAIN),
    ],
)  # fmt: skip
def test_what_lets_its_node_go(
    given: Pod, budgets: list[PodDisruptionBudget], expected: Drainability
) -> None:
    """The rules in order; the first with an opinion decides."""
    assert expected is drainability(given, budgets, DrainRules(), 0)


def test_rules_can_be_switched_off() -> None:
    """The flags about system pods and local storage."""
    rules = DrainRules(skip_nodes_with_system_pods=False, skip_nodes_with_local_storage=False)
    assert Drainability.DRAIN is drainability(pod("kube-system", spec=EMPTY_DIR), [], rules, 0)


def test_backoff_doubles_up_to_its_maximum_and_is_forgotten() -> None:
    """Five minutes, ten, twenty, thirty; three quiet hours later five again."""
    backoff = Backoff(initial_ns=5 * MINUTE, max_ns=30 * MINUTE, reset_ns=3 * HOUR)
    now_ns, took = 0, []
    for _ in range(4):
        backoff.failed("g", now_ns)
        until_ns = backoff.until_ns("g", now_ns)
        assert until_ns is not None
        took.append((until_ns - now_ns) // MINUTE)
        now_ns = until_ns + 1
    assert [5, 10, 20, 30] == took
    now_ns += 3 * HOUR
    backoff.failed("g", now_ns)
    assert now_ns + 5 * MINUTE == backoff.until_ns("g", now_ns)


def test_failures_at_the_same_time_are_one() -> None:
    """A second failure within the back-off does not double it."""
    backoff = Backoff(initial_ns=5 * MINUTE, max_ns=30 * MINUTE, reset_ns=3 * HOUR)
    backoff.failed("g", 0)
    backoff.failed("g", MINUTE)
    assert 6 * MINUTE == backoff.until_ns("g", MINUTE)
    backoff.succeeded("g")
    assert backoff.until_ns("g", MINUTE) is None
