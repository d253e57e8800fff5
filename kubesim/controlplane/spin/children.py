"""What becomes of a SpinApp: a Deployment, a Service, a Secret. Pure functions.

Nothing here is a choice of ours: names, labels, ports, the environment and its order are what the
operator writes, and so what people's selectors and dashboards rely on.

Mirrors: spin-operator internal/controller (deployment.go, service.go, constructDeployment in
spinapp_controller.go), pkg/spinapp.
Departs: the CA bundle's Secret has a placeholder instead of 200 kB of certificates.
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Iterator

from kubesim.api.appsv1 import Deployment, DeploymentSpec
from kubesim.api.corev1 import (
    Container,
    ContainerPort,
    EnvVar,
    HTTPGetAction,
    HTTPHeader,
    KeyToPath,
    PodSpec,
    PodTemplateSpec,
    Probe,
    ResourceRequirements,
    Secret,
    SecretVolumeSource,
    Service,
    ServicePort,
    ServiceSpec,
    Volume,
    VolumeMount,
)
from kubesim.api.frozenmap import FrozenMap
from kubesim.api.metav1 import LabelSelector, ObjectMeta, OwnerReference, new_controller_ref
from kubesim.api.quantity import Quantity
from kubesim.api.spinv1alpha1 import (
    GROUP,
    NAME_LABEL,
    ExecutorDeploymentConfig,
    HealthProbe,
    OtelConfig,
    SpinApp,
)
from kubesim.controlplane.spin import runtimeconfig
from kubesim.controlplane.spin.names import POD_SPEC_ANNOTATION

PORT_NAME = "http-app"
PORT = 80
DEFAULT_CA_SECRET = "spin-ca"  # noqa: S105  # a Secret's name


def app_labels(app: SpinApp) -> FrozenMap[str, str]:
    """The labels of everything that belongs to the application."""
    return FrozenMap({NAME_LABEL: app.name})


def ready_label(app: SpinApp) -> FrozenMap[str, str]:
    """The one label that the Service selects."""
    return FrozenMap({f"{GROUP}/app.{app.name}.status": "ready"})


def service(app: SpinApp) -> Service:
    """The Service; every application gets one, whatever its triggers are."""
    return Service(
        metadata=ObjectMeta(
            name=app.name,
            namespace=app.namespace,
            labels=app_labels(app),
            annotations=app.spec.service_annotations,
            owner_references=(new_controller_ref(app),),
        ),
        spec=ServiceSpec(
            type="ClusterIP",
            ports=(ServicePort(protocol="TCP", port=PORT, target_port=PORT_NAME),),
            selector=ready_label(app),
        ),
    )


def runtime_config_secret(app: SpinApp, text: str) -> Secret:
    """The Secret with the rendered configuration; owned, but not controlled."""
    owner = OwnerReference(api_version=app.api_version, kind=app.kind, name=app.name, uid=app.uid)
    return Secret(
        metadata=ObjectMeta(
            name=runtimeconfig.secret_name(app, text),
            namespace=app.namespace,
            labels=app_labels(app),
            owner_references=(owner,),
        ),
        data=FrozenMap({runtimeconfig.FILE: b64encode(text.encode()).decode()}),
    )


def ca_secret(name: str, namespace: str) -> Secret:
    """The bundle of certificates, once a namespace."""
    return Secret(
        metadata=ObjectMeta(
            name=name,
            namespace=namespace,
            annotations=FrozenMap({"app.kubernetes.io/managed-by": "spin-operator.spinkube.dev"}),
        ),
        string_data=FrozenMap({"ca-certificates.crt": "(the bundle that the operator ships)\n"}),
    )


def ca_secret_name(config: ExecutorDeploymentConfig) -> str:
    """The Secret with certificates that pods get; empty for none."""
    default = DEFAULT_CA_SECRET if config.install_default_ca_certs else ""
    return config.ca_cert_secret or default


def deployment(
    app: SpinApp, config: ExecutorDeploymentConfig, *, generated_secret: str | None
) -> Deployment:
    """The Deployment, as it is applied; without replicas when something else scales it.

    Args:
        app: The application.
        config: The executor's configuration.
        generated_secret: The Secret with the rendered configuration, when there is one.
    """
    spec = app.spec
    labels = app_labels(app).merge(ready_label(app))
    volumes = tuple(_volumes(app, config, generated_secret))
    pod = PodSpec(
        runtime_class_name=config.runtime_class_name,
        service_account_name=spec.service_account_name or "default",
        containers=(_container(app, config, tuple(mount for _, mount in volumes)),),
        image_pull_secrets=spec.image_pull_secrets,
        volumes=(
            *_named(volumes, "spin-runtime-config"),
            *spec.volumes,
            *_named(volumes, "spin-ca"),
        ),
    )
    return Deployment(
        metadata=ObjectMeta(
            name=app.name,
            namespace=app.namespace,
            labels=app_labels(app),
            annotations=spec.deployment_annotations,
            owner_references=(new_controller_ref(app),),
        ),
        spec=DeploymentSpec(
            replicas=None if spec.enable_autoscaling else spec.replicas,
            selector=LabelSelector(match_labels=labels),
            template=PodTemplateSpec(
                metadata=ObjectMeta(
                    labels=spec.pod_labels.merge(labels), annotations=spec.pod_annotations
                ),
                spec=_with_pod_spec(app, pod),
            ),
        ),
    )


def _with_pod_spec(app: SpinApp, pod: PodSpec) -> PodSpec:
    """The pod with what a lenient reading of the manifest adds to it."""
    text = app.metadata.annotations.get(POD_SPEC_ANNOTATION)
    if text is None:
        return pod
    extra = PodSpec.model_validate({"containers": [], **json.loads(text)})
    named = extra.model_fields_set - {"containers"}
    return pod.replace(**{name: getattr(extra, name) for name in sorted(named)})


def _container(
    app: SpinApp, config: ExecutorDeploymentConfig, generated: tuple[VolumeMount, ...]
) -> Container:
    spec = app.spec
    first = tuple(mount for mount in generated if mount.name != "spin-ca")
    last = tuple(mount for mount in generated if mount.name == "spin-ca")
    container = Container(
        name=app.name,
        image=spec.image,
        command=("/",),
        ports=(ContainerPort(name=PORT_NAME, container_port=PORT),),
        env=tuple(environment(app, config.otel)),
        volume_mounts=(*first, *spec.volume_mounts, *last),
        resources=ResourceRequirements(
            limits=spec.resources.limits, requests=spec.resources.requests
        ),
        liveness_probe=_probe(spec.checks.liveness),
        readiness_probe=_probe(spec.checks.readiness),
    )
    if config.runtime_class_name is not None:
        return container
    # An ordinary container with the Spin CLI, which fetches the application itself.
    args = ["up", "--listen", f"0.0.0.0:{PORT}", "-f", spec.image]
    args += ["--runtime-config-file", f"/{runtimeconfig.FILE}"]
    for component in spec.components:
        args += ["--component-id", component]
    return container.replace(image=config.spin_image, command=(), args=tuple(args))


def environment(app: SpinApp, otel: OtelConfig | None) -> Iterator[EnvVar]:
    """The variables of the container, in the operator's order."""
    spec = app.spec
    for variable in spec.variables:
        yield EnvVar(
            name=f"{runtimeconfig.VARIABLES_PREFIX}{variable.name.upper()}",
            value=variable.value,
            value_from=variable.value_from,
        )
    yield EnvVar(name="SPIN_HTTP_LISTEN_ADDR", value=f"0.0.0.0:{PORT}")
    for field in OtelConfig.model_fields if otel is not None else ():
        if endpoint := getattr(otel, field):
            yield EnvVar(name=f"OTEL_{field.upper()}", value=endpoint)
    if memory := spec.invocation_limits.get("memory"):
        yield EnvVar(name="SPIN_MAX_INSTANCE_MEMORY", value=str(Quantity(memory).value()))
    if spec.components:
        yield EnvVar(name="SPIN_COMPONENTS_TO_RETAIN", value=",".join(spec.components))


def _volumes(
    app: SpinApp, config: ExecutorDeploymentConfig, generated_secret: str | None
) -> Iterator[tuple[Volume, VolumeMount]]:
    """The operator's own volumes, each with its mount."""
    secret = generated_secret or app.spec.runtime_config.load_from_secret
    if secret:
        path = f"/{runtimeconfig.FILE}"
        yield _secret_volume("spin-runtime-config", secret, runtimeconfig.FILE, path)
    if ca := ca_secret_name(config):
        path = "/etc/ssl/certs/ca-certificates.crt"
        yield _secret_volume("spin-ca", ca, "ca-certificates.crt", path)


def _secret_volume(name: str, secret: str, key: str, path: str) -> tuple[Volume, VolumeMount]:
    source = SecretVolumeSource(
        secret_name=secret, optional=True, items=(KeyToPath(key=key, path=key),)
    )
    mount = VolumeMount(name=name, read_only=True, mount_path=path, sub_path=key)
    return Volume(name=name, secret=source), mount


def _named(volumes: tuple[tuple[Volume, VolumeMount], ...], name: str) -> Iterator[Volume]:
    return (volume for volume, _ in volumes if volume.name == name)


def _probe(check: HealthProbe | None) -> Probe | None:
    if check is None or check.http_get is None:
        return None
    headers = tuple(
        HTTPHeader(name=header.name, value=header.value) for header in check.http_get.http_headers
    )
    return Probe(
        http_get=HTTPGetAction(path=check.http_get.path, port=PORT, http_headers=headers),
        initial_delay_seconds=check.initial_delay_seconds,
        timeout_seconds=check.timeout_seconds,
        period_seconds=check.period_seconds,
        success_threshold=check.success_threshold,
        failure_threshold=check.failure_threshold,
    )
