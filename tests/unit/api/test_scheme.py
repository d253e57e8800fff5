"""Which kind is which, and what an unknown one was meant to be."""

import pytest

from kubesim.api.appsv1 import Deployment
from kubesim.api.corev1 import Pod
from kubesim.api.scheme import KUBERNETES, Resource


def test_a_kind_is_found_by_each_of_its_names() -> None:
    """A manifest, a URL and a user name the same kind differently."""
    deployment = KUBERNETES.find("apps/v1", "Deployment")

    assert deployment.model is Deployment
    assert deployment is KUBERNETES.find_plural("apps", "v1", "deployments")
    for name in ("deploy", "deployment", "deployments", "Deployment"):
        assert deployment is KUBERNETES.find_name(name)
    assert deployment is KUBERNETES.of(Deployment.zero())
    assert ("apps", "v1", "deployment", True) == (
        deployment.group,
        deployment.version,
        deployment.singular,
        deployment.namespaced,
    )


def test_the_core_group_has_no_name() -> None:
    """``v1`` is a version without a group."""
    pod = KUBERNETES.find("v1", "Pod")

    assert ("", "v1", Pod) == (pod.group, pod.version, pod.model)
    assert pod is KUBERNETES.find_plural("", "v1", "pods")


def test_nodes_and_classes_live_outside_of_namespaces() -> None:
    """Some kinds belong to the whole cluster."""
    clusterwide = {resource.kind for resource in KUBERNETES if not resource.namespaced}

    assert {"Node", "Namespace", "RuntimeClass", "PriorityClass", "PersistentVolume"} < clusterwide


@pytest.mark.parametrize(
    ("api_version", "kind", "hint"),
    [
        ("apps/v1", "Deploymnt", 'did you mean "Deployment"?'),
        ("apps/v1", "deployment", 'did you mean "Deployment"?'),
        ("extensions/v1beta1", "Deployment", 'Deployment is served as apiVersion "apps/v1"'),
        ("v1", "Deployment", 'Deployment is served as apiVersion "apps/v1"'),
        ("app/v1", "ReplicaSt", 'did you mean "ReplicaSet" (apps/v1)?'),
        (
            "networking.k8s.io/v1",
            "Ingress",
            "it is a kind of Kubernetes which kubesim does not have yet",
        ),
        ("example.com/v1", "Banana", ""),
    ],
)
def test_an_unknown_kind_gets_a_hint(api_version: str, kind: str, hint: str) -> None:
    """Typos, obsolete versions and kinds that are missing here are told apart."""
    assert KUBERNETES.find(api_version, kind) is None
    assert hint == KUBERNETES.hint(api_version, kind)


def test_a_larger_scheme_leaves_the_old_one_alone() -> None:
    """Custom resources make a new scheme."""
    app = Resource("example.com/v1", "App", "apps", "example")

    larger = KUBERNETES.extended([app])

    assert app is larger.find("example.com/v1", "App")
    assert KUBERNETES.find("example.com/v1", "App") is None
    assert KUBERNETES.find("v1", "Pod") is larger.find("v1", "Pod")
