"""The SpinApp controller: one pass from an application to its Deployment, Service and Secret.

Every pass writes everything again (server-side apply costs a request even when nothing changes), so
the operator's own rate limit is what a hundred applications at once wait for. It never looks at an
application's triggers, never makes an autoscaler, and counts replicas by its Deployment's status.

Mirrors: spin-operator internal/controller/spinapp_controller.go.
Departs: of server-side apply's field ownership only the outcome is there: what the operator sets
wins, what it never speaks of stays. A Deployment keeps its replicas when autoscaling is turned on,
where upstream gives the field up and it falls back to 1 unless somebody else owns it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from typing_extensions import override

from kubesim.api.appsv1 import Deployment
from kubesim.api.corev1 import ConfigMap, PodTemplateSpec, Secret, Service
from kubesim.api.defaults import set_defaults
from kubesim.api.metav1 import (
    Condition,
    ConditionStatus,
    KubeObject,
    ObjectMeta,
    controller_of,
)
from kubesim.api.spinv1alpha1 import (
    ExecutorDeploymentConfig,
    SpinApp,
    SpinAppExecutor,
    SpinAppStatus,
)
from kubesim.controlplane.client import (
    AlreadyExists,
    Client,
    Controller,
    NotFound,
    Recorder,
    StatusError,
)
from kubesim.controlplane.spin import children, runtimeconfig
from kubesim.sim import Sim, SimProcess

K = TypeVar("K", bound=KubeObject)

WORKERS = 1  # controller-runtime's MaxConcurrentReconciles
COPIED_CONDITIONS = ("Available", "Progressing")


class SpinAppController(Controller):
    """Reconciles SpinApps."""

    def __init__(self, sim: Sim, *, client: Client) -> None:
        super().__init__(sim, workers=WORKERS)
        self._client = client
        self._recorder = Recorder(sim, component="spinapp-reconciler")
        self._apps = client.informer(SpinApp)
        self._apps.add_handler(self._app_changed)
        self._executors = client.informer(SpinAppExecutor)
        self._deployments = client.informer(Deployment)
        self._deployments.add_handler(self._child_changed)
        self._services = client.informer(Service)
        self._services.add_handler(self._child_changed)
        self._secrets = client.informer(Secret)
        self._config_maps = client.informer(ConfigMap)

    @override
    def reconcile(self, key: str) -> SimProcess[None]:
        """Report, then write the children."""
        app = self._apps.get(key)
        if app is None:
            return
        executor = self._executors.get(f"{app.namespace}/{app.spec.executor}")
        if executor is None:
            name = f"{app.namespace}/{app.spec.executor}"
            text = f"Could not find SpinAppExecutor {name}"
            self._recorder.warning(app, "MissingExecutor", text)
            raise NotFound(f'spinappexecutors.core.spinkube.dev "{app.spec.executor}" not found')
        if executor.spec.create_deployment:
            yield from self._update_status(app)
        if app.metadata.deletion_timestamp is not None:
            return
        if executor.spec.create_deployment:
            yield from self._reconcile_deployment(app, executor.spec.deployment_config)
        elif self._deployments.get(key) is not None:
            yield from self._client.delete(Deployment, key)
        yield from self._apply(children.service(app), applied_service)

    def _update_status(self, app: SpinApp) -> SimProcess[None]:
        status = observed_status(
            app,
            self._deployments.get(app.key),
            self._services.get(app.key),
            wall_ns=self._sim.wall_ns,
        )
        try:
            yield from self._client.update_status(app.replace(status=status))
        except StatusError:
            return  # upstream writes a line to its log and goes on

    def _reconcile_deployment(
        self, app: SpinApp, config: ExecutorDeploymentConfig | None
    ) -> SimProcess[None]:
        if config is None:
            # Upstream dereferences a null pointer here; its panic is caught and retried.
            raise StatusError("must specify either runtimeClassName or spinImage")
        generated = yield from self._render_runtime_config(app)
        ca = children.ca_secret_name(config)
        if config.install_default_ca_certs and self._secrets.get(f"{app.namespace}/{ca}") is None:
            yield from self._create_once(children.ca_secret(ca, app.namespace))
        wanted = children.deployment(app, config, generated_secret=generated)
        yield from self._apply(wanted, applied_deployment)

    def _render_runtime_config(self, app: SpinApp) -> SimProcess[str | None]:
        """The name of the Secret with the configuration; makes it."""

        def find(kind: type[ConfigMap | Secret], name: str) -> ConfigMap | Secret | None:
            informer = self._config_maps if kind is ConfigMap else self._secrets
            return informer.get(f"{app.namespace}/{name}")

        try:
            text = runtimeconfig.render(app, find)
        except runtimeconfig.UnmetDependencyError as error:
            raise NotFound(f"failed to construct RuntimeConfig: {error}") from None
        if text is None:
            return None
        secret = children.runtime_config_secret(app, text)
        yield from self._create_once(secret)
        return secret.name

    def _create_once(self, obj: KubeObject) -> SimProcess[None]:
        try:
            yield from self._client.create(obj)
        except AlreadyExists:
            return

    def _apply(self, wanted: K, change: Callable[[K, K], K]) -> SimProcess[None]:
        """One server-side apply."""
        kind = type(wanted)
        if self._client.informer(kind).get(wanted.key) is None:
            try:
                yield from self._client.create(wanted)
            except AlreadyExists:
                pass  # made by an earlier pass; the cache does not have it yet
            else:
                return
        yield from self._client.patch(kind, wanted.key, lambda current: change(current, wanted))

    def _app_changed(self, old: SpinApp | None, new: SpinApp | None) -> None:
        changed = new or old
        assert changed is not None
        self.queue.add(changed.key)

    def _child_changed(self, old: KubeObject | None, new: KubeObject | None) -> None:
        changed = new or old
        assert changed is not None
        owner = controller_of(changed)
        if owner is not None and owner.kind == "SpinApp":
            self.queue.add(f"{changed.namespace}/{owner.name}")


def applied_deployment(current: Deployment, wanted: Deployment) -> Deployment:
    """A Deployment after the operator's apply: what it does not speak of stays as it is."""
    full = set_defaults(wanted)
    replicas = current.spec.replicas if wanted.spec.replicas is None else wanted.spec.replicas
    before, after = current.spec.template, full.spec.template
    owned = wanted.spec.template.spec.model_fields_set
    spec = before.spec.replace(**{name: getattr(after.spec, name) for name in sorted(owned)})
    template = before.replace(metadata=_applied_metadata(before, after), spec=spec)
    return current.replace(
        metadata=_applied_metadata(current, full).replace(
            owner_references=full.metadata.owner_references
        ),
        spec=current.spec.replace(
            replicas=replicas, selector=full.spec.selector, template=template
        ),
    )


def applied_service(current: Service, wanted: Service) -> Service:
    """A Service after the operator's apply."""
    full = set_defaults(wanted)
    return current.replace(
        metadata=_applied_metadata(current, full).replace(
            owner_references=full.metadata.owner_references
        ),
        spec=current.spec.replace(
            type=full.spec.type, ports=full.spec.ports, selector=full.spec.selector
        ),
    )


Labelled = TypeVar("Labelled", bound=KubeObject | PodTemplateSpec)


def _applied_metadata(current: Labelled, wanted: Labelled) -> ObjectMeta:
    return current.metadata.replace(
        labels=current.metadata.labels.merge(wanted.metadata.labels),
        annotations=current.metadata.annotations.merge(wanted.metadata.annotations),
    )


def observed_status(
    app: SpinApp, deployment: Deployment | None, service: Service | None, *, wall_ns: int
) -> SpinAppStatus:
    """The application's status: two conditions and a number, copied from its Deployment."""
    status = app.status.replace(active_scheduler=app.spec.executor)
    if service is not None:
        status = status.replace(service_name=service.name)
    if deployment is None:
        for type_ in COPIED_CONDITIONS:
            found = _condition(type_, "Unknown", "DeploymentNotFound", "Deployment not found")
            status = _with_condition(status, found, wall_ns)
        return status.replace(ready_replicas=0)
    for condition in deployment.status.conditions:
        if condition.type in COPIED_CONDITIONS:
            copied = _condition(
                condition.type, condition.status, condition.reason or "", condition.message or ""
            )
            status = _with_condition(status, copied, wall_ns)
    return status.replace(
        deployment_name=deployment.name, ready_replicas=deployment.status.ready_replicas or 0
    )


def _condition(type_: str, status: ConditionStatus, reason: str, message: str) -> Condition:
    return Condition(
        type=type_, status=status, reason=reason, message=message, last_transition_time=0
    )


def _with_condition(status: SpinAppStatus, new: Condition, wall_ns: int) -> SpinAppStatus:
    """The status with a condition set; it has moved only if its status has."""
    old = next((c for c in status.conditions if c.type == new.type), None)
    moved = old is None or old.status != new.status
    since = wall_ns if old is None or moved else old.last_transition_time
    new = new.replace(last_transition_time=since)
    if old is None:
        return status.replace(conditions=(*status.conditions, new))
    kept = tuple(new if c.type == new.type else c for c in status.conditions)
    return status.replace(conditions=kept)
