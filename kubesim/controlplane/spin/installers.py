"""What brings a shim to a node by a Job: an annotation, or a Shim resource.

A fresh node's containerd knows runc and nothing else. Three ways lead from there to a node that runs
Spin, and all three end in a privileged container on it that copies the binary, adds an entry to
containerd's configuration and restarts containerd. What that container does is its image's business
(``cluster/installing``); what is decided here is which node gets one, when, and which labels tell of it.

* **KWasm**: the annotation ``kwasm.sh/kwasm-node=true`` on a node.
* **runtime-class-manager**: a ``Shim`` with a node selector; it also makes the RuntimeClass, and
  uninstalls when it is deleted.
* a DaemonSet of the node-installer's image needs no controller of its own.

Mirrors: kwasm-operator controllers (from its documentation); runtime-class-manager
    internal/controller/{shim,job}_controller.go: ``rolling`` is refused, as there.
Departs: server-side apply of a Job that exists changes nothing.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from typing_extensions import override

from kubesim.api.batchv1 import Job
from kubesim.api.corev1 import Node
from kubesim.api.frozenmap import FrozenMap
from kubesim.api.metav1 import KubeObject, ObjectMeta, new_controller_ref
from kubesim.api.nodev1 import RuntimeClass, Scheduling
from kubesim.api.runtimev1alpha1 import PlatformArtifact, Shim
from kubesim.controlplane.client import (
    AlreadyExists,
    Client,
    Controller,
    NotFound,
    StatusError,
)
from kubesim.controlplane.spin import names
from kubesim.controlplane.spin.jobs import finished, kwasm_job, shim_job, trimmed
from kubesim.sim import Sim, SimProcess

WORKERS = 1  # controller-runtime's MaxConcurrentReconciles

_UNAME = {"amd64": "x86_64", "arm64": "aarch64", "arm": "armv7l"}


class _Installer(Controller):
    """Makes Jobs, and tells of them by the nodes' labels."""

    def __init__(self, sim: Sim, *, client: Client) -> None:
        super().__init__(sim, workers=WORKERS)
        self._client = client
        self._nodes = client.informer(Node)
        self._jobs = client.informer(Job)

    def _label(self, node: str, label: str, value: str | None) -> SimProcess[None]:
        """Give a node's label a value, or with ``None`` take the label away."""

        def labelled(current: Node) -> Node:
            labels = {k: v for k, v in current.metadata.labels.items() if k != label}
            if value is not None:
                labels[label] = value
            return current.replace(metadata=current.metadata.replace(labels=FrozenMap(labels)))

        with contextlib.suppress(StatusError):  # the node is gone
            yield from self._client.patch(Node, node, labelled)

    def _create_once(self, obj: KubeObject) -> SimProcess[None]:
        with contextlib.suppress(AlreadyExists):
            yield from self._client.create(obj)


class KwasmController(_Installer):
    """Installs Spin on nodes that ask for it by annotation."""

    def __init__(self, sim: Sim, *, client: Client) -> None:
        super().__init__(sim, client=client)
        self._nodes.add_handler(self._node_changed)
        self._jobs.add_handler(self._job_changed)

    @override
    def reconcile(self, key: str) -> SimProcess[None]:
        """Make the Job of a node that asks, and label the node when it is done."""
        node = self._nodes.get(key)
        if node is None or names.KWASM_PROVISIONED_LABEL in node.metadata.labels:
            return
        if node.metadata.annotations.get(names.KWASM_NODE_ANNOTATION) != "true":
            return
        wanted = kwasm_job(node.name)
        job = self._jobs.get(wanted.key)
        if job is None:
            yield from self._create_once(wanted)
        elif finished(job) == "Complete":
            yield from self._label(node.name, names.KWASM_PROVISIONED_LABEL, node.name)

    def _node_changed(self, _old: Node | None, new: Node | None) -> None:
        if new is not None and names.KWASM_NODE_ANNOTATION in new.metadata.annotations:
            self.queue.add(new.name)

    def _job_changed(self, _old: Job | None, new: Job | None) -> None:
        if new is not None and names.KWASM_JOB_LABEL in new.metadata.labels:
            self.queue.add(new.spec.template.spec.node_name or "")


class ShimController(_Installer):
    """Reconciles Shims: their RuntimeClass, and a Job on every selected node."""

    def __init__(self, sim: Sim, *, client: Client) -> None:
        super().__init__(sim, client=client)
        self._shims = client.informer(Shim)
        self._shims.add_handler(self._shim_changed)
        self._classes = client.informer(RuntimeClass)
        self._nodes.add_handler(self._node_changed)

    @override
    def reconcile(self, key: str) -> SimProcess[None]:
        """Count, hold the finalizer, make the RuntimeClass, and the Jobs that are missing."""
        shim = self._shims.get(key)
        if shim is None:
            return
        nodes = tuple(selected_nodes(shim, self._nodes.values()))
        ready = sum(node.metadata.labels.get(shim.name) == names.PROVISIONED for node in nodes)
        status = shim.status.replace(nodes=len(nodes), nodes_ready=ready)
        if status != shim.status:
            try:
                shim = yield from self._client.update_status(shim.replace(status=status))
            except StatusError:
                return  # a newer version is on its way
        if shim.metadata.deletion_timestamp is not None:
            yield from self._uninstall(shim, nodes)
            return
        if names.RCM_FINALIZER not in shim.metadata.finalizers:
            finalizers = (*shim.metadata.finalizers, names.RCM_FINALIZER)
            yield from self._hold(shim, finalizers)
        if self._classes.get(shim.spec.runtime_class.name) is None:
            yield from self._create_once(runtime_class(shim))
        if nodes and shim.spec.rollout_strategy.type == "rolling":
            raise StatusError("rolling strategy not implemented yet")
        for node in nodes:
            if node.metadata.labels.get(shim.name) not in (names.PROVISIONED, names.PENDING):
                yield from self._install(shim, node)

    def _install(self, shim: Shim, node: Node) -> SimProcess[None]:
        artifact = artifact_for(shim, node)
        if artifact is None:
            raise NotFound(f"no platform artifact matches node {node.name}")
        yield from self._label(node.name, shim.name, names.PENDING)
        yield from self._create_once(shim_job(shim, node.name, names.INSTALL, artifact))

    def _uninstall(self, shim: Shim, nodes: tuple[Node, ...]) -> SimProcess[None]:
        """A Job for every node that has the shim, and let go; nobody waits for them."""
        if names.RCM_FINALIZER not in shim.metadata.finalizers:
            return
        for node in nodes:
            if shim.name in node.metadata.labels:
                yield from self._label(node.name, shim.name, names.UNINSTALL)
                yield from self._create_once(shim_job(shim, node.name, names.UNINSTALL, None))
        finalizers = tuple(f for f in shim.metadata.finalizers if f != names.RCM_FINALIZER)
        yield from self._hold(shim, finalizers)

    def _hold(self, shim: Shim, finalizers: tuple[str, ...]) -> SimProcess[None]:
        def held(current: Shim) -> Shim:
            return current.replace(metadata=current.metadata.replace(finalizers=finalizers))

        with contextlib.suppress(NotFound):
            yield from self._client.patch(Shim, shim.key, held)

    def _shim_changed(self, old: Shim | None, new: Shim | None) -> None:
        changed = new or old
        assert changed is not None
        self.queue.add(changed.name)

    def _node_changed(self, old: Node | None, new: Node | None) -> None:
        before = None if old is None else old.metadata.labels
        if new is None or new.metadata.labels != before:
            for shim in self._shims.values():
                self.queue.add(shim.name)


class ShimJobController(_Installer):
    """Reconciles the Jobs of Shims: how one ended becomes its node's label."""

    def __init__(self, sim: Sim, *, client: Client) -> None:
        super().__init__(sim, client=client)
        self._jobs.add_handler(self._job_changed)

    @override
    def reconcile(self, key: str) -> SimProcess[None]:
        """Label the node of a Job that has ended."""
        job = self._jobs.get(key)
        if job is None:
            return
        node = job.spec.template.spec.node_name or ""
        shim = job.metadata.labels[names.RCM_SHIM_LABEL]
        ended = finished(job)
        if ended == "Failed":
            yield from self._label(node, shim, names.FAILED)
        elif ended == "Complete":
            installed = job.metadata.annotations.get(names.RCM_OPERATION) == names.INSTALL
            yield from self._label(node, shim, names.PROVISIONED if installed else None)

    def _job_changed(self, old: Job | None, new: Job | None) -> None:
        if new is None or names.RCM_SHIM_LABEL not in new.metadata.labels:
            return
        if finished(new) and (old is None or not finished(old)):
            self.queue.add(new.key)


def selected_nodes(shim: Shim, nodes: tuple[Node, ...]) -> Iterator[Node]:
    """The nodes that a shim is meant for; without a selector all of them."""
    wanted = shim.spec.node_selector.items()
    return (node for node in nodes if wanted <= node.metadata.labels.items())


def artifact_for(shim: Shim, node: Node) -> PlatformArtifact | None:
    """What is to be downloaded for the node's platform; the one URL counts when there is no list."""
    fetch, info = shim.spec.fetch_strategy, node.status.node_info
    if not fetch.platforms:
        one = fetch.anon_http
        return None if one is None else PlatformArtifact(os="", arch="", location=one.location)
    architecture = info.architecture
    spellings = {architecture.lower(), _UNAME.get(architecture, architecture).lower()}
    for artifact in fetch.platforms:
        same_system = artifact.os.lower() == info.operating_system.lower()
        if same_system and artifact.arch.lower() in spellings:
            return artifact
    return None


def runtime_class(shim: Shim) -> RuntimeClass:
    """The RuntimeClass that leads pods to the shim's nodes."""
    wanted = shim.spec.runtime_class
    name = trimmed(wanted.name)
    return RuntimeClass(
        metadata=ObjectMeta(
            name=name,
            labels=FrozenMap({name: "true"}),
            owner_references=(new_controller_ref(shim),),
        ),
        handler=wanted.handler,
        scheduling=Scheduling(node_selector=shim.spec.node_selector),
    )


def installs_shims(obj: KubeObject) -> bool:
    """Whether an object, once applied, makes one of these controllers do something."""
    if isinstance(obj, Node):
        return names.KWASM_NODE_ANNOTATION in obj.metadata.annotations
    return isinstance(obj, Shim)
