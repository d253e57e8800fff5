"""The operator's webhooks: what they fill in and what they refuse, in upstream's words."""

from __future__ import annotations

import pytest
from spin_harness import SpinCluster, app, executor

from kubesim.api.spinv1alpha1 import SpinApp
from kubesim.controlplane.client import Invalid
from kubesim.manifests import dump, load_text

PREFIX = (
    'admission webhook "vspinapp.kb.io" denied the request: '
    'SpinApp.core.spinkube.dev "hello" is invalid: '
)


def refusal(cluster: SpinCluster, text: str) -> str:
    with pytest.raises(Invalid) as refused:
        cluster.create(text)
    return refused.value.message


def test_default_executor_is_the_first_by_name() -> None:
    """An application without an executor gets the first one by name, of any namespace."""
    cluster = SpinCluster()
    for name in ("zebra", "containerd-shim-spin", "antelope"):
        cluster.create(executor(name=name))
    made = cluster.create(app().replace("  executor: containerd-shim-spin\n", ""))
    assert isinstance(made, SpinApp)
    assert "antelope" == made.spec.executor


def test_no_executor_at_all() -> None:
    """Without any executor in the cluster the default stays empty, and that is refused."""
    text = app().replace("  executor: containerd-shim-spin\n", "")
    expected = (
        'spec.executor: Invalid value: "": executor must be set, '
        "likely no default executor was set because you have no executors installed"
    )
    assert PREFIX + expected == refusal(SpinCluster(), text)


def test_executor_of_another_namespace(cluster: SpinCluster) -> None:
    """An executor must be in the application's own namespace."""
    expected = (
        'spec.executor: Invalid value: "containerd-shim-spin": '
        "executor does not exist in namespace"
    )
    assert PREFIX + expected == refusal(cluster, app(namespace="other"))


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        (
            "  {replicas: 3, enableAutoscaling: true}",
            "spec.replicas: Invalid value: 3: replicas cannot be set when autoscaling is enabled",
        ),
        ("  {replicas: 0}", "spec.replicas: Invalid value: 0: replicas must be > 0"),
        ("  {}", "spec.replicas: Invalid value: 0: replicas must be > 0"),
        (
            "  {replicas: 1, invocationLimits: {memory: lots}}",
            (
                'spec.invocationLimits[memory]: Invalid value: "lots": '
                "memory limit must be a valid memory quantity (e.g. 128Mi, 1Gi)"
            ),
        ),
        (
            (
                "  {replicas: 1, invocationLimits: {memory: 2Gi}, "
                "resources: {limits: {memory: 1Gi}, requests: {memory: 1Mi}}}"
            ),
            (
                'spec.invocationLimits[memory]: Invalid value: "2Gi": '
                "invocation limit quantity cannot be greater than the memory limit (1Gi)"
            ),
        ),
        (
            "  {replicas: 1, invocationLimits: {memory: 2Gi}, resources: {requests: {memory: 1Gi}}}",
            (
                'spec.invocationLimits[memory]: Invalid value: "2Gi": '
                "invocation limit quantity cannot be greater than the memory request (1Gi)"
            ),
        ),
    ],
)
def test_refused(cluster: SpinCluster, spec: str, expected: str) -> None:
    """Each rule of the validating webhook, with its message."""
    inner = spec.strip().removeprefix("{").removesuffix("}")
    block = "\n".join(f"  {line}" for line in _entries(inner))
    assert PREFIX + expected == refusal(cluster, app(block))


def _entries(inner: str) -> list[str]:
    """The top-level entries of a flow mapping, one a line."""
    found, depth, start = [], 0, 0
    for index, char in enumerate(inner):
        depth += (char in "{[") - (char in "}]")
        if char == "," and depth == 0:
            found.append(inner[start:index].strip())
            start = index + 1
    return [*found, inner[start:].strip()] if inner.strip() else []


def test_errors_are_aggregated(cluster: SpinCluster) -> None:
    """All errors of an application come in one answer."""
    spec = "  replicas: 0\n  invocationLimits: {memory: x}"
    text = app(spec).replace("executor: containerd-shim-spin", "executor: nobody")
    expected = (
        '[spec.executor: Invalid value: "nobody": executor does not exist in namespace, '
        "spec.replicas: Invalid value: 0: replicas must be > 0, "
        'spec.invocationLimits[memory]: Invalid value: "x": '
        "memory limit must be a valid memory quantity (e.g. 128Mi, 1Gi)]"
    )
    assert PREFIX + expected == refusal(cluster, text)


def test_annotations_without_a_deployment() -> None:
    """An executor that makes no Deployment leaves nothing to annotate."""
    cluster = SpinCluster()
    cluster.create(executor("  {createDeployment: false}"))
    expected = (
        'spec.podAnnotations: Invalid value: {"a":"b"}: '
        "podAnnotations can't be set when the executor does not use operator deployments"
    )
    spec = "  replicas: 1\n  podAnnotations: {a: b}"
    assert PREFIX + expected == refusal(cluster, app(spec))


def test_updates_are_validated(cluster: SpinCluster) -> None:
    """The webhooks look at updates as well."""
    made = cluster.create(app())
    assert isinstance(made, SpinApp)
    with pytest.raises(Invalid, match="replicas must be > 0"):
        cluster.api.update(made.replace(spec=made.spec.replace(replicas=0)))


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        (
            "{runtimeClassName: a, spinImage: b}",
            '"a": runtimeClassName and spinImage are mutually exclusive',
        ),
        ("{}", "null: either runtimeClassName or spinImage must be set"),
    ],
)
def test_executor_is_refused(config: str, expected: str) -> None:
    """An executor's Deployments have a RuntimeClass or a Spin image, exactly one of them."""
    text = executor(f"  {{createDeployment: true, deploymentConfig: {config}}}")
    where = "spec.deploymentConfig.runtimeClassName: Invalid value: "
    actual = refusal(SpinCluster(), text)
    assert actual.endswith(where + expected), actual


def test_every_field_survives_reading_and_writing() -> None:
    """All fields of both kinds are known under their wire names."""
    texts = [
        app(
            """
  imagePullSecrets: [{name: a}]
  checks:
    readiness: {httpGet: {path: /healthz, httpHeaders: [{name: a, value: b}]}}
    liveness: {httpGet: {path: /}, initialDelaySeconds: 1, timeoutSeconds: 2, periodSeconds: 3,
      successThreshold: 1, failureThreshold: 4}
  enableAutoscaling: false
  runtimeConfig:
    loadFromSecret: s
    sqliteDatabases: [{name: a, type: libsql, options: [{name: url, value: u}]}]
    keyValueStores: [{name: a, type: redis, options: [{name: url,
      valueFrom: {configMapKeyRef: {name: c, key: k}}}]}]
    llmCompute: {type: remote_http}
  volumes: [{name: v, persistentVolumeClaim: {claimName: c}}]
  volumeMounts: [{name: v, mountPath: /v}]
  variables: [{name: a, value: b}, {name: c, valueFrom: {fieldRef: {fieldPath: metadata.name}}}]
  serviceAnnotations: {a: b}
  deploymentAnnotations: {a: b}
  podAnnotations: {a: b}
  podLabels: {a: b}
  resources: {limits: {cpu: 1}, requests: {memory: 1Mi}}
  components: [a, b]
  serviceAccountName: robot
  invocationLimits: {memory: 1Mi}
"""
        ),
        executor(
            """
  createDeployment: true
  deploymentConfig: {runtimeClassName: a, spinImage: b, caCertSecret: c,
    installDefaultCACerts: true, otel: {exporter_otlp_endpoint: a,
    exporter_otlp_traces_endpoint: b, exporter_otlp_metrics_endpoint: c,
    exporter_otlp_logs_endpoint: d}}
"""
        ),
    ]
    for text in texts:
        obj = load_text(text)[0].obj
        assert obj == load_text(dump(obj))[0].obj
