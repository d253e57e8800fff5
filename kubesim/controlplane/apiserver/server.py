"""The API server's verbs: create, get, list, update (of the status), bind, evict, delete, watch.

Every verb is one atomic step at the instant it is called; what a call costs on the way is the
client's affair. A write goes: defaulting, admission, validation, registry strategy, store. A write
that changes nothing is not a write: no new revision, no watch event.

Mirrors: staging/src/k8s.io/apiserver/pkg/endpoints/handlers, pkg/registry/generic/registry/store.go.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar, cast

from kubesim.api.corev1 import Namespace, Pod, PodCondition, ResourceQuota, Service
from kubesim.api.defaults import set_defaults
from kubesim.api.metav1 import KubeObject
from kubesim.api.podresize import resize_errors
from kubesim.api.podutil import set_pod_condition
from kubesim.api.policyv1 import PodDisruptionBudget
from kubesim.api.updatevalidation import validate_update
from kubesim.api.validation import validate_object
from kubesim.controlplane.apiserver import errors, eviction, quota, registry, services
from kubesim.controlplane.apiserver.admission import (
    DEFAULT_PLUGINS,
    RESIZE_PLUGINS,
    AdmissionPlugin,
    Webhook,
)
from kubesim.controlplane.apiserver.resources import is_namespaced, kind_name, resource_name
from kubesim.controlplane.apiserver.store import Deliver, Store, Watch
from kubesim.facts import ObjectWritten, PodPhaseChanged
from kubesim.sim import Sim

K = TypeVar("K", bound=KubeObject)

GENERATED_NAME_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"  # no vowels, no look-alikes
GENERATED_NAME_LENGTH = 5
LONGEST_GENERATED_PREFIX = 63 - GENERATED_NAME_LENGTH
NAME_ATTEMPTS = 8  # maxNameGenerationCreateAttempts


class APIServer:
    """The one API server of a simulated cluster.

    Args:
        sim: The run.
        admission: The admission plugins, in order.
        webhooks: The webhooks of custom resources; at most one a kind.
    """

    def __init__(
        self,
        sim: Sim,
        *,
        admission: tuple[AdmissionPlugin, ...] = DEFAULT_PLUGINS,
        webhooks: tuple[Webhook, ...] = (),
    ) -> None:
        self.store = Store()
        self._sim = sim
        self._admission = admission
        self._webhooks = {webhook.kind: webhook for webhook in webhooks}
        self._uid_rng = sim.rng("apiserver/uid")
        self._name_rng = sim.rng("apiserver/names")
        self._port_rng = sim.rng("apiserver/node-ports")
        self._services_created = 0
        self._shown_phases: dict[str, tuple[str | None, str | None]] = {}

    def get(self, kind: type[K], key: str) -> K:
        """The object with that key.

        Raises:
            NotFound: If there is none.
        """
        obj = self.store.get(kind, key)
        if obj is None:
            raise errors.not_found(resource_name(kind), key.rpartition("/")[2])
        return obj

    def list(self, kind: type[K]) -> Iterator[K]:
        """All objects of a kind, in the order of their creation."""
        return self.store.values(kind)

    def watch(self, kind: type[K], deliver: Deliver, *, node_name: str | None = None) -> Watch[K]:
        """Follow a kind from now on; see ``Store.watch``."""
        return self.store.watch(kind, deliver, node_name=node_name)

    def create(self, obj: K) -> K:
        """Store a new object.

        Raises:
            NotFound: If its namespace does not exist.
            AlreadyExists: If an object of that name does.
            Forbidden: If admission refuses it.
            Invalid: If it is not valid.
        """
        obj = _cleared(set_defaults(obj))
        self._raise_if_no_place(obj)
        admitted: KubeObject = obj
        for plugin in self._admission:
            admitted = plugin.admit(admitted, self.store)
        assert isinstance(admitted, type(obj))
        admitted = self._mutated(admitted)
        prepared = registry.prepare_for_create(admitted)
        obj = registry.with_generated_selector(self._identified(prepared))
        _raise_if_invalid(obj, validate_object(obj))
        self._raise_if_denied(obj)
        if self.store.get(type(obj), obj.key) is not None:
            raise errors.already_exists(resource_name(type(obj)), obj.name)
        obj = self._allocated(obj)
        for charged in quota.charged(
            obj, self.store.values(ResourceQuota), wall_ns=self._sim.wall_ns
        ):
            self.update_status(charged)
        self._services_created += isinstance(obj, Service)
        return self._written("create", self.store.put(obj))

    def update(self, obj: K) -> K:
        """Replace an object's main resource (everything but its status).

        Raises:
            NotFound: If it does not exist (any more).
            Conflict: If it carries a resourceVersion that is not the current one.
            Invalid: If the new version is not valid, or changes what may not change.
        """
        old = self._current(obj)
        new = registry.prepare_for_update(self._mutated(set_defaults(obj)), old)
        if new == old:
            return old
        _raise_if_invalid(new, validate_update(new, old))
        self._raise_if_denied(new)
        new = self._allocated(new)
        if _has_waited_for_finalizers(new):
            return self._removed(new)
        return self._written("update", self.store.put(new))

    def _allocated(self, obj: K) -> K:
        """A Service with its address and ports; anything else as it is."""
        if not isinstance(obj, Service):
            return obj
        others = [one for one in self.store.values(Service) if one.uid != obj.uid]
        service, problems = services.allocated(
            obj, others, first=self._services_created, choose=self._port_rng.uniform
        )
        _raise_if_invalid(obj, problems)
        return cast("K", service)

    def update_status(self, obj: K) -> K:
        """Replace an object's status.

        Raises:
            NotFound: If it does not exist (any more).
            Conflict: If it carries a resourceVersion that is not the current one.
        """
        old = self._current(obj)
        new = registry.prepare_for_status_update(obj, old)
        if new == old:
            return old
        return self._written("update/status", self.store.put(new))

    def patch(
        self, kind: type[K], key: str, change: Callable[[K], K], *, status: bool = False
    ) -> K:
        """Change the current version of an object; a patch cannot lose the optimistic lock.

        Args:
            kind: The kind.
            key: The object's key.
            change: Given the current version, returns the wanted one.
            status: Whether the status subresource is meant.
        """
        wanted = change(self.get(kind, key))
        return self.update_status(wanted) if status else self.update(wanted)

    def resize(self, key: str, change: Callable[[Pod], Pod]) -> Pod:
        """The ``resize`` subresource: what the containers of a pod are to have from now on.

        Args:
            key: The pod's key.
            change: Given the current version, returns one with other resources.

        Raises:
            NotFound: If the pod is gone.
            Forbidden: If admission refuses it: its node could never give that much.
            Invalid: If it changes anything else, or the pod's quality of service.
        """
        old = self.get(Pod, key)
        admitted: KubeObject = change(old)
        for plugin in RESIZE_PLUGINS:
            admitted = plugin.admit(admitted, self.store)
        assert isinstance(admitted, Pod)
        new = registry.prepare_for_update(admitted, old)
        if new == old:
            return old
        _raise_if_invalid(new, [*validate_object(new), *resize_errors(new, old)])
        quotas, wall_ns = self.store.values(ResourceQuota), self._sim.wall_ns
        for charged in quota.charged(new, quotas, wall_ns=wall_ns, before=old):
            self.update_status(charged)
        return self._written("resize", self.store.put(new))

    def bind(self, key: str, node_name: str) -> Pod:
        """The ``binding`` subresource: assign a pod to a node.

        Raises:
            NotFound: If the pod is gone.
            Conflict: If it is being deleted, already has a node, or is gated.
        """
        pod = self.get(Pod, key)
        refusal = _binding_refusal(pod)
        if refusal:
            raise errors.conflict("pods/binding", pod.name, f"pod {pod.name} {refusal}")
        scheduled = PodCondition(
            type="PodScheduled", status="True", last_transition_time=self._sim.wall_ns
        )
        bound = pod.replace(
            spec=pod.spec.replace(node_name=node_name),
            status=set_pod_condition(pod.status, scheduled),
        )
        return self._written("bind", self.store.put(bound))

    def delete(
        self,
        kind: type[K],
        key: str,
        *,
        grace_period_seconds: int | None = None,
        uid: str | None = None,
        propagation_policy: str | None = None,
    ) -> None:
        """Delete an object; a running pod is only marked, its kubelet finishes the deletion.

        Args:
            kind: The kind.
            key: The object's key.
            grace_period_seconds: The grace period to use instead of the pod's own.
            uid: If given, only an object with this UID is deleted.
            propagation_policy: What becomes of its dependents: ``Background``, ``Foreground`` or
                ``Orphan``; ``None`` for the kind's own.

        Raises:
            Forbidden: If it is a namespace that every cluster needs.
            NotFound: If it does not exist.
            Conflict: If it is not the object with that UID.
        """
        obj = self.get(kind, key)
        if uid is not None and obj.uid != uid:
            raise errors.conflict(
                kind_name(kind), obj.name,
                f"the UID in the precondition ({uid}) does not match the UID in record "
                f"({obj.uid}). The object might have been deleted and then recreated",
            )  # fmt: skip
        going = self._going(obj, grace_period_seconds, propagation_policy)
        if going is None:
            gone = registry.deleted_now(obj, wall_ns=self._sim.wall_ns)
            if isinstance(gone, Pod) and obj.metadata.deletion_timestamp is None:
                # A pod's deletion is announced even when it takes place at once.
                gone = self._written("delete", self.store.put(gone))
            self._removed(gone)
        elif going is not obj:
            self._written("delete", self.store.put(going))

    def finalize(self, key: str) -> None:
        """The ``finalize`` subresource of a namespace: it is empty, and goes.

        Raises:
            NotFound: If it is gone.
        """
        namespace = self.get(Namespace, key)
        self._removed(registry.deleted_now(namespace, wall_ns=self._sim.wall_ns))

    def delete_collection(self, kind: type[K], namespace: str) -> tuple[K, ...]:
        """Delete all objects of a kind in a namespace; returns those that are still there then."""
        for obj in self.list(kind):
            if obj.namespace == namespace:
                self.delete(kind, obj.key, propagation_policy="Background")
        return tuple(obj for obj in self.list(kind) if obj.namespace == namespace)

    def evict(
        self, key: str, *, grace_period_seconds: int | None = None, dry_run: bool = False
    ) -> None:
        """The ``eviction`` subresource: delete a pod if its disruption budget allows it.

        Args:
            key: The pod's key.
            grace_period_seconds: The grace period to use instead of the pod's own.
            dry_run: Whether only the answer is wanted.

        Raises:
            NotFound: If the pod is gone.
            TooManyRequests: If its budget allows no disruption now.
            SeveralBudgets: If it has more than one budget.
        """
        pod = self.get(Pod, key)
        if not eviction.needs_no_budget(pod):
            budget = eviction.budget_of(pod, self.list(PodDisruptionBudget))
            if budget is not None and not eviction.may_go_unhealthy(pod, budget):
                spent = eviction.spent(budget, pod.name, wall_ns=self._sim.wall_ns)
                if not dry_run:
                    self.update_status(spent)
        if not dry_run:
            self.update_status(eviction.disrupted(pod, wall_ns=self._sim.wall_ns))
            self.delete(Pod, key, grace_period_seconds=grace_period_seconds)

    def _going(self, obj: K, grace: int | None, propagation: str | None) -> K | None:
        """The object announced as going; itself when nothing changes; ``None`` when it goes now."""
        wall_ns = self._sim.wall_ns
        if isinstance(obj, Namespace):
            if obj.name in registry.IMMORTAL_NAMESPACES:
                raise errors.forbidden("namespaces", obj.name, "this namespace may not be deleted")
            return registry.prepare_namespace_for_delete(obj, wall_ns=wall_ns)
        return registry.prepare_for_delete(
            obj, requested=grace, wall_ns=wall_ns, propagation=propagation
        )

    def _raise_if_no_place(self, obj: KubeObject) -> None:
        """An object needs a namespace that exists and stays (NamespaceLifecycle)."""
        if not obj.namespace:
            return
        namespace = self.store.get(Namespace, obj.namespace)
        if namespace is None:
            raise errors.not_found("namespaces", obj.namespace)
        if namespace.metadata.deletion_timestamp is not None:
            why = (
                f"unable to create new content in namespace {namespace.name} because it is being "
                "terminated"
            )
            name = obj.name or obj.metadata.generate_name or ""
            raise errors.namespace_terminating(resource_name(type(obj)), name, why)

    def _mutated(self, obj: K) -> K:
        """The object as its mutating webhook leaves it."""
        webhook = self._webhooks.get(type(obj))
        if webhook is None:
            return obj
        mutated = webhook.default(obj, self.store)
        assert isinstance(mutated, type(obj))
        return mutated

    def _raise_if_denied(self, obj: KubeObject) -> None:
        webhook = self._webhooks.get(type(obj))
        if webhook is not None:
            denied = f'admission webhook "{webhook.name}" denied the request: '
            _raise_if_invalid(obj, webhook.validate(obj, self.store), prefix=denied)

    def _identified(self, obj: K) -> K:
        """The object with a name, a UID and a creation time."""
        metadata = obj.metadata.replace(
            uid=self._uid_rng.uuid(), creation_timestamp=self._sim.wall_ns
        )
        obj = obj.replace(metadata=metadata)
        if metadata.name or not metadata.generate_name:
            return obj
        prefix = metadata.generate_name[:LONGEST_GENERATED_PREFIX]
        for _ in range(NAME_ATTEMPTS):
            suffix = self._name_rng.letters(GENERATED_NAME_LENGTH, GENERATED_NAME_ALPHABET)
            obj = obj.replace(metadata=metadata.replace(name=prefix + suffix))
            if self.store.get(type(obj), obj.key) is None:
                break
        return obj

    def _current(self, obj: K) -> K:
        old = self.get(type(obj), obj.key)
        wanted = obj.metadata.resource_version
        if wanted is not None and wanted != old.metadata.resource_version:
            raise errors.modified(resource_name(type(obj)), obj.name)
        if obj.uid and obj.uid != old.uid:
            why = f"Precondition failed: UID in precondition: {obj.uid}, UID in object meta: {old.uid}"
            raise errors.conflict(resource_name(type(obj)), obj.name, why)
        return old

    def _removed(self, obj: K) -> K:
        removed = self._written("delete", self.store.remove(obj))
        self._shown_phases.pop(obj.uid, None)
        return removed

    def _phase_changed(self, pod: Pod) -> None:
        status = pod.status
        shown = (status.phase, status.reason)
        if self._shown_phases.get(pod.uid) != shown:
            self._shown_phases[pod.uid] = shown
            self._sim.emit(
                PodPhaseChanged(
                    namespace=pod.namespace or "",
                    name=pod.name,
                    uid=pod.uid,
                    node=pod.spec.node_name or "",
                    phase=status.phase or "",
                    reason=status.reason or "",
                )
            )

    def _written(self, verb: str, obj: K) -> K:
        revision = int(obj.metadata.resource_version or 0)
        if isinstance(obj, Pod):
            self._phase_changed(obj)
        self._sim.emit(
            ObjectWritten(
                verb=verb,
                kind=type(obj).__name__,
                namespace=obj.namespace or "",
                name=obj.name,
                uid=obj.uid,
                resource_version=revision,
            )
        )
        return obj


def _cleared(obj: K) -> K:
    """The object without what only the server may set, in a namespace if its kind has one."""
    metadata = obj.metadata
    namespace = (metadata.namespace or "default") if is_namespaced(type(obj)) else None
    metadata = metadata.replace(
        namespace=namespace,
        generation=None,
        resource_version=None,
        deletion_timestamp=None,
        deletion_grace_period_seconds=None,
    )
    return obj.replace(metadata=metadata)


def _binding_refusal(pod: Pod) -> str:
    """Why a pod cannot be bound; empty when it can."""
    if pod.metadata.deletion_timestamp is not None:
        return "is being deleted, cannot be assigned to a host"
    if pod.spec.node_name:
        return f'is already assigned to node "{pod.spec.node_name}"'
    return "has non-empty .spec.schedulingGates" if pod.spec.scheduling_gates else ""


def _has_waited_for_finalizers(obj: KubeObject) -> bool:
    """Whether its deletion was announced, its grace is over and its last finalizer gone."""
    metadata = obj.metadata
    announced = metadata.deletion_timestamp is not None
    return announced and not metadata.deletion_grace_period_seconds and not metadata.finalizers


def _raise_if_invalid(obj: KubeObject, problems: Sequence[object], *, prefix: str = "") -> None:
    if problems:
        listed = str(problems[0]) if len(problems) == 1 else f"[{', '.join(map(str, problems))}]"
        name = f'{kind_name(type(obj))} "{obj.name}"'
        raise errors.Invalid(f"{prefix}{name} is invalid: {listed}")
