"""Admission: RuntimeClass, priority, default tolerations; with the words of a real API server."""

from typing import Any

import pytest
from harness import Cluster, pod, quantities

from kubesim.api.corev1 import Pod, Toleration
from kubesim.api.metav1 import ObjectMeta
from kubesim.api.nodev1 import RuntimeClass
from kubesim.api.schedulingv1 import PriorityClass
from kubesim.controlplane.apiserver.admission.runtimeclass import _merge_tolerations
from kubesim.controlplane.apiserver.errors import Forbidden

NOT_READY = "node.kubernetes.io/not-ready"
UNREACHABLE = "node.kubernetes.io/unreachable"


@pytest.fixture
def cluster() -> Cluster:
    return Cluster()


def runtime_class(cluster: Cluster, name: str = "kata", **more: Any) -> None:
    body = {"metadata": {"name": name}, "handler": name, **more}
    cluster.api.create(RuntimeClass.model_validate(body))


def priority_class(cluster: Cluster, name: str, value: int, **more: Any) -> None:
    cluster.api.create(PriorityClass(metadata=ObjectMeta(name=name), value=value, **more))


def refusal(cluster: Cluster, wanted: Pod) -> str:
    with pytest.raises(Forbidden) as refused:
        cluster.api.create(wanted)
    return refused.value.message


def toleration(key: str | None = None, **more: Any) -> Toleration:
    return Toleration.model_validate({**({"key": key} if key else {}), **more})


def keys(created: Pod) -> list[str | None]:
    return [t.key for t in created.spec.tolerations]


def test_a_runtime_class_brings_its_scheduling_and_overhead(cluster: Cluster) -> None:
    """Its selector is merged in, its tolerations follow the pod's and the two defaults."""
    runtime_class(
        cluster,
        scheduling={
            "nodeSelector": {"runtime": "kata"},
            "tolerations": [{"key": "kata", "operator": "Exists", "effect": "NoSchedule"}],
        },
        overhead={"podFixed": {"memory": "120Mi"}},
    )
    own = [{"key": "own", "operator": "Exists"}]
    created = cluster.api.create(
        pod(runtimeClassName="kata", nodeSelector={"disk": "ssd"}, tolerations=own)
    )

    assert {"disk": "ssd", "runtime": "kata"} == dict(created.spec.node_selector)
    assert ["own", NOT_READY, UNREACHABLE, "kata"] == keys(created)
    assert quantities(memory="120Mi") == created.spec.overhead


def test_contradicting_selectors_are_refused(cluster: Cluster) -> None:
    """The class and the pod want different nodes."""
    runtime_class(cluster, scheduling={"nodeSelector": {"runtime": "kata"}})

    assert (
        'pods "conflict" is forbidden: conflict: runtimeClass.scheduling.nodeSelector[runtime] = '
        "kata; pod.spec.nodeSelector[runtime] = runc"
    ) == refusal(
        cluster, pod("conflict", runtimeClassName="kata", nodeSelector={"runtime": "runc"})
    )


def test_the_same_selector_twice_is_no_contradiction(cluster: Cluster) -> None:
    """Pod and class may agree."""
    runtime_class(cluster, scheduling={"nodeSelector": {"runtime": "kata"}})
    created = cluster.api.create(pod(runtimeClassName="kata", nodeSelector={"runtime": "kata"}))

    assert {"runtime": "kata"} == dict(created.spec.node_selector)


def test_an_absent_runtime_class_is_refused(cluster: Cluster) -> None:
    """A pod cannot name a class that nobody made."""
    assert 'pods "absent" is forbidden: pod rejected: RuntimeClass "nope" not found' == refusal(
        cluster, pod("absent", runtimeClassName="nope")
    )


def test_a_pod_without_a_name_is_refused_by_its_prefix(cluster: Cluster) -> None:
    """Names are generated after admission, so the message has what there is."""
    wanted = pod("", generateName="web-", runtimeClassName="nope")

    assert 'pods "web-" is forbidden: pod rejected: RuntimeClass "nope" not found' == refusal(
        cluster, wanted
    )


def test_overhead_belongs_to_the_class(cluster: Cluster) -> None:
    """A pod may repeat its class's overhead, and may not bring its own."""
    runtime_class(cluster, overhead={"podFixed": {"cpu": "250m"}})
    runtime_class(cluster, "plain")
    same = pod("same", runtimeClassName="kata", overhead={"cpu": "0.25"})
    unbacked = "pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead"

    assert quantities(cpu="250m") == cluster.api.create(same).spec.overhead
    assert (
        "pods \"web\" is forbidden: pod rejected: Pod's Overhead doesn't match RuntimeClass's "
        "defined Overhead"
    ) == refusal(cluster, pod(runtimeClassName="kata", overhead={"cpu": "1"}))
    assert f'pods "web" is forbidden: {unbacked}' == refusal(cluster, pod(overhead={"cpu": "1"}))
    assert f'pods "web" is forbidden: {unbacked}' == refusal(
        cluster, pod(runtimeClassName="plain", overhead={"cpu": "1"})
    )


EXISTS = {"operator": "Exists"}


@pytest.mark.parametrize(
    ("own", "added", "merged"),
    [
        pytest.param(
            [toleration("a", **EXISTS)], [toleration("b", **EXISTS)], [0, 1], id="different keys"
        ),
        pytest.param([toleration("a", **EXISTS)], [toleration("a", **EXISTS)], [0], id="equal"),
        pytest.param([toleration(**EXISTS)], [toleration("a", **EXISTS)], [0], id="wide first"),
        pytest.param([toleration("a", **EXISTS)], [toleration(**EXISTS)], [1], id="wide later"),
        pytest.param(
            [toleration("a", operator="Equal", value="x")], [toleration("a", **EXISTS)], [1],
            id="any value covers one value",
        ),
        pytest.param(
            [toleration("a", operator="Equal", value="x")],
            [toleration("a", operator="Equal", value="y")], [0, 1], id="two values",
        ),
        pytest.param(
            [toleration("a", effect="NoExecute", tolerationSeconds=300, **EXISTS)],
            [toleration("a", effect="NoExecute", tolerationSeconds=10, **EXISTS)], [0],
            id="longer covers shorter",
        ),
        pytest.param(
            [toleration("a", effect="NoExecute", tolerationSeconds=10, **EXISTS)],
            [toleration("a", effect="NoExecute", **EXISTS)], [1], id="for ever covers seconds",
        ),
        pytest.param(
            [toleration("a", effect="NoSchedule", **EXISTS)], [toleration("a", **EXISTS)], [1],
            id="any effect covers one effect",
        ),
    ],
)  # fmt: skip
def test_a_toleration_that_another_covers_is_dropped(
    own: list[Toleration], added: list[Toleration], merged: list[int]
) -> None:
    """Of equal ones the first stays; of a wide and a narrow one the wide one does."""
    every = [*own, *added]

    assert tuple(every[i] for i in merged) == _merge_tolerations(tuple(own), tuple(added))


def test_every_pod_tolerates_a_lost_node_for_five_minutes(cluster: Cluster) -> None:
    """The two defaults come in this order, with 300 seconds each."""
    created = cluster.api.create(pod())

    assert [NOT_READY, UNREACHABLE] == keys(created)
    assert {300} == {t.toleration_seconds for t in created.spec.tolerations}
    assert {"NoExecute"} == {t.effect for t in created.spec.tolerations}


@pytest.mark.parametrize(
    ("own", "expected"),
    [
        ({"key": NOT_READY, "operator": "Exists"}, [NOT_READY, UNREACHABLE]),
        ({"key": NOT_READY, "operator": "Exists", "effect": "NoSchedule"},
         [NOT_READY, NOT_READY, UNREACHABLE]),
        ({"operator": "Exists"}, [None]),
        ({"operator": "Exists", "effect": "NoSchedule"}, [None, NOT_READY, UNREACHABLE]),
    ],
)  # fmt: skip
def test_who_speaks_of_a_lost_node_keeps_their_word(
    cluster: Cluster, own: dict[str, str], expected: list[str | None]
) -> None:
    """A default is only added for a taint on which the pod is silent."""
    assert expected == keys(cluster.api.create(pod(tolerations=[own])))


def test_a_priority_class_becomes_a_number(cluster: Cluster) -> None:
    """Priority and preemption policy are written into the pod."""
    priority_class(cluster, "high", 1000, preemption_policy="Never")
    spec = cluster.api.create(pod(priorityClassName="high")).spec

    assert (1000, "Never") == (spec.priority, spec.preemption_policy)


def test_without_a_class_the_global_default_counts(cluster: Cluster) -> None:
    """Of several global defaults the lowest; without any it is 0."""
    none = cluster.api.create(pod("none")).spec
    priority_class(cluster, "b", 20, global_default=True)
    priority_class(cluster, "a", 10, global_default=True)
    some = cluster.api.create(pod("some")).spec

    assert (0, "PreemptLowerPriority", None) == (
        none.priority,
        none.preemption_policy,
        none.priority_class_name or None,
    )
    assert (10, "a") == (some.priority, some.priority_class_name)


def test_an_unknown_priority_class_is_refused(cluster: Cluster) -> None:
    """The words are the real ones."""
    assert 'pods "web" is forbidden: no PriorityClass with name nope was found' == refusal(
        cluster, pod(priorityClassName="nope")
    )


def test_a_number_that_is_not_the_classs_is_refused(cluster: Cluster) -> None:
    """Nobody gives themselves a priority."""
    priority_class(cluster, "low", 5)

    assert (
        'pods "web" is forbidden: the integer value of priority (7) must not be provided in pod '
        "spec; priority admission controller computed 5 from the given PriorityClass name"
    ) == refusal(cluster, pod(priorityClassName="low", priority=7))
    assert (
        'pods "web" is forbidden: the string value of PreemptionPolicy (Never) must not be '
        "provided in pod spec; priority admission controller computed PreemptLowerPriority from "
        "the given PriorityClass name"
    ) == refusal(cluster, pod(priorityClassName="low", preemptionPolicy="Never"))


def test_admission_comes_before_the_name_is_looked_up(cluster: Cluster) -> None:
    """A pod that admission refuses is Forbidden, even when its name is taken."""
    cluster.api.create(pod())

    assert "forbidden" in refusal(cluster, pod(runtimeClassName="nope"))


def test_replicas_of_a_template_share_what_admission_did_not_touch(cluster: Cluster) -> None:
    """Two pods of one spec share their containers."""
    one = pod("one")
    first = cluster.api.create(one)
    second = cluster.api.create(one.replace(metadata=one.metadata.replace(name="two")))

    assert first.spec == second.spec
