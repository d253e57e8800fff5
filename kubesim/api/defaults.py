"""Defaults: what an API server fills in before it looks at an object.

``set_defaults(obj)`` gives the object with everything filled in that was left open; the very same
object when there was nothing to fill in. Equal pod specs give one and the same result, so that
thousands of equal pods go on sharing one spec.

Mirrors: pkg/apis/{core,apps,batch,discovery,scheduling}/v1/defaults.go,
pkg/apis/autoscaling/v2/defaults.go.
Departs: volumes that are not simulated keep their gaps; requests of a pod as a whole are not
derived from its containers.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from functools import lru_cache
from typing import Any, TypeVar

from kubesim.api.appsv1 import (
    DaemonSet,
    Deployment,
    DeploymentStrategy,
    ReplicaSet,
    RollingUpdateDaemonSet,
    RollingUpdateDeployment,
    RollingUpdateStatefulSetStrategy,
    StatefulSet,
)
from kubesim.api.autoscalingdefaults import horizontal_pod_autoscaler_defaults
from kubesim.api.autoscalingv2 import HorizontalPodAutoscaler
from kubesim.api.batchv1 import (
    CronJob,
    Job,
    JobSpec,
    PodFailurePolicyOnPodConditionsPattern,
    PodFailurePolicyRule,
)
from kubesim.api.corev1 import (
    ClientIPConfig,
    Container,
    EnvVar,
    LimitRange,
    LimitRangeItem,
    Namespace,
    Node,
    Pod,
    PodSecurityContext,
    PodSpec,
    PodTemplateSpec,
    Probe,
    ResourceRequirements,
    Secret,
    Service,
    ServicePort,
    SessionAffinityConfig,
)
from kubesim.api.discoveryv1 import EndpointSlice
from kubesim.api.frozenmap import FrozenMap
from kubesim.api.metav1 import KubeObject
from kubesim.api.model import KubeModel
from kubesim.api.quantity import Quantity
from kubesim.api.schedulingv1 import PriorityClass
from kubesim.api.spinv1alpha1 import SpinApp, spin_app_defaults

__all__ = ["image_pull_policy", "set_defaults", "set_pod_spec_defaults"]

M = TypeVar("M", bound=KubeModel)
O = TypeVar("O", bound=KubeObject)  # noqa: E741  # the object type, as M is the model type

DEFAULT_SCHEDULER_NAME = "default-scheduler"
DEFAULT_TERMINATION_GRACE_PERIOD_SECONDS = 30
MAX_INT32 = 2**31 - 1
NAMESPACE_NAME_LABEL = "kubernetes.io/metadata.name"


def set_defaults(obj: O) -> O:
    """The object with everything filled in that was left open."""
    fill = _DEFAULTERS.get(type(obj))
    return obj if fill is None else fill(obj)


def image_pull_policy(image: str) -> str:
    """``Always`` for an image without a tag or with ``latest``, else ``IfNotPresent``."""
    name, digest = image.partition("@")[::2]
    tag = name.rpartition("/")[2].partition(":")[2]
    return "Always" if tag == "latest" or (not tag and not digest) else "IfNotPresent"


def _fill(obj: M, **defaults: Any) -> M:
    """The object with those defaults whose fields are absent."""
    missing = {name: value for name, value in defaults.items() if getattr(obj, name) is None}
    return obj.replace(**missing) if missing else obj


def _fill_empty(obj: M, **defaults: Any) -> M:
    """The same, where Go has plain values: ``""`` and ``0`` are as good as absent."""
    missing = {name: value for name, value in defaults.items() if not getattr(obj, name)}
    return obj.replace(**missing) if missing else obj


def _changed(obj: M, **values: Any) -> M:
    """The object with new values, or itself when they are the ones it has."""
    changes = {name: value for name, value in values.items() if getattr(obj, name) is not value}
    return obj.replace(**changes) if changes else obj


def _each(items: tuple[M, ...], fill: Callable[[M], M]) -> tuple[M, ...]:
    filled = tuple(fill(item) for item in items)
    same = all(new is old for new, old in zip(filled, items, strict=True))
    return items if same else filled


def _pod(pod: Pod) -> Pod:
    return _changed(pod, spec=set_pod_spec_defaults(pod.spec))


def _template(template: PodTemplateSpec) -> PodTemplateSpec:
    return _changed(template, spec=_template_spec(template.spec))


@lru_cache(maxsize=2**14)
def set_pod_spec_defaults(spec: PodSpec) -> PodSpec:
    """The defaults of a pod's spec: those of a template's, and requests taken from limits."""
    spec = _template_spec(spec)
    spec = _changed(
        spec,
        containers=_each(spec.containers, _requests_from_limits),
        init_containers=_each(spec.init_containers, _requests_from_limits),
    )
    spec = _fill(spec, enable_service_links=True)
    if spec.host_network:
        spec = _changed(
            spec,
            containers=_each(spec.containers, _host_network_ports),
            init_containers=_each(spec.init_containers, _host_network_ports),
        )
    return spec


@lru_cache(maxsize=2**14)
def _template_spec(spec: PodSpec) -> PodSpec:
    spec = _fill_empty(
        spec,
        dns_policy="ClusterFirst",
        restart_policy="Always",
        scheduler_name=DEFAULT_SCHEDULER_NAME,
    )
    spec = _fill(
        spec,
        security_context=PodSecurityContext.zero(),
        termination_grace_period_seconds=DEFAULT_TERMINATION_GRACE_PERIOD_SECONDS,
    )
    return _changed(
        spec,
        containers=_each(spec.containers, _container),
        init_containers=_each(spec.init_containers, _container),
        overhead=_rounded(spec.overhead),
    )


def _container(container: Container) -> Container:
    container = _fill_empty(
        container,
        image_pull_policy=image_pull_policy(container.image or ""),
        termination_message_path="/dev/termination-log",
        termination_message_policy="File",
    )
    return _changed(
        container,
        ports=_each(container.ports, lambda port: _fill_empty(port, protocol="TCP")),
        env=_each(container.env, _env_var),
        resources=_resources(container.resources),
        liveness_probe=_probe(container.liveness_probe),
        readiness_probe=_probe(container.readiness_probe),
        startup_probe=_probe(container.startup_probe),
    )


def _env_var(variable: EnvVar) -> EnvVar:
    source = variable.value_from
    if source is None or source.field_ref is None:
        return variable
    reference = _fill_empty(source.field_ref, api_version="v1")
    return _changed(variable, value_from=_changed(source, field_ref=reference))


def _probe(probe: Probe | None) -> Probe | None:
    if probe is None:
        return None
    if probe.http_get is not None:
        probe = _changed(probe, http_get=_fill_empty(probe.http_get, path="/", scheme="HTTP"))
    if probe.grpc is not None:
        probe = _changed(probe, grpc=_fill(probe.grpc, service=""))
    return _fill_empty(
        probe, timeout_seconds=1, period_seconds=10, success_threshold=1, failure_threshold=3
    )


def _resources(resources: ResourceRequirements) -> ResourceRequirements:
    return _changed(
        resources, limits=_rounded(resources.limits), requests=_rounded(resources.requests)
    )


def _rounded(resources: FrozenMap[str, Quantity]) -> FrozenMap[str, Quantity]:
    """The same amounts, rounded up to thousandths: nothing finer is stored."""
    for name, quantity in resources.items():
        if quantity.nanos % 10**6:
            rounded = Quantity.of_millis(quantity.milli_value(), quantity.format)
            resources = resources.set(name, rounded)
    return resources


def _requests_from_limits(container: Container) -> Container:
    resources = container.resources
    missing = {
        name: quantity
        for name, quantity in resources.limits.items()
        if name not in resources.requests
    }
    if not missing:
        return container
    requests = FrozenMap({**resources.requests, **missing})
    return container.replace(resources=resources.replace(requests=requests))


def _host_network_ports(container: Container) -> Container:
    ports = _each(container.ports, lambda port: _fill_empty(port, host_port=port.container_port))
    return _changed(container, ports=ports)


def _node(node: Node) -> Node:
    status = node.status
    if status.capacity and not status.allocatable:
        return node.replace(status=status.replace(allocatable=status.capacity))
    return node


def _namespace(namespace: Namespace) -> Namespace:
    if namespace.name:
        labels = namespace.metadata.labels.set(NAMESPACE_NAME_LABEL, namespace.name)
        metadata = _changed(namespace.metadata, labels=labels)
        namespace = _changed(namespace, metadata=metadata)
    return _changed(namespace, status=_fill_empty(namespace.status, phase="Active"))


def _secret(secret: Secret) -> Secret:
    secret = _fill_empty(secret, type="Opaque")
    if not secret.string_data:
        return secret
    # Write-only: what was written as text is kept like all the rest.
    encoded = {key: b64encode(text.encode()).decode() for key, text in secret.string_data.items()}
    return secret.replace(data=secret.data.merge(encoded), string_data=FrozenMap())


def _service(service: Service) -> Service:
    spec = _fill_empty(service.spec, session_affinity="None", type="ClusterIP")
    if spec.session_affinity == "None":
        spec = _changed(spec, session_affinity_config=None)
    else:
        config = SessionAffinityConfig(client_ip=ClientIPConfig(timeout_seconds=10800))
        given = spec.session_affinity_config
        if given is None or given.client_ip is None or given.client_ip.timeout_seconds is None:
            spec = spec.replace(session_affinity_config=config)
    spec = _changed(spec, ports=_each(spec.ports, _service_port))
    if spec.type != "ExternalName":
        spec = _fill(spec, internal_traffic_policy="Cluster")
    if spec.type in ("NodePort", "LoadBalancer") or spec.external_ips:
        spec = _fill_empty(spec, external_traffic_policy="Cluster")
    if spec.type == "LoadBalancer":
        spec = _fill(spec, allocate_load_balancer_node_ports=True)
    return _changed(service, spec=spec)


def _service_port(port: ServicePort) -> ServicePort:
    return _fill_empty(port, protocol="TCP", target_port=port.port)


def _deployment(deployment: Deployment) -> Deployment:
    spec = _fill(
        deployment.spec, replicas=1, revision_history_limit=10, progress_deadline_seconds=600
    )
    spec = _changed(spec, strategy=_strategy(spec.strategy), template=_template(spec.template))
    return _changed(deployment, spec=spec)


def _strategy(strategy: DeploymentStrategy) -> DeploymentStrategy:
    strategy = _fill_empty(strategy, type="RollingUpdate")
    if strategy.type != "RollingUpdate":
        return strategy
    rolling = strategy.rolling_update or RollingUpdateDeployment.zero()
    rolling = _fill(rolling, max_unavailable="25%", max_surge="25%")
    return _changed(strategy, rolling_update=rolling)


def _replica_set(replica_set: ReplicaSet) -> ReplicaSet:
    spec = _fill(replica_set.spec, replicas=1)
    return _changed(replica_set, spec=_changed(spec, template=_template(spec.template)))


def _stateful_set(stateful_set: StatefulSet) -> StatefulSet:
    spec = _fill(stateful_set.spec, replicas=1, revision_history_limit=10)
    spec = _fill_empty(spec, pod_management_policy="OrderedReady")
    strategy = _fill_empty(spec.update_strategy, type="RollingUpdate")
    if strategy.type == "RollingUpdate":
        rolling = strategy.rolling_update or RollingUpdateStatefulSetStrategy.zero()
        strategy = _changed(strategy, rolling_update=_fill(rolling, partition=0))
    spec = _changed(spec, update_strategy=strategy, template=_template(spec.template))
    return _changed(stateful_set, spec=spec)


def _daemon_set(daemon_set: DaemonSet) -> DaemonSet:
    spec = _fill(daemon_set.spec, revision_history_limit=10)
    strategy = _fill_empty(spec.update_strategy, type="RollingUpdate")
    if strategy.type == "RollingUpdate":
        rolling = strategy.rolling_update or RollingUpdateDaemonSet.zero()
        rolling = _fill(rolling, max_unavailable=1, max_surge=0)
        strategy = _changed(strategy, rolling_update=rolling)
    spec = _changed(spec, update_strategy=strategy, template=_template(spec.template))
    return _changed(daemon_set, spec=spec)


def _job(job: Job) -> Job:
    labels = job.spec.template.metadata.labels
    if labels and not job.metadata.labels:
        job = job.replace(metadata=job.metadata.replace(labels=labels))
    return _changed(job, spec=_job_spec(job.spec))


def _job_spec(spec: JobSpec) -> JobSpec:
    if spec.completions is None and spec.parallelism is None:
        spec = spec.replace(completions=1, parallelism=1)
    policy = spec.pod_failure_policy
    spec = _fill(
        spec,
        parallelism=1,
        backoff_limit=6 if spec.backoff_limit_per_index is None else MAX_INT32,
        completion_mode="NonIndexed",
        suspend=False,
        pod_replacement_policy="TerminatingOrFailed" if policy is None else "Failed",
        manual_selector=False,
    )
    if policy is not None:
        policy = _changed(policy, rules=_each(policy.rules, _failure_rule))
    return _changed(spec, pod_failure_policy=policy, template=_template(spec.template))


def _failure_rule(rule: PodFailurePolicyRule) -> PodFailurePolicyRule:
    def filled(
        pattern: PodFailurePolicyOnPodConditionsPattern,
    ) -> PodFailurePolicyOnPodConditionsPattern:
        return _fill_empty(pattern, status="True")

    return _changed(rule, on_pod_conditions=_each(rule.on_pod_conditions, filled))


def _cron_job(cron_job: CronJob) -> CronJob:
    spec = _fill_empty(cron_job.spec, concurrency_policy="Allow")
    spec = _fill(spec, suspend=False, successful_jobs_history_limit=3, failed_jobs_history_limit=1)
    template = spec.job_template.spec.template
    job_spec = _changed(spec.job_template.spec, template=_template(template))
    spec = _changed(spec, job_template=_changed(spec.job_template, spec=job_spec))
    return _changed(cron_job, spec=spec)


def _limit_range(limit_range: LimitRange) -> LimitRange:
    limits = _each(limit_range.spec.limits, _limit_range_item)
    return _changed(limit_range, spec=_changed(limit_range.spec, limits=limits))


def _limit_range_item(item: LimitRangeItem) -> LimitRangeItem:
    """A container's default limit is the maximum; its default request the limit, or the minimum."""
    if item.type != "Container":
        return item
    default = FrozenMap({**item.max, **item.default})
    request = FrozenMap({**item.min, **default, **item.default_request})
    same = default == item.default and request == item.default_request
    return item if same else item.replace(default=default, default_request=request)


def _endpoint_slice(endpoint_slice: EndpointSlice) -> EndpointSlice:
    ports = _each(endpoint_slice.ports, lambda port: _fill(port, name="", protocol="TCP"))
    return _changed(endpoint_slice, ports=ports)


def _priority_class(priority_class: PriorityClass) -> PriorityClass:
    return _fill(priority_class, preemption_policy="PreemptLowerPriority")


_DEFAULTERS: dict[type[KubeObject], Callable[[Any], Any]] = {
    CronJob: _cron_job,
    DaemonSet: _daemon_set,
    Deployment: _deployment,
    EndpointSlice: _endpoint_slice,
    Job: _job,
    LimitRange: _limit_range,
    HorizontalPodAutoscaler: horizontal_pod_autoscaler_defaults,
    Namespace: _namespace,
    Node: _node,
    Pod: _pod,
    PriorityClass: _priority_class,
    ReplicaSet: _replica_set,
    Secret: _secret,
    Service: _service,
    SpinApp: spin_app_defaults,
    StatefulSet: _stateful_set,
}
