"""What reaches a component of a SpinApp: variables, its limit of memory; and who scales it."""

from __future__ import annotations

import pytest
from spinapp_harness import SpinRun, Write, spin_app

from kubesim.api.appsv1 import Deployment
from kubesim.errors import InputError

SOURCES = """
---
{apiVersion: v1, kind: ConfigMap, metadata: {name: settings}, data: {greeting: good morning}}
---
{apiVersion: v1, kind: Secret, metadata: {name: keys}, stringData: {token: s3cret}}
"""
VARIABLES = """replicas: 1
variables:
- {name: plain, value: as it is}
- {name: greeting, valueFrom: {configMapKeyRef: {name: settings, key: greeting}}}
- {name: api_token, valueFrom: {secretKeyRef: {name: keys, key: token}}}
- {name: who, valueFrom: {fieldRef: {fieldPath: metadata.namespace}}}"""


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("plain", "as it is"),
        ("greeting", "good morning"),
        ("api_token", "s3cret"),
        ("who", "default"),
    ],
)
def test_variables_reach_the_component(write_scenario: Write, name: str, value: str) -> None:
    """A value, a ConfigMap's, a Secret's and a field's are all a Spin variable to the component."""
    run = SpinRun(write_scenario, spin_app(VARIABLES) + SOURCES).until(20)
    assert value == run.body("/variable", name)


def test_a_variable_of_a_secret_that_is_not_there(write_scenario: Write) -> None:
    """The container cannot be made, and the kubelet says what it lacks."""
    run = SpinRun(write_scenario, spin_app(VARIABLES)).until(20)
    assert [] == run.ready()
    (pod,) = run.pods()
    waiting = pod.status.container_statuses[0].state.waiting
    assert waiting is not None
    assert "CreateContainerConfigError" == waiting.reason
    assert 'configmap "settings" not found' == waiting.message


def test_an_invocation_has_its_own_limit(write_scenario: Write) -> None:
    """A component of 21 pages runs in 2Mi and not in 1Mi; the container lives on either way."""
    limit = "replicas: 1\nresources: {limits: {memory: 256Mi}}\ninvocationLimits: {memory: %s}"
    found = {}
    for amount in ("2Mi", "1Mi"):
        run = SpinRun(write_scenario, spin_app(limit % amount)).until(20)
        found[amount] = [run.status("/visits") for _ in range(2)]
        assert 0 == run.restarts()
    assert {"2Mi": [200, 200], "1Mi": [500, 500]} == found


def test_an_invocation_may_not_have_more_than_its_container(write_scenario: Write) -> None:
    """A webhook's rule that needs no cluster: the manifest is refused before the run."""
    limit = "replicas: 1\nresources: {limits: {memory: 64Mi}}\ninvocationLimits: {memory: 65Mi}"
    with pytest.raises(InputError, match="cannot be greater than the memory limit"):
        SpinRun(write_scenario, spin_app(limit))


def test_autoscaling_without_an_autoscaler(write_scenario: Write) -> None:
    """It stays at one replica, and the run says before it begins that nobody scales it."""
    run = SpinRun(write_scenario, spin_app("enableAutoscaling: true")).until(60)
    assert 1 == len(run.ready())
    (said,) = run.scenario.unsimulated
    assert "visits has enableAutoscaling, and nothing scales its Deployment" in said


REQUESTS = """enableAutoscaling: true
resources: {requests: {cpu: 10m, memory: 400Mi}, limits: {cpu: 500m, memory: 500Mi}}"""
HPA = """
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: spinapp-autoscaler}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: visits}
  minReplicas: 1
  maxReplicas: 10
  metrics:
  - {type: Resource, resource: {name: cpu, target: {type: Utilization, averageUtilization: 50}}}
"""
SCALED_OBJECT = """
---
apiVersion: keda.sh/v1alpha1
kind: ScaledObject
metadata: {name: cpu-scaling}
spec:
  scaleTargetRef: {name: visits}
  minReplicaCount: 1
  maxReplicaCount: 20
  triggers: [{type: cpu, metricType: Utilization, metadata: {value: "50"}}]
"""
USERS = """
traffic: [{name: users, service: visits, from: 30s, rate: 40/s, request: {path: /visits}}]
duration: 130s"""


@pytest.mark.parametrize("scaler", [HPA, SCALED_OBJECT], ids=["hpa", "keda"])
def test_the_documented_autoscalers_scale_it(write_scenario: Write, scaler: str) -> None:
    """An autoscaler of the Deployment, as the documentation has it, adds replicas under load."""
    run = SpinRun(write_scenario, spin_app(REQUESTS) + scaler, spec=USERS).until(28)
    assert 1 == len(run.ready())
    run.until(125)
    replicas = run.live.simulation.store.get(Deployment, "default/visits").spec.replicas
    assert replicas is not None
    assert replicas > 1
    assert replicas == len(run.ready())
    assert () == run.scenario.unsimulated


def test_the_operator_leaves_the_autoscaler_alone(write_scenario: Write) -> None:
    """With enableAutoscaling, a later pass of the operator does not take the replicas back."""
    run = SpinRun(write_scenario, spin_app(REQUESTS)).until(20)
    run.live.simulation.scale(Deployment, "default/visits", 4)
    run.until(60)
    assert 4 == len(run.ready())


def test_without_it_the_operator_takes_them_back(write_scenario: Write) -> None:
    """A SpinApp with replicas: whoever scales its Deployment is undone."""
    run = SpinRun(write_scenario, spin_app("replicas: 2")).until(20)
    run.live.simulation.scale(Deployment, "default/visits", 4)
    run.until(60)
    assert 2 == len(run.ready())
