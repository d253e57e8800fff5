"""One reconciliation of one autoscaler: read the scale, ask the metrics, decide, write.

What is decided is a plan (``_plan``), computed at one instant from the scale, the metrics and the
histories; around it are the calls that take time.

Mirrors: pkg/controller/podautoscaler/horizontal.go (reconcileAutoscaler, computeReplicasForMetrics,
validateAndParseSelector, normalizeDesiredReplicas*).
Departs: the pause between two attempts to write a scale has no jitter.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from kubesim.api.autoscalingv1 import Scale
from kubesim.api.autoscalingv2 import (
    HorizontalPodAutoscaler,
    HorizontalPodAutoscalerStatus,
    MetricStatus,
)
from kubesim.api.labels import label_selector_matches
from kubesim.api.metav1 import LabelSelector
from kubesim.api.selectortext import SelectorError, parse_selector
from kubesim.controlplane.autoscaling.hpa import behaviors, golang
from kubesim.controlplane.autoscaling.hpa.behaviors import Recommendation
from kubesim.controlplane.autoscaling.hpa.conditions import (
    SCALE_NOT_READ,
    SCALE_READ,
    is_true,
    without_condition,
)
from kubesim.controlplane.autoscaling.hpa.config import HPAConfig
from kubesim.controlplane.autoscaling.hpa.metricstatus import MetricFailure, propose
from kubesim.controlplane.autoscaling.hpa.replicacalculator import (
    PodLister,
    ReplicaCalculator,
    Tolerances,
    Workload,
)
from kubesim.controlplane.autoscaling.hpa.work import (
    ABLE,
    ACTIVE,
    ZERO,
    Action,
    Backend,
    Calm,
    ErrorLabel,
    History,
    MetricComputation,
    Reconciliation,
    Work,
    action_of,
    measures_beyond_pods,
)
from kubesim.controlplane.client import Conflict, StatusError
from kubesim.controlplane.metrics.client import MetricsClient
from kubesim.sim import SimProcess
from kubesim.sim.time import MILLISECOND, SECOND

LONGEST_LOG = 2000
RETRY_ATTEMPTS = 5  # retry.DefaultRetry
RETRY_PAUSE_NS = 10 * MILLISECOND
_BELOW_MINIMUM = "Current number of replicas below Spec.MinReplicas"
_ABOVE_MAXIMUM = "Current number of replicas above Spec.MaxReplicas"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Plan:
    """What to do.

    Attributes:
        desired: The number of replicas there should be.
        rescale: Whether to write it.
        reason: Why, in the event's words.
        statuses: ``status.currentMetrics``.
        error: What was wrong with some metric.
        failed: Whether nothing can be decided.
        measured: Whether metrics were asked.
    """

    desired: int
    rescale: bool
    reason: str = ""
    statuses: tuple[MetricStatus, ...] = ()
    error: str = ""
    failed: bool = False
    measured: bool = True


class Reconciler:
    """Reconciles autoscalers.

    Args:
        config: The controller's settings.
        backend: The calls that take time.
        metrics: The metrics APIs.
        pods: The pod lister.
        now: The wall clock.
    """

    def __init__(
        self,
        *,
        config: HPAConfig,
        backend: Backend,
        metrics: MetricsClient,
        pods: PodLister,
        now: Callable[[], int],
    ) -> None:
        self._config = config
        self._backend = backend
        self._pods = pods
        self._now = now
        self._calculator = ReplicaCalculator(
            metrics=metrics,
            pods=pods,
            rules=config.readiness,
            pod_level_resources=config.features.pod_level_resources,
        )
        self.histories: dict[str, History] = {}
        self.selectors: dict[str, LabelSelector | None] = {}

    def register(self, key: str) -> None:
        """An autoscaler exists; it selects nothing until it was reconciled."""
        self.selectors.setdefault(key, None)

    def forget(self, key: str) -> None:
        """An autoscaler is gone."""
        self.selectors.pop(key, None)
        self.histories.pop(key, None)

    def reconcile(self, hpa: HorizontalPodAutoscaler) -> SimProcess[Reconciliation]:
        """Reconcile once."""
        history = self.histories.setdefault(hpa.key, History())
        work = Work(hpa, self._now, hpa.status.conditions, history)
        reference = hpa.spec.scale_target_ref
        version = reference.api_version or ""
        try:
            if version.count("/") > 1:
                raise StatusError(f"unexpected GroupVersion string: {version}")
            scale = yield from self._backend.get_scale(hpa.namespace, reference)
        except StatusError as error:
            self._backend.record(hpa, "Warning", "FailedGetScale", error.message)
            work.set(ABLE, "False", "FailedGetScale", SCALE_NOT_READ + error.message)
            yield from self._write_status(hpa.status.replace(conditions=work.conditions), hpa)
            return Reconciliation(error="spec" if version.count("/") > 1 else "internal")
        work.set(ABLE, "True", "SucceededGetScale", SCALE_READ)
        current = scale.spec.replicas
        if history.recommendations is None:
            history.recommendations = (Recommendation(current, self._now()),)
        plan = self._without_metrics(work, current)
        if plan is None:
            yield from self._backend.before_metrics(len(hpa.spec.metrics))
            plan = self._with_metrics(work, scale)
        if plan.failed:
            status = work.status(current, hpa.status.desired_replicas, plan.statuses)
            yield from self._write_status(status, hpa)
            reason = "FailedComputeMetricsReplicas"
            self._backend.record(hpa, "Warning", reason, plan.error)
            return Reconciliation(error="internal", computations=tuple(work.computations))
        return (yield from self._carry_out(work, scale, plan))

    def _without_metrics(self, work: Work, current: int) -> _Plan | None:
        """The plan where no metric is needed; ``None`` where one is."""
        spec = work.hpa.spec
        if current == 0:
            enabled = self._config.features.scale_to_zero
            was_scaled = enabled and is_true(work.conditions, ZERO)
            from_zero = was_scaled and measures_beyond_pods(work.hpa)
            if (work.minimum != 0 and was_scaled) or from_zero:
                return None
            message = "scaling is disabled since the replica count of the target is zero"
            work.set(ACTIVE, "False", "ScalingDisabled", message)
            if not enabled:
                work.conditions = without_condition(work.conditions, ZERO)
            return _Plan(desired=0, rescale=False, measured=False)
        if current > spec.max_replicas:
            return _Plan(desired=spec.max_replicas, rescale=True, reason=_ABOVE_MAXIMUM)
        if current < work.minimum:
            return _Plan(desired=work.minimum, rescale=True, reason=_BELOW_MINIMUM)
        return None

    def _with_metrics(self, work: Work, scale: Scale) -> _Plan:
        """The plan by what the metrics say."""
        hpa, current = work.hpa, scale.spec.replicas
        proposed, metric, statuses, error = self._proposals(work, scale)
        if proposed is None:
            return _Plan(
                desired=current, rescale=False, statuses=statuses, error=error, failed=True
            )
        desired = max(0, proposed)
        reason = ""
        if desired > current:
            reason = f"{metric} above target"
        elif desired < current:
            reason = "All metrics below target"
        if hpa.spec.behavior is None:
            desired = self._normalized(work, current, desired)
        else:
            desired = self._normalized_with_behavior(work, current, desired)
        was_scaled = self._config.features.scale_to_zero and is_true(work.conditions, ZERO)
        if current == 0 and work.minimum != 0 and was_scaled and desired < work.minimum:
            desired = work.minimum
            reason = reason or _BELOW_MINIMUM
        return _Plan(
            desired=desired,
            rescale=desired != current,
            reason=reason,
            statuses=statuses,
            error=error,
        )

    def _proposals(
        self, work: Work, scale: Scale
    ) -> tuple[int | None, str, tuple[MetricStatus, ...], str]:
        """The highest proposal, its metric, the statuses, and what was wrong; ``None``: nothing."""
        hpa, specs = work.hpa, work.hpa.spec.metrics
        selector = self._selector(work, scale.status.selector)
        if isinstance(selector, str):
            return None, "", (), selector
        workload = Workload(
            namespace=hpa.namespace,
            selector=selector,
            tolerances=self._tolerances(hpa),
            now_ns=self._now(),
        )
        highest, metric = 0, ""
        statuses: list[MetricStatus] = []
        failures: list[MetricFailure] = []
        for spec in specs:
            try:
                found = propose(spec, calculator=self._calculator, scale=scale, workload=workload)
            except MetricFailure as failure:
                self._backend.record(hpa, "Warning", failure.reason, failure.cause)
                failures.append(failure)
                statuses.append(MetricStatus.zero())
                label: ErrorLabel = "spec" if failure.by_spec else "internal"
                work.computations.append(MetricComputation(spec.type, "none", label))
                continue
            statuses.append(found.status)
            action = action_of(hpa.status.current_replicas or 0, found.replicas)
            work.computations.append(MetricComputation(spec.type, action, "none"))
            if highest == 0 or found.replicas > highest:
                highest, metric = found.replicas, found.name
        error = ""
        if failures:
            first = f"first error is: {failures[0]}"
            error = f"invalid metrics ({len(failures)} invalid out of {len(specs)}), {first}"
        if len(failures) >= len(specs) or (failures and highest < scale.spec.replicas):
            if failures:
                cause = f"the HPA was unable to compute the replica count: {failures[0].cause}"
                work.set(ACTIVE, "False", failures[0].reason, cause)
            return None, "", tuple(statuses), error
        found_message = "the HPA was able to successfully calculate a replica count from "
        work.set(ACTIVE, "True", "ValidMetricFound", found_message + metric)
        return highest, metric, tuple(statuses), error

    def _selector(self, work: Work, text: str) -> LabelSelector | str:
        """The selector of the target's pods; a text when it cannot be used."""
        hpa = work.hpa
        if not text:
            message = "selector is required"
            self._backend.record(hpa, "Warning", "SelectorRequired", message)
            missing = "the HPA target's scale is missing a selector"
            work.set(ACTIVE, "False", "InvalidSelector", missing)
            return message
        try:
            selector = parse_selector(text)
        except SelectorError as error:
            message = (
                f"couldn't convert selector into a corresponding internal selector object: {error}"
            )
            self._backend.record(hpa, "Warning", "InvalidSelector", message)
            work.set(ACTIVE, "False", "InvalidSelector", message)
            return message
        if hpa.key in self.selectors:
            self.selectors[hpa.key] = selector
        others = self._selecting(hpa.namespace, selector)
        if len(others) > 1:
            names = " ".join(f"{{{key.rpartition('/')[2]} {hpa.namespace}}}" for key in others)
            message = f"pods by selector {text} are controlled by multiple HPAs: [{names}]"
            self._backend.record(hpa, "Warning", "AmbiguousSelector", message)
            work.set(ACTIVE, "False", "AmbiguousSelector", message)
            return message
        return selector

    def _selecting(self, namespace: str, selector: LabelSelector) -> Sequence[str]:
        """The autoscalers of the namespace whose selectors pick one of these pods."""
        mine = [
            (key, other)
            for key, other in self.selectors.items()
            if other is not None and key.rpartition("/")[0] == namespace
        ]
        if len(mine) < 2:
            return [key for key, _ in mine]
        pods = self._pods(namespace, selector)
        return sorted(
            key
            for key, other in mine
            if any(label_selector_matches(other, pod.metadata.labels) for pod in pods)
        )

    def _tolerances(self, hpa: HorizontalPodAutoscaler) -> Tolerances:
        down = up = self._config.tolerance
        behavior = hpa.spec.behavior
        if behavior is not None and self._config.features.configurable_tolerance:
            if behavior.scale_down is not None and behavior.scale_down.tolerance is not None:
                down = golang.approximate_float(behavior.scale_down.tolerance)
            if behavior.scale_up is not None and behavior.scale_up.tolerance is not None:
                up = golang.approximate_float(behavior.scale_up.tolerance)
        return Tolerances(down, up)

    def _normalized(self, work: Work, current: int, desired: int) -> int:
        stable, work.history.recommendations = behaviors.stabilize(
            work.history.recommendations or (),
            desired,
            window_ns=self._config.downscale_stabilization_ns,
            now_ns=self._now(),
        )
        work.set_able(held_back=stable != desired, why=behaviors.SCALE_DOWN_STABILIZED)
        limited = behaviors.limit_without_behavior(
            current=current,
            desired=stable,
            minimum=work.minimum,
            maximum=work.hpa.spec.max_replicas,
            factor=self._config.scale_up_limit_factor,
            at_least=self._config.scale_up_limit_minimum,
        )
        work.set_limited(stable, limited)
        return limited.replicas

    def _normalized_with_behavior(self, work: Work, current: int, desired: int) -> int:
        behavior, history = work.hpa.spec.behavior, work.history
        assert behavior is not None, work.hpa.key
        up, down = behavior.scale_up, behavior.scale_down
        assert up is not None, work.hpa.key  # defaulting filled both in
        assert down is not None, work.hpa.key
        if down.stabilization_window_seconds is None:
            seconds = self._config.downscale_stabilization_ns // SECOND
            down = down.replace(stabilization_window_seconds=seconds)
        stable, history.recommendations = behaviors.stabilize_with_behavior(
            history.recommendations or (),
            current=current,
            desired=desired,
            up=up,
            down=down,
            now_ns=self._now(),
        )
        why = behaviors.stabilization_reason(current, desired)
        work.set_able(held_back=stable != desired, why=why)
        limited = behaviors.limit_with_behavior(
            stable,
            behaviors.Bounds(
                current=current,
                minimum=work.minimum,
                maximum=work.hpa.spec.max_replicas,
                now_ns=self._now(),
            ),
            up=up,
            down=down,
            up_events=history.scale_ups,
            down_events=history.scale_downs,
        )
        work.set_limited(stable, limited)
        return limited.replicas

    def _carry_out(self, work: Work, scale: Scale, plan: _Plan) -> SimProcess[Reconciliation]:
        """Write the scale if it is to change, and the status."""
        hpa, current, desired = work.hpa, scale.spec.replicas, plan.desired
        action: Action = "none"
        if plan.rescale:
            refusal = yield from self._write_scale(hpa, scale, desired)
            if refusal is not None:
                message = f"New size: {desired}; reason: {plan.reason}; error: {refusal.message}"
                self._backend.record(hpa, "Warning", "FailedRescale", message)
                unable = "the HPA controller was unable to update the target scale: "
                work.set(ABLE, "False", "FailedUpdateScale", unable + refusal.message)
                status = work.status(current, hpa.status.desired_replicas, plan.statuses)
                yield from self._write_status(status, hpa)
                return Reconciliation(error="internal", computations=tuple(work.computations))
            self._rescaled(work, current, plan)
            action = "scale_up" if desired > current else "scale_down"
        else:
            desired = current
        status = work.status(current, desired, plan.statuses)
        if plan.rescale:
            status = status.replace(last_scale_time=self._now())
        written = yield from self._write_status(status, hpa)
        return Reconciliation(
            action=action,
            error="none" if written and not plan.error else "internal",
            computations=tuple(work.computations),
            desired=desired,
            calm=self._calm(work, plan) if status == hpa.status else None,
        )

    def _calm(self, work: Work, plan: _Plan) -> Calm | None:
        """What to know of a reconciliation that changed nothing, if the next will not either."""
        hpa, history = work.hpa, work.history
        if plan.rescale or plan.error:
            return None
        if not plan.measured:
            return Calm(requests=1, replicas=None)
        since_ns = self._now() - self._longest_window_ns(hpa)
        log = history.recommendations or ()
        said = {item.replicas for item in log if item.at_ns >= since_ns}
        changes = (*history.scale_ups, *history.scale_downs)
        if len(said) != 1 or any(item.at_ns >= since_ns for item in changes):
            return None  # what was said or done before still counts, and will not some day
        rules = self._config.readiness
        settled_ns = self._now() - rules.cpu_initialization_period_ns - SECOND
        selector = self.selectors.get(hpa.key)
        pods = self._pods(hpa.namespace, selector) if selector is not None else ()
        if any((pod.status.start_time or self._now()) > settled_ns for pod in pods):
            return None
        return Calm(requests=1 + len(hpa.spec.metrics), replicas=said.pop())

    def _longest_window_ns(self, hpa: HorizontalPodAutoscaler) -> int:
        """For how long a recommendation or a change counts."""
        windows = [self._config.downscale_stabilization_ns]
        if hpa.spec.behavior is not None:
            for rules in filter(None, (hpa.spec.behavior.scale_up, hpa.spec.behavior.scale_down)):
                windows.append((rules.stabilization_window_seconds or 0) * SECOND)
                windows += [policy.period_seconds * SECOND for policy in rules.policies]
        return max(windows) + SECOND

    def remember(self, key: str, replicas: int, instants_ns: Sequence[int]) -> None:
        """Recommendations of reconciliations that were passed over: all said the same."""
        history = self.histories[key]
        made = tuple(Recommendation(replicas, at_ns) for at_ns in instants_ns)
        history.recommendations = (*(history.recommendations or ()), *made)[-LONGEST_LOG:]

    def _write_scale(
        self, hpa: HorizontalPodAutoscaler, scale: Scale, desired: int
    ) -> SimProcess[StatusError | None]:
        """Write the scale, again after a conflict; returns the refusal that was final."""
        reference = hpa.spec.scale_target_ref
        refusal: StatusError | None = None
        for attempt in range(RETRY_ATTEMPTS):
            if attempt:
                yield from self._backend.pause(RETRY_PAUSE_NS)
            wanted = scale.replace(spec=scale.spec.replace(replicas=desired))
            try:
                yield from self._backend.update_scale(hpa.namespace, reference, wanted)
            except StatusError as error:
                refusal = error
            else:
                return None
            with suppress(StatusError):  # what counts is why the write was refused
                scale = yield from self._backend.get_scale(hpa.namespace, reference)
            if not isinstance(refusal, Conflict):
                break
        return refusal

    def _rescaled(self, work: Work, current: int, plan: _Plan) -> None:
        """The scale was written: say so, and remember the change."""
        hpa, desired, history = work.hpa, plan.desired, work.history
        able = f"the HPA controller was able to update the target scale to {desired}"
        work.set(ABLE, "True", "SucceededRescale", able)
        message = f"New size: {desired}; reason: {plan.reason}"
        self._backend.record(hpa, "Normal", "SuccessfulRescale", message)
        behavior, now_ns = hpa.spec.behavior, self._now()
        if behavior is not None:
            change = desired - current
            if change > 0 and behavior.scale_up is not None:
                history.scale_ups = behaviors.store_event(
                    history.scale_ups, change, behavior.scale_up, now_ns=now_ns
                )
            elif change <= 0 and behavior.scale_down is not None:
                history.scale_downs = behaviors.store_event(
                    history.scale_downs, -change, behavior.scale_down, now_ns=now_ns
                )
        if not self._config.features.scale_to_zero:
            work.conditions = without_condition(work.conditions, ZERO)
        elif current > 0 and desired == 0 and work.minimum == 0 and measures_beyond_pods(hpa):
            done = "the HPA controller scaled the workload to zero"
            work.set(ZERO, "True", "ScaledToZero", done)
        else:
            not_done = "the HPA controller did not scale the workload to zero"
            work.set(ZERO, "False", "NotScaledToZero", not_done)

    def _write_status(
        self, status: HorizontalPodAutoscalerStatus, hpa: HorizontalPodAutoscaler
    ) -> SimProcess[bool]:
        """Write the status if it changed; whether that was possible."""
        if status == hpa.status:
            return True
        try:
            yield from self._backend.update_status(hpa.replace(status=status))
        except StatusError as error:
            self._backend.record(hpa, "Warning", "FailedUpdateStatus", error.message)
            return False
        return True
