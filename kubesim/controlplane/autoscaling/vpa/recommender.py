"""The recommender: reads what pods use once a minute, and writes what they should have.

While it is awake metrics-server works for it, and each minute's reading goes into the histograms. When
a minute brought what the minute before it did, and nobody computes on any node, it goes to sleep: from
then on every minute is like the last one, which is a sum that can be written down. Whatever computes,
starts or ends wakes it, and what it missed is added first. A bound goes on moving while it sleeps,
because more and more is known; so it looks ahead for the minute in which the target changes or a pod's
request leaves or enters the recommended range, and wakes for that. Else the status is brought up to
date when the upper bound has moved by about a hundredth.

Mirrors: vertical-pod-autoscaler/pkg/recommender/routines/recommender.go, pkg/recommender/input/
cluster_feeder.go.
Departs: the sleep above: a status that says nothing new may be minutes old; checkpoints are read when
the run begins and never written; no history from Prometheus.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from kubesim.api.corev1 import Pod
from kubesim.api.labels import label_selector_matches
from kubesim.api.metav1 import ConditionStatus, KubeObject, LabelSelector
from kubesim.api.vpav1 import (
    RecommendedPodResources,
    VerticalPodAutoscaler,
    VerticalPodAutoscalerCheckpoint,
    VerticalPodAutoscalerCondition,
    VerticalPodAutoscalerStatus,
)
from kubesim.controlplane.autoscaling.vpa.config import (
    DEFAULT_RECOMMENDER_NAME,
    RecommenderConfig,
)
from kubesim.controlplane.autoscaling.vpa.estimator import confidence, recommend
from kubesim.controlplane.autoscaling.vpa.oom import Oom, ooms, resources_of
from kubesim.controlplane.autoscaling.vpa.state import ClusterState, Sample
from kubesim.controlplane.autoscaling.vpa.targets import (
    WELL_KNOWN,
    TargetError,
    selector_of,
)
from kubesim.controlplane.client import Client, NotFound
from kubesim.controlplane.metrics import PodMetrics
from kubesim.sim import Sim, SimProcess
from kubesim.sim.time import HOUR, next_grid_point

READER = "vpa-recommender"
BY_NAMESPACE = "namespace"
COLLECT_EVERY_NS = HOUR  # AggregateContainerStateGCInterval
LONGEST_SLEEP = 30  # intervals
NO_PODS = "No pods match this VPA object"


class Usage(Protocol):
    """metrics-server."""

    def want(self, reader: str) -> None:
        """Somebody will read from now on."""
        ...

    def release(self, reader: str) -> None:
        """They will not."""
        ...

    def pod_metrics(self, namespace: str, selector: LabelSelector) -> Sequence[PodMetrics]:
        """What pods use."""
        ...


class Activity(Protocol):
    """Whether anything happens on the nodes."""

    @property
    def busy(self) -> bool:
        """Whether anybody computes now."""
        ...

    def watch(self, listener: Any) -> None:
        """Call ``listener`` once, when the next one begins to compute or takes memory."""
        ...


class Recommender:
    """The recommender's process.

    Args:
        sim: The run.
        client: Its connection to the API server.
        usage: What pods use.
        activity: What happens on the nodes.
        config: Its flags.
    """

    def __init__(
        self,
        sim: Sim,
        *,
        client: Client,
        usage: Usage,
        activity: Activity,
        config: RecommenderConfig,
    ) -> None:
        self._sim, self._client, self._config = sim, client, config
        self._usage, self._activity = usage, activity
        self._state = ClusterState(config)
        self._offset_ns = sim.rng("vpa-recommender").uniform(0, config.interval_ns)
        self._vpas = client.informer(VerticalPodAutoscaler)
        self._pods = client.informer(Pod)
        self._pods.add_index(BY_NAMESPACE, lambda pod: (pod.namespace,))
        self._kinds = {kind: client.informer(kind) for kind in WELL_KNOWN.values()}
        self._checkpoints = client.informer(VerticalPodAutoscalerCheckpoint)
        self._ooms: list[Oom] = []
        self._plan = 0
        self._planned = False
        self._asleep = True
        self._running = False
        self._woken = False
        self._last_tick_ns = 0
        self._collected_ns = 0
        self._vpas.add_handler(self._vpa_changed)
        self._pods.add_handler(self._pod_changed)
        for kind in WELL_KNOWN.values():
            self._kinds[kind].add_handler(self._target_changed)
        self._checkpoints.add_handler(self._checkpoint_changed)

    # What wakes it

    def _vpa_changed(
        self, old: VerticalPodAutoscaler | None, new: VerticalPodAutoscaler | None
    ) -> None:
        if old is None or new is None or old.spec is not new.spec:
            self._wake()

    def _checkpoint_changed(
        self,
        old: VerticalPodAutoscalerCheckpoint | None,
        new: VerticalPodAutoscalerCheckpoint | None,
    ) -> None:
        if old is None and new is not None:
            spec = new.spec
            name, container = spec.vpa_object_name or "", spec.container_name or ""
            self._state.load(new.namespace or "", name, container, new.status)
            self._wake()

    def _pod_changed(self, old: Pod | None, new: Pod | None) -> None:
        if old is not None and new is not None:
            found = list(ooms(old, new))
            self._ooms += found
            if not found and _shown(old) == _shown(new):
                return
        changed = new or old
        assert changed is not None
        if changed.key in self._state.pods or self._is_matched(changed):
            self._wake()

    def _target_changed(self, old: KubeObject | None, new: KubeObject | None) -> None:
        if old is not None and new is not None:
            return  # a selector does not change
        changed = new or old
        assert changed is not None
        for vpa in self._vpas.values():
            reference = vpa.spec.target_ref
            if vpa.namespace == changed.namespace and reference.name == changed.name:
                self._wake()
                return

    def _is_matched(self, pod: Pod) -> bool:
        return any(
            vpa.namespace == pod.namespace
            and selector is not None
            and label_selector_matches(selector, pod.metadata.labels)
            for vpa, selector, _ in self._autoscalers()
        )

    def _disturbed(self) -> None:
        if self._asleep and self._state.pods:
            self._wake()

    def _wake(self) -> None:
        """Something happened: the next grid point is looked at."""
        self._woken = True
        if self._asleep:
            self._catch_up()
            self._asleep = False
            self._planned = False
            if len(self._vpas.values()):
                self._usage.want(READER)
        if not self._planned and not self._running:
            self._plan_in(1)

    # Its minutes

    def _plan_in(self, intervals: int) -> None:
        now_ns, period_ns = self._sim.now, self._config.interval_ns
        at_ns = next_grid_point(now_ns, period_ns=period_ns, offset_ns=self._offset_ns)
        if at_ns == now_ns:
            at_ns += period_ns
        self._plan += 1
        self._planned = True
        delay_ns = at_ns - now_ns + (intervals - 1) * period_ns
        self._sim.call_in(delay_ns, self._tick, self._plan)

    def _tick(self, plan: int) -> None:
        if plan != self._plan or self._running:
            return
        self._planned, self._running, self._woken = False, True, False
        self._sim.process(self._run_once())

    def _run_once(self) -> SimProcess[None]:
        quiet = self._asleep
        if self._asleep:
            self._catch_up()
        else:
            self._last_tick_ns = self._sim.now
            self._load_pods()
            quiet = self._load_metrics()
        self._load_ooms()
        self._drop_gone()
        for vpa, selector, problem in self._autoscalers():
            yield from self._update(vpa, selector, problem)
        now_ns = self._sim.wall_ns
        if now_ns - self._collected_ns >= COLLECT_EVERY_NS:
            self._collected_ns = now_ns
            self._state.collect(now_ns)
        self._running = False
        self._go_on(quiet=quiet and not self._woken)

    def _go_on(self, *, quiet: bool) -> None:
        if not self._state.pods and not self._woken:
            self._sleep()
        elif quiet and not self._activity.busy:
            self._sleep()
            self._activity.watch(self._disturbed)
            self._plan_in(self._look_ahead())
        elif self._asleep:
            self._wake()
        else:
            self._plan_in(1)

    def _sleep(self) -> None:
        self._asleep = True
        self._usage.release(READER)

    def _catch_up(self) -> None:
        """Add the samples of the grid points that were slept through."""
        if not self._state.pods:
            return
        period_ns = self._config.interval_ns
        count = (self._sim.now - self._last_tick_ns) // period_ns
        if count > 0:
            self._state.repeat(step_ns=period_ns, count=count)
            self._last_tick_ns += count * period_ns

    def _load_pods(self) -> None:
        now_ns = self._sim.wall_ns
        for vpa, selector, _ in self._autoscalers():
            for pod in self._selected(vpa, selector):
                names = [container.name for container in pod.spec.containers]
                labels = pod.metadata.labels
                self._state.follow(pod.key, pod.namespace or "", labels, names, now_ns)

    def _load_metrics(self) -> bool:
        """Read what pods use; whether it is what it was before, of all of them."""
        quiet, seen = True, set[str]()
        for vpa, selector, _ in self._autoscalers():
            if selector is None:
                continue
            namespace = vpa.namespace or ""
            for metrics in self._usage.pod_metrics(namespace, selector):
                key = f"{namespace}/{metrics.name}"
                if key in seen:
                    continue
                seen.add(key)
                state = self._state.pods.get(key)
                for container in metrics.containers:
                    usage = container.usage_milli
                    sample = Sample(metrics.timestamp_ns, usage["cpu"], usage["memory"] // 1000)
                    before = state.samples.get(container.name) if state is not None else None
                    if not self._state.add(key, container.name, sample):
                        quiet = False
                    quiet = quiet and before is not None and _alike(before, sample)
        for key, pod in self._state.pods.items():
            if key not in seen:
                pod.samples.clear()
                quiet = quiet and not _runs(self._pods.get(key))
        return quiet

    def _load_ooms(self) -> None:
        found, self._ooms = self._ooms, []
        for oom in found:
            self._state.record_oom(oom.pod, oom.container, oom.requested_bytes, oom.at_ns)

    def _drop_gone(self) -> None:
        for key in list(self._state.pods):
            pod = self._pods.get(key)
            if pod is None or not self._is_matched(pod):
                self._state.forget(key)

    # What it writes

    def _update(
        self, vpa: VerticalPodAutoscaler, selector: LabelSelector | None, problem: str
    ) -> SimProcess[None]:
        recommendation = self._recommendation(self._state, vpa, selector)
        matched = bool(self._selected(vpa, selector))
        wall_ns = self._sim.wall_ns

        def change(obj: VerticalPodAutoscaler) -> VerticalPodAutoscaler:
            status = obj.status.replace(
                recommendation=recommendation,
                conditions=_conditions(
                    obj.status,
                    provided=bool(recommendation.container_recommendations),
                    matched=matched,
                    problem=problem,
                    wall_ns=wall_ns,
                ),
                observed_generation=vpa.metadata.generation,
            )
            return obj.replace(status=status)

        if change(vpa).status != vpa.status:
            try:
                yield from self._client.patch(VerticalPodAutoscaler, vpa.key, change, status=True)
            except NotFound:
                return

    def _recommendation(
        self, state: ClusterState, vpa: VerticalPodAutoscaler, selector: LabelSelector | None
    ) -> RecommendedPodResources:
        used = {} if selector is None else state.used_by(vpa.key, selector)
        return recommend(used, vpa.spec.resource_policy, self._config)

    def _look_ahead(self) -> int:
        """How many intervals may be slept: until the next one that is worth waking for."""
        far = self._farthest()
        now = self._signature(self._state)

        def differs(intervals: int) -> bool:
            state = self._state.copy()
            state.repeat(step_ns=self._config.interval_ns, count=intervals)
            return self._signature(state) != now

        if far == 1 or not differs(far):
            return far
        low, high = 0, far  # nothing differs at low, something does at high
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if differs(middle) else (middle, high)
        return high

    def _farthest(self) -> int:
        """After how many intervals the upper bound has moved by about a hundredth."""
        config, least = self._config, float(LONGEST_SLEEP)
        for vpa, selector, _ in self._autoscalers():
            used = {} if selector is None else self._state.used_by(vpa.key, selector)
            for aggregate in used.values():
                known = confidence(aggregate, config.confidence_cpu_ns)
                per_interval = config.interval_ns / config.confidence_cpu_ns
                least = min(least, 0.01 * known * (known + 1.0) / per_interval)
        return max(1, int(least))

    def _signature(self, state: ClusterState) -> list[Any]:
        """All that somebody could act on: targets, and which requests are out of bounds."""
        found: list[Any] = []
        for vpa, selector, _ in self._autoscalers():
            recommendation = self._recommendation(state, vpa, selector)
            pods = self._selected(vpa, selector)
            for item in recommendation.container_recommendations:
                found.append(item.target)
                for pod in pods:
                    requests = resources_of(pod, item.container_name or "").requests
                    for name, request in requests.items():
                        low, high = item.lower_bound.get(name), item.upper_bound.get(name)
                        below, above = low is not None and request < low, high is not None
                        found.append((below, above and high is not None and high < request))
        return found

    def _autoscalers(
        self,
    ) -> list[tuple[VerticalPodAutoscaler, LabelSelector | None, str]]:
        """Those that it looks after, with their pods' selectors, or what is wrong with them."""
        found: list[tuple[VerticalPodAutoscaler, LabelSelector | None, str]] = []
        for vpa in sorted(self._vpas.values(), key=lambda item: item.key):
            if not self._looks_after(vpa):
                continue
            try:
                found.append((vpa, selector_of(vpa, self._find), ""))
            except TargetError as error:
                found.append((vpa, None, str(error)))
        return found

    def _looks_after(self, vpa: VerticalPodAutoscaler) -> bool:
        names = [item.name for item in vpa.spec.recommenders]
        own = self._config.name
        return own in names or (not names and own == DEFAULT_RECOMMENDER_NAME)

    def _selected(self, vpa: VerticalPodAutoscaler, selector: LabelSelector | None) -> list[Pod]:
        if selector is None:
            return []
        return [
            pod
            for pod in self._pods.by_index(BY_NAMESPACE, vpa.namespace)
            if pod.status.phase != "Pending"
            and label_selector_matches(selector, pod.metadata.labels)
        ]

    def _find(self, kind: type[KubeObject], key: str) -> Any:
        return self._kinds[kind].get(key)


def _shown(pod: Pod) -> tuple[object, ...]:
    """What of a pod a recommender looks at."""
    resources = tuple(status.resources for status in pod.status.container_statuses)
    return pod.status.phase == "Pending", pod.metadata.labels, resources


def _runs(pod: Pod | None) -> bool:
    """Whether its containers run, so that there will be metrics of it."""
    if pod is None or pod.status.phase != "Running":
        return False
    return all(status.state.running for status in pod.status.container_statuses)


def _alike(before: Sample, now: Sample) -> bool:
    """Whether two samples are the same, but for the rounding of a thousandth of a core."""
    return abs(before.milli_cpu - now.milli_cpu) <= 1 and before.memory_bytes == now.memory_bytes


def _conditions(
    old: VerticalPodAutoscalerStatus, *, provided: bool, matched: bool, problem: str, wall_ns: int
) -> tuple[VerticalPodAutoscalerCondition, ...]:
    """The conditions, in the order of their names."""
    reason, message = ("", "") if matched else ("NoPodsMatched", NO_PODS)
    wanted: list[tuple[str, bool, str, str]] = []
    if problem:
        wanted.append(("ConfigUnsupported", True, "", problem))
    if not matched:
        wanted.append(("NoPodsMatched", True, reason, message))
    if provided:
        wanted.append(("RecommendationProvided", True, "", ""))
    else:
        wanted.append(("RecommendationProvided", False, reason, message))
    before = {item.type: item for item in old.conditions}
    return tuple(_condition(before.get(item[0]), *item, wall_ns=wall_ns) for item in wanted)


def _condition(
    before: VerticalPodAutoscalerCondition | None,
    type_: str,
    true: bool,
    reason: str,
    message: str,
    *,
    wall_ns: int,
) -> VerticalPodAutoscalerCondition:
    status: ConditionStatus = "True" if true else "False"
    since_ns = wall_ns
    if before is not None and before.status == status:
        since_ns = before.last_transition_time or wall_ns
    return VerticalPodAutoscalerCondition(
        type=type_,
        status=status,
        last_transition_time=since_ns,
        reason=reason or None,
        message=message or None,
    )
