"""Invariants that every run must keep; a broken one is a bug of the simulator, and says so.

They read what everyone can read, the journal, the store and the machines, and run in every scenario:

- a write has a higher ``resourceVersion`` than the one before it;
- a pod is bound once, moves along the arrows of its lifecycle, and is in the store until somebody
  deletes it;
- a container runs in one place at a time, where its pod is bound, and its attempts count upwards;
- what pods on a node request is never more than its allocatable: when one is bound, and when one is
  resized, as soon as its neighbours' statuses had the time to be written as well;
- nothing comes before its cause: created, bound, started, ended; a machine without power does nothing;
- a request ends once, and those that were sent are those that ended and those that are under way;
- memory and disk add up, and are never less than nothing or more than there is.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from kubesim import facts
from kubesim.api.corev1 import ContainerStatus, Node, Pod
from kubesim.api.podresize import allocated_spec
from kubesim.api.podutil import add_resources, is_pod_terminal, pod_requests
from kubesim.api.quantity import Quantity
from kubesim.errors import SimulationError
from kubesim.sim import Fact
from kubesim.sim.time import SECOND

STATUS_SYNC_NS = (
    10 * SECOND
)  # the status manager's syncPeriod: by then every pod's status is written
PHASE_ARROWS = {
    "": ("Pending",),
    "Pending": ("Pending", "Running", "Succeeded", "Failed"),
    "Running": ("Running", "Succeeded", "Failed"),
    "Succeeded": ("Succeeded",),
    "Failed": ("Failed",),
}


class Assembly(Protocol):
    """A simulated node, as far as invariants look into it."""

    @property
    def machine(self) -> Any:
        """The machine under it."""


class Checkers:
    """All invariants of a run; call it with every fact.

    Args:
        store: The object store.
        nodes: The machines, by node.
    """

    def __init__(self, store: Any, nodes: Callable[[], Mapping[str, Assembly]] = dict) -> None:
        self._store = store
        self._nodes = nodes
        self._revision = 0
        self._alive: dict[str, int] = {}
        self._bound: dict[str, str] = {}
        self._placed: dict[str, dict[str, dict[str, Quantity]]] = {}
        self._resized: dict[str, int] = {}
        self._over: dict[str, tuple[int, Fact]] = {}
        self._phases: dict[str, str] = {}
        self._running: dict[tuple[str, str], tuple[str, int]] = {}
        self._attempts: dict[tuple[str, str], int] = {}
        self._dark: set[str] = set()
        self._decided: Counter[str] = Counter()
        self._serials: dict[str, set[int]] = {}
        self._in_flight: Counter[str] = Counter()
        self._checks: dict[type[Fact], Callable[[int, Any], None]] = {
            facts.ObjectWritten: self._written,
            facts.PodBound: self._pod_bound,
            facts.PodPhaseChanged: self._phase_changed,
            facts.ContainerStarted: self._container_started,
            facts.ContainerExited: self._container_exited,
            facts.NodeFailed: self._node_failed,
            facts.NodeBooted: self._node_booted,
            facts.CriCalled: self._done_on_node,
            facts.ImagePulled: self._image_pulled,
            facts.LayerPulled: self._layer_pulled,
            facts.LayerUnpacked: self._done_on_node,
            facts.StartupPhaseEnded: self._began_before,
            facts.RequestCompleted: self._request_completed,
            facts.RequestFailed: self._request_decided,
            facts.RequestsInFlight: self._requests_in_flight,
        }

    def __call__(self, at_ns: int, fact: Fact) -> None:
        """Check one fact against what was before it."""
        if self._over:
            self._overdue(at_ns)
        check = self._checks.get(type(fact))
        if check is not None:
            check(at_ns, fact)

    def at_end(self) -> None:
        """Check what holds whenever nothing is on its way."""
        self._all_allocatable()
        stored = {pod.uid for pod in self._store.values(Pod)}
        for uid in self._alive:
            if uid not in stored:
                raise SimulationError(f"pod {uid} is gone and nobody deleted it")
        for name in self._nodes():
            self._machine(0, name)
        for traffic, serials in self._serials.items():
            sent = self._decided[traffic] + self._in_flight[traffic]
            # They are numbered as they are sent: the last one says how many there were at least.
            if max(serials) >= sent:
                message = f"{traffic}: number {max(serials)} ended, and only {sent} were sent"
                raise SimulationError(f"requests are conserved, but {message}")
        for pod in self._store.values(Pod):
            _in_order(pod)

    def _written(self, at_ns: int, fact: facts.ObjectWritten) -> None:
        if fact.resource_version <= self._revision:
            _broken(at_ns, "resourceVersion rises with every write", fact)
        self._revision = fact.resource_version
        if fact.kind != "Pod":
            return
        if fact.verb == "create":
            self._alive[fact.uid] = at_ns
        elif fact.uid not in self._alive:
            _broken(at_ns, "a pod is written only while it exists", fact)
        elif fact.verb == "delete" and not self._is_stored(fact):  # else it is only announced
            del self._alive[fact.uid]
            node = self._bound.get(fact.uid)
            if node is not None:
                self._left(at_ns, node, fact)
        elif fact.verb == "update/status" and fact.uid in self._bound:
            self._maybe_resized(at_ns, fact)

    def _maybe_resized(self, at_ns: int, fact: facts.ObjectWritten) -> None:
        """A pod may have been allocated other resources than it was bound with."""
        node = self._bound[fact.uid]
        placed = self._placed[node]
        if fact.uid not in placed or not self._is_stored(fact):
            return
        pod = self._store.get(Pod, f"{fact.namespace}/{fact.name}")
        requests = pod_requests(allocated_spec(pod))
        if requests != placed[fact.uid]:
            placed[fact.uid] = requests
            self._resized[node] = at_ns
            self._measure(at_ns, node, fact)

    def _left(self, at_ns: int, node: str, fact: Any) -> None:
        """A pod of the node is over or gone."""
        self._placed[node].pop(fact.uid, None)
        if node in self._over:
            self._measure(at_ns, node, fact)

    def _measure(self, at_ns: int, name: str, fact: Fact) -> None:
        """See whether what is allocated fits; for a while, what made room may not be written yet.

        A kubelet gives to one pod what another one gave back, or refuses a pod that was bound to it
        meanwhile, and reports one after the other.
        """
        node = self._store.get(Node, name)
        if node is None or self._fits(name, node):
            self._over.pop(name, None)
        else:
            self._over.setdefault(name, (at_ns, fact))

    def _overdue(self, at_ns: int) -> None:
        for name, (since_ns, fact) in list(self._over.items()):
            if at_ns - since_ns > STATUS_SYNC_NS:
                self._measure(at_ns, name, fact)
                if name in self._over:
                    _broken(since_ns, "requests never exceed allocatable", fact)

    def _is_stored(self, fact: facts.ObjectWritten | facts.PodBound) -> bool:
        pod = self._store.get(Pod, f"{fact.namespace}/{fact.name}")
        return pod is not None and pod.uid == fact.uid

    def _pod_bound(self, at_ns: int, fact: facts.PodBound) -> None:
        if fact.uid in self._bound:
            _broken(at_ns, "a pod is bound once", fact)
        self._bound[fact.uid] = fact.node
        placed = self._placed.setdefault(fact.node, {})
        if not self._is_stored(fact):
            return
        pod = self._store.get(Pod, f"{fact.namespace}/{fact.name}")
        placed[fact.uid] = pod_requests(pod.spec)
        node = self._store.get(Node, fact.node)
        if node is None or self._fits(fact.node, node):
            return
        resized_ns = self._resized.get(fact.node)
        if resized_ns is None or at_ns - resized_ns > STATUS_SYNC_NS:
            _broken(at_ns, "requests never exceed allocatable", fact)
        self._measure(at_ns, fact.node, fact)  # it was on its way when another one was resized

    def _fits(self, name: str, node: Node) -> bool:
        placed = self._placed[name]
        if _fits(placed, node):
            return True
        # Some of them may have ended meanwhile.
        for other in self._store.values(Pod):
            if other.uid in placed and is_pod_terminal(other):
                del placed[other.uid]
        return _fits(placed, node)

    def _phase_changed(self, at_ns: int, fact: facts.PodPhaseChanged) -> None:
        if fact.phase not in PHASE_ARROWS[self._phases.get(fact.uid, "")]:
            _broken(at_ns, "phases move along the arrows of the pod lifecycle", fact)
        self._phases[fact.uid] = fact.phase
        if fact.phase in ("Succeeded", "Failed") and fact.node in self._placed:
            self._left(at_ns, fact.node, fact)

    def _container_started(self, at_ns: int, fact: facts.ContainerStarted) -> None:
        key = (fact.uid, fact.container)
        if key in self._running:
            _broken(at_ns, f"no container runs twice, and it runs on {self._running[key]}", fact)
        if fact.attempt <= self._attempts.get(key, -1):
            _broken(at_ns, "the attempts of a container count upwards", fact)
        if self._bound.get(fact.uid, fact.node) != fact.node:
            _broken(at_ns, "a container runs where its pod is bound", fact)
        self._running[key] = (fact.node, fact.attempt)
        self._attempts[key] = fact.attempt
        self._powered(at_ns, fact.node, fact)
        self._machine(at_ns, fact.node)

    def _container_exited(self, at_ns: int, fact: facts.ContainerExited) -> None:
        if self._running.pop((fact.uid, fact.container), None) != (fact.node, fact.attempt):
            _broken(at_ns, "what ends was running", fact)
        self._machine(at_ns, fact.node)

    def _node_failed(self, _at_ns: int, fact: facts.NodeFailed) -> None:
        self._dark.add(fact.node)
        self._over.pop(fact.node, None)  # what it had not reported, it never will

    def _node_booted(self, _at_ns: int, fact: facts.NodeBooted) -> None:
        self._dark.discard(fact.node)

    def _done_on_node(self, at_ns: int, fact: facts.CriCalled | facts.LayerUnpacked) -> None:
        self._began_before(at_ns, fact)
        self._powered(at_ns, fact.node, fact)

    def _image_pulled(self, at_ns: int, fact: facts.ImagePulled) -> None:
        if not fact.began_ns <= fact.resolved_ns <= at_ns:
            _broken(at_ns, "an image is resolved before it is there", fact)
        self._powered(at_ns, fact.node, fact)

    def _layer_pulled(self, at_ns: int, fact: facts.LayerPulled) -> None:
        if not fact.began_ns <= fact.downloaded_ns <= at_ns:
            _broken(at_ns, "a layer is downloaded before it is there", fact)
        self._powered(at_ns, fact.node, fact)

    def _began_before(self, at_ns: int, fact: Any) -> None:
        if fact.began_ns > at_ns:
            _broken(at_ns, "what ends has begun", fact)

    def _request_completed(self, at_ns: int, fact: facts.RequestCompleted) -> None:
        if min(fact.network_ns, fact.queue_ns, fact.instantiate_ns, fact.execute_ns) < 0:
            _broken(at_ns, "no part of a request takes less than no time", fact)
        self._request_decided(at_ns, fact)

    def _request_decided(
        self, at_ns: int, fact: facts.RequestCompleted | facts.RequestFailed
    ) -> None:
        if not 0 <= fact.latency_ns <= at_ns:
            _broken(at_ns, "a request is sent before it ends", fact)
        serials = self._serials.setdefault(fact.traffic, set())
        if fact.serial in serials:
            _broken(at_ns, "a request ends once", fact)
        serials.add(fact.serial)
        self._decided[fact.traffic] += 1

    def _requests_in_flight(self, at_ns: int, fact: facts.RequestsInFlight) -> None:
        if fact.requests < 0 or fact.attempts < 0:
            _broken(at_ns, "requests under way are not less than none", fact)
        self._in_flight[fact.traffic] += fact.requests

    def _powered(self, at_ns: int, node: str, fact: Fact) -> None:
        if node in self._dark:
            _broken(at_ns, "a machine without power does nothing", fact)

    def _machine(self, at_ns: int, name: str) -> None:
        """Memory and disk of one machine add up."""
        assembly = self._nodes().get(name)
        if assembly is None:
            return
        memory, disk = assembly.machine.memory, assembly.machine.disk
        parts = memory.by_component
        if sum(parts.values()) != memory.used_bytes or min(parts.values()) < 0:
            raise SimulationError(f"at {at_ns} ns: memory of {name} adds up, but it is {parts}")
        if 0 < memory.capacity_bytes < memory.used_bytes:
            raise SimulationError(f"at {at_ns} ns: {name} uses more memory than it has")
        if disk.used_bytes < 0 or 0 < disk.capacity_bytes < disk.used_bytes:
            raise SimulationError(f"at {at_ns} ns: {name} has {disk.used_bytes} bytes on its disk")

    def _all_allocatable(self) -> None:
        requested: dict[str, dict[str, Quantity]] = {}
        for pod in self._store.values(Pod):
            if pod.spec.node_name and not is_pod_terminal(pod):
                requests = pod_requests(allocated_spec(pod))
                add_resources(requested.setdefault(pod.spec.node_name, {}), requests)
        for node in self._store.values(Node):
            allocatable = node.status.allocatable
            for resource, amount in requested.get(node.name, {}).items():
                if resource in allocatable and amount > allocatable[resource]:
                    message = f"node {node.name}: {resource} {amount} > {allocatable[resource]}"
                    raise SimulationError(f"requests exceed allocatable: {message}")


def _fits(placed: Mapping[str, Mapping[str, Quantity]], node: Node) -> bool:
    total: dict[str, Quantity] = {}
    for requests in placed.values():
        add_resources(total, requests)
    allocatable = node.status.allocatable
    pods = allocatable.get("pods")
    if pods is not None and len(placed) > pods.value():
        return False
    return all(
        amount <= allocatable[name] for name, amount in total.items() if name in allocatable
    )


def _in_order(pod: Pod) -> None:
    """What the API server holds of a pod is in the order in which it can have happened."""
    created_ns = pod.metadata.creation_timestamp or 0
    status = pod.status
    if status.start_time is not None and status.start_time < created_ns:
        raise SimulationError(f"pod {pod.key} was seen by its kubelet before it was created")
    for condition in status.conditions:
        if (condition.last_transition_time or created_ns) < created_ns:
            message = f"{condition.type} of pod {pod.key} is older than the pod"
            raise SimulationError(f"causes come first, but {message}")
    for container in (*status.init_container_statuses, *status.container_statuses):
        _container_in_order(pod, container, created_ns)


def _container_in_order(pod: Pod, container: ContainerStatus, created_ns: int) -> None:
    for state in (container.last_state, container.state):
        running, ended = state.running, state.terminated
        begin_ns = running.started_at if running is not None else None
        if ended is not None:
            begin_ns = ended.started_at
            if ended.finished_at is not None and (begin_ns or 0) > ended.finished_at:
                raise SimulationError(f"{container.name} of pod {pod.key} ended before it began")
        if begin_ns is not None and begin_ns and begin_ns < created_ns:
            raise SimulationError(f"{container.name} of pod {pod.key} is older than the pod")


def _broken(at_ns: int, invariant: str, fact: Fact) -> None:
    raise SimulationError(f"at {at_ns} ns: {invariant}, but {fact}")
