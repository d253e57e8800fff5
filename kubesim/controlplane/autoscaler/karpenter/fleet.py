"""Karpenter's picture of its nodes, and what it does with one: make it, follow it, end it.

Mirrors: kubernetes-sigs/karpenter pkg/controllers/state (cluster.go, statenode.go),
pkg/controllers/nodeclaim/lifecycle (launch.go, registration.go, initialization.go, liveness.go),
pkg/controllers/nodeclaim/expiration.
Departs: a node has the name of its claim; a claim has no owner: when its pool goes, its node is ended
here.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass

from kubesim.api.corev1 import Node, Pod, Taint
from kubesim.api.duration import parse_duration
from kubesim.api.karpenterv1 import NodeClaim, NodeClaimStatus, NodePool
from kubesim.api.metav1 import Condition, KubeObject, ObjectMeta, controller_of
from kubesim.api.podutil import get_node_condition, is_pod_terminal
from kubesim.controlplane.autoscaler.karpenter.cloudprovider import CloudProvider, Offering
from kubesim.controlplane.autoscaler.karpenter.drift import (
    HASH_ANNOTATION,
    drift_reason,
    template_hash,
)
from kubesim.controlplane.autoscaler.karpenter.scheduling import POOL_LABEL, NewNode, dressed
from kubesim.controlplane.autoscaler.karpenter.termination import DISRUPTED, Terminator
from kubesim.controlplane.client import Client, Recorder, StatusError
from kubesim.sim import Sim, SimProcess
from kubesim.sim.time import MINUTE, SECOND

FINALIZER = "karpenter.sh/termination"
UNREGISTERED = "karpenter.sh/unregistered"
REGISTERED_LABEL = "karpenter.sh/registered"
INITIALIZED_LABEL = "karpenter.sh/initialized"
FORCEFUL = "Forceful Termination"
NOT_READY_TAINTS = ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable")
POLL_NS = 5 * SECOND
REGISTRATION_TTL_NS = 15 * MINUTE
NEVER = "Never"
DEFAULT_EXPIRE_AFTER = "720h"
_NAME_LETTERS = "bcdfghjklmnpqrstvwxz2456789"


@dataclass(slots=True)
class Owned:
    """A node of Karpenter's, from the claim on.

    Attributes:
        name: The name of claim and node.
        pool: Its pool.
        offering: What was bought.
        template: The node as it will be.
        hash: The hash of the pool's template that it was made after.
        launched_ns: When it was asked for.
        registered: Whether its node was there.
        initialized_ns: When it was ready.
        ending: Whether it is being disrupted.
        last_pod_ns: When last a pod came or went.
        drifted: Why it is no longer as its pool says.
    """

    name: str
    pool: NodePool
    offering: Offering
    template: Node
    hash: str
    launched_ns: int
    registered: bool = False
    initialized_ns: int | None = None
    ending: bool = False
    last_pod_ns: int = 0
    drifted: str | None = None


class OwnedNodes:
    """All nodes of Karpenter's.

    Args:
        sim: The run.
        client: The connection to the API server.
        recorder: For events.
        cloud: The cloud.
        changed: Told when something here changed.
    """

    def __init__(
        self,
        sim: Sim,
        *,
        client: Client,
        recorder: Recorder,
        cloud: CloudProvider,
        changed: Callable[[], None],
    ) -> None:
        self._sim, self._client, self._recorder = sim, client, recorder
        self._cloud, self._changed = cloud, changed
        self._rng = sim.rng("karpenter/names")
        self._nodes, self._pods = client.informer(Node), client.informer(Pod)
        self.owned: dict[str, Owned] = {}
        self._terminating: set[str] = set()
        self._terminator = Terminator(
            sim, client=client, recorder=recorder, gone=lambda name: not cloud.exists(name)
        )

    def launch(self, new: NewNode) -> Owned | str:
        """Buy the cheapest offering that is to be had; why there is none, if there is none."""
        name = f"{new.pool.name}-{self._rng.letters(5, _NAME_LETTERS)}"
        failure = "no offering"
        for offering in new.options:
            template = dressed(new.pool, offering, name)
            asked = _as_it_registers(template, new.pool)
            refused = self._cloud.create(asked, offering, pool=new.pool.name)
            if refused is not None:
                failure = refused
                continue
            now_ns = self._sim.now
            template_of = new.pool.spec.template
            owned = Owned(
                name,
                new.pool,
                offering,
                template,
                template_hash(template_of),
                now_ns,
                last_pod_ns=now_ns,
            )
            self.owned[name] = owned
            self._sim.process(self._claim(owned))
            self._expire_later(owned)
            self._sim.call_in(REGISTRATION_TTL_NS, self._check_registered, owned)
            return owned
        return failure

    def node_changed(self, node: Node) -> None:
        """Hear of a node: it may have come, have become ready, or be about to go."""
        owned = self.owned.get(node.name)
        if owned is None:
            return
        if node.metadata.deletion_timestamp is not None and not owned.ending:
            self.end(node.name, message="Node is being deleted", reason="DisruptionTerminating")
            return
        if not owned.registered:
            owned.registered = True
            self._sim.process(self._register(owned))
        elif owned.initialized_ns is None and _is_initialized(node, owned):
            owned.initialized_ns = owned.last_pod_ns = self._sim.now
            self._sim.process(self._initialize(owned))
            self._changed()

    def drift(self, owned: Owned, pool: NodePool) -> str | None:
        """Why a node is no longer as its pool says; the claim's condition says so, too."""
        reason = drift_reason(pool, owned.hash, owned.template)
        if reason != owned.drifted:
            owned.drifted = reason
            self._sim.process(self._report(owned.name, "Drifted", reason=reason))
        return reason

    def pods_on(self, name: str) -> list[Pod]:
        """The pods of a node that would have to go elsewhere."""
        return [
            pod
            for pod in self._pods.values()
            if pod.spec.node_name == name
            and not is_pod_terminal(pod)
            and pod.metadata.deletion_timestamp is None
            and not of_daemon_set(pod)
        ]

    def end(self, name: str, *, message: str, reason: str, why: str = FORCEFUL) -> None:
        """Begin to empty a node and to give it back.

        Args:
            name: The node.
            message: The event's message.
            reason: The event's reason.
            why: What its pods' events say.
        """
        owned = self.owned.get(name)
        if owned is None or name in self._terminating:
            return
        owned.ending = True
        self._terminating.add(name)
        node = self._nodes.get(name)
        if node is not None:
            self._recorder.normal(node, reason, message)
        self._sim.process(self._end(owned, why))

    def taint(self, name: str) -> SimProcess[None]:
        """Keep new pods off a node that is to go."""
        mark = Taint(key=DISRUPTED, effect="NoSchedule")

        def marked(node: Node) -> Node:
            taints = tuple(t for t in node.spec.taints if t.key != DISRUPTED)
            return node.replace(spec=node.spec.replace(taints=(*taints, mark)))

        with contextlib.suppress(StatusError):
            yield from self._client.patch(Node, name, marked)

    def untaint(self, name: str) -> SimProcess[None]:
        """A node stays after all."""

        def cleared(node: Node) -> Node:
            taints = tuple(t for t in node.spec.taints if t.key != DISRUPTED)
            return node.replace(spec=node.spec.replace(taints=taints))

        with contextlib.suppress(StatusError):
            yield from self._client.patch(Node, name, cleared)

    def _claim(self, owned: Owned) -> SimProcess[None]:
        """The claim's object, and that it is launched."""
        template = owned.template.metadata
        metadata = ObjectMeta(
            name=owned.name,
            labels=template.labels,
            annotations=template.annotations.merge({HASH_ANNOTATION: owned.hash}),
            finalizers=(FINALIZER,),
        )
        claim = NodeClaim(metadata=metadata, spec=owned.pool.spec.template.spec)
        with contextlib.suppress(StatusError):
            yield from self._client.create(claim)
        yield from self._report(owned.name, "Launched", capacity=owned.template)

    def _register(self, owned: Owned) -> SimProcess[None]:
        """The node is there: it is Karpenter's, and no longer unregistered."""

        def registered(node: Node) -> Node:
            taints = tuple(t for t in node.spec.taints if t.key != UNREGISTERED)
            labels = node.metadata.labels.merge({REGISTERED_LABEL: "true"})
            metadata = node.metadata.replace(labels=labels)
            return node.replace(metadata=metadata, spec=node.spec.replace(taints=taints))

        with contextlib.suppress(StatusError):
            yield from self._client.patch(Node, owned.name, registered)
        yield from self._report(owned.name, "Registered", node=owned.name)

    def _initialize(self, owned: Owned) -> SimProcess[None]:
        """The node is ready, and nobody is still preparing it."""

        def initialized(node: Node) -> Node:
            labels = node.metadata.labels.merge({INITIALIZED_LABEL: "true"})
            return node.replace(metadata=node.metadata.replace(labels=labels))

        with contextlib.suppress(StatusError):
            yield from self._client.patch(Node, owned.name, initialized)
        yield from self._report(owned.name, "Initialized")
        yield from self._report(owned.name, "Ready")

    def _report(
        self,
        name: str,
        condition: str,
        *,
        capacity: Node | None = None,
        node: str = "",
        reason: str | None = "",
    ) -> SimProcess[None]:
        """Set a condition of a claim; take it away where the reason is ``None``."""
        met = Condition(
            type=condition,
            status="True",
            reason=reason or condition,
            message=reason or "",
            last_transition_time=self._sim.wall_ns,
        )

        def changed(claim: NodeClaim) -> NodeClaim:
            status: NodeClaimStatus = claim.status
            conditions = tuple(c for c in status.conditions if c.type != condition)
            if reason is not None:
                conditions = (*conditions, met)
            status = status.replace(conditions=conditions)
            if capacity is not None:
                status = status.replace(
                    capacity=capacity.status.capacity, allocatable=capacity.status.allocatable
                )
            if node:
                status = status.replace(node_name=node)
            return claim.replace(status=status)

        with contextlib.suppress(StatusError):
            yield from self._client.patch(NodeClaim, name, changed, status=True)

    def _check_registered(self, owned: Owned) -> None:
        """A claim whose node did not come in time is given up."""
        if self.owned.get(owned.name) is owned and not (owned.registered or owned.ending):
            self.end(owned.name, message="Registration timeout", reason="FailedRegistration")

    def _expire_later(self, owned: Owned) -> None:
        after = owned.pool.spec.template.spec.expire_after or DEFAULT_EXPIRE_AFTER
        if after != NEVER:
            self._sim.call_in(parse_duration(after), self._expire, owned.name)

    def _expire(self, name: str) -> None:
        owned = self.owned.get(name)
        if owned is not None and not owned.ending:
            message = f"Disrupting Node: NodeClaim {name} has expired"
            self.end(name, message=message, reason="DisruptionTerminating")

    def _end(self, owned: Owned, why: str) -> SimProcess[None]:
        name = owned.name
        if why != FORCEFUL:
            yield from self._report(name, "DisruptionReason", reason=why)
        for kind in (NodeClaim, Node):  # both stay until their finalizer is gone
            with contextlib.suppress(StatusError):
                yield from self._client.delete(kind, name)
        yield from self.taint(name)
        grace = owned.pool.spec.template.spec.termination_grace_period
        deadline_ns = None if grace is None else self._sim.now + parse_duration(grace)
        yield from self._terminator.drain(name, why, deadline_ns)
        self._cloud.delete(name)
        while self._cloud.exists(name):
            yield self._sim.timeout(POLL_NS)
        yield from self._forget(name)

    def lost(self, name: str) -> None:
        """The cloud took a node away."""
        if name in self.owned:
            self._sim.process(self._forget(name))

    def _forget(self, name: str) -> SimProcess[None]:
        self._terminating.discard(name)
        if self.owned.pop(name, None) is None:
            return
        for kind in (NodeClaim, Node):
            with contextlib.suppress(StatusError):
                yield from self._client.patch(kind, name, _released)
            with contextlib.suppress(StatusError):
                yield from self._client.delete(kind, name)
        self._changed()


def _released(obj: KubeObject) -> KubeObject:
    """The object without Karpenter's finalizer."""
    left = tuple(f for f in obj.metadata.finalizers if f != FINALIZER)
    return obj.replace(metadata=obj.metadata.replace(finalizers=left))


def _as_it_registers(template: Node, pool: NodePool) -> Node:
    """A node as its kubelet registers it: with taints that go while it starts."""
    unregistered = Taint(key=UNREGISTERED, effect="NoExecute")
    startup = pool.spec.template.spec.startup_taints
    return template.replace(
        metadata=template.metadata.replace(finalizers=(FINALIZER,)),
        spec=template.spec.replace(taints=(*template.spec.taints, *startup, unregistered)),
    )


def _is_initialized(node: Node, owned: Owned) -> bool:
    """Whether a node is ready and all the taints are gone that it had while it started."""
    ready = get_node_condition(node.status, "Ready")
    if ready is None or ready.status != "True":
        return False
    startup = {(t.key, t.effect) for t in owned.pool.spec.template.spec.startup_taints}
    return not any(
        t.key in NOT_READY_TAINTS or (t.key, t.effect) in startup for t in node.spec.taints
    )


def of_daemon_set(pod: Pod) -> bool:
    """Whether a pod belongs to its node."""
    owner = controller_of(pod)
    return owner is not None and owner.kind == "DaemonSet"


def pool_of(node: Node) -> str:
    """The pool of a node of Karpenter's; empty for others."""
    return node.metadata.labels.get(POOL_LABEL, "")
