"""Karpenter's controllers: pods that wait get nodes, and nodes that cost too much go.

Pods are collected until none came for a second, ten seconds at most; then nodes are bought for all of
them at once. Every ten seconds, if anything changed, the nodes are looked at for savings
(``disruption``). A spot node that the cloud wants back is emptied in time.

Mirrors: kubernetes-sigs/karpenter pkg/controllers/provisioning (batcher.go, provisioner.go),
aws/karpenter-provider-aws pkg/controllers/interruption.
Departs: a simulation takes no time; offerings that were refused are tried again at the next batch, not
after three minutes.
"""

from __future__ import annotations

from collections.abc import Mapping

from kubesim.api.appsv1 import DaemonSet
from kubesim.api.corev1 import Node, Pod
from kubesim.api.karpenterv1 import NodePool
from kubesim.api.podutil import get_pod_condition
from kubesim.api.policyv1 import PodDisruptionBudget
from kubesim.controlplane.autoscaler.karpenter.cloudprovider import CloudProvider
from kubesim.controlplane.autoscaler.karpenter.disruption import Disruptor
from kubesim.controlplane.autoscaler.karpenter.fleet import OwnedNodes, of_daemon_set
from kubesim.controlplane.autoscaler.karpenter.options import Options
from kubesim.controlplane.autoscaler.karpenter.scheduling import (
    Market,
    NewNode,
    market,
    schedule,
)
from kubesim.controlplane.autoscaler.karpenter.termination import DISRUPTED
from kubesim.controlplane.autoscaler.simulator import ClusterSnapshot, daemon_pods
from kubesim.controlplane.client import Client, Recorder
from kubesim.controlplane.scheduler.config import KubeSchedulerConfiguration
from kubesim.controlplane.scheduler.registry import PluginFactory
from kubesim.controlplane.scheduler.scheduler import InformerLister
from kubesim.sim import Sim
from kubesim.sim.time import SECOND

COMPONENT = "karpenter"
RETRY_NS = 10 * SECOND


class Karpenter:
    """Karpenter in a cluster.

    Args:
        sim: The run.
        client: The connection to the API server.
        cloud: The cloud.
        options: The settings.
        scheduler: The scheduler's configuration: its plugins decide what fits.
        registry: The plugins that it can name.
    """

    def __init__(
        self,
        sim: Sim,
        *,
        client: Client,
        cloud: CloudProvider,
        options: Options,
        scheduler: KubeSchedulerConfiguration,
        registry: Mapping[str, PluginFactory],
    ) -> None:
        self._sim, self._cloud, self._options = sim, cloud, options
        self._recorder = Recorder(sim, component=COMPONENT)
        self._snapshot = ClusterSnapshot(
            config=scheduler,
            registry=registry,
            lister=InformerLister(client),
            clock=lambda: sim.wall_ns,
        )
        self._batch_began_ns: int | None = None
        self._fire_ns = 0
        self._told: dict[str, str] = {}
        self._pods, self._nodes = client.informer(Pod), client.informer(Node)
        self._pools, self._daemon_sets = client.informer(NodePool), client.informer(DaemonSet)
        self.nodes = OwnedNodes(
            sim, client=client, recorder=self._recorder, cloud=cloud, changed=self._changed
        )
        self._disruptor = Disruptor(
            sim,
            recorder=self._recorder,
            nodes=self.nodes,
            node=self._nodes.get,
            budgets=client.informer(PodDisruptionBudget).values,
            pools=self._pools.values,
            simulate=self._simulate,
            options=options,
        )
        self._pods.add_handler(self._pod_changed)
        self._nodes.add_handler(self._node_changed)
        self._pools.add_handler(self._pool_changed)
        cloud.on_interruption(self._interrupted)

    def _changed(self) -> None:
        self._disruptor.changed()
        if any(is_provisionable(pod) for pod in self._pods.values()):
            self._trigger()

    def _pool_changed(self, old: NodePool | None, new: NodePool | None) -> None:
        if new is None and old is not None:
            for owned in list(self.nodes.owned.values()):
                if owned.pool.name == old.name:
                    message = f"Disrupting Node: NodePool {old.name} is gone"
                    self.nodes.end(owned.name, message=message, reason="DisruptionTerminating")
        if new is not None:
            for owned in self.nodes.owned.values():
                if owned.pool.name == new.name:
                    owned.pool = new.replace(
                        spec=new.spec.replace(template=owned.pool.spec.template)
                    )
        self._changed()

    def _pod_changed(self, old: Pod | None, new: Pod | None) -> None:
        self._snapshot.pod_changed(old, new)
        if new is not None and is_provisionable(new):
            if old is None or not is_provisionable(old):
                self._trigger()
            return
        pod = new or old
        assert pod is not None
        moved = old is None or new is None or _place(old) != _place(new)
        owned = self.nodes.owned.get(pod.spec.node_name or "")
        if moved and owned is not None and not of_daemon_set(pod):
            owned.last_pod_ns = self._sim.now
        if moved:
            self._disruptor.changed()

    def _node_changed(self, old: Node | None, new: Node | None) -> None:
        self._snapshot.node_changed(old, new)
        if new is not None:
            self.nodes.node_changed(new)
        elif old is not None:
            self.nodes.lost(old.name)

    def _interrupted(self, name: str) -> None:
        """The cloud wants a node back: empty it while there is time."""
        owned = self.nodes.owned.get(name)
        if owned is not None and not owned.ending:
            message = "Spot interruption warning was triggered"
            self.nodes.end(name, message=message, reason="SpotInterrupted")

    def _trigger(self) -> None:
        """A pod waits: provision when no other came for a second, in ten seconds at the latest."""
        now_ns = self._sim.now
        if self._batch_began_ns is None:
            self._batch_began_ns = now_ns
        options = self._options
        self._fire_ns = min(
            now_ns + options.batch_idle_duration,
            self._batch_began_ns + options.batch_max_duration,
        )
        self._sim.call_in(self._fire_ns - now_ns, self._fire, self._fire_ns)

    def _fire(self, due_ns: int) -> None:
        if self._batch_began_ns is None or due_ns != self._fire_ns:
            return
        self._batch_began_ns = None
        pods = [pod for pod in self._pods.values() if is_provisionable(pod)]
        if pods:
            self._provision(pods)

    def _provision(self, pods: list[Pod]) -> None:
        available = self._market()
        self._snapshot.fork()
        usable = self._imagine(frozenset())
        outcome = schedule(
            self._snapshot, pods, available, self._daemon_sets.values(), usable=usable
        )
        self._snapshot.revert()
        for new in outcome.new:
            answer = self.nodes.launch(new)
            for pod in new.pods:
                if isinstance(answer, str):
                    self._recorder.warning(pod, "FailedScheduling", f"Failed to launch: {answer}")
                else:
                    message = f"Pod should schedule on: nodeclaim/{answer.name}"
                    self._recorder.normal(pod, "Nominated", message)
            if isinstance(answer, str):
                self._sim.call_in(RETRY_NS, self._trigger)
        for pod in outcome.failed:
            self._tell(pod, available)

    def _tell(self, pod: Pod, available: Market) -> None:
        reasons = ", ".join(
            f'incompatible with nodepool "{pool.name}", no instance type satisfied resources and '
            "requirements"
            for pool in available.pools
        )
        message = f"Failed to schedule pod, {reasons or 'no nodepools found'}"
        if self._told.get(pod.uid) != message:
            self._told[pod.uid] = message
            self._recorder.warning(pod, "FailedScheduling", message)

    def _market(self) -> Market:
        nodes = [owned.template for owned in self.nodes.owned.values()]
        return market(self._pools.values(), self._cloud.offerings(), nodes)

    def _imagine(self, gone: frozenset[str]) -> list[str]:
        """Imagine nodes that are to come as there, and others away; the nodes that take pods."""
        for name in gone:
            self._snapshot.remove_node(name)
        for owned in self.nodes.owned.values():
            if owned.initialized_ns is None and owned.name not in gone and not owned.ending:
                pods = self._snapshot.pods_on(owned.name)
                self._snapshot.remove_node(owned.name)
                daemons = list(daemon_pods(self._daemon_sets.values(), owned.template))
                own = [pod for pod in pods if not of_daemon_set(pod)]
                self._snapshot.add_node(owned.template, [*daemons, *own])
        ending = {owned.name for owned in self.nodes.owned.values() if owned.ending}
        return [
            info.name
            for info in self._snapshot.nodes()
            if info.name not in ending
            and not any(t.key == DISRUPTED for t in info.node.spec.taints)
        ]

    def _simulate(self, names: frozenset[str]) -> tuple[bool, tuple[NewNode, ...]]:
        """Whether everybody has a place without some nodes, and the new nodes it would take."""
        moving = [pod for name in names for pod in self.nodes.pods_on(name)]
        moving = [pod.replace(spec=pod.spec.replace(node_name=None)) for pod in moving]
        waiting = [pod for pod in self._pods.values() if is_provisionable(pod)]
        self._snapshot.fork()
        usable = self._imagine(names)
        outcome = schedule(
            self._snapshot,
            [*moving, *waiting],
            self._market(),
            self._daemon_sets.values(),
            usable=usable,
        )
        self._snapshot.revert()
        lost = {pod.uid for pod in outcome.failed} & {pod.uid for pod in moving}
        return not lost, outcome.new


def is_provisionable(pod: Pod) -> bool:
    """Whether a pod waits for a node that nobody has."""
    scheduled = get_pod_condition(pod.status, "PodScheduled")
    return (
        not pod.spec.node_name
        and pod.metadata.deletion_timestamp is None
        and not of_daemon_set(pod)
        and scheduled is not None
        and (scheduled.status, scheduled.reason) == ("False", "Unschedulable")
    )


def _place(pod: Pod) -> object:
    gone = pod.metadata.deletion_timestamp is not None
    return pod.spec.node_name, gone, pod.status.phase in ("Succeeded", "Failed")
