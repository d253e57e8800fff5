"""The loop: look at the cluster every ten seconds, make it larger, or else make it smaller.

A look is planned (``loop``) after something changed that could matter, or for an instant at which the
passing of time alone could matter (a node was not needed for ten minutes, a back-off ends, an instance
should have come by now).

Mirrors: kubernetes/autoscaler cluster-autoscaler/core/static_autoscaler.go (RunOnce).
Departs: a look takes no time; an event that says the same of the same pod again is recorded once; pods
of nodes that are being drained are not packed beforehand; pods that ask for GPUs are not waited for
longer than others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from kubesim.api.appsv1 import DaemonSet
from kubesim.api.corev1 import Node, Pod
from kubesim.api.duration import format_duration, parse_duration
from kubesim.api.metav1 import controller_of
from kubesim.api.podutil import get_node_condition, get_pod_condition
from kubesim.api.policyv1 import PodDisruptionBudget
from kubesim.controlplane.autoscaler.cloudprovider import NodeGroup
from kubesim.controlplane.autoscaler.clusterautoscaler.actuator import Actuator
from kubesim.controlplane.autoscaler.clusterautoscaler.backoff import Backoff
from kubesim.controlplane.autoscaler.clusterautoscaler.clusterstate import (
    GroupState,
    is_healthy,
    is_ready,
    survey,
)
from kubesim.controlplane.autoscaler.clusterautoscaler.estimator import new_node
from kubesim.controlplane.autoscaler.clusterautoscaler.loop import (
    LoopTrigger,
    is_recent_unschedulable,
)
from kubesim.controlplane.autoscaler.clusterautoscaler.options import Options
from kubesim.controlplane.autoscaler.clusterautoscaler.priorities import PriorityConfig
from kubesim.controlplane.autoscaler.clusterautoscaler.scaledown import Planner
from kubesim.controlplane.autoscaler.clusterautoscaler.scaleup import (
    Increase,
    Situation,
    cleaned,
    decide,
)
from kubesim.controlplane.autoscaler.clusterautoscaler.status import StatusWriter
from kubesim.controlplane.autoscaler.simulator import (
    ClusterSnapshot,
    Drainability,
    controller_replicas,
    daemon_pods,
    drainability,
)
from kubesim.controlplane.client import Client, Recorder
from kubesim.controlplane.scheduler.config import KubeSchedulerConfiguration
from kubesim.controlplane.scheduler.registry import PluginFactory
from kubesim.controlplane.scheduler.scheduler import InformerLister
from kubesim.sim import Sim
from kubesim.sim.time import SECOND

COMPONENT = "cluster-autoscaler"
VERY_NEW_NS = 2 * SECOND  # pods younger than this wait for others to come
POD_SCALE_UP_DELAY = "cluster-autoscaler.kubernetes.io/pod-scale-up-delay"


class ClusterAutoscaler:
    """The Cluster Autoscaler of a cluster.

    Args:
        sim: The run.
        client: The connection to the API server.
        groups: The node groups that it looks after.
        options: The flags.
        scheduler: The scheduler's configuration: its plugins decide what fits.
        registry: The plugins that it can name.
    """

    def __init__(
        self,
        sim: Sim,
        *,
        client: Client,
        groups: Sequence[NodeGroup],
        options: Options,
        scheduler: KubeSchedulerConfiguration,
        registry: Mapping[str, PluginFactory],
    ) -> None:
        self._sim, self._client, self._options = sim, client, options
        self._groups = tuple(groups)
        self._rng = sim.rng(f"{COMPONENT}/expander")
        self._trigger = LoopTrigger(
            sim,
            interval_ns=options.scan_interval,
            offset_ns=sim.rng(COMPONENT).uniform(0, options.scan_interval),
            look=self._look,
        )
        self._recorder = Recorder(sim, component=COMPONENT)
        self._snapshot = ClusterSnapshot(
            config=scheduler,
            registry=registry,
            lister=InformerLister(client),
            clock=lambda: sim.wall_ns,
            counts=self._counts,
        )
        self._backoff = Backoff(
            initial_ns=options.initial_node_group_backoff_duration,
            max_ns=options.max_node_group_backoff_duration,
            reset_ns=options.node_group_backoff_reset_timeout,
        )
        self._replicas = controller_replicas(client)
        self._planner = Planner(options, self._snapshot, self._replicas)
        self._status = StatusWriter(sim, client=client, options=options)
        self._actuator = Actuator(
            sim,
            client=client,
            recorder=self._recorder,
            options=options,
            status=self._status.config_map,
            pods_to_move=self._pods_to_move,
            finished=self._removed,
        )
        self._changes = 0
        self._last_up_ns = self._last_delete_ns = self._last_failure_ns = -(1 << 62)
        self._unregistered_since: dict[str, int] = {}
        self._too_late: set[str] = set()
        self._told: dict[str, str] = {}
        self._priorities = PriorityConfig(
            client, self._recorder, options.namespace, wanted="priority" in options.expander
        )
        self._pods, self._nodes = client.informer(Pod), client.informer(Node)
        self._pods.add_handler(self._pod_changed)
        self._nodes.add_handler(self._node_changed)
        self._daemon_sets = client.informer(DaemonSet)
        self._budgets = client.informer(PodDisruptionBudget)
        self._daemon_sets.add_handler(lambda _old, _new: self._changed())
        self._budgets.add_handler(lambda _old, _new: self._changed())
        self._changed()

    def _counts(self, pod: Pod) -> bool:
        """Whether a pod is important enough to be counted."""
        priority = pod.spec.priority
        return priority is None or priority >= self._options.expendable_pods_priority_cutoff

    def _pod_changed(self, old: Pod | None, new: Pod | None) -> None:
        self._snapshot.pod_changed(old, new)
        recent = new is not None and is_recent_unschedulable(new, self._sim.wall_ns)
        if recent and self._options.frequent_loops_enabled:
            self._trigger.at_once()
        if old is None or new is None or _concerns(old) != _concerns(new):
            if new is None and old is not None:
                self._told.pop(old.uid, None)
            self._changed()

    def _node_changed(self, old: Node | None, new: Node | None) -> None:
        self._snapshot.node_changed(old, new)
        if old is None or new is None or _shape(old) != _shape(new):
            self._changed()

    def _changed(self) -> None:
        self._changes += 1
        self._trigger.at(self._sim.now)

    def _look(self) -> None:
        states = survey(self._groups, self._nodes.values(), self._options, self._sim.wall_ns)
        self._learn(states)
        reason = self._not_actionable(states)
        before = (self._last_up_ns, self._last_delete_ns)
        if reason is None:
            self._run_once(states)
        else:
            self._planner.forget()
            self._recorder.warning(self._status.config_map, "ClusterUnhealthy", reason)
        in_backoff = [n for n in states if self._backoff.until_ns(n, self._sim.now) is not None]
        self._status.write(states, self._planner.unneeded, in_backoff, healthy=reason is None)
        if self._options.frequent_loops_enabled and before != (
            self._last_up_ns,
            self._last_delete_ns,
        ):
            self._trigger.again()
        due = self._next_due_ns(states)
        if due is not None:
            self._trigger.at(due)

    def _not_actionable(self, states: Mapping[str, GroupState]) -> str | None:
        """Why the cluster is left as it is, if it is."""
        options = self._options
        ready = (is_ready(node, options.startup_taints) for node in self._nodes.values())
        if not options.scale_up_from_zero and not any(ready):
            return "Cluster has no ready nodes."
        healthy = is_healthy(
            states,
            ok_unready=options.ok_total_unready_count,
            max_unready_percent=options.max_total_unready_percentage,
        )
        return None if healthy else "Cluster is unhealthy"

    def _learn(self, states: dict[str, GroupState]) -> None:
        """Take note of who did not come: refused instances, and such as never became nodes."""
        now_ns, options = self._sim.now, self._options
        known = self._unregistered_since
        self._unregistered_since = {
            name: known.get(name, now_ns) for s in states.values() for name in s.unregistered
        }
        self._too_late &= set(self._unregistered_since)
        for name, state in states.items():
            errors = state.group.take_errors()
            if errors:
                first = errors[0]
                message = (
                    f"Failed adding {len(errors)} nodes ({len(errors)} unseen previously) to "
                    f"group {name} due to {first.code}; source errors: {first.message}"
                )
                self._recorder.warning(self._status.config_map, "ScaleUpFailed", message)
                self._backoff.failed(name, now_ns)
            late = [
                node
                for node in state.unregistered
                if now_ns - self._unregistered_since[node] >= options.max_node_provision_time
            ]
            self._give_up(state, late)
            if errors or late:
                nodes = self._nodes.values()
                states[name] = survey([state.group], nodes, options, self._sim.wall_ns)[name]

    def _give_up(self, state: GroupState, late: Sequence[str]) -> None:
        """Give instances back that never became nodes, as far as the minimum size allows."""
        spare = (
            len(late)
            if self._options.force_delete_unregistered_nodes
            else max(state.target - state.group.min_size, 0)
        )
        for node in late[:spare]:
            state.group.delete_node(node)
            message = f"Removed unregistered node {node}"
            self._recorder.normal(self._status.config_map, "DeleteUnregistered", message)
        if not self._too_late.issuperset(late):
            self._too_late.update(late)
            allowed = format_duration(self._options.max_node_provision_time)
            message = f"Nodes added to group {state.group.id} failed to register within {allowed}"
            self._recorder.warning(self._status.config_map, "ScaleUpTimedOut", message)
            self._backoff.failed(state.group.id, self._sim.now)

    def _run_once(self, states: Mapping[str, GroupState]) -> None:
        self._snapshot.fork()
        self._await_upcoming(states)
        waiting = self._waiting_pods()
        grown, hold = False, False
        if waiting and self._all_very_new(waiting):
            hold = True
        elif waiting:
            grown = self._scale_up(states, waiting)
        self._snapshot.revert()
        if self._options.enforce_node_group_min_size and not grown:
            grown = self._grow_to_min(states)
        if grown:
            self._last_up_ns = self._sim.now
        elif self._options.scale_down_enabled:
            self._scale_down(states, may_act=not hold)

    def _await_upcoming(self, states: Mapping[str, GroupState]) -> None:
        """Imagine the nodes that are to come, in place of those that are not ready yet."""
        for state in states.values():
            for name in state.not_started:
                self._snapshot.remove_node(name)
            template = cleaned(state.group.template(), self._options)
            daemons = tuple(daemon_pods(self._daemon_sets.values(), template))
            for number in range(state.upcoming):
                name = f"template-node-for-{template.name}-upcoming-{number}"
                self._snapshot.add_node(*new_node(template, daemons, name))

    def _waiting_pods(self) -> list[Pod]:
        """The pods that fit nowhere and waited long enough, the most important first."""
        waiting = []
        pods = [pod for pod in self._pods.values() if self._is_unschedulable(pod)]
        for pod in sorted(pods, key=lambda pod: -(pod.spec.priority or 0)):
            node = self._snapshot.fits_any(pod, lambda _name: True)
            if node is not None:
                self._snapshot.place(pod, node)
            elif self._age_ns(pod) >= self._delay_ns(pod):
                waiting.append(pod)
        return waiting

    def _delay_ns(self, pod: Pod) -> int:
        """How old a pod has to be before nodes are made for it."""
        delay_ns = self._options.new_pod_scale_up_delay
        own = pod.metadata.annotations.get(POD_SCALE_UP_DELAY)
        if own is None:
            return delay_ns
        try:
            return max(delay_ns, parse_duration(own))
        except ValueError:
            return delay_ns

    def _is_unschedulable(self, pod: Pod) -> bool:
        if pod.spec.node_name or pod.metadata.deletion_timestamp is not None:
            return False
        owner = controller_of(pod)
        scheduled = get_pod_condition(pod.status, "PodScheduled")
        return (
            scheduled is not None
            and (scheduled.status, scheduled.reason) == ("False", "Unschedulable")
            and self._counts(pod)
            and (owner is None or owner.kind != "DaemonSet")
            and self._is_allowed(pod)
        )

    def _is_allowed(self, pod: Pod) -> bool:
        allowed = self._options.allowed_scheduler_names
        return not allowed or (pod.spec.scheduler_name or "default-scheduler") in allowed

    def _age_ns(self, pod: Pod) -> int:
        return self._sim.wall_ns - (pod.metadata.creation_timestamp or 0)

    def _all_very_new(self, pods: Sequence[Pod]) -> bool:
        """Whether more pods are probably on their way; one look later they will be there."""
        return all(self._age_ns(pod) < VERY_NEW_NS for pod in pods)

    def _scale_up(self, states: Mapping[str, GroupState], waiting: Sequence[Pod]) -> bool:
        now_ns = self._sim.now
        situation = Situation(
            snapshot=self._snapshot,
            states=states,
            daemon_sets=self._daemon_sets.values(),
            nodes=len(self._snapshot.nodes()),
            cores=self._total("cpu"),
            memory=self._total("memory"),
            in_backoff=lambda group: self._backoff.until_ns(group, now_ns) is not None,
            priorities=self._priorities.read(),
            warn=self._priorities.warn,
        )
        decision = decide(situation, waiting, self._options, self._rng)
        for increase in decision.increases:
            self._grow(increase)
        if decision.increases:
            listed = " ".join(increase.text for increase in decision.increases)
            for pod in decision.pods:
                self._told.pop(pod.uid, None)
                self._recorder.normal(
                    pod, "TriggeredScaleUp", f"pod triggered scale-up: [{listed}]"
                )
        for pod, reasons in decision.remaining:
            message = f"pod didn't trigger scale-up: {reasons}"
            if self._told.get(pod.uid) != message:
                self._told[pod.uid] = message
                self._recorder.normal(pod, "NotTriggerScaleUp", message)
        return bool(decision.increases)

    def _total(self, resource: str) -> int:
        capacities = (info.node.status.capacity for info in self._snapshot.nodes())
        return sum(c[resource].value() for c in capacities if resource in c)

    def _grow(self, increase: Increase) -> None:
        group, old, new = increase.group, increase.current, increase.new
        assert old < new <= group.max_size, (group.id, old, new)
        tail = f"{new} instead of {old} (max: {group.max_size})"
        self._recorder.normal(
            self._status.config_map,
            "ScaledUpGroup",
            f"Scale-up: setting group {group.id} size to {tail}",
        )
        group.increase_size(new - old)
        self._changed()  # what the cloud did not give is seen at the next look
        message = f"Scale-up: group {group.id} size set to {tail}"
        self._recorder.normal(self._status.config_map, "ScaledUpGroup", message)

    def _grow_to_min(self, states: Mapping[str, GroupState]) -> bool:
        increases = [
            Increase(group=s.group, current=s.target, new=s.group.min_size)
            for s in states.values()
            if s.target < s.group.min_size
            and self._backoff.until_ns(s.group.id, self._sim.now) is None
        ]
        for increase in increases:
            self._grow(increase)
        return bool(increases)

    def _scale_down(self, states: Mapping[str, GroupState], *, may_act: bool) -> None:
        upcoming = {name for state in states.values() for name in state.not_started}
        destinations = [n for n in self._nodes.values() if n.name not in upcoming]
        group_of = {n: s for s in states.values() for n in (*s.ready, *s.unready)}
        candidates = [
            node
            for node in destinations
            if (state := group_of.get(node.name)) is not None
            and state.target - len(state.deleted) > state.group.min_size
            and node.name not in self._actuator.going
        ]
        self._planner.update(
            candidates,
            [node.name for node in destinations if node.name not in self._actuator.going],
            self._budgets.values(),
            now_ns=self._sim.now,
            wall_ns=self._sim.wall_ns,
            changes=self._changes,
        )
        if not may_act or self._sim.now < self._cooldown_ends_ns():
            return
        chosen = self._planner.removable(states, self._actuator.going, now_ns=self._sim.now)
        for entry in chosen:
            self._actuator.start(entry, group_of[entry.node].group)
        if chosen:
            self._last_delete_ns = self._sim.now
        else:
            limit = self._options.max_bulk_soft_taint_count
            self._actuator.soften(self._planner.unneeded, candidates, limit)

    def _cooldown_ends_ns(self) -> int:
        options = self._options
        return max(
            self._last_up_ns + options.scale_down_delay_after_add,
            self._last_delete_ns + options.delay_after_delete,
            self._last_failure_ns + options.scale_down_delay_after_failure,
        )

    def _pods_to_move(self, node: str) -> tuple[Pod, ...] | None:
        """The pods that have to leave a node now; ``None`` if one of them must not."""
        budgets, rules = self._budgets.values(), self._options.drain_rules
        moving = []
        for pod in self._snapshot.pods_on(node):
            verdict = drainability(pod, budgets, rules, self._sim.wall_ns, self._replicas)
            if verdict.blocks:
                return None
            if verdict is Drainability.DRAIN:
                moving.append(pod)
        return tuple(moving)

    def _removed(self, _node: str, worked: bool) -> None:
        if not worked:
            self._last_failure_ns = self._sim.now
        self._changed()

    def _next_due_ns(self, states: Mapping[str, GroupState]) -> int | None:
        """When the passing of time alone could change what is decided."""
        now_ns, options = self._sim.now, self._options
        due = [
            since + options.max_node_provision_time for since in self._unregistered_since.values()
        ]
        pending = [pod for pod in self._pods.values() if self._is_unschedulable(pod)]
        for pod in pending:
            born_ns = now_ns - self._age_ns(pod)
            due += [born_ns + VERY_NEW_NS, born_ns + self._delay_ns(pod)]
        if pending:
            ends = [self._backoff.until_ns(name, now_ns) for name in states]
            due += [end for end in ends if end is not None]
        if options.scale_down_enabled:
            planned = self._planner.next_due_ns(now_ns, self._changes)
            due += [] if planned is None else [planned]
            if self._planner.unneeded:
                due.append(self._cooldown_ends_ns())
        later = [at_ns for at_ns in due if at_ns > now_ns]
        return min(later, default=None)


def _concerns(pod: Pod) -> object:
    """What of a pod can change a decision."""
    scheduled = get_pod_condition(pod.status, "PodScheduled")
    return (
        pod.uid,
        pod.spec,
        pod.metadata.labels,
        pod.metadata.annotations,
        pod.metadata.deletion_timestamp,
        pod.status.phase in ("Succeeded", "Failed"),
        None if scheduled is None else (scheduled.status, scheduled.reason),
    )


def _shape(node: Node) -> object:
    """What of a node can change a decision."""
    ready = get_node_condition(node.status, "Ready")
    return (
        node.uid,
        node.spec,
        node.metadata.labels,
        node.metadata.annotations,
        node.status.allocatable,
        None if ready is None else ready.status,
        is_ready(node),
    )
