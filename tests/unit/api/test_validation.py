"""What an API server refuses, and with which words."""

import pytest

from kubesim.api.defaults import set_defaults
from kubesim.api.fielderrors import Key, format_path
from kubesim.api.metav1 import KubeObject, OwnerReference
from kubesim.api.updatevalidation import validate_update
from kubesim.api.validation import validate_object
from kubesim.manifests import load_text

POD = "{apiVersion: v1, kind: Pod, metadata: {name: p}, spec: {containers: [{name: a, image: b%s}]%s}}"
DEPLOYMENT = """
{apiVersion: apps/v1, kind: Deployment, metadata: {name: d}, spec: {
 selector: {matchLabels: {app: web}}, template: {metadata: {labels: {app: web}}, spec: {
 containers: [{name: a, image: b}]%s}}%s}}
"""
SERVICE = "{apiVersion: v1, kind: Service, metadata: {name: %s}, spec: {%s}}"


def make(text: str) -> KubeObject:
    return set_defaults(load_text(text)[0].obj)


def errors_of(text: str) -> list[str]:
    return [str(error) for error in validate_object(make(text))]


def pod(container: str = "", spec: str = "") -> str:
    return POD % (container, spec)


def test_a_good_object_has_no_errors() -> None:
    """Nothing is wrong with what Kubernetes accepts."""
    assert [] == errors_of(pod())
    assert [] == errors_of(DEPLOYMENT % ("", ""))
    assert [] == errors_of(SERVICE % ("web", "ports: [{port: 80}]"))
    assert [] == errors_of(
        "{apiVersion: v1, kind: Pod, metadata: {generateName: a-}, spec: "
        "{containers: [{name: a, image: b}]}}"
    )


@pytest.mark.parametrize(
    ("text", "error"),
    [
        (
            pod(", ports: [{containerPort: 70000}]"),
            (
                "spec.containers[0].ports[0].containerPort: "
                "Invalid value: 70000: must be between 1 and 65535, inclusive"
            ),
        ),
        (
            pod(", ports: [{containerPort: 0}]"),
            "spec.containers[0].ports[0].containerPort: Required value",
        ),
        (
            pod(", ports: [{containerPort: 1, name: a}, {containerPort: 2, name: a}]"),
            'spec.containers[0].ports[1].name: Duplicate value: "a"',
        ),
        (
            pod(", ports: [{containerPort: 1, name: 12}]".replace("12", '"12"')),
            (
                'spec.containers[0].ports[0].name: Invalid value: "12": '
                "must contain at least one letter (a-z)"
            ),
        ),
        (
            pod(", ports: [{containerPort: 1, hostPort: 5}, {containerPort: 2, hostPort: 5}]"),
            'spec.containers[0].ports[1].hostPort: Duplicate value: "TCP//5"',
        ),
        (
            pod(", resources: {requests: {cpu: 2}, limits: {cpu: 1}}"),
            (
                'spec.containers[0].resources.requests: Invalid value: "2": '
                "must be less than or equal to cpu limit of 1"
            ),
        ),
        (
            pod(", resources: {limits: {cpu: -1}, requests: {cpu: -1}}"),
            (
                'spec.containers[0].resources.limits[cpu]: Invalid value: "-1": '
                "must be greater than or equal to 0"
            ),
        ),
        (
            pod(", resources: {requests: {example.com/gpu: 1}}"),
            (
                "spec.containers[0].resources.limits: Required value: "
                "Limit must be set for non overcommitable resources"
            ),
        ),
        (
            pod(", resources: {limits: {example.com/gpu: 2}, requests: {example.com/gpu: 1}}"),
            (
                'spec.containers[0].resources.requests: Invalid value: "1": '
                "must be equal to example.com/gpu limit of 2"
            ),
        ),
        (
            pod(", resources: {limits: {example.com/gpu: 1.5}}"),
            (
                'spec.containers[0].resources.limits[example.com/gpu]: Invalid value: "1.5": '
                "must be an integer"
            ),
        ),
        (
            pod(", resources: {limits: {gpus: 1}}"),
            (
                'spec.containers[0].resources.limits[gpus]: Invalid value: "gpus": '
                "must be a standard resource for containers"
            ),
        ),
        (
            pod(', env: [{name: "a=b"}]'),
            (
                'spec.containers[0].env[0].name: Invalid value: "a=b": a valid environment variable '
                "name must consist only of printable ASCII characters other than '='"
            ),
        ),
        (
            pod(spec=", initContainers: [{name: a, image: b}]"),
            'spec.initContainers[0].name: Duplicate value: "a"',
        ),
        (
            pod(spec=", initContainers: [{name: i, image: b, livenessProbe: {}}]"),
            (
                "spec.initContainers[0].livenessProbe: Forbidden: "
                "may not be set for init containers without restartPolicy=Always"
            ),
        ),
        (
            pod(spec=", tolerations: [{operator: Equal}]"),
            (
                'spec.tolerations[0].operator: Invalid value: "Equal": operator must be Exists when '
                '`key` is empty, which means "match all values and all keys"'
            ),
        ),
        (
            pod(spec=", tolerations: [{key: a, operator: Exists, value: b}]"),
            (
                'spec.tolerations[0].operator: Invalid value: "b": '
                "value must be empty when `operator` is 'Exists'"
            ),
        ),
        (
            pod(spec=", tolerations: [{key: a, tolerationSeconds: 3}]"),
            (
                'spec.tolerations[0].effect: Invalid value: "": '
                "effect must be 'NoExecute' when `tolerationSeconds` is set"
            ),
        ),
        (
            pod(spec=", schedulingGates: [{name: a}, {name: a}]"),
            'spec.schedulingGates[1]: Duplicate value: "a"',
        ),
        (
            pod(spec=", activeDeadlineSeconds: 0"),
            (
                "spec.activeDeadlineSeconds: Invalid value: 0: "
                "must be between 1 and 2147483647, inclusive"
            ),
        ),
        (
            pod(
                spec=", affinity: {nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: "
                "{nodeSelectorTerms: []}}}"
            ),
            (
                "spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution."
                "nodeSelectorTerms: Required value: must have at least one node selector term"
            ),
        ),
        (
            pod(
                spec=", affinity: {nodeAffinity: {preferredDuringSchedulingIgnoredDuringExecution: "
                "[{weight: 0, preference: {}}]}}"
            ),
            (
                "spec.affinity.nodeAffinity.preferredDuringSchedulingIgnoredDuringExecution[0].weight: "
                "Invalid value: 0: must be in the range 1-100"
            ),
        ),
        ("{apiVersion: v1, kind: Pod, metadata: {name: a}}", "spec.containers: Required value"),
        (
            "{apiVersion: v1, kind: Pod, metadata: {name: a}, spec: {containers: [{name: a}]}}",
            "spec.containers[0].image: Required value",
        ),
        (
            "{apiVersion: v1, kind: ConfigMap}",
            "metadata.name: Required value: name or generateName is required",
        ),
        (
            "{apiVersion: v1, kind: Node, metadata: {name: n, namespace: x}}",
            "metadata.namespace: Forbidden: not allowed on this type",
        ),
        (
            (
                "{apiVersion: v1, kind: Node, metadata: {name: n}, spec: {taints: "
                "[{key: a, effect: NoSchedule}, {key: a, effect: NoSchedule}]}}"
            ),
            (
                'spec.taints[1]: Duplicate value: {"effect":"NoSchedule","key":"a"}: '
                "taints must be unique by key and effect pair"
            ),
        ),
        (
            "{apiVersion: v1, kind: ConfigMap, metadata: {name: a}, data: {a b: c}}",
            (
                'data[a b]: Invalid value: "a b": a valid config key must consist of alphanumeric '
                "characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', "
                "regex used for validation is '[-._a-zA-Z0-9]+')"
            ),
        ),
        (
            DEPLOYMENT % ("", ", replicas: -1"),
            "spec.replicas: Invalid value: -1: must be greater than or equal to 0",
        ),
        (
            DEPLOYMENT % (", restartPolicy: Never", ""),
            (
                'spec.template.spec.restartPolicy: Unsupported value: "Never": '
                'supported values: "Always"'
            ),
        ),
        (
            DEPLOYMENT % ("", ", strategy: {rollingUpdate: {maxSurge: 0, maxUnavailable: 0}}"),
            (
                "spec.strategy.rollingUpdate.maxUnavailable: Invalid value: 0: "
                "may not be 0 when `maxSurge` is 0"
            ),
        ),
        (
            DEPLOYMENT % ("", ", strategy: {rollingUpdate: {maxUnavailable: 101%}}"),
            (
                'spec.strategy.rollingUpdate.maxUnavailable: Invalid value: "101%": '
                "must not be greater than 100%"
            ),
        ),
        (
            DEPLOYMENT % ("", ", strategy: {type: Recreate, rollingUpdate: {}}"),
            (
                "spec.strategy.rollingUpdate: Forbidden: "
                "may not be specified when strategy `type` is 'Recreate'"
            ),
        ),
        (
            DEPLOYMENT % ("", ", progressDeadlineSeconds: 5, minReadySeconds: 5"),
            "spec.progressDeadlineSeconds: Invalid value: 5: must be greater than minReadySeconds",
        ),
        (
            (DEPLOYMENT % ("", "")).replace("labels: {app: web}", "labels: {app: api}"),
            (
                'spec.template.metadata.labels: Invalid value: {"app":"api"}: '
                "`selector` does not match template `labels`"
            ),
        ),
        (SERVICE % ("web", ""), "spec.ports: Required value"),
        (
            SERVICE % ("web", "ports: [{port: 80, name: a}, {port: 80, name: b}]"),
            'spec.ports[1]: Duplicate value: {"port":80,"protocol":"TCP"}',
        ),
        (
            SERVICE % ("web", "ports: [{port: 1}, {port: 2, name: b}]"),
            "spec.ports[0].name: Required value",
        ),
        (
            SERVICE % ("web", "ports: [{port: 1, nodePort: 30000}]"),
            "spec.ports[0].nodePort: Forbidden: may not be used when `type` is 'ClusterIP'",
        ),
        (SERVICE % ("web", "type: ExternalName"), "spec.externalName: Required value"),
        (
            (
                "{apiVersion: scheduling.k8s.io/v1, kind: PriorityClass, metadata: {name: a}, "
                "value: 1000000001}"
            ),
            "value: Forbidden: maximum allowed value of a user defined priority is 1000000000",
        ),
        (
            "{apiVersion: node.k8s.io/v1, kind: RuntimeClass, metadata: {name: a}, handler: ''}",
            "handler: Required value",
        ),
    ],
)
def test_a_broken_rule_is_reported_in_the_words_of_the_api_server(text: str, error: str) -> None:
    """Path and sentence are the ones that a user of a real cluster reads."""
    assert error in errors_of(text)


def test_names_are_checked_by_kind() -> None:
    """A pod's name may have dots, a service's name begins with a letter."""
    name = "{apiVersion: v1, kind: %s, metadata: {name: %s}}"

    assert any("RFC 1123 subdomain" in error for error in errors_of(name % ("ConfigMap", "a_b")))
    assert any("RFC 1123 label" in error for error in errors_of(name % ("Namespace", "a.b")))
    assert any("DNS-1035 label" in error for error in errors_of(name % ("Service", '"1a"')))
    assert [] == errors_of(name % ("ConfigMap", "a.b"))


def test_known_system_priorities_are_allowed() -> None:
    """Only the system's own classes may have its prefix."""
    text = (
        "{apiVersion: scheduling.k8s.io/v1, kind: PriorityClass, metadata: {name: %s}, value: %s}"
    )

    assert [] == errors_of(text % ("system-node-critical", 2000001000))
    assert "reserved for system use only" in errors_of(text % ("system-mine", 5))[0]


def test_only_one_owner_can_be_the_controller() -> None:
    """Two controllers would fight over the object."""
    pod_ = make(pod())
    owners = tuple(
        OwnerReference(api_version="v1", kind="Pod", name=name, uid=name, controller=True)
        for name in "ab"
    )
    owned = pod_.replace(metadata=pod_.metadata.replace(owner_references=owners))

    assert "Only one reference can have Controller set to true" in str(validate_object(owned)[0])


def test_errors_say_which_kind_of_mistake_it_is() -> None:
    """A machine reads the reason, a person the message."""
    error = validate_object(make("{apiVersion: v1, kind: ConfigMap}"))[0]

    assert ("FieldValueRequired", "metadata.name") == (error.reason, error.field)


def test_paths_are_written_as_upstream_does() -> None:
    """Indexes and keys stand in brackets, fields after dots."""
    path = ("spec", "containers", 0, "resources", "limits", Key("cpu"))

    assert "spec.containers[0].resources.limits[cpu]" == format_path(path)
    assert "metadata.labels[a.b/c]" == format_path(("metadata", "labels", "a.b/c"))


def test_what_may_change_in_a_pod() -> None:
    """Images, tolerations that are added, and a shorter list of gates."""
    old = make(pod(spec=", schedulingGates: [{name: wait}]"))
    new = make(
        pod(spec=", tolerations: [{key: a, operator: Exists}]").replace("image: b", "image: c")
    )

    assert [] == validate_update(new, old)


@pytest.mark.parametrize(
    ("old", "new", "error"),
    [
        (
            pod(),
            pod(spec=", nodeName: n"),
            "spec: Forbidden: pod updates may not change fields other than",
        ),
        (
            pod(),
            pod(spec=", schedulingGates: [{name: g}]"),
            (
                "spec.schedulingGates[0].name: Forbidden: only deletion is allowed, "
                "but found new scheduling gate 'g'"
            ),
        ),
        (
            pod(spec=", tolerations: [{key: a, operator: Exists}]"),
            pod(),
            (
                "spec.tolerations: Forbidden: existing toleration can not be modified "
                "except its tolerationSeconds"
            ),
        ),
        (
            pod(),
            pod("}, {name: c, image: d"),
            "spec.containers: Forbidden: pod updates may not add or remove containers",
        ),
        (
            pod(),
            pod().replace("name: p", "name: q"),
            'metadata.name: Invalid value: "q": field is immutable',
        ),
        (
            DEPLOYMENT % ("", ""),
            (DEPLOYMENT % ("", "")).replace("app: web", "app: api"),
            "spec.selector: Invalid value:",
        ),
        (
            "{apiVersion: node.k8s.io/v1, kind: RuntimeClass, metadata: {name: a}, handler: a}",
            "{apiVersion: node.k8s.io/v1, kind: RuntimeClass, metadata: {name: a}, handler: b}",
            'handler: Invalid value: "b": field is immutable',
        ),
        (
            "{apiVersion: scheduling.k8s.io/v1, kind: PriorityClass, metadata: {name: a}, value: 1}",
            "{apiVersion: scheduling.k8s.io/v1, kind: PriorityClass, metadata: {name: a}, value: 2}",
            "value: Forbidden: may not be changed in an update.",
        ),
        (
            "{apiVersion: v1, kind: ConfigMap, metadata: {name: a}, immutable: true, data: {a: b}}",
            "{apiVersion: v1, kind: ConfigMap, metadata: {name: a}, immutable: true, data: {a: c}}",
            "data: Forbidden: field is immutable when `immutable` is set",
        ),
        (
            SERVICE % ("a", "ports: [{port: 1}], clusterIP: 10.0.0.1"),
            SERVICE % ("a", "ports: [{port: 1}], clusterIP: 10.0.0.2"),
            'spec.clusterIPs[0]: Invalid value: "10.0.0.2": may not change once set',
        ),
    ],
)
def test_what_may_not_change(old: str, new: str, error: str) -> None:
    """A change of what is fixed is refused in upstream's words."""
    errors = [str(item) for item in validate_update(make(new), make(old))]

    assert any(item.startswith(error) for item in errors), errors


def test_a_dying_object_gets_no_new_finalizers() -> None:
    """Finalizers of an object that is being deleted can only go."""
    old = make(pod())
    old = old.replace(metadata=old.metadata.replace(deletion_timestamp=1))
    new = old.replace(metadata=old.metadata.replace(finalizers=("a.b/c",)))

    assert "no new finalizers can be added" in str(validate_update(new, old)[0])
