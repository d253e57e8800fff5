"""Karpenter's picture of its nodes, and what it does with one: make it, follow it, end it.

Mirrors: kubernetes-sigs/karpenter pkg/controllers/state (cluster.go, statenode.go),
pkg/controllers/nodeclaim/lifecycle, pkg/controllers/node/termination.
Departs: no finalizers: the controller that begins to end a node also deletes its objects; pods are
deleted, not evicted; a node has the name of its claim; the taint ``karpenter.sh/unregistered`` is
not put on.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from kubesim.api.corev1 import Node, Pod, Taint
from kubesim.api.duration import parse_duration
from kubesim.api.karpenterv1 import NodeClaim, NodeClaimStatus, NodePool
from kubesim.api.metav1 import Condition, ObjectMeta, controller_of
from kubesim.api.podutil import get_node_condition, is_pod_terminal
from kubesim.controlplane.autoscaler.karpenter.cloudprovider import CloudProvider, Offering
from kubesim.controlplane.autoscaler.karpenter.scheduling import POOL_LABEL, NewNode, dressed
from kubesim.controlplane.client import Client, Recorder, StatusError
from kubesim.sim import Sim, SimProcess
from kubesim.sim.time import SECOND

DISRUPTED = "karpenter.sh/disrupted"
POLL_NS = 5 * SECOND
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
        launched_ns: When it was asked for.
        initialized_ns: When it was ready.
        ending: Whether it is being disrupted.
        last_pod_ns: When last a pod came or went.
    """

    name: str
    pool: NodePool
    offering: Offering
    template: Node
    launched_ns: int
    initialized_ns: int | None = None
    ending: bool = False
    last_pod_ns: int = 0


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

    def launch(self, new: NewNode) -> Owned | str:
        """Buy the cheapest offering that is to be had; why there is none, if there is none."""
        name = f"{new.pool.name}-{self._rng.letters(5, _NAME_LETTERS)}"
        failure = "no offering"
        for offering in new.options:
            template = dressed(new.pool, offering, name)
            refused = self._cloud.create(template, offering, pool=new.pool.name)
            if refused is not None:
                failure = refused
                continue
            now_ns = self._sim.now
            owned = Owned(name, new.pool, offering, template, now_ns, last_pod_ns=now_ns)
            self.owned[name] = owned
            self._sim.process(self._claim(owned))
            self._expire_later(owned)
            return owned
        return failure

    def node_changed(self, node: Node) -> None:
        """Hear of a node: it may have become ready."""
        owned = self.owned.get(node.name)
        if owned is None or owned.initialized_ns is not None:
            return
        ready = get_node_condition(node.status, "Ready")
        tainted = any(t.key == "node.kubernetes.io/not-ready" for t in node.spec.taints)
        if ready is not None and ready.status == "True" and not tainted:
            owned.initialized_ns = owned.last_pod_ns = self._sim.now
            self._sim.process(self._report(owned.name, "Initialized", node=node.name))
            self._changed()

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

    def end(self, name: str, *, message: str, reason: str) -> None:
        """Begin to empty a node and to give it back."""
        owned = self.owned.get(name)
        if owned is None:
            return
        owned.ending = True
        node = self._nodes.get(name)
        if node is not None:
            self._recorder.normal(node, reason, message)
        self._sim.process(self._end(owned))

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
        labels = owned.template.metadata.labels
        metadata = ObjectMeta(name=owned.name, labels=labels)
        claim = NodeClaim(metadata=metadata, spec=owned.pool.spec.template.spec)
        with contextlib.suppress(StatusError):
            yield from self._client.create(claim)
        yield from self._report(owned.name, "Launched", capacity=owned.template)

    def _report(
        self, name: str, condition: str, *, capacity: Node | None = None, node: str = ""
    ) -> SimProcess[None]:
        met = Condition(
            type=condition,
            status="True",
            reason=condition,
            message="",
            last_transition_time=self._sim.wall_ns,
        )

        def changed(claim: NodeClaim) -> NodeClaim:
            status: NodeClaimStatus = claim.status
            conditions = (*(c for c in status.conditions if c.type != condition), met)
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

    def _expire_later(self, owned: Owned) -> None:
        after = owned.pool.spec.template.spec.expire_after or DEFAULT_EXPIRE_AFTER
        if after != NEVER:
            self._sim.call_in(parse_duration(after), self._expire, owned.name)

    def _expire(self, name: str) -> None:
        owned = self.owned.get(name)
        if owned is not None and not owned.ending:
            message = f"Disrupting Node: NodeClaim {name} has expired"
            self.end(name, message=message, reason="DisruptionTerminating")

    def _end(self, owned: Owned) -> SimProcess[None]:
        yield from self.taint(owned.name)
        grace = owned.pool.spec.template.spec.termination_grace_period
        until_ns = None if grace is None else self._sim.now + parse_duration(grace)
        for pod in self._leaving(owned.name):
            if pod.metadata.deletion_timestamp is None:
                self._recorder.normal(pod, "Evicted", "Evicted pod: Terminating")
                with contextlib.suppress(StatusError):
                    yield from self._client.delete(Pod, pod.key, uid=pod.uid)
        while any(self._leaving(owned.name)):
            if until_ns is not None and self._sim.now >= until_ns:
                break
            if owned.name not in self.owned:
                return  # the cloud was faster
            yield self._sim.timeout(POLL_NS)
        self._cloud.delete(owned.name)
        yield from self._forget(owned.name)

    def _leaving(self, name: str) -> Iterator[Pod]:
        for pod in self._pods.values():
            bound = pod.spec.node_name == name and not is_pod_terminal(pod)
            if bound and not of_daemon_set(pod):
                yield pod

    def lost(self, name: str) -> None:
        """The cloud took a node away."""
        if name in self.owned:
            self._sim.process(self._forget(name))

    def _forget(self, name: str) -> SimProcess[None]:
        if self.owned.pop(name, None) is None:
            return
        for kind in (NodeClaim, Node):
            with contextlib.suppress(StatusError):
                yield from self._client.delete(kind, name)
        self._changed()


def of_daemon_set(pod: Pod) -> bool:
    """Whether a pod belongs to its node."""
    owner = controller_of(pod)
    return owner is not None and owner.kind == "DaemonSet"


def pool_of(node: Node) -> str:
    """The pool of a node of Karpenter's; empty for others."""
    return node.metadata.labels.get(POOL_LABEL, "")
