"""SpinKube's kinds: applications made of Spin components, and how they are run.

A ``SpinApp`` names an image and a number of replicas; a ``SpinAppExecutor`` in the same namespace
says whether the operator makes a Deployment of it, and with which RuntimeClass or Spin image.
``set_defaults`` fills in what the schema of the CRD fills in; the rules of the webhooks that need no
other object are ``spin_app_errors`` and ``spin_app_executor_errors``.

Mirrors: spin-operator api/v1alpha1 (spinapp_types.go, spinappexecutor_types.go), config/crd/bases,
internal/webhook (the validators).
"""

from typing import Literal

from kubesim.api.corev1.container import VolumeMount
from kubesim.api.corev1.env import EnvVarSource
from kubesim.api.corev1.references import (
    ConfigMapKeySelector,
    LocalObjectReference,
    SecretKeySelector,
)
from kubesim.api.corev1.volume import Volume
from kubesim.api.fielderrors import FieldError, Key, invalid
from kubesim.api.frozenmap import FrozenMap
from kubesim.api.metav1 import Condition, KubeObject
from kubesim.api.model import Bool, Int32, KubeModel, Unsimulated
from kubesim.api.quantity import Quantity

GROUP = "core.spinkube.dev"
API_VERSION = f"{GROUP}/v1alpha1"
OLD_GROUP = "core.spinoperator.dev"  # until v0.3.0 of the operator
NAME_LABEL = f"{GROUP}/app-name"
FINALIZER = f"{GROUP}/finalizer"

_SPEC = ("spec",)


class HTTPHealthProbeHeader(KubeModel):
    """A header that a probe sends."""

    name: str
    value: str


class HTTPHealthProbe(KubeModel):
    """A GET that must succeed."""

    path: str
    http_headers: tuple[HTTPHealthProbeHeader, ...] = ()


class HealthProbe(KubeModel):
    """How an application is asked for its health; only HTTP, and no startup probe."""

    http_get: HTTPHealthProbe | None = None
    initial_delay_seconds: Int32 | None = None
    timeout_seconds: Int32 | None = None
    period_seconds: Int32 | None = None
    success_threshold: Int32 | None = None
    failure_threshold: Int32 | None = None


class HealthChecks(KubeModel):
    """Whether an application may have traffic, and whether it lives."""

    readiness: HealthProbe | None = None
    liveness: HealthProbe | None = None


class RuntimeConfigVarSource(KubeModel):
    """Where an option's value comes from."""

    config_map_key_ref: ConfigMapKeySelector | None = None
    secret_key_ref: SecretKeySelector | None = None


class RuntimeConfigOption(KubeModel):
    """One key of a table in Spin's runtime configuration."""

    name: str
    value: str | None = None
    value_from: RuntimeConfigVarSource | None = None


class SqliteDatabaseConfig(KubeModel):
    """A database under the name that components know."""

    name: str
    type: str
    options: tuple[RuntimeConfigOption, ...] = ()


class KeyValueStoreConfig(KubeModel):
    """A store under the name that components know."""

    name: str
    type: str
    options: tuple[RuntimeConfigOption, ...] = ()


class LLMComputeConfig(KubeModel):
    """Where inference happens."""

    type: str
    options: tuple[RuntimeConfigOption, ...] = ()


class RuntimeConfig(KubeModel):
    """Spin's runtime configuration: a Secret of the user's, or what the operator renders."""

    load_from_secret: str | None = None
    sqlite_databases: tuple[SqliteDatabaseConfig, ...] = ()
    key_value_stores: tuple[KeyValueStoreConfig, ...] = ()
    llm_compute: LLMComputeConfig | None = None


class SpinVar(KubeModel):
    """A variable of the application."""

    name: str
    value: str | None = None
    value_from: EnvVarSource | None = None


class Resources(KubeModel):
    """Requests and limits of the application's one container."""

    limits: FrozenMap[str, Quantity] = FrozenMap()
    requests: FrozenMap[str, Quantity] = FrozenMap()


class SpinAppSpec(KubeModel):
    """What an application should be."""

    executor: str | None = None
    image: str
    image_pull_secrets: Unsimulated[tuple[LocalObjectReference, ...]] = ()
    checks: HealthChecks = HealthChecks.zero()
    replicas: Int32 | None = None
    enable_autoscaling: Bool | None = None
    runtime_config: RuntimeConfig = RuntimeConfig.zero()
    volumes: tuple[Volume, ...] = ()
    volume_mounts: tuple[VolumeMount, ...] = ()
    variables: tuple[SpinVar, ...] = ()
    service_annotations: FrozenMap[str, str] = FrozenMap()
    deployment_annotations: FrozenMap[str, str] = FrozenMap()
    pod_annotations: FrozenMap[str, str] = FrozenMap()
    pod_labels: FrozenMap[str, str] = FrozenMap()
    resources: Resources = Resources.zero()
    components: tuple[str, ...] = ()
    service_account_name: Unsimulated[str | None] = None
    invocation_limits: FrozenMap[str, str] = FrozenMap()


class SpinAppStatus(KubeModel):
    """How an application does; copied from its Deployment."""

    conditions: tuple[Condition, ...] = ()
    active_scheduler: str | None = None
    ready_replicas: Int32 = 0
    deployment_name: str | None = None
    service_name: str | None = None


class SpinApp(KubeObject):
    """An application of Spin components."""

    api_version: Literal["core.spinkube.dev/v1alpha1"] = "core.spinkube.dev/v1alpha1"
    kind: Literal["SpinApp"] = "SpinApp"
    spec: SpinAppSpec = SpinAppSpec.zero()
    status: SpinAppStatus = SpinAppStatus.zero()


class OtelConfig(KubeModel):
    """Where telemetry goes; the only fields of SpinKube that are not in camel case."""

    exporter_otlp_endpoint: str | None = None
    exporter_otlp_traces_endpoint: str | None = None
    exporter_otlp_metrics_endpoint: str | None = None
    exporter_otlp_logs_endpoint: str | None = None


class ExecutorDeploymentConfig(KubeModel):
    """How the Deployments of an executor look: a RuntimeClass, or an image with Spin in it."""

    runtime_class_name: str | None = None
    spin_image: str | None = None
    ca_cert_secret: str | None = None
    install_default_ca_certs: Bool | None = None
    otel: OtelConfig | None = None


class SpinAppExecutorSpec(KubeModel):
    """What an executor does with applications."""

    create_deployment: Bool
    deployment_config: ExecutorDeploymentConfig | None = None


class SpinAppExecutor(KubeObject):
    """A way of running applications; they name it, and it must be in their namespace."""

    api_version: Literal["core.spinkube.dev/v1alpha1"] = "core.spinkube.dev/v1alpha1"
    kind: Literal["SpinAppExecutor"] = "SpinAppExecutor"
    spec: SpinAppExecutorSpec = SpinAppExecutorSpec.zero()


def spin_app_defaults(app: SpinApp) -> SpinApp:
    """The application with what the CRD's schema fills in."""
    spec = app.spec
    changes: dict[str, object] = {}
    if spec.enable_autoscaling is None:
        changes["enable_autoscaling"] = False
    checks = HealthChecks.zero().replace(
        **{
            name: _probe(probe)
            for name in ("readiness", "liveness")
            if (probe := getattr(spec.checks, name)) is not None
        }
    )
    if checks != spec.checks:
        changes["checks"] = checks
    return app.replace(spec=spec.replace(**changes)) if changes else app


def _probe(probe: HealthProbe) -> HealthProbe:
    defaults = {
        "initial_delay_seconds": 10,
        "timeout_seconds": 1,
        "period_seconds": 10,
        "success_threshold": 1,
        "failure_threshold": 3,
    }
    missing = {name: value for name, value in defaults.items() if getattr(probe, name) is None}
    return probe.replace(**missing) if missing else probe


def spin_app_errors(app: SpinApp) -> list[FieldError]:
    """What the validating webhook finds wrong with an application by itself."""
    return [*replica_errors(app.spec), *invocation_limit_errors(app.spec)]


def replica_errors(spec: SpinAppSpec) -> list[FieldError]:
    """Replicas are the operator's or the autoscaler's, never both's."""
    path, replicas = (*_SPEC, "replicas"), spec.replicas or 0
    if spec.enable_autoscaling and replicas != 0:
        why = "replicas cannot be set when autoscaling is enabled"
        return [invalid(path, replicas, why)]
    if not spec.enable_autoscaling and replicas < 1:
        return [invalid(path, replicas, "replicas must be > 0")]
    return []


def invocation_limit_errors(spec: SpinAppSpec) -> list[FieldError]:
    """One invocation may not have more memory than the whole container."""
    limit = spec.invocation_limits.get("memory")
    if limit is None:
        return []
    path = (*_SPEC, "invocationLimits", Key("memory"))
    try:
        quantity = Quantity(limit)
    except ValueError:
        why = "memory limit must be a valid memory quantity (e.g. 128Mi, 1Gi)"
        return [invalid(path, limit, why)]
    for kind, amounts in (("limit", spec.resources.limits), ("request", spec.resources.requests)):
        bound = amounts.get("memory")
        if bound is not None:
            why = f"invocation limit quantity cannot be greater than the memory {kind} ({bound})"
            return [invalid(path, limit, why)] if quantity > bound else []
    return []


def annotation_errors(spec: SpinAppSpec, executor: SpinAppExecutor) -> list[FieldError]:
    """Annotations of a Deployment that the operator does not make."""
    if executor.spec.create_deployment:
        return []
    for field, annotations in (
        ("deploymentAnnotations", spec.deployment_annotations),
        ("podAnnotations", spec.pod_annotations),
    ):
        if annotations:
            why = f"{field} can't be set when the executor does not use operator deployments"
            return [invalid((*_SPEC, field), annotations, why)]
    return []


def spin_app_executor_errors(executor: SpinAppExecutor) -> list[FieldError]:
    """What the validating webhook finds wrong with an executor."""
    config = executor.spec.deployment_config
    if config is None:
        return []
    path = (*_SPEC, "deploymentConfig", "runtimeClassName")
    name = config.runtime_class_name
    if name is not None and config.spin_image is not None:
        return [invalid(path, name, "runtimeClassName and spinImage are mutually exclusive")]
    if name is None and config.spin_image is None:
        return [invalid(path, name, "either runtimeClassName or spinImage must be set")]
    return []
