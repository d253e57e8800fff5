"""The DaemonSet controller: one pod on every node that fits.

It makes a pod for a node by an affinity to the node's name, and leaves it to the scheduler to bring it
there. A failed pod is removed so that a new one takes its place, later and later on the same node.

Mirrors: pkg/controller/daemon/daemon_controller.go, update.go.
Departs: what ``daemonnodes`` departs in.
"""

from __future__ import annotations

from typing import NamedTuple

from typing_extensions import override

from kubesim.api.appsv1 import ControllerRevision, DaemonSet, DaemonSetStatus
from kubesim.api.corev1 import Node, Pod
from kubesim.api.labels import label_selector_matches
from kubesim.api.metav1 import LabelSelector, ObjectMeta, controller_of, new_controller_ref
from kubesim.api.podutil import is_pod_ready, is_pod_terminal
from kubesim.controlplane.client import Client, Controller, NotFound, Recorder
from kubesim.controlplane.controllers import history
from kubesim.controlplane.controllers.claiming import claim
from kubesim.controlplane.controllers.consistency import ConsistencyStore
from kubesim.controlplane.controllers.daemonnodes import (
    GENERATION_ANNOTATION,
    GENERATION_LABEL,
    HASH_LABEL,
    Look,
    daemon_spec,
    desired_nodes,
    fit,
    next_update,
    oldest,
    on_node,
    target_node,
    unscheduled_without_node,
)
from kubesim.controlplane.controllers.expectations import Expectations
from kubesim.controlplane.controllers.indexes import (
    BY_CONTROLLER,
    BY_NODE,
    ORPHANS,
    controller_uids,
    node_names,
    orphan_namespaces,
)
from kubesim.controlplane.controllers.podcontrol import PodControl
from kubesim.sim import Sim, SimProcess
from kubesim.sim.time import MINUTE, SECOND

WORKERS = 2  # --concurrent-daemonset-syncs
BURST_REPLICAS = 250
FIRST_BACKOFF_NS = SECOND
MAX_BACKOFF_NS = 15 * MINUTE


class _Backoff(NamedTuple):
    since_ns: int
    wait_ns: int


class DaemonSetController(Controller):
    """Reconciles DaemonSets."""

    def __init__(self, sim: Sim, *, client: Client, workers: int = WORKERS) -> None:
        super().__init__(sim, workers=workers)
        self._client = client
        self._recorder = Recorder(sim, component="daemonset-controller", client=client)
        self._pod_control = PodControl(sim, client=client, recorder=self._recorder)
        self._expectations = Expectations()
        self._backoffs: dict[str, dict[tuple[int, str], _Backoff]] = {}
        self._wanted_since_ns: dict[str, int] = {}
        self._sets = client.informer(DaemonSet)
        self._sets.add_handler(self._set_changed)
        self._revisions = client.informer(ControllerRevision)
        self._revisions.add_index(BY_CONTROLLER, controller_uids)
        self._nodes = client.informer(Node)
        self._nodes.add_handler(self._node_changed)
        self._pods = client.informer(Pod)
        self._pods.add_index(BY_CONTROLLER, controller_uids)
        self._pods.add_index(BY_NODE, node_names)
        self._pods.add_index(ORPHANS, orphan_namespaces)
        self._pods.add_handler(self._pod_changed)
        self._consistency = ConsistencyStore(self._sets, self._revisions)

    @override
    def reconcile(self, key: str) -> SimProcess[None]:
        """Create and delete pods node by node, take the next step of an update, and report."""
        self._consistency.ensure_ready(key)
        daemon_set = self._sets.get(key)
        if daemon_set is None:
            self._expectations.forget(key)
            self._wanted_since_ns.pop(key, None)
            return
        if daemon_set.spec.selector == LabelSelector():
            message = "This daemon set is selecting all pods. A non-empty selector is required."
            self._recorder.warning(daemon_set, "SelectingAll", message)
            return
        if daemon_set.metadata.deletion_timestamp is not None:
            return
        revisions = history.in_order(self._revisions.by_index(BY_CONTROLLER, daemon_set.uid))
        template = daemon_set.spec.template
        revision = yield from history.update_revision(
            self._client, daemon_set, template, revisions
        )
        self._consistency.wrote(key, revision)
        hashed = revision.metadata.labels[history.HASH_LABEL]
        may_act = self._expectations.satisfied(key, now_ns=self._sim.now)
        if may_act:
            look = yield from self._look(daemon_set, hashed)
            yield from self._manage(look)
            if self._expectations.satisfied(key, now_ns=self._sim.now):
                look = yield from self._look(daemon_set, hashed)
                yield from self._roll(look)
            live = {pod.metadata.labels.get(HASH_LABEL) for pod in self._owned(daemon_set)}
            used = {revision.name} | {f"{daemon_set.name}-{one}" for one in live}
            limit = daemon_set.spec.revision_history_limit
            yield from history.truncate(self._client, revisions, live=used, limit=limit)
        look = yield from self._look(daemon_set, hashed)
        yield from self._update_status(look, observed=may_act)

    def _look(self, daemon_set: DaemonSet, hashed: str) -> SimProcess[Look]:
        selector = daemon_set.spec.selector
        claimed = yield from claim(
            self._client,
            daemon_set,
            selector=selector,
            owned=self._owned(daemon_set),
            orphans=self._pods.by_index(ORPHANS, daemon_set.namespace),
        )
        pods: dict[str, list[Pod]] = {}
        for pod in claimed:
            if is_pod_terminal(pod) and pod.metadata.deletion_timestamp is not None:
                continue
            if name := target_node(pod):
                pods.setdefault(name, []).append(pod)
        return Look(
            daemon_set=daemon_set,
            hash=hashed,
            nodes=self._nodes.values(),
            pods=pods,
            wall_ns=self._sim.wall_ns,
        )

    def _manage(self, look: Look) -> SimProcess[None]:
        daemon_set = look.daemon_set
        create_on: list[str] = []
        delete: list[Pod] = []
        for node in look.nodes:
            todo = on_node(
                look, node, failure_wait_ns=lambda name: self._failure_wait_ns(daemon_set, name)
            )
            if todo.create:
                create_on.append(node.name)
            if todo.wait_ns:
                self.queue.add_after(daemon_set.key, todo.wait_ns)
            for pod in todo.failed:
                self._back_off(daemon_set, node.name)
                message = (
                    f"Found failed daemon pod {pod.key} on node {node.name}, will try to kill it"
                )
                self._recorder.warning(daemon_set, "FailedDaemonPod", message)
            for pod in todo.succeeded:
                message = (
                    f"Found succeeded daemon pod {pod.key} on node {node.name}, "
                    "will try to delete it"
                )
                self._recorder.normal(daemon_set, "SucceededDaemonPod", message)
            delete += todo.delete
        delete += unscheduled_without_node(look)
        yield from self._sync_nodes(look, delete, create_on)

    def _roll(self, look: Look) -> SimProcess[None]:
        if look.daemon_set.spec.update_strategy.type == "RollingUpdate":
            step = next_update(look)
            yield from self._sync_nodes(look, list(step.delete), list(step.create_on))

    def _sync_nodes(self, look: Look, delete: list[Pod], create_on: list[str]) -> SimProcess[None]:
        daemon_set, key = look.daemon_set, look.daemon_set.key
        create_on, delete = create_on[:BURST_REPLICAS], delete[:BURST_REPLICAS]
        self._expectations.expect(
            key, creations=len(create_on), deletions=[p.key for p in delete], now_ns=self._sim.now
        )
        if not create_on and not delete:
            return
        pods = [pod_of(daemon_set, name, look.hash) for name in create_on]
        results = yield from self._pod_control.create(
            daemon_set, pods, wanted_since_ns=self._wanted_since_ns.get(key, self._sim.now)
        )
        refusals = [refusal for refusal in results if refusal is not None]
        for _ in range(len(pods) - len(results) + len(refusals)):
            self._expectations.creation_observed(key)
        refusals += yield from self._pod_control.delete(daemon_set, delete)
        if refusals:
            for pod in delete:
                self._expectations.deletion_observed(key, pod.key)
            raise refusals[0]

    def _failure_wait_ns(self, daemon_set: DaemonSet, node_name: str) -> int:
        """How long a failed pod on that node is left alone yet."""
        entry = self._backoffs.get(daemon_set.uid, {}).get(_backoff_key(daemon_set, node_name))
        if entry is None:
            return 0
        passed_ns = self._sim.now - entry.since_ns
        # Upstream comes back after the whole delay, not after what is left of it.
        return entry.wait_ns if passed_ns < entry.wait_ns else 0

    def _back_off(self, daemon_set: DaemonSet, node_name: str) -> None:
        entries = self._backoffs.setdefault(daemon_set.uid, {})
        key, now = _backoff_key(daemon_set, node_name), self._sim.now
        before = entries.get(key)
        wait_ns = FIRST_BACKOFF_NS
        if before is not None and now - before.since_ns <= 2 * MAX_BACKOFF_NS:
            wait_ns = min(before.wait_ns * 2, MAX_BACKOFF_NS)
        entries[key] = _Backoff(now, wait_ns)

    def _update_status(self, look: Look, *, observed: bool) -> SimProcess[None]:
        daemon_set = look.daemon_set
        status = status_of(look, observed=observed)
        if status != daemon_set.status:
            try:
                updated = yield from self._client.update_status(daemon_set.replace(status=status))
            except NotFound:
                return
            self._consistency.wrote(daemon_set.key, updated)
        min_ready_seconds = daemon_set.spec.min_ready_seconds or 0
        if min_ready_seconds and status.number_ready != (status.number_available or 0):
            self.queue.add_after(daemon_set.key, min_ready_seconds * SECOND)

    def _owned(self, daemon_set: DaemonSet) -> tuple[Pod, ...]:
        return self._pods.by_index(BY_CONTROLLER, daemon_set.uid)

    def _set_changed(self, old: DaemonSet | None, new: DaemonSet | None) -> None:
        changed = new or old
        assert changed is not None
        if new is None:
            self._backoffs.pop(changed.uid, None)
            self._consistency.clear(changed.key)
        elif old is None or old.metadata.generation != new.metadata.generation:
            self._wanted_since_ns[changed.key] = self._sim.now
        self.queue.add(changed.key)

    def _node_changed(self, old: Node | None, new: Node | None) -> None:
        if new is None:
            return
        if old is not None and (old.metadata.labels, old.spec.taints) == (
            new.metadata.labels,
            new.spec.taints,
        ):
            return
        owners = {
            o.uid for pod in self._pods.by_index(BY_NODE, new.name) if (o := controller_of(pod))
        }
        for daemon_set in self._sets.values():
            wanted, scheduled = fit(daemon_set, new), daemon_set.uid in owners
            if (
                (wanted.should_run and not scheduled)
                or (scheduled and not wanted.may_stay)
                or (scheduled and daemon_set.status.number_misscheduled)
            ):
                self._wanted_since_ns[daemon_set.key] = self._sim.now
                self.queue.add(daemon_set.key)

    def _pod_changed(self, old: Pod | None, new: Pod | None) -> None:
        pod = new or old
        assert pod is not None
        owner = controller_of(pod)
        if owner is None:
            if new is not None and old is None:
                self._orphan_appeared(pod)
            return
        if owner.kind != "DaemonSet":
            return
        key = f"{pod.namespace}/{owner.name}"
        if new is None or new.metadata.deletion_timestamp is not None:
            self._expectations.deletion_observed(key, pod.key)
        elif old is None:
            self._expectations.creation_observed(key)
        self.queue.add(key)
        daemon_set = self._sets.get(key)
        became_ready = old is not None and new is not None and is_pod_ready(new)
        if daemon_set is not None and became_ready and old is not None and not is_pod_ready(old):
            min_ready_seconds = daemon_set.spec.min_ready_seconds or 0
            if min_ready_seconds:
                self.queue.add_after(key, (min_ready_seconds + 1) * SECOND)

    def _orphan_appeared(self, pod: Pod) -> None:
        for daemon_set in self._sets.values():
            if daemon_set.namespace == pod.namespace and _selects(daemon_set, pod):
                self.queue.add(daemon_set.key)


def pod_of(daemon_set: DaemonSet, node_name: str, hashed: str) -> Pod:
    """The pod to create for a node."""
    template = daemon_set.spec.template
    labels = template.metadata.labels.set(HASH_LABEL, hashed)
    generation = daemon_set.metadata.annotations.get(GENERATION_ANNOTATION)
    if generation is not None:
        labels = labels.set(GENERATION_LABEL, generation)
    return Pod(
        metadata=ObjectMeta(
            generate_name=f"{daemon_set.name}-",
            namespace=daemon_set.namespace,
            labels=labels,
            annotations=template.metadata.annotations,
            finalizers=template.metadata.finalizers,
            owner_references=(new_controller_ref(daemon_set),),
        ),
        spec=daemon_spec(template.spec, node_name),
    )


def status_of(look: Look, *, observed: bool) -> DaemonSetStatus:
    """The numbers of a DaemonSet."""
    daemon_set = look.daemon_set
    desired = desired_nodes(look)
    standing = [oldest(look.pods[name]) for name in desired if look.pods.get(name)]
    ready = [pod for pod in standing if is_pod_ready(pod)]
    available = sum(map(look.available, ready))
    wanted = set(desired)
    misscheduled = sum(
        bool(look.pods.get(node.name)) for node in look.nodes if node.name not in wanted
    )
    generation = daemon_set.metadata.generation
    return daemon_set.status.replace(
        current_number_scheduled=len(standing),
        number_misscheduled=misscheduled,
        desired_number_scheduled=len(desired),
        number_ready=len(ready),
        observed_generation=generation if observed else daemon_set.status.observed_generation,
        updated_number_scheduled=sum(map(look.updated, standing)) or None,
        number_available=available or None,
        number_unavailable=(len(desired) - available) or None,
    )


def _backoff_key(daemon_set: DaemonSet, node_name: str) -> tuple[int, str]:
    return (daemon_set.status.observed_generation or 0, node_name)


def _selects(daemon_set: DaemonSet, pod: Pod) -> bool:
    return label_selector_matches(daemon_set.spec.selector, pod.metadata.labels)
