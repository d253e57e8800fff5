"""A cluster with SpinKube: the webhooks, the operator, and what owns and scales beneath it."""

from __future__ import annotations

from harness import Cluster

from kubesim.api.corev1 import Namespace
from kubesim.api.metav1 import KubeObject, ObjectMeta
from kubesim.controlplane.apiserver.server import APIServer
from kubesim.controlplane.controllers import (
    DeploymentController,
    GarbageCollector,
    ReplicaSetController,
)
from kubesim.controlplane.spin import (
    SPIN_WEBHOOKS,
    SpinAppController,
    SpinAppExecutorController,
)
from kubesim.manifests import load_text

APP = """
apiVersion: core.spinkube.dev/v1alpha1
kind: SpinApp
metadata: {name: hello, namespace: default}
spec:
  image: ghcr.io/example/hello:v1
  executor: containerd-shim-spin
"""
EXECUTOR = """
apiVersion: core.spinkube.dev/v1alpha1
kind: SpinAppExecutor
metadata: {name: containerd-shim-spin, namespace: default}
spec:
"""
RUNTIME_CLASS = """
{apiVersion: node.k8s.io/v1, kind: RuntimeClass, metadata: {name: wasmtime-spin-v2}, handler: spin}
"""
WITH_CLASS = "  {createDeployment: true, deploymentConfig: {runtimeClassName: wasmtime-spin-v2}}\n"


class SpinCluster(Cluster):
    """A cluster with the operator's webhooks; its controllers start when they are asked to."""

    def __init__(self) -> None:
        super().__init__()
        self.api = APIServer(self.sim, webhooks=SPIN_WEBHOOKS)
        for name in ("default", "other"):
            self.api.create(Namespace(metadata=ObjectMeta(name=name)))

    def start_operator(self) -> None:
        """Start the operator, and the controllers for what it makes."""
        client = self.client("spin-operator", qps=20, burst=30)
        SpinAppController(self.sim, client=client)
        SpinAppExecutorController(self.sim, client=client)
        manager = self.client("kcm")
        DeploymentController(self.sim, client=manager)
        ReplicaSetController(self.sim, client=manager)
        GarbageCollector(self.sim, client=manager)

    def create(self, text: str) -> KubeObject:
        """Create the one object of a text."""
        return self.api.create(load_text(text)[0].obj)


def app(spec: str = "  replicas: 2", **metadata: str) -> str:
    """A SpinApp; ``spec`` is more of its spec, indented by two."""
    text = APP
    for field, value in metadata.items():
        old = {"name": "hello", "namespace": "default"}[field]
        text = text.replace(f"{field}: {old}", f"{field}: {value}")
    return f"{text}{spec}\n"


def executor(spec: str = WITH_CLASS, name: str = "containerd-shim-spin") -> str:
    """A SpinAppExecutor."""
    return EXECUTOR.replace("containerd-shim-spin", name) + spec
