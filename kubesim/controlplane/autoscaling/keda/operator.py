"""The operator: keeps the HorizontalPodAutoscaler of each ScaledObject, and looks at its triggers.

A ScaledObject is looked at when it appears or changes, and once in its polling interval from then on.
One that is scaled by cpu and memory alone is not: it has a replica always, and KEDA nothing to decide.
A trigger that pushes has the object looked at when it becomes active, too.

Mirrors: kedacore/keda@8b4f083 controllers/keda/scaledobject_controller.go and
scaledobject_finalizer.go, pkg/scaling/scale_handler.go, pkg/scaling/executor/scale_scaledobjects.go.
Departs: an object with resource triggers alone has no Active condition and no lastActiveTime. While a
pushing trigger stays active, lastActiveTime is written at each poll and when it ends, not once a second.
``restoreToOriginalReplicaCount`` works without a finalizer: when the object is gone.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

from typing_extensions import override

from kubesim.api.autoscalingdefaults import horizontal_pod_autoscaler_defaults
from kubesim.api.autoscalingv2 import HorizontalPodAutoscaler
from kubesim.api.frozenmap import FrozenMap
from kubesim.api.kedav1alpha1 import (
    KedaCondition,
    ScaledObject,
    TriggerActivityStatus,
    only_resource_triggers,
)
from kubesim.api.metav1 import controller_of
from kubesim.controlplane.autoscaling.keda.activation import (
    decide,
    is_half_paused,
    is_paused,
    paused_replicas,
)
from kubesim.controlplane.autoscaling.keda.conditions import (
    FALLBACK,
    NO_FALLBACK,
    PAUSED,
    READY,
    UNPAUSED,
    merged,
    status_of,
)
from kubesim.controlplane.autoscaling.keda.fallback import modifiers_of, usable_fallback
from kubesim.controlplane.autoscaling.keda.hpaobject import (
    autoscaler_of,
    hpa_name,
    target_kind,
    target_of,
)
from kubesim.controlplane.autoscaling.keda.scalehandler import COMPOSITE, ScaleHandler, State
from kubesim.controlplane.autoscaling.keda.scaleloop import Outlook, Quiet, ScaleLoops
from kubesim.controlplane.autoscaling.keda.scaler import FOREVER_NS, ScalerError
from kubesim.controlplane.client import (
    AlreadyExists,
    Client,
    Controller,
    NotFound,
    Recorder,
    StatusError,
)
from kubesim.controlplane.client.scale import ScaleClient
from kubesim.sim import Sim, SimProcess, Ticks
from kubesim.sim.time import MILLISECOND, SECOND

NO_TARGET = "ScaledObject doesn't have correct scaleTargetRef specification"
PUSH_AGAIN_NS = 200 * MILLISECOND  # the HTTP add-on's scaler says it again so soon
STARTED = "Started scalers watch"
STOPPED = "Stopped scalers watch"

Change = Callable[[ScaledObject], ScaledObject]


class ScaledObjectController(Controller):
    """Reconciles ScaledObjects.

    Args:
        sim: The run.
        client: Its connection to the API server.
        handler: Reads the triggers.
        ticks: Where looks are planned.
        workers: ``KEDA_SCALEDOBJECT_CTRL_MAX_RECONCILES``.
    """

    def __init__(
        self,
        sim: Sim,
        *,
        client: Client,
        handler: ScaleHandler,
        ticks: Ticks,
        workers: int = 5,
    ) -> None:
        super().__init__(sim, workers=workers)
        self._client = client
        self._scales = ScaleClient(client)
        self._handler = handler
        handler.health_changed = self._health_changed
        self._recorder = Recorder(sim, component="keda-operator")
        self._scaled = client.informer(ScaledObject)
        self._scaled.add_handler(self._scaled_changed)
        self._hpas = client.informer(HorizontalPodAutoscaler)
        self._hpas.add_handler(self._hpa_changed)
        self._loops: ScaleLoops[ScaledObject] = ScaleLoops(
            sim, client=client, ticks=ticks, looker=self
        )
        self._looking: set[str] = set()

    @override
    def reconcile(self, key: str) -> SimProcess[None]:
        """Keep the autoscaler; begin to look at the triggers."""
        scaled = self._scaled.get(key)
        if scaled is None or scaled.metadata.deletion_timestamp is not None:
            self._loops.stop(key)
            self._handler.forget(key)
            return
        if is_paused(scaled):
            yield from self._pause(scaled)
            return
        yield from self._note_pauses(scaled)
        try:
            scale = yield from self._scales.get(scaled.namespace, target_of(scaled))
            made = yield from self._keep_autoscaler(scaled)
        except StatusError:
            self._recorder.warning(scaled, "ScaledObjectCheckFailed", NO_TARGET)
            raise
        except ScalerError as error:
            text = f"failed to ensure HPA is correctly created for ScaledObject: {error}"
            self._recorder.warning(scaled, "ScaledObjectCheckFailed", text)
            raise StatusError(text) from error
        if status_of(scaled.status.conditions, "Ready") != "True":
            self._recorder.normal(scaled, "ScaledObjectReady", "ScaledObject is ready for scaling")
        yield from self._write(scaled, self._described(scaled, scale.spec.replicas))
        if not only_resource_triggers(scaled.spec):
            if key not in self._loops:
                self._recorder.normal(scaled, "KEDAScalersStarted", STARTED)
            self._loops.begin(scaled, anew=made)

    def push(self, key: str) -> None:
        """A trigger of an object says that it has become active: look now, not at the next poll."""
        scaled = self._scaled.get(key)
        if key not in self._loops or scaled is None:
            return  # its scale loop begins with a look
        if key in self._looking:
            self._sim.call_in(PUSH_AGAIN_NS, self.push, key)
            return
        self._loops.disturb(key)
        self._sim.process(self.look(scaled))

    def get(self, key: str) -> ScaledObject | None:
        """See ``Looker``."""
        return self._scaled.get(key)

    def outlook(self, scaled: ScaledObject) -> Outlook | None:
        """See ``Looker``."""
        return self._handler.outlook(scaled)

    def seen(self, scaled: ScaledObject) -> object:
        """See ``Looker``: the server's revision, and what of it has been heard here."""
        known = self._scaled.get(scaled.key)
        hpa = self._hpas.get(f"{scaled.namespace}/{hpa_name(scaled)}")
        heard = [obj.metadata.resource_version for obj in (known, hpa) if obj is not None]
        return self._client.server_revision, heard

    def was_active(self, key: str, at_ns: int) -> None:
        """A pushing trigger is not active any more; it last was at that instant (wall clock)."""
        scaled = self._scaled.get(key)
        if scaled is not None and key in self._loops:
            self._sim.process(self._write(scaled, lambda obj: _active_at(obj, at_ns)))

    def _described(self, scaled: ScaledObject, replicas: int) -> Change:
        """The status as the object's specification has it."""
        scalers = self._handler.scalers(scaled)
        resources = [t.type for t in scaled.spec.triggers if t.type in ("cpu", "memory")]
        new: list[KedaCondition] = [READY]
        if usable_fallback(scaled) is None:
            new.append(NO_FALLBACK)

        def change(obj: ScaledObject) -> ScaledObject:
            old = obj.status
            original = old.original_replica_count
            names = {scaler.metric for scaler in scalers}
            status = old.replace(
                scale_target_kind=target_kind(obj),
                original_replica_count=replicas if original is None else original,
                external_metric_names=tuple(scaler.metric for scaler in scalers),
                resource_metric_names=tuple(resources),
                composite_scaler_name=COMPOSITE if modifiers_of(obj) is not None else None,
                health=FrozenMap({k: v for k, v in old.health.items() if k in names}),
                hpa_name=hpa_name(obj),
                triggers_types=",".join(dict.fromkeys(t.type for t in obj.spec.triggers)),
                conditions=merged(old.conditions, *new),
            )
            return obj.replace(status=status)

        return change

    def _keep_autoscaler(self, scaled: ScaledObject) -> SimProcess[bool]:
        """Whether a new one was made."""
        wanted = autoscaler_of(scaled, self._handler.scalers(scaled))
        old_name = scaled.status.hpa_name
        if old_name and old_name != wanted.name:
            yield from self._delete_autoscaler(f"{scaled.namespace}/{old_name}")
        known = self._hpas.get(wanted.key)
        if known is None:
            try:
                yield from self._client.create(wanted)
            except AlreadyExists:
                return False
            return True
        if _differs(wanted, known):
            yield from self._client.patch(
                HorizontalPodAutoscaler, wanted.key, lambda hpa: hpa.replace(spec=wanted.spec)
            )
        return False

    def _delete_autoscaler(self, key: str) -> SimProcess[None]:
        if self._hpas.get(key) is not None:
            with suppress(NotFound):
                yield from self._client.delete(HorizontalPodAutoscaler, key)

    def _note_pauses(self, scaled: ScaledObject) -> SimProcess[None]:
        """Paused one way, or not any more."""
        paused = status_of(scaled.status.conditions, "Paused") == "True"
        if is_half_paused(scaled):
            if not paused:
                self._recorder.normal(scaled, "ScaledObjectPaused", PAUSED.message or "")
            yield from self._write(scaled, lambda obj: _with_conditions(obj, PAUSED))
        elif paused:
            self._recorder.normal(scaled, "ScaledObjectUnpaused", UNPAUSED.message or "")
            yield from self._write(
                scaled,
                lambda obj: _with_conditions(
                    obj.replace(status=obj.status.replace(paused_replica_count=None)), UNPAUSED
                ),
            )

    def _pause(self, scaled: ScaledObject) -> SimProcess[None]:
        """Take the autoscaler away, and hold the workload at a number if one was given."""
        if status_of(scaled.status.conditions, "Paused") != "True":
            yield from self._write(scaled, lambda obj: _with_conditions(obj, PAUSED))
            self._recorder.normal(scaled, "ScaledObjectPaused", PAUSED.message or "")
        if self._loops.stop(scaled.key):
            self._recorder.normal(scaled, "KEDAScalersStopped", STOPPED)
        yield from self._delete_autoscaler(f"{scaled.namespace}/{hpa_name(scaled)}")
        held = paused_replicas(scaled)
        if held is not None:
            reference = target_of(scaled)
            scale = yield from self._scales.get(scaled.namespace, reference)
            if scale.spec.replicas != held:
                wanted = scale.replace(spec=scale.spec.replace(replicas=held))
                yield from self._scales.update(scaled.namespace, reference, wanted)
        yield from self._write(
            scaled,
            lambda obj: _with_conditions(
                obj.replace(status=obj.status.replace(paused_replica_count=held)), PAUSED
            ),
        )

    def look(self, scaled: ScaledObject) -> SimProcess[Quiet | None]:
        """See ``Looker``."""
        self._looking.add(scaled.key)
        try:
            return (yield from self._look(scaled))
        except StatusError as error:
            self._recorder.warning(scaled, "KEDAScaleTargetActivationFailed", error.message)
        except ScalerError as error:
            self._recorder.warning(scaled, "KEDAScalerFailed", str(error))
        finally:
            self._looking.discard(scaled.key)
        return None

    def _look(self, scaled: ScaledObject) -> SimProcess[Quiet | None]:
        state = self._handler.state(scaled)
        source = "KEDAMetricSourceFailed" if modifiers_of(scaled) else "KEDAScalerFailed"
        for error in state.errors:
            self._recorder.warning(scaled, source, error)
        self._note_fallback(scaled, state)
        reference = target_of(scaled)
        scale = yield from self._scales.get(scaled.namespace, reference)
        current = scale.spec.replicas
        step, for_ever = (
            decide(
                scaled,
                current=current,
                active=state.active,
                failed=state.failed,
                now_ns=now_ns,
            )
            for now_ns in (self._sim.wall_ns, FOREVER_NS)
        )
        if step.replicas is not None and step.replicas != current:
            wanted = scale.replace(spec=scale.spec.replace(replicas=step.replicas))
            where = f"{target_kind(scaled)} {scaled.namespace}/{reference.name}"
            change = f"{where} from {current} to {step.replicas}"
            try:
                yield from self._scales.update(scaled.namespace, reference, wanted)
            except StatusError:
                verb = "scale" if step.active_now else "deactivate"
                reason = "Activation" if step.active_now else "Deactivation"
                text = f"Failed to {verb} {change}"
                self._recorder.warning(scaled, f"KEDAScaleTarget{reason}Failed", text)
                yield from self._write(scaled, self._looked(scaled, state, step.conditions, False))
                return None
            if step.active_now:
                why = f"triggered by {';'.join(state.active_metrics)}"
                if not state.active:
                    why = "caused by forced activation annotation"
                text = f"Scaled {change}, {why}"
                self._recorder.normal(scaled, "KEDAScaleTargetActivated", text)
            elif not state.active and step.replicas < current:
                text = f"Deactivated {change}"
                self._recorder.normal(scaled, "KEDAScaleTargetDeactivated", text)
        change_status = self._looked(scaled, state, step.conditions, step.active_now)
        wrote = yield from self._write(scaled, change_status)
        nothing = not (wrote or state.errors or state.fallback or step.active_now)
        same = step == for_ever and step.replicas in (None, current)
        return Quiet(requests=1) if nothing and same else None

    def _note_fallback(self, scaled: ScaledObject, state: State) -> None:
        was = status_of(scaled.status.conditions, "Fallback") == "True"
        if state.fallback and not was:
            text = "ScaledObject has activated its fallback"
            self._recorder.normal(scaled, "ScaledObjectFallbackActivated", text)
        elif was and not state.fallback:
            text = "ScaledObject has deactivated its fallback"
            self._recorder.normal(scaled, "ScaledObjectFallbackDeactivated", text)

    def _looked(
        self, scaled: ScaledObject, state: State, new: tuple[KedaCondition, ...], active: bool
    ) -> Change:
        """The status after a look."""
        now_ns = self._sim.wall_ns
        hpa = self._hpas.get(f"{scaled.namespace}/{hpa_name(scaled)}")
        seen = (*new, *_hpa_health(hpa))

        def change(obj: ScaledObject) -> ScaledObject:
            activity = {
                name: TriggerActivityStatus(is_active=name in state.active_metrics)
                for name in obj.status.external_metric_names
            }
            status = obj.status.replace(
                conditions=merged(obj.status.conditions, *seen),
                triggers_activity=FrozenMap(activity),
            )
            obj = obj.replace(status=status)
            return _active_at(obj, now_ns) if active else obj

        return change

    def _health_changed(self, scaled: ScaledObject) -> None:
        health = FrozenMap(dict(self._handler.health(scaled)))
        condition = FALLBACK if self._handler.falls_back(scaled) else NO_FALLBACK
        self._sim.process(
            self._write(
                scaled,
                lambda obj: _with_conditions(
                    obj.replace(status=obj.status.replace(health=health)), condition
                ),
            )
        )

    def _write(self, scaled: ScaledObject, change: Change) -> SimProcess[bool]:
        """Change the status, if that changes anything; whether it did."""
        known = self._scaled.get(scaled.key) or scaled
        if change(known).status == known.status:
            return False
        with suppress(NotFound):
            yield from self._client.patch(ScaledObject, scaled.key, change, status=True)
        return True

    def _scaled_changed(self, old: ScaledObject | None, new: ScaledObject | None) -> None:
        changed = new or old
        assert changed is not None
        if old is not None and new is not None and _wanted(old) == _wanted(new):
            return  # its status changed; that was us
        if new is None:
            self._restore(changed)
        self.queue.add(changed.key)

    def _restore(self, scaled: ScaledObject) -> None:
        """The object is gone: give the workload its old number of replicas, if that is wished."""
        advanced, original = scaled.spec.advanced, scaled.status.original_replica_count
        wished = advanced is not None and advanced.restore_to_original_replica_count
        if wished and original is not None:
            self._sim.process(self._restore_to(scaled, original))

    def _restore_to(self, scaled: ScaledObject, replicas: int) -> SimProcess[None]:
        with suppress(StatusError):
            scale = yield from self._scales.get(scaled.namespace, target_of(scaled))
            wanted = scale.replace(spec=scale.spec.replace(replicas=replicas))
            yield from self._scales.update(scaled.namespace, target_of(scaled), wanted)

    def _hpa_changed(
        self, old: HorizontalPodAutoscaler | None, new: HorizontalPodAutoscaler | None
    ) -> None:
        """Somebody changed or deleted an autoscaler of ours: it is put right."""
        if old is None or (new is not None and old.spec == new.spec):
            return
        owner = controller_of(old)
        if owner is not None and owner.kind == "ScaledObject":
            self.queue.add(f"{old.namespace}/{owner.name}")


def _wanted(scaled: ScaledObject) -> tuple[object, object]:
    return scaled.spec, scaled.metadata.annotations


def _with_conditions(scaled: ScaledObject, *conditions: KedaCondition) -> ScaledObject:
    status = scaled.status
    return scaled.replace(status=status.replace(conditions=merged(status.conditions, *conditions)))


def _active_at(scaled: ScaledObject, at_ns: int) -> ScaledObject:
    """Active at that instant, if not later too; times of objects have seconds."""
    at_ns = at_ns // SECOND * SECOND
    if (scaled.status.last_active_time or 0) >= at_ns:
        return scaled
    return scaled.replace(status=scaled.status.replace(last_active_time=at_ns))


def _hpa_health(hpa: HorizontalPodAutoscaler | None) -> tuple[KedaCondition, ...]:
    """HPAActive: what the autoscaler says of itself, once it has said something."""
    conditions = hpa.status.conditions if hpa is not None else ()
    seen = next((item for item in conditions if item.type == "ScalingActive"), None)
    if seen is None:
        return ()
    if seen.status == "True":
        message = "HPA is actively scaling"
        return (
            KedaCondition(type="HPAActive", status="True", reason="HPAActive", message=message),
        )
    if seen.reason == "ScalingDisabled":
        return (
            KedaCondition(
                type="HPAActive", status="True", reason=seen.reason, message=seen.message
            ),
        )
    return (
        KedaCondition(
            type="HPAActive",
            status="False",
            reason=seen.reason or "HPAMetricsUnavailable",
            message=f"HPA is not actively scaling: {seen.message}",
        ),
    )


def _differs(wanted: HorizontalPodAutoscaler, known: HorizontalPodAutoscaler) -> bool:
    """Whether what is wanted, with everything filled in that defaulting fills in, is not there."""
    return horizontal_pod_autoscaler_defaults(wanted).spec != known.spec
