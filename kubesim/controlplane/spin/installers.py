"""What brings a shim to a node: an annotation, a Shim resource, or a DaemonSet.

A fresh node's containerd knows runc and nothing else. Three ways lead from there to a node that runs
Spin, and all three end in the same operation on the host: the binary is copied, containerd's
configuration gets an entry, containerd is restarted. That operation is handed in; what is decided
here is on which node, when, and which labels tell of it.

* **KWasm**: the annotation ``kwasm.sh/kwasm-node=true`` on a node.
* **runtime-class-manager**: a ``Shim`` with a node selector; it also makes the RuntimeClass.
* **node-installer**: a DaemonSet with that image and the host's root at ``/mnt/node-root``.

Mirrors: kwasm-operator controllers; runtime-class-manager internal/controller/shim_controller.go;
containerd-shim-spin images/node-installer.
Departs: the Job and the DaemonSet's pods are not run, only what they do to the node takes its time;
nothing is uninstalled, and nothing that failed is tried again. KWasm and the node-installer install
Spin only.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator

from typing_extensions import override

from kubesim.api.appsv1 import DaemonSet
from kubesim.api.corev1 import Container, Node, PodSpec, Taint
from kubesim.api.metav1 import KubeObject, ObjectMeta
from kubesim.api.nodev1 import RuntimeClass, Scheduling
from kubesim.api.runtimev1alpha1 import PlatformArtifact, Shim
from kubesim.api.taints import find_matching_untolerated_taint
from kubesim.controlplane.client import (
    AlreadyExists,
    Client,
    Controller,
    NotFound,
    StatusError,
)
from kubesim.controlplane.spin.names import (
    FAILED,
    KWASM_NODE_ANNOTATION,
    KWASM_PROVISIONED_LABEL,
    NODE_INSTALLER_ANNOTATION,
    PENDING,
    PROVISIONED,
    WASM_LABEL,
)
from kubesim.sim import Sim, SimProcess

SPIN_HANDLER = "spin"
NODE_ROOT = "/mnt/node-root"
WORKERS = 1  # controller-runtime's MaxConcurrentReconciles

_INSTALLER_IMAGE = re.compile(r"(?:containerd-shim-spin/node-installer|kwasm-node-installer)\b")
_UNAME = {"amd64": "x86_64", "arm64": "aarch64", "arm": "armv7l"}

Install = Callable[[str, str], SimProcess[bool]]
"""Bring the shim of a handler to a node; whether that worked."""


class _Installer(Controller):
    """Starts installations, each once, and tells of them by the node's labels."""

    def __init__(self, sim: Sim, *, client: Client, install: Install) -> None:
        super().__init__(sim, workers=WORKERS)
        self._client = client
        self._install = install
        self._begun: set[tuple[str, str]] = set()
        self._nodes = client.informer(Node)

    def _begin(self, node: str, handler: str, labels: Callable[[bool], dict[str, str]]) -> None:
        """Install, unless that was begun before; ``labels`` are those that tell how it ended."""
        if (node, handler) not in self._begun:
            self._begun.add((node, handler))
            self._sim.process(self._run(node, handler, labels))

    def _run(
        self, node: str, handler: str, labels: Callable[[bool], dict[str, str]]
    ) -> SimProcess[None]:
        worked = yield from self._install(node, handler)
        yield from self._label(node, labels(worked))

    def _label(self, node: str, labels: dict[str, str]) -> SimProcess[None]:
        def labelled(current: Node) -> Node:
            metadata = current.metadata
            return current.replace(metadata=metadata.replace(labels=metadata.labels.merge(labels)))

        try:
            yield from self._client.patch(Node, node, labelled)
        except StatusError:
            return  # the node is gone


class KwasmController(_Installer):
    """Installs Spin on nodes that ask for it by annotation."""

    def __init__(self, sim: Sim, *, client: Client, install: Install) -> None:
        super().__init__(sim, client=client, install=install)
        self._nodes.add_handler(self._node_changed)

    @override
    def reconcile(self, key: str) -> SimProcess[None]:
        """Begin the installation on a node that has the annotation and not yet the label."""
        node = self._nodes.get(key)
        if node is None or KWASM_PROVISIONED_LABEL in node.metadata.labels:
            return
        if node.metadata.annotations.get(KWASM_NODE_ANNOTATION) == "true":
            self._begin(node.name, SPIN_HANDLER, lambda worked: _kwasm_labels(node, worked=worked))
        yield self._sim.timeout(0)

    def _node_changed(self, _old: Node | None, new: Node | None) -> None:
        if new is not None and KWASM_NODE_ANNOTATION in new.metadata.annotations:
            self.queue.add(new.name)


def _kwasm_labels(node: Node, *, worked: bool) -> dict[str, str]:
    return {KWASM_PROVISIONED_LABEL: node.name, WASM_LABEL: "true"} if worked else {}


class ShimController(_Installer):
    """Reconciles Shims: their RuntimeClass, and their installation on every selected node."""

    def __init__(self, sim: Sim, *, client: Client, install: Install) -> None:
        super().__init__(sim, client=client, install=install)
        self._shims = client.informer(Shim)
        self._shims.add_handler(self._shim_changed)
        self._classes = client.informer(RuntimeClass)
        self._nodes.add_handler(self._node_changed)

    @override
    def reconcile(self, key: str) -> SimProcess[None]:
        """Count, make the RuntimeClass, and begin installations."""
        shim = self._shims.get(key)
        if shim is None:
            return
        nodes = tuple(selected_nodes(shim, self._nodes.values()))
        ready = sum(node.metadata.labels.get(shim.name) == PROVISIONED for node in nodes)
        status = shim.status.replace(nodes=len(nodes), nodes_ready=ready)
        if status != shim.status:
            try:
                yield from self._client.update_status(shim.replace(status=status))
            except StatusError:
                return  # a newer version is on its way
        if self._classes.get(shim.spec.runtime_class.name) is None:
            with contextlib.suppress(AlreadyExists):
                yield from self._client.create(runtime_class(shim))
        if shim.spec.rollout_strategy.type == "rolling":
            raise StatusError("rolling strategy not implemented yet")
        for node in nodes:
            known = node.metadata.labels.get(shim.name)
            if known is not None:  # one that failed is not tried again; upstream makes a new Job
                continue
            if not has_artifact(shim, node):
                raise NotFound(f"no platform artifact matches node {node.name}")
            yield from self._label(node.name, {shim.name: PENDING})
            self._begin(node.name, shim.spec.runtime_class.handler, _told_by(shim.name))

    def _shim_changed(self, old: Shim | None, new: Shim | None) -> None:
        changed = new or old
        assert changed is not None
        self.queue.add(changed.name)

    def _node_changed(self, old: Node | None, new: Node | None) -> None:
        before = None if old is None else old.metadata.labels
        if new is None or new.metadata.labels != before:
            for shim in self._shims.values():
                self.queue.add(shim.name)


def _told_by(shim: str) -> Callable[[bool], dict[str, str]]:
    return lambda worked: {shim: PROVISIONED, WASM_LABEL: "true"} if worked else {shim: FAILED}


def selected_nodes(shim: Shim, nodes: tuple[Node, ...]) -> Iterator[Node]:
    """The nodes that a shim is meant for; without a selector all of them."""
    wanted = shim.spec.node_selector.items()
    return (node for node in nodes if wanted <= node.metadata.labels.items())


def has_artifact(shim: Shim, node: Node) -> bool:
    """Whether there is something to download for the node's platform."""
    fetch, info = shim.spec.fetch_strategy, node.status.node_info
    if not fetch.platforms:
        return fetch.anon_http is not None
    architecture = info.architecture
    names = {architecture.lower(), _UNAME.get(architecture, architecture).lower()}

    def fits(artifact: PlatformArtifact) -> bool:
        same_system = artifact.os.lower() == info.operating_system.lower()
        return same_system and artifact.arch.lower() in names

    return any(fits(artifact) for artifact in fetch.platforms)


def runtime_class(shim: Shim) -> RuntimeClass:
    """The RuntimeClass that leads pods to the shim's nodes."""
    wanted = shim.spec.runtime_class
    scheduling = Scheduling(node_selector=shim.spec.node_selector)
    return RuntimeClass(
        metadata=ObjectMeta(name=wanted.name), handler=wanted.handler, scheduling=scheduling
    )


class NodeInstallerController(_Installer):
    """Installs Spin on the nodes of a DaemonSet that runs the node-installer."""

    def __init__(self, sim: Sim, *, client: Client, install: Install) -> None:
        super().__init__(sim, client=client, install=install)
        self._sets = client.informer(DaemonSet)
        self._sets.add_handler(self._set_changed)
        self._nodes.add_handler(self._node_changed)

    @override
    def reconcile(self, key: str) -> SimProcess[None]:
        """Begin the installation on every node where the DaemonSet has a pod."""
        daemon_set = self._sets.get(key)
        if daemon_set is None or not is_node_installer(daemon_set):
            return
        for node in self._nodes.values():
            if runs_on(daemon_set.spec.template.spec, node):
                self._begin(node.name, SPIN_HANDLER, lambda worked: _wasm_label(worked=worked))
        yield self._sim.timeout(0)

    def _set_changed(self, _old: DaemonSet | None, new: DaemonSet | None) -> None:
        if new is not None:
            self.queue.add(new.key)

    def _node_changed(self, old: Node | None, new: Node | None) -> None:
        if new is not None and (old is None or _placement(old) != _placement(new)):
            for daemon_set in self._sets.values():
                self.queue.add(daemon_set.key)


def _placement(node: Node) -> object:
    """What decides whether a DaemonSet has a pod there."""
    return node.metadata.labels, node.spec.taints


def _wasm_label(*, worked: bool) -> dict[str, str]:
    return {WASM_LABEL: "true"} if worked else {}


def is_node_installer(daemon_set: DaemonSet) -> bool:
    """Whether its pods can install the shim: the image, and the host's root where it expects it."""
    spec = daemon_set.spec.template.spec
    if not any(_INSTALLER_IMAGE.search(c.image or "") for c in _containers(spec)):
        return False
    if NODE_INSTALLER_ANNOTATION in daemon_set.metadata.annotations:
        return True
    roots = {v.name for v in spec.volumes if v.host_path is not None and v.host_path.path == "/"}
    return any(
        mount.name in roots and mount.mount_path == NODE_ROOT
        for container in _containers(spec)
        for mount in container.volume_mounts
    )


def _containers(spec: PodSpec) -> tuple[Container, ...]:
    return (*spec.init_containers, *spec.containers)


def runs_on(spec: PodSpec, node: Node) -> bool:
    """Whether a DaemonSet's pod would be placed on the node: its selector and the node's taints."""
    if not spec.node_selector.items() <= node.metadata.labels.items():
        return False

    def counts(taint: Taint) -> bool:
        return taint.effect in ("NoSchedule", "NoExecute")

    return find_matching_untolerated_taint(node.spec.taints, spec.tolerations, counts) is None


def installs_shims(obj: KubeObject) -> bool:
    """Whether an object, once applied, has a shim brought to some node."""
    if isinstance(obj, Node):
        return KWASM_NODE_ANNOTATION in obj.metadata.annotations
    return isinstance(obj, Shim) or (isinstance(obj, DaemonSet) and is_node_installer(obj))
