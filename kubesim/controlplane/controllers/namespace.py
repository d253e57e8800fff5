"""The namespace controller: empties a namespace that is to go, and then lets it go.

It looks five seconds after anything about a namespace has changed: pods first, and only when none is
left everything else.

Mirrors: pkg/controller/namespace (namespace_controller.go, deletion/namespaced_resources_deleter.go,
deletion/status_condition_utils.go).
Departs: deleting a collection is one request that takes effect at once.
"""

from __future__ import annotations

from typing import NamedTuple

from typing_extensions import override

from kubesim.api.corev1 import Namespace, NamespaceCondition, NamespaceStatus, Pod
from kubesim.api.metav1 import KubeObject
from kubesim.api.podutil import is_pod_terminal
from kubesim.api.scheme import SCHEME
from kubesim.controlplane.client import Client, Controller, NotFound
from kubesim.sim import Sim, SimProcess
from kubesim.sim.time import SECOND

WORKERS = 10  # --concurrent-namespace-syncs
GRACE_PERIOD_NS = 5 * SECOND  # namespaceDeletionGracePeriod
FINALIZER_ESTIMATE_SECONDS = 15
WITHOUT_COLLECTION = frozenset({"Binding", "Event", "Pod"})


class Remaining(NamedTuple):
    """What is left of one kind.

    Attributes:
        resource: The kind, as messages have it.
        number: How many.
        finalizers: On how many there is which finalizer.
        estimate_seconds: How long they may still take.
    """

    resource: str
    number: int
    finalizers: dict[str, int]
    estimate_seconds: int


class NamespaceController(Controller):
    """Deletes the content of namespaces that are being deleted."""

    def __init__(self, sim: Sim, *, client: Client, workers: int = WORKERS) -> None:
        super().__init__(sim, workers=workers)
        self._client = client
        self._namespaces = client.informer(Namespace)
        self._namespaces.add_handler(self._namespace_changed)
        self._pods = client.informer(Pod)

    @override
    def reconcile(self, key: str) -> SimProcess[None]:
        """Delete what is in a namespace; finalize it when nothing is."""
        if (known := self._namespaces.get(key)) is None:
            return
        if known.metadata.deletion_timestamp is None:
            return
        try:
            namespace = yield from self._client.get(Namespace, key)
        except NotFound:
            return
        pods = yield from self._delete_all(Pod, namespace)
        left = [pods]
        if not pods.number:
            yield from self._delete_others(namespace, left)
        told = () if pods.number else tuple(kind for kind in left if kind.number)
        status = with_conditions(namespace.status, told, wall_ns=self._sim.wall_ns)
        try:
            if status != namespace.status:
                yield from self._client.update_status(namespace.replace(status=status))
            if not any(kind.number for kind in left):
                yield from self._client.finalize(key)
                return
        except NotFound:
            return
        estimate_seconds = max(kind.estimate_seconds for kind in left)
        if estimate_seconds:
            self.queue.add_after(key, (estimate_seconds // 2 + 1) * SECOND)
        else:
            self.queue.add_rate_limited(key)

    def _delete_others(self, namespace: Namespace, left: list[Remaining]) -> SimProcess[None]:
        for resource in SCHEME:
            if resource.namespaced and resource.kind not in WITHOUT_COLLECTION:
                remaining = yield from self._delete_all(resource.model, namespace)
                left.append(remaining)

    def _delete_all(self, kind: type[KubeObject], namespace: Namespace) -> SimProcess[Remaining]:
        estimate = 0
        if kind is Pod:
            estimate = self._estimate_seconds(namespace)
        left = yield from self._client.delete_collection(kind, namespace.name)
        finalizers: dict[str, int] = {}
        for obj in left:
            for finalizer in obj.metadata.finalizers:
                finalizers[finalizer] = finalizers.get(finalizer, 0) + 1
        if not estimate and finalizers:
            estimate = FINALIZER_ESTIMATE_SECONDS
        return Remaining(_resource(kind), len(left), finalizers, estimate if left else 0)

    def _estimate_seconds(self, namespace: Namespace) -> int:
        """How long the pods may take to end; 0 when that time is over."""
        grace = max(
            (
                pod.spec.termination_grace_period_seconds or 0
                for pod in self._pods.values()
                if pod.namespace == namespace.name and not is_pod_terminal(pod)
            ),
            default=0,
        )
        since_ns = self._sim.wall_ns - (namespace.metadata.deletion_timestamp or 0)
        return grace if since_ns < grace * SECOND else 0

    def _namespace_changed(self, _: Namespace | None, new: Namespace | None) -> None:
        if new is not None and new.metadata.deletion_timestamp is not None:
            self.queue.add_after(new.key, GRACE_PERIOD_NS)


def with_conditions(
    status: NamespaceStatus, left: tuple[Remaining, ...], *, wall_ns: int
) -> NamespaceStatus:
    """The status that says what hinders the deletion, and what does not."""
    wanted = {
        "NamespaceDeletionDiscoveryFailure": (
            "False", "ResourcesDiscovered", "All resources successfully discovered",
        ),
        "NamespaceDeletionGroupVersionParsingFailure": (
            "False", "ParsedGroupVersions", "All legacy kube types successfully parsed",
        ),
        "NamespaceDeletionContentFailure": (
            "False", "ContentDeleted",
            "All content successfully deleted, may be waiting on finalization",
        ),
        "NamespaceContentRemaining": (
            "False", "ContentRemoved", "All content successfully removed",
        ),
        "NamespaceFinalizersRemaining": (
            "False", "ContentHasNoFinalizers", "All content-preserving finalizers finished",
        ),
    }  # fmt: skip
    if left:
        listed = sorted(f"{kind.resource} has {kind.number} resource instances" for kind in left)
        message = f"Some resources are remaining: {', '.join(listed)}"
        wanted["NamespaceContentRemaining"] = ("True", "SomeResourcesRemain", message)
    finalizers: dict[str, int] = {}
    for kind in left:
        for name, count in kind.finalizers.items():
            finalizers[name] = finalizers.get(name, 0) + count
    if finalizers:
        listed = sorted(f"{name} in {n} resource instances" for name, n in finalizers.items())
        message = f"Some content in the namespace has finalizers remaining: {', '.join(listed)}"
        wanted["NamespaceFinalizersRemaining"] = ("True", "SomeFinalizersRemain", message)
    before = {condition.type: condition for condition in status.conditions}
    conditions = tuple(
        _condition(before.get(type_), (type_, *said), wall_ns) for type_, said in wanted.items()
    )
    return status.replace(conditions=conditions)


def _condition(
    before: NamespaceCondition | None, said: tuple[str, ...], wall_ns: int
) -> NamespaceCondition:
    type_, status, reason, message = said
    at_ns: int | None = wall_ns
    if before is not None and before.status == status:
        at_ns = before.last_transition_time
    return NamespaceCondition(
        type=type_,
        status="True" if status == "True" else "False",
        reason=reason,
        message=message,
        last_transition_time=at_ns,
    )


def _resource(kind: type[KubeObject]) -> str:
    fields = kind.model_fields
    resource = SCHEME.find(fields["api_version"].default, fields["kind"].default)
    assert resource is not None, kind
    return f"{resource.plural}.{resource.group}"
