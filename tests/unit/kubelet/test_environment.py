"""The environment of a container: references, expansion, and what is missing."""

from __future__ import annotations

from typing import Any

import pytest
from harness import Cluster, NodeUnderTest, image, pod, quantities

from kubesim.api.corev1 import ConfigMap, Secret
from kubesim.api.defaults import set_defaults
from kubesim.api.metav1 import ObjectMeta
from kubesim.node.kubelet.environment import ConfigError, Surroundings, environment, expand

SECRET = Secret.model_validate({"metadata": {"name": "s"}, "stringData": {"url": "redis://r"}})
CONFIG = ConfigMap.model_validate(
    {"metadata": {"name": "c"}, "data": {"level": "info", "A": "1", "not a name": "x"}}
)


def variables(*env: Any, **container: Any) -> dict[str, str]:
    """The environment of a pod's one container."""
    main = {"name": "main", "image": "app:1", "env": list(env), **container}
    made = pod(containers=[main], labels={"app": "web"})
    around = Surroundings(
        config_maps={"c": CONFIG},
        secrets={"s": set_defaults(SECRET)},
        node="n1",
        host_ip="192.168.0.10",
        pod_ip="10.0.0.7",
        allocatable=quantities(cpu="4", memory="8Gi"),
    )
    return dict(environment(made, made.spec.containers[0], around))


def of(name: str, **source: Any) -> dict[str, Any]:
    return {"name": name, "valueFrom": source}


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ({"secretKeyRef": {"name": "s", "key": "url"}}, "redis://r"),
        ({"configMapKeyRef": {"name": "c", "key": "level"}}, "info"),
        ({"fieldRef": {"fieldPath": "metadata.name"}}, "web"),
        ({"fieldRef": {"fieldPath": "metadata.labels['app']"}}, "web"),
        ({"fieldRef": {"fieldPath": "spec.nodeName"}}, "n1"),
        ({"fieldRef": {"fieldPath": "status.podIP"}}, "10.0.0.7"),
        ({"resourceFieldRef": {"resource": "limits.cpu"}}, "4"),
        ({"resourceFieldRef": {"resource": "requests.memory", "divisor": "1Mi"}}, "0"),
        ({"resourceFieldRef": {"resource": "limits.memory", "divisor": "1Gi"}}, "8"),
    ],
)
def test_source(source: dict[str, Any], expected: str) -> None:
    """A variable's value comes from where it says."""
    assert {"V": expected} == variables({"name": "V", "valueFrom": source})


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ({"secretKeyRef": {"name": "no", "key": "url"}}, 'secret "no" not found'),
        ({"configMapKeyRef": {"name": "no", "key": "url"}}, 'configmap "no" not found'),
        (
            {"secretKeyRef": {"name": "s", "key": "no"}},
            "couldn't find key no in Secret default/s",
        ),
        (
            {"configMapKeyRef": {"name": "c", "key": "no"}},
            "couldn't find key no in ConfigMap default/c",
        ),
    ],
)
def test_missing(source: dict[str, Any], expected: str) -> None:
    """What is missing is named; unless it is optional, in which case there is no variable."""
    with pytest.raises(ConfigError) as refused:
        variables({"name": "V", "valueFrom": source})
    assert expected == str(refused.value)
    optional = {kind: {**reference, "optional": True} for kind, reference in source.items()}
    assert {} == variables({"name": "V", "valueFrom": optional})


def test_env_from_comes_first() -> None:
    """``envFrom`` takes all keys that are names, with a prefix; ``env`` wins over it."""
    sources = [{"configMapRef": {"name": "c"}}, {"prefix": "S_", "secretRef": {"name": "s"}}]
    found = variables({"name": "A", "value": "mine"}, envFrom=sources)
    assert {"level": "info", "S_url": "redis://r", "A": "mine"} == found


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("$(A)-$(B)", "1-$(B)"),
        ("$$(A)", "$(A)"),
        ("$A", "$A"),
        ("100%", "100%"),
    ],
)
def test_expansion(text: str, expected: str) -> None:
    """``$(NAME)`` is replaced by an earlier variable; an unknown one stays as it is."""
    assert expected == expand(text, {"A": "1"})
    assert expected == variables({"name": "A", "value": "1"}, {"name": "V", "value": text})["V"]


def test_container_waits_for_its_secret() -> None:
    """Without its Secret a container is not created; it is as soon as the kubelet tries again."""
    cluster = Cluster()
    node = NodeUnderTest(cluster, image("app:1"))
    env = [of("URL", secretKeyRef={"name": "s", "key": "url"})]
    main = {"name": "main", "image": "app:1", "env": env}
    cluster.api.create(pod(containers=[main], nodeName="n1"))
    cluster.run(3)
    state = cluster.pod().status.container_statuses[0].state.waiting
    assert state is not None
    assert ("CreateContainerConfigError", 'secret "s" not found') == (state.reason, state.message)
    assert {'Error: secret "s" not found'} == set(cluster.events("Failed"))
    metadata = ObjectMeta(name="s", namespace="default")
    cluster.api.create(SECRET.replace(metadata=metadata))
    cluster.run(30)
    assert 1 == len(node.starts())
