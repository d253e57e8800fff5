"""The operator: what it makes of an application, and what it says about it."""

from __future__ import annotations

from base64 import b64decode

import pytest
from spin_harness import SpinCluster, app, executor

from kubesim.api.appsv1 import Deployment
from kubesim.api.corev1 import Secret, Service
from kubesim.api.spinv1alpha1 import FINALIZER, SpinApp, SpinAppExecutor
from kubesim.controlplane.spin.children import environment
from kubesim.controlplane.spin.spinapp import applied_deployment
from kubesim.manifests import load_text

NAME = "core.spinkube.dev/app-name"
READY = "core.spinkube.dev/app.hello.status"


def deployment(cluster: SpinCluster) -> Deployment:
    return cluster.api.get(Deployment, "default/hello")


def spin_app(cluster: SpinCluster) -> SpinApp:
    return cluster.api.get(SpinApp, "default/hello")


def made(cluster: SpinCluster, text: str) -> Deployment:
    cluster.create(text)
    cluster.run(5)
    return deployment(cluster)


def test_deployment(cluster: SpinCluster) -> None:
    """The Deployment has the names, labels, port and command that upstream gives it."""
    found = made(cluster, app("  replicas: 2\n  podLabels: {team: a}"))
    container = found.spec.template.spec.containers[0]
    assert {NAME: "hello"} == found.metadata.labels
    assert {NAME: "hello", READY: "ready"} == found.spec.selector.match_labels
    assert {"team": "a", NAME: "hello", READY: "ready"} == found.spec.template.metadata.labels
    assert 2 == found.spec.replicas
    assert "wasmtime-spin-v2" == found.spec.template.spec.runtime_class_name
    assert "default" == found.spec.template.spec.service_account_name
    assert ("hello", "ghcr.io/example/hello:v1", ("/",), ()) == (
        container.name, container.image, container.command, container.args,
    )  # fmt: skip
    assert [("http-app", 80, "TCP")] == [
        (port.name, port.container_port, port.protocol) for port in container.ports
    ]
    owner = found.metadata.owner_references[0]
    assert ("SpinApp", "hello", True) == (owner.kind, owner.name, owner.controller)
    assert 2 == len(cluster.pods())


def test_service(cluster: SpinCluster) -> None:
    """Every application has a Service on port 80 that selects only the ready label."""
    cluster.create(app("  replicas: 1\n  serviceAnnotations: {a: b}"))
    cluster.run(5)
    found = cluster.api.get(Service, "default/hello")
    assert {READY: "ready"} == found.spec.selector
    assert [(80, "http-app")] == [(port.port, port.target_port) for port in found.spec.ports]
    assert ({NAME: "hello"}, {"a": "b"}) == (found.metadata.labels, found.metadata.annotations)


def test_environment() -> None:
    """Variables come first, then the address, telemetry, the limit and the components."""
    spec = """  replicas: 1
  variables: [{name: log_level, value: debug}]
  invocationLimits: {memory: 128Mi}
  components: [a, b]"""
    text = executor(
        "  {createDeployment: true, deploymentConfig: {runtimeClassName: c, "
        "otel: {exporter_otlp_endpoint: 'http://o', exporter_otlp_logs_endpoint: 'http://l'}}}"
    )
    application, runs = (load_text(t)[0].obj for t in (app(spec), text))
    assert isinstance(application, SpinApp)
    assert isinstance(runs, SpinAppExecutor)
    config = runs.spec.deployment_config
    assert config is not None
    assert [
        ("SPIN_VARIABLE_LOG_LEVEL", "debug"),
        ("SPIN_HTTP_LISTEN_ADDR", "0.0.0.0:80"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://o"),
        ("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", "http://l"),
        ("SPIN_MAX_INSTANCE_MEMORY", "134217728"),
        ("SPIN_COMPONENTS_TO_RETAIN", "a,b"),
    ] == [(env.name, env.value) for env in environment(application, config.otel)]


def test_runtime_config_is_always_there(cluster: SpinCluster) -> None:
    """The configuration is rendered and mounted even when the application asks for none."""
    spec = made(cluster, app()).spec.template.spec
    volume = spec.volumes[0]
    assert volume.secret is not None
    name = volume.secret.secret_name or ""
    secret = cluster.api.get(Secret, f"default/{name}")
    text = b64decode(secret.data["runtime-config.toml"]).decode()
    assert "[[config_provider]]\ntype = 'env'\nprefix = 'SPIN_VARIABLE_'\n" == text
    assert "hello-760b133c" == name
    mount = spec.containers[0].volume_mounts[0]
    assert ("spin-runtime-config", "/runtime-config.toml", "runtime-config.toml", True) == (
        mount.name, mount.mount_path, mount.sub_path, mount.read_only,
    )  # fmt: skip
    assert ({NAME: "hello"}, True) == (secret.metadata.labels, volume.secret.optional)


def test_runtime_config_with_stores(cluster: SpinCluster) -> None:
    """Stores, databases and models are tables, sorted by name, with values from Secrets."""
    cluster.create("{apiVersion: v1, kind: Secret, metadata: {name: s}, stringData: {t: it's}}")
    cluster.create("{apiVersion: v1, kind: ConfigMap, metadata: {name: c}, data: {u: 'http://t'}}")
    cluster.run(1)
    spec = """  replicas: 1
  runtimeConfig:
    keyValueStores:
    - {name: default, type: redis, options: [{name: url, value: 'redis://r:6379'}]}
    - {name: cache, type: spin}
    sqliteDatabases:
    - name: default
      type: libsql
      options:
      - {name: url, valueFrom: {configMapKeyRef: {name: c, key: u}}}
      - {name: token, valueFrom: {secretKeyRef: {name: s, key: t}}}
    llmCompute: {type: spin}"""
    volume = made(cluster, app(spec)).spec.template.spec.volumes[0]
    assert volume.secret is not None
    secret = cluster.api.get(Secret, f"default/{volume.secret.secret_name}")
    expected = """[[config_provider]]
type = 'env'
prefix = 'SPIN_VARIABLE_'

[key_value_store]
[key_value_store.cache]
type = 'spin'

[key_value_store.default]
type = 'redis'
url = 'redis://r:6379'

[sqlite_database]
[sqlite_database.default]
token = "it's"
type = 'libsql'
url = 'http://t'

[llm_compute]
type = 'spin'
"""
    assert expected == b64decode(secret.data["runtime-config.toml"]).decode()


def test_runtime_config_waits_for_its_secrets(cluster: SpinCluster) -> None:
    """While a Secret is missing there is no Deployment; the back-off finds it when it comes."""
    spec = """  replicas: 1
  runtimeConfig:
    keyValueStores:
    - name: default
      type: redis
      options: [{name: url, valueFrom: {secretKeyRef: {name: s, key: u}}}]"""
    cluster.create(app(spec))
    cluster.run(5)
    assert not cluster.exists(Deployment, "default/hello")
    cluster.create("{apiVersion: v1, kind: Secret, metadata: {name: s}, stringData: {u: x}}")
    cluster.run(20)
    assert cluster.exists(Deployment, "default/hello")


def test_runtime_config_of_the_user(cluster: SpinCluster) -> None:
    """``loadFromSecret`` mounts the user's Secret and renders nothing."""
    found = made(cluster, app("  replicas: 1\n  runtimeConfig: {loadFromSecret: mine}"))
    volume = found.spec.template.spec.volumes[0]
    assert volume.secret is not None
    assert "mine" == volume.secret.secret_name
    assert [] == list(cluster.api.list(Secret))


def test_certificates() -> None:
    """Default certificates are a Secret of the namespace, mounted where Linux expects them."""
    cluster = SpinCluster()
    cluster.start_operator()
    config = "{runtimeClassName: c, installDefaultCACerts: true}"
    cluster.create(executor(f"  {{createDeployment: true, deploymentConfig: {config}}}"))
    spec = made(cluster, app()).spec.template.spec
    assert ["spin-runtime-config", "spin-ca"] == [volume.name for volume in spec.volumes]
    assert "/etc/ssl/certs/ca-certificates.crt" == spec.containers[0].volume_mounts[1].mount_path
    assert cluster.exists(Secret, "default/spin-ca")


def test_spintainer() -> None:
    """With a Spin image the pod is an ordinary container that fetches the application itself."""
    cluster = SpinCluster()
    cluster.start_operator()
    cluster.create(executor("  {createDeployment: true, deploymentConfig: {spinImage: spin:3}}"))
    spec = made(cluster, app("  replicas: 1\n  components: [a, b]")).spec.template.spec
    container = spec.containers[0]
    expected = (
        "up --listen 0.0.0.0:80 -f ghcr.io/example/hello:v1 "
        "--runtime-config-file /runtime-config.toml --component-id a --component-id b"
    )
    assert ("spin:3", (), expected) == (
        container.image, container.command, " ".join(container.args),
    )  # fmt: skip
    assert spec.runtime_class_name is None


def test_probes(cluster: SpinCluster) -> None:
    """A check becomes a probe on port 80 that waits ten seconds unless it says otherwise."""
    spec = "  replicas: 1\n  checks: {readiness: {httpGet: {path: /healthz}}}"
    container = made(cluster, app(spec)).spec.template.spec.containers[0]
    probe = container.readiness_probe
    assert probe is not None
    assert probe.http_get is not None
    assert ("/healthz", 80, 10, 10, 1, 3) == (
        probe.http_get.path, probe.http_get.port, probe.initial_delay_seconds,
        probe.period_seconds, probe.timeout_seconds, probe.failure_threshold,
    )  # fmt: skip
    assert container.liveness_probe is None


def test_no_deployment() -> None:
    """An executor may leave the Deployment to somebody else; the Service is there all the same."""
    cluster = SpinCluster()
    cluster.start_operator()
    cluster.create(executor("  {createDeployment: false}"))
    cluster.create(app())
    cluster.run(5)
    assert not cluster.exists(Deployment, "default/hello")
    assert cluster.exists(Service, "default/hello")
    assert () == spin_app(cluster).status.conditions


def test_deployment_goes_when_the_executor_no_longer_makes_it(cluster: SpinCluster) -> None:
    """When the executor stops making Deployments, the one that is there is deleted."""
    made(cluster, app())

    def stop(runs: SpinAppExecutor) -> SpinAppExecutor:
        return runs.replace(spec=runs.spec.replace(create_deployment=False))

    cluster.api.patch(SpinAppExecutor, "default/containerd-shim-spin", stop)
    cluster.run(1)
    cluster.api.patch(SpinApp, "default/hello", _labelled)
    cluster.run(5)
    assert not cluster.exists(Deployment, "default/hello")


def _labelled(application: SpinApp) -> SpinApp:
    metadata = application.metadata
    return application.replace(metadata=metadata.replace(labels=metadata.labels.set("a", "b")))


def test_status(cluster: SpinCluster) -> None:
    """The status is copied from the Deployment; before there is one, everything is Unknown."""
    cluster.create(app())
    cluster.run(0.003)
    first = spin_app(cluster).status
    assert [("Available", "Unknown", "DeploymentNotFound")] == [
        (c.type, c.status, c.reason) for c in first.conditions[:1]
    ]
    cluster.run(5)
    for pod in cluster.pods():
        cluster.set_ready(pod.name, ip="10.0.0.1")
    cluster.run(5)
    status = spin_app(cluster).status
    assert (2, "hello", "hello", "containerd-shim-spin") == (
        status.ready_replicas, status.deployment_name, status.service_name,
        status.active_scheduler,
    )  # fmt: skip
    assert {"Available": "True"}.items() <= {c.type: c.status for c in status.conditions}.items()


def test_missing_executor(cluster: SpinCluster) -> None:
    """An executor that vanished is a Warning, and the application is tried again and again."""
    cluster.create(app())
    cluster.run(1)
    cluster.api.store.remove(cluster.api.get(SpinAppExecutor, "default/containerd-shim-spin"))
    cluster.run(1)
    cluster.api.delete(Deployment, "default/hello")  # whatever makes the operator look again
    cluster.run(1)
    messages = cluster.events("MissingExecutor")
    assert {"Could not find SpinAppExecutor default/containerd-shim-spin"} == set(messages)
    assert len(messages) > 3


def test_finalizer_blocks_deletion(cluster: SpinCluster) -> None:
    """An executor goes only after the last application that names it, by the back-off."""
    key = "default/containerd-shim-spin"
    cluster.create(app())
    cluster.run(1)
    assert (FINALIZER,) == cluster.api.get(SpinAppExecutor, key).metadata.finalizers
    cluster.api.delete(SpinAppExecutor, key)
    cluster.run(5)
    assert cluster.exists(SpinAppExecutor, key)
    blocked = "Cannot delete SpinAppExecutor with dependent SpinApps"
    assert {blocked} == set(cluster.events("DeletionBlocked"))
    cluster.api.delete(SpinApp, "default/hello")
    cluster.run(30)
    assert not cluster.exists(SpinAppExecutor, key)


def test_children_go_with_their_application(cluster: SpinCluster) -> None:
    """Deployment, Service, Secret and pods are collected when the application is deleted."""
    made(cluster, app())
    cluster.api.delete(SpinApp, "default/hello")
    cluster.run(10)
    for kind in (Deployment, Service, Secret):
        assert [] == list(cluster.api.list(kind))
    assert [] == cluster.pods()


def test_autoscaling_leaves_replicas_alone(cluster: SpinCluster) -> None:
    """With autoscaling and nothing that scales there is one replica; a scaler's number stays."""
    found = made(cluster, app("  enableAutoscaling: true"))
    assert 1 == found.spec.replicas
    cluster.update(Deployment, found.key, lambda d: d.replace(spec=d.spec.replace(replicas=5)))
    cluster.run(1)
    cluster.api.patch(SpinApp, "default/hello", _labelled)
    cluster.run(5)
    assert 5 == deployment(cluster).spec.replicas


@pytest.mark.parametrize("replicas", [1, 3])
def test_scaling_by_hand_is_undone(cluster: SpinCluster, replicas: int) -> None:
    """A Deployment scaled behind the operator's back gets the application's number again."""
    found = made(cluster, app())
    scaled = found.spec.replace(replicas=replicas)
    cluster.update(Deployment, found.key, lambda d: d.replace(spec=scaled))
    cluster.run(5)
    assert 2 == deployment(cluster).spec.replicas


def test_applying_twice_changes_nothing(cluster: SpinCluster) -> None:
    """A second apply of the same application is no new version of its Deployment."""
    found = made(cluster, app("  replicas: 2\n  podAnnotations: {a: b}"))
    cluster.api.patch(SpinApp, "default/hello", _labelled)
    cluster.run(5)
    assert found.metadata.generation == deployment(cluster).metadata.generation
    assert found == applied_deployment(found, found)
