"""The operator: keeps the HorizontalPodAutoscaler of each ScaledObject, and looks at its triggers.

A ScaledObject is looked at when it appears and once in its polling interval from then on. One that is
scaled by cpu and memory alone is not: it has a replica always, and KEDA nothing to decide.

Mirrors: kedacore/keda controllers/keda/scaledobject_controller.go, pkg/scaling/scale_handler.go.
Departs: ``restoreToOriginalReplicaCount``, ``fallback`` and ``scalingModifiers`` have no effect.
"""

from __future__ import annotations

from contextlib import suppress

from typing_extensions import override

from kubesim.api.autoscalingv2 import HorizontalPodAutoscaler
from kubesim.api.kedav1alpha1 import KedaCondition, ScaledObject, only_resource_triggers
from kubesim.controlplane.autoscaling.keda.activation import (
    DEFAULT_POLLING_S,
    Step,
    decide,
    is_paused,
    paused_replicas,
)
from kubesim.controlplane.autoscaling.keda.hpaobject import autoscaler_of, hpa_name, target_of
from kubesim.controlplane.autoscaling.keda.scalers import scalers_of
from kubesim.controlplane.client import (
    AlreadyExists,
    Client,
    Controller,
    NotFound,
    Recorder,
    StatusError,
)
from kubesim.controlplane.client.scale import ScaleClient
from kubesim.controlplane.metrics.adapter import RequestMeters
from kubesim.sim import Sim, SimProcess
from kubesim.sim.time import SECOND

WORKERS = 5  # KEDA_SCALEDOBJECT_CTRL_MAX_RECONCILES
READY = "ScaledObject is defined correctly and is ready for scaling"
ACTIVE = "Scaling is performed because triggers are active"
NOT_ACTIVE = "Scaling is not performed because triggers are not active"
PAUSED = "ScaledObject is paused"
NO_TARGET = "ScaledObject doesn't have correct scaleTargetRef specification"


class ScaledObjectController(Controller):
    """Reconciles ScaledObjects.

    Args:
        sim: The run.
        client: Its connection to the API server.
        meters: Where requests are counted.
    """

    def __init__(self, sim: Sim, *, client: Client, meters: RequestMeters) -> None:
        super().__init__(sim, workers=WORKERS)
        self._client = client
        self._scales = ScaleClient(client)
        self._meters = meters
        self._recorder = Recorder(sim, component="keda-operator")
        self._scaled = client.informer(ScaledObject)
        self._scaled.add_handler(self._scaled_changed)
        self._hpas = client.informer(HorizontalPodAutoscaler)
        self._polled: dict[str, str] = {}

    @override
    def reconcile(self, key: str) -> SimProcess[None]:
        """Keep the autoscaler; begin to look at the triggers."""
        scaled = self._scaled.get(key)
        if scaled is None or scaled.metadata.deletion_timestamp is not None:
            self._polled.pop(key, None)
            return
        if is_paused(scaled):
            yield from self._pause(scaled)
            return
        try:
            yield from self._scales.get(scaled.namespace, target_of(scaled))
        except StatusError:
            self._recorder.warning(scaled, "ScaledObjectCheckFailed", NO_TARGET)
            raise
        yield from self._keep_autoscaler(scaled)
        ready = KedaCondition(
            type="Ready", status="True", reason="ScaledObjectReady", message=READY
        )
        yield from self._note(
            scaled, ready, KedaCondition(type="Paused", status="Unknown"), paused=None
        )
        if self._polled.get(key) != scaled.uid and not only_resource_triggers(scaled.spec):
            self._polled[key] = scaled.uid
            self._sim.process(self._poll(key, scaled.uid))

    def _keep_autoscaler(self, scaled: ScaledObject) -> SimProcess[None]:
        wanted = autoscaler_of(scaled)
        known = self._hpas.get(wanted.key)
        if known is None:
            try:
                yield from self._client.create(wanted)
            except AlreadyExists:
                return
        elif _differs(wanted, known):
            yield from self._client.patch(
                HorizontalPodAutoscaler, wanted.key, lambda hpa: hpa.replace(spec=wanted.spec)
            )

    def _pause(self, scaled: ScaledObject) -> SimProcess[None]:
        """Take the autoscaler away, and hold the workload at a number if one was given."""
        self._polled.pop(scaled.key, None)
        key = f"{scaled.namespace}/{hpa_name(scaled)}"
        if self._hpas.get(key) is not None:
            with suppress(NotFound):
                yield from self._client.delete(HorizontalPodAutoscaler, key)
        held = paused_replicas(scaled)
        if held is not None and scaled.status.paused_replica_count != held:
            reference = target_of(scaled)
            scale = yield from self._scales.get(scaled.namespace, reference)
            if scale.spec.replicas != held:
                wanted = scale.replace(spec=scale.spec.replace(replicas=held))
                yield from self._scales.update(scaled.namespace, reference, wanted)
        condition = KedaCondition(
            type="Paused", status="True", reason="ScaledObjectPaused", message=PAUSED
        )
        yield from self._note(scaled, condition, paused=held)

    def _poll(self, key: str, uid: str) -> SimProcess[None]:
        """The scale loop of one object."""
        while self._polled.get(key) == uid:
            scaled = self._scaled.get(key)
            if scaled is None or scaled.uid != uid:
                return
            try:
                yield from self._look(scaled)
            except StatusError as error:
                self._recorder.warning(scaled, "KEDAScaleTargetActivationFailed", error.message)
            interval_s = scaled.spec.polling_interval
            yield self._sim.timeout(
                (DEFAULT_POLLING_S if interval_s is None else interval_s) * SECOND
            )

    def _look(self, scaled: ScaledObject) -> SimProcess[None]:
        wall_ns = self._sim.wall_ns
        triggers = [s.trigger for s in scalers_of(scaled) if s.is_active(self._meters, wall_ns)]
        reference = target_of(scaled)
        scale = yield from self._scales.get(scaled.namespace, reference)
        current = scale.spec.replicas
        active, now_ns = bool(triggers), self._sim.wall_ns
        step = decide(scaled, current=current, active=active, now_ns=now_ns)
        if step.replicas is not None and step.replicas != current:
            wanted = scale.replace(spec=scale.spec.replace(replicas=step.replicas))
            yield from self._scales.update(scaled.namespace, reference, wanted)
            where = f"{reference.kind} {scaled.namespace}/{reference.name}"
            change = f"{where} from {current} to {step.replicas}"
            if active:
                text = f"Scaled {change}, triggered by {triggers[0]}Scaler"
                self._recorder.normal(scaled, "KEDAScaleTargetActivated", text)
            else:
                text = f"Deactivated {change}"
                self._recorder.normal(scaled, "KEDAScaleTargetDeactivated", text)
        yield from self._activity(scaled, step, active=active)

    def _activity(self, scaled: ScaledObject, step: Step, *, active: bool) -> SimProcess[None]:
        condition = KedaCondition(
            type="Active",
            status="True" if active else "False",
            reason="ScalerActive" if active else "ScalerNotActive",
            message=ACTIVE if active else NOT_ACTIVE,
        )
        since_ns = self._sim.wall_ns if step.active_now else None
        yield from self._note(scaled, condition, active_ns=since_ns)

    def _note(
        self,
        scaled: ScaledObject,
        *conditions: KedaCondition,
        active_ns: int | None = None,
        paused: int | None = None,
    ) -> SimProcess[None]:
        """Write conditions (and times) into the status, if that changes it."""
        scalers = () if is_paused(scaled) else scalers_of(scaled)

        def change(obj: ScaledObject) -> ScaledObject:
            new = {condition.type: condition for condition in conditions}
            kept = tuple(new.pop(old.type, old) for old in obj.status.conditions)
            status = obj.status.replace(
                scale_target_kind=f"apps/v1.{target_of(obj).kind}",
                conditions=(*kept, *new.values()),
                hpa_name=hpa_name(obj),
                triggers_types=",".join(trigger.type for trigger in obj.spec.triggers),
                external_metric_names=tuple(scaler.metric for scaler in scalers),
                paused_replica_count=paused,
            )
            if active_ns is not None:
                status = status.replace(last_active_time=active_ns)
            return obj.replace(status=status)

        if change(scaled).status == scaled.status:
            return
        try:
            yield from self._client.patch(ScaledObject, scaled.key, change, status=True)
        except NotFound:
            return

    def _scaled_changed(self, old: ScaledObject | None, new: ScaledObject | None) -> None:
        changed = new or old
        assert changed is not None
        if old is not None and new is not None and _wanted(old) == _wanted(new):
            return  # its status changed; that was us
        self.queue.add(changed.key)


def _wanted(scaled: ScaledObject) -> tuple[object, object]:
    return scaled.spec, scaled.metadata.annotations


def _differs(wanted: HorizontalPodAutoscaler, known: HorizontalPodAutoscaler) -> bool:
    """Whether what is wanted is not what there is, leaving aside what defaulting filled in."""
    new, old = wanted.spec, known.spec
    behavior = new.behavior is not None and new.behavior != old.behavior
    return behavior or (
        new.scale_target_ref,
        new.min_replicas,
        new.max_replicas,
        new.metrics,
    ) != (old.scale_target_ref, old.min_replicas, old.max_replicas, old.metrics)
