"""API objects as values: names on the wire, equality, hashes, changed copies, markers."""

import copy
import pickle
import subprocess
import sys

import pytest
from pydantic import ValidationError

from kubesim.api.corev1 import (
    Container,
    Pod,
    PodSpec,
    PodStatus,
    ResourceRequirements,
    SecurityContext,
)
from kubesim.api.frozenmap import FrozenMap
from kubesim.api.metav1 import (
    LabelSelector,
    ObjectMeta,
    OwnerReference,
    controller_of,
    new_controller_ref,
)
from kubesim.api.model import unsimulated_fields
from kubesim.api.quantity import Quantity
from kubesim.manifests import to_data


def make_pod(name: str = "web", **spec: object) -> Pod:
    container = Container(name="main", image="nginx:1.27")
    return Pod(
        metadata=ObjectMeta(name=name, namespace="default", labels=FrozenMap({"app": "web"})),
        spec=PodSpec(**{"containers": (container,), **spec}),
    )


def from_wire(model: type, data: object) -> object:
    return model.model_validate(data, by_alias=True, by_name=False)


def test_python_names_are_unknown_on_the_wire() -> None:
    """YAML says ``runAsUser``; ``run_as_user`` is a typo there."""
    assert 1 == from_wire(SecurityContext, {"runAsUser": 1}).run_as_user
    with pytest.raises(ValidationError, match="Extra inputs are not permitted"):
        from_wire(SecurityContext, {"run_as_user": 1})


def test_irregular_names_have_their_official_spelling() -> None:
    """``podIP`` is not ``podIp``."""
    status = PodStatus(pod_ip="10.0.0.1", host_ip="10.1.0.1")

    assert {"podIP": "10.0.0.1", "hostIP": "10.1.0.1"} == to_data(status)


@pytest.mark.parametrize(
    "data",
    [
        {"name": 5},
        {"name": "a", "stdin": "true"},
        {"name": "a", "stdin": 1},
        {"name": "a", "ports": [{"containerPort": "80"}]},
        {"name": "a", "ports": [{"containerPort": True}]},
        {"name": "a", "ports": [{"containerPort": 2**31}]},
    ],
)
def test_scalars_are_not_converted(data: object) -> None:
    """A text is no number, a number is no boolean, and an int32 has 32 bits."""
    with pytest.raises(ValidationError):
        from_wire(Container, data)


def test_objects_do_not_change() -> None:
    """Setting a field is refused."""
    with pytest.raises(ValidationError, match="frozen"):
        make_pod().spec = PodSpec(containers=())


def test_objects_are_equal_by_value() -> None:
    """Two objects with the same content are equal and have the same hash."""
    assert make_pod() == make_pod()
    assert hash(make_pod()) == hash(make_pod())
    assert make_pod("a") != make_pod("b")
    assert make_pod() != make_pod().spec


def test_replace_shares_what_does_not_change() -> None:
    """A changed copy has the same parts, except for the changed one."""
    pod = make_pod()

    running = pod.replace(status=PodStatus(phase="Running"))

    assert "Running" == running.status.phase
    assert pod.spec is running.spec
    assert pod.status.phase is None
    assert pod != running
    assert hash(pod) != hash(running)


def test_replace_refuses_a_name_that_is_no_field() -> None:
    """A typo in a change is found at once."""
    with pytest.raises(TypeError, match="PodStatus has no field phasee"):
        PodStatus().replace(phasee="Running")


def test_what_was_replaced_counts_as_set() -> None:
    """A changed field is written out; one that was set to nothing is not."""
    pod = make_pod(node_name="n1")

    assert "n2" == to_data(pod.replace(spec=pod.spec.replace(node_name="n2")))["spec"]["nodeName"]
    assert "nodeName" not in to_data(pod.replace(spec=pod.spec.replace(node_name=None)))["spec"]


def test_copies_are_the_object_itself() -> None:
    """There is nothing that a copy could protect from."""
    pod = make_pod()

    assert pod is copy.copy(pod)
    assert pod is copy.deepcopy(pod)
    assert pod is pod.model_copy(deep=True)


def test_pydantics_own_way_to_copy_leaves_the_object_alone() -> None:
    """``model_copy`` with changes is ``replace``."""
    pod = make_pod()

    bound = pod.model_copy(update={"spec": pod.spec.replace(node_name="n1")})

    assert (None, "n1") == (pod.spec.node_name, bound.spec.node_name)


def test_objects_survive_a_pickle() -> None:
    """An object can travel to another process, with what was set and what was not."""
    pod = make_pod(overhead=FrozenMap({"cpu": Quantity("50m")}))
    hash(pod)

    again = pickle.loads(pickle.dumps(pod))

    assert pod == again
    assert to_data(pod) == to_data(again)


def test_absent_structs_are_empty_objects() -> None:
    """Where Go has a struct by value there is an empty object, so that no question is needed."""
    pod = Pod()

    assert () == pod.spec.containers
    assert pod.spec.node_name is None
    assert pod.status.phase is None
    assert {} == Container(name="a").resources.requests
    assert {"apiVersion": "v1", "kind": "Pod"} == to_data(pod)


def test_an_object_says_its_name_and_key() -> None:
    """The usual questions have short answers."""
    pod = make_pod()

    assert ("web", "default", "", "default/web") == (pod.name, pod.namespace, pod.uid, pod.key)
    assert "n1" == Pod(metadata=ObjectMeta(name="n1")).key


def test_the_controller_is_the_owner_that_says_so() -> None:
    """Among the owners, the one with ``controller: true`` manages the object."""
    other = OwnerReference(api_version="v1", kind="Node", name="n", uid="1")
    owner = new_controller_ref(make_pod("owner"))
    pod = make_pod()
    owned = pod.replace(metadata=pod.metadata.replace(owner_references=(other, owner)))

    assert owner == controller_of(owned)
    assert controller_of(pod) is None


def test_unsimulated_fields_are_listed_by_their_roots() -> None:
    """Only fields that are set, and of a subtree only its root."""
    container = Container(
        name="main",
        image="a",
        resources=ResourceRequirements(limits=FrozenMap({"cpu": Quantity("1")})),
        security_context=SecurityContext(run_as_user=3),
        working_dir=None,
    )
    pod = make_pod(containers=(container,), host_network=True, node_name="n")

    assert ["spec.containers[0].securityContext", "spec.hostNetwork"] == unsimulated_fields(pod)


def test_a_selector_can_be_a_key() -> None:
    """Everything down to the leaves is hashable."""
    selector = LabelSelector(match_labels=FrozenMap({"a": "b"}))

    assert 1 == {selector: 1}[LabelSelector(match_labels=FrozenMap({"a": "b"}))]


def test_importing_the_core_group_builds_no_validator() -> None:
    """Validators are built when they are first used: an import only declares the classes."""
    code = (
        "import kubesim.api.corev1 as c; "
        "print(any(getattr(c, n).__pydantic_complete__ for n in c.__all__ if n[0].isupper() "
        "and hasattr(getattr(c, n), '__pydantic_complete__')))"
    )

    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert "False" == out.stdout.strip()
