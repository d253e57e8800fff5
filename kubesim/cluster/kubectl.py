"""What a person at a terminal asks of the API server, as ``kubectl`` asks it.

Each verb is a process: requests wait for the client's rate limit and take time. What the API server
refuses is a fact, not a failure of the run.

Mirrors: staging/src/k8s.io/kubectl/pkg/cmd/{apply,delete,scale,drain,rollout,set,label,taint}.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

from kubesim.api.appsv1 import ControllerRevision, Deployment, ReplicaSet, StatefulSet
from kubesim.api.corev1 import Node, Pod
from kubesim.api.frozenmap import FrozenMap
from kubesim.api.metav1 import KubeObject, controller_of
from kubesim.cluster.apply import merged, with_namespace
from kubesim.cluster.changes import NotDone, undone
from kubesim.cluster.draining import DrainOptions, cordoned, evict, pods_to_evict
from kubesim.controlplane.client import AlreadyExists, Client, StatusError, TooManyRequests
from kubesim.controlplane.spin.names import WASM_LABEL
from kubesim.facts import ObjectRefused
from kubesim.sim import Sim, SimProcess

K = TypeVar("K", bound=KubeObject)
KUBECTL_LIMITS = (50.0, 300)  # requests a second and burst


class Kubectl:
    """One user's connection to the cluster.

    Args:
        sim: The run.
        client: The connection.
        pods: All pods that there are; what ``kubectl drain`` lists first.
        history: All ReplicaSets and ControllerRevisions; what ``kubectl rollout undo`` lists first.
    """

    def __init__(
        self,
        sim: Sim,
        *,
        client: Client,
        pods: Callable[[], Iterable[Pod]],
        history: Callable[[], Iterable[ReplicaSet | ControllerRevision]],
    ) -> None:
        self._sim, self._client, self._pods, self._history = sim, client, pods, history

    def apply(self, objects: Sequence[KubeObject]) -> None:
        """Begin to create or update objects, one after another."""
        self._sim.process(self._apply(objects))

    def delete(self, kind: type[KubeObject], key: str) -> None:
        """Begin to delete an object."""
        request = self._client.delete(kind, key, propagation_policy="Background")
        self._sim.process(self._refusable(request, kind, key))

    def scale(
        self, kind: type[Deployment | ReplicaSet | StatefulSet], key: str, replicas: int
    ) -> None:
        """Begin to set a workload's number of replicas."""

        def change(obj: Any) -> Any:
            return obj.replace(spec=obj.spec.replace(replicas=replicas))

        self._sim.process(self._refusable(self._client.patch(kind, key, change), kind, key))

    def drain(self, node_name: str, options: DrainOptions) -> None:
        """Begin to cordon a node and to evict its pods."""
        self._sim.process(self._refusable(self._drain(node_name, options), Node, node_name))

    def label_wasm(self, node_name: str, runs_wasm: bool) -> None:
        """Say of a node whether it has a Wasm shim now, as a rule of a feature discovery would."""

        def labelled(node: Any) -> Any:
            labels = dict(node.metadata.labels)
            labels.pop(WASM_LABEL, None)
            if runs_wasm:
                labels[WASM_LABEL] = "true"
            metadata = node.metadata.replace(labels=FrozenMap(labels))
            return node.replace(metadata=metadata)

        request = self._client.patch(Node, node_name, labelled)
        self._sim.process(self._refusable(request, Node, node_name))

    def change(self, kind: type[K], key: str, change: Callable[[K], K]) -> None:
        """Begin to change an object: it is read, changed and sent back."""
        self._sim.process(self._refusable(self._change(kind, key, change), kind, key))

    def resize(self, key: str, change: Callable[[Pod], Pod]) -> None:
        """Begin to give the containers of a pod other resources, by its subresource."""
        self._sim.process(self._refusable(self._resize(key, change), Pod, key))

    def undo(self, kind: type[K], key: str, to_revision: int) -> None:
        """Begin to take a workload back to a revision; 0 for the one before."""
        self._sim.process(self._refusable(self._undo(kind, key, to_revision), kind, key))

    def evict(self, key: str, grace_period_seconds: int | None) -> None:
        """Begin to evict a pod: asked once, whatever its budgets say."""
        request = self._client.evict(key, grace_period_seconds=grace_period_seconds)
        self._sim.process(self._refusable(request, Pod, key))

    def refuse(self, kind: type[KubeObject], key: str, reason: str, message: str) -> None:
        """Say that something cannot be done."""
        namespace, _, name = key.rpartition("/")
        self._sim.emit(
            ObjectRefused(
                kind=kind.__name__, namespace=namespace, name=name, reason=reason, message=message
            )
        )

    def _change(self, kind: type[K], key: str, change: Callable[[K], K]) -> SimProcess[None]:
        current = yield from self._client.get(kind, key)
        change(current)  # what kubectl refuses it does not ask for
        yield from self._client.patch(kind, key, change)

    def _resize(self, key: str, change: Callable[[Pod], Pod]) -> SimProcess[None]:
        current = yield from self._client.get(Pod, key)
        change(current)
        yield from self._client.resize(key, change)

    def _undo(self, kind: type[K], key: str, to_revision: int) -> SimProcess[None]:
        current = yield from self._client.get(kind, key)
        yield from self._client.ask()  # the list of what there was
        history = [one for one in self._history() if controlled_by(one, current)]

        def change(obj: K) -> K:
            return undone(obj, history, to_revision=to_revision)

        change(current)
        yield from self._client.patch(kind, key, change)

    def _apply(self, objects: Sequence[KubeObject]) -> SimProcess[None]:
        for manifest in objects:
            obj = with_namespace(manifest)
            yield from self._refusable(self._create_or_patch(obj), type(obj), obj.key)

    def _create_or_patch(self, obj: KubeObject) -> SimProcess[None]:
        try:
            yield from self._client.create(obj)
        except AlreadyExists:
            yield from self._client.patch(type(obj), obj.key, lambda old: merged(old, obj))

    def _refusable(
        self, request: SimProcess[Any], kind: type[KubeObject], key: str
    ) -> SimProcess[None]:
        try:
            yield from request
        except StatusError as error:
            told = [error.message, *(cause.message for cause in error.causes)]
            is_blocked = isinstance(error, TooManyRequests)
            self.refuse(kind, key, error.reason, " ".join(told) if is_blocked else error.message)
        except NotDone as why:
            self.refuse(kind, key, "NotDone", str(why))

    def _drain(self, node_name: str, options: DrainOptions) -> SimProcess[None]:
        yield from self._client.patch(Node, node_name, cordoned)
        there = [pod for pod in self._pods() if pod.spec.node_name == node_name]
        pods, problems = pods_to_evict(there, options)
        if problems:
            self.refuse(Node, node_name, "DrainError", "; ".join(problems))
            return
        for pod in pods:
            self._sim.process(
                evict(
                    self._sim,
                    client=self._client,
                    pod=pod,
                    options=options,
                    refused=self._eviction_refused,
                )
            )

    def _eviction_refused(self, pod: Pod, error: StatusError) -> None:
        said = " ".join([error.message, *(cause.message for cause in error.causes)])
        self.refuse(Pod, pod.key, error.reason, said)


def controlled_by(obj: KubeObject, owner: KubeObject) -> bool:
    """Whether an object's controller is that one."""
    controller = controller_of(obj)
    return controller is not None and controller.uid == owner.uid
