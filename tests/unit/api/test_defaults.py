"""Defaults: what an API server fills in."""

import pytest

from kubesim.api.defaults import image_pull_policy, set_defaults
from kubesim.api.quantity import Quantity
from kubesim.manifests import load_text, to_data

POD = """
apiVersion: v1
kind: Pod
metadata: {name: web}
spec:
  containers:
  - name: main
    image: nginx
    ports: [{containerPort: 80}]
    resources: {limits: {cpu: 1, memory: 100Mi}, requests: {cpu: 500m}}
    readinessProbe: {httpGet: {port: 80}}
    env: [{name: NAME, valueFrom: {fieldRef: {fieldPath: metadata.name}}}]
"""


def defaulted(text: str) -> dict:
    return to_data(set_defaults(load_text(text)[0].obj))


def test_a_pod_gets_what_the_api_server_gives_it() -> None:
    """All defaults of a simple pod, as ``kubectl get -o yaml`` would show them."""
    expected = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "web"},
        "spec": {
            "containers": [
                {
                    "name": "main",
                    "image": "nginx",
                    "ports": [{"containerPort": 80, "protocol": "TCP"}],
                    "env": [
                        {
                            "name": "NAME",
                            "valueFrom": {
                                "fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.name"}
                            },
                        }
                    ],
                    "resources": {
                        "limits": {"cpu": "1", "memory": "100Mi"},
                        "requests": {"cpu": "500m", "memory": "100Mi"},
                    },
                    "readinessProbe": {
                        "httpGet": {"path": "/", "port": 80, "scheme": "HTTP"},
                        "timeoutSeconds": 1,
                        "periodSeconds": 10,
                        "successThreshold": 1,
                        "failureThreshold": 3,
                    },
                    "terminationMessagePath": "/dev/termination-log",
                    "terminationMessagePolicy": "File",
                    "imagePullPolicy": "Always",
                }
            ],
            "restartPolicy": "Always",
            "terminationGracePeriodSeconds": 30,
            "dnsPolicy": "ClusterFirst",
            "securityContext": {},
            "schedulerName": "default-scheduler",
            "enableServiceLinks": True,
        },
    }

    assert expected == defaulted(POD)


def test_defaulting_twice_changes_nothing() -> None:
    """An object that is complete comes back as it is, not even copied."""
    once = set_defaults(load_text(POD)[0].obj)

    assert once is set_defaults(once)


def test_equal_specs_get_one_and_the_same_defaulted_spec() -> None:
    """Thousands of equal pods go on sharing one spec."""
    first = set_defaults(load_text(POD)[0].obj)
    second = set_defaults(load_text(POD.replace("web", "other"))[0].obj)

    assert first.name != second.name
    assert first.spec is second.spec


@pytest.mark.parametrize(
    ("image", "policy"),
    [
        ("nginx", "Always"),
        ("nginx:latest", "Always"),
        ("nginx:1.27", "IfNotPresent"),
        ("localhost:5000/nginx", "Always"),
        ("localhost:5000/nginx:1.27", "IfNotPresent"),
        ("nginx@sha256:0123", "IfNotPresent"),
        ("nginx:1.27@sha256:0123", "IfNotPresent"),
        ("", "Always"),
    ],
)
def test_the_pull_policy_follows_from_the_tag(image: str, policy: str) -> None:
    """Only ``latest``, said or unsaid, is always pulled."""
    assert policy == image_pull_policy(image)


def test_a_template_does_not_get_what_only_pods_get() -> None:
    """Requests are taken from limits when the pod is made, not in the template."""
    data = defaulted("""
        apiVersion: apps/v1
        kind: Deployment
        metadata: {name: web}
        spec:
          selector: {matchLabels: {app: web}}
          template:
            metadata: {labels: {app: web}}
            spec: {containers: [{name: a, image: "b:1", resources: {limits: {cpu: 1}}}]}
        """)
    spec = data["spec"]

    assert (1, 10, 600) == (
        spec["replicas"],
        spec["revisionHistoryLimit"],
        spec["progressDeadlineSeconds"],
    )
    rolling = {"maxUnavailable": "25%", "maxSurge": "25%"}
    assert {"type": "RollingUpdate", "rollingUpdate": rolling} == spec["strategy"]
    assert {"limits": {"cpu": "1"}} == spec["template"]["spec"]["containers"][0]["resources"]
    assert "enableServiceLinks" not in spec["template"]["spec"]
    assert "Always" == spec["template"]["spec"]["restartPolicy"]


def test_a_recreate_deployment_has_no_rolling_update() -> None:
    """The parameters of rolling updates belong to rolling updates."""
    data = defaulted("""
        {apiVersion: apps/v1, kind: Deployment, spec: {selector: {}, template: {},
         strategy: {type: Recreate}}}
        """)

    assert {"type": "Recreate"} == data["spec"]["strategy"]


def test_a_service_gets_its_type_and_target_ports() -> None:
    """A port leads to the same port of the pods unless it says otherwise."""
    data = defaulted("""
        apiVersion: v1
        kind: Service
        metadata: {name: web}
        spec: {selector: {app: web}, ports: [{port: 80}]}
        """)
    expected = {
        "ports": [{"protocol": "TCP", "port": 80, "targetPort": 80}],
        "selector": {"app": "web"},
        "type": "ClusterIP",
        "sessionAffinity": "None",
        "internalTrafficPolicy": "Cluster",
    }

    assert expected == data["spec"]


def test_a_load_balancer_and_sticky_sessions_get_more() -> None:
    """Some defaults depend on other fields."""
    data = defaulted("""
        apiVersion: v1
        kind: Service
        spec: {type: LoadBalancer, sessionAffinity: ClientIP, ports: [{port: 80}]}
        """)

    assert 10800 == data["spec"]["sessionAffinityConfig"]["clientIP"]["timeoutSeconds"]
    assert "Cluster" == data["spec"]["externalTrafficPolicy"]
    assert data["spec"]["allocateLoadBalancerNodePorts"]


def test_a_node_allocates_all_it_has() -> None:
    """Without ``allocatable`` a node offers its whole capacity."""
    node = load_text(
        "{apiVersion: v1, kind: Node, metadata: {name: n}, status: {capacity: {cpu: 4}}}"
    )[0].obj

    assert {"cpu": Quantity("4")} == set_defaults(node).status.allocatable


def test_a_namespace_is_active_and_labelled_with_its_name() -> None:
    """Selectors can pick a namespace by its name."""
    data = defaulted("{apiVersion: v1, kind: Namespace, metadata: {name: team}}")

    assert {"kubernetes.io/metadata.name": "team"} == data["metadata"]["labels"]
    assert "Active" == data["status"]["phase"]


def test_amounts_finer_than_a_thousandth_are_rounded_up() -> None:
    """Nothing finer than a milli-unit is stored."""
    data = defaulted("""
        {apiVersion: v1, kind: Pod, spec: {containers: [{name: a, image: b,
         resources: {requests: {cpu: 100u}}}]}}
        """)

    assert {"cpu": "1m"} == data["spec"]["containers"][0]["resources"]["requests"]


def test_other_kinds_get_their_small_defaults() -> None:
    """Priority classes preempt, secrets are opaque, endpoint ports are TCP."""
    priority = defaulted("{apiVersion: scheduling.k8s.io/v1, kind: PriorityClass, value: 1}")
    secret = defaulted("{apiVersion: v1, kind: Secret}")
    endpoints = defaulted("""
        {apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, addressType: IPv4, endpoints: [],
         ports: [{port: 80}]}
        """)

    assert "PreemptLowerPriority" == priority["preemptionPolicy"]
    assert "Opaque" == secret["type"]
    assert [{"name": "", "port": 80, "protocol": "TCP"}] == endpoints["ports"]


def test_ports_of_the_host_network_are_host_ports() -> None:
    """On the node's network a container's port is the node's port."""
    data = defaulted("""
        {apiVersion: v1, kind: Pod, spec: {hostNetwork: true,
         containers: [{name: a, image: b, ports: [{containerPort: 80}]}]}}
        """)

    assert 80 == data["spec"]["containers"][0]["ports"][0]["hostPort"]
