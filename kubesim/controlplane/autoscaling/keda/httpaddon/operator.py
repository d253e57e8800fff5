"""The add-on's operator: a ScaledObject for each HTTPScaledObject, a condition for each route.

Mirrors: kedacore/http-add-on@59b2f6a operator/controllers/http (httpscaledobject_controller.go,
scaled_object.go, app.go, interceptorroute_controller.go), pkg/k8s/scaledobject.go.
"""

from __future__ import annotations

from contextlib import suppress

from typing_extensions import override

from kubesim.api.frozenmap import FrozenMap
from kubesim.api.kedahttpv1alpha1 import HTTPScaledObject
from kubesim.api.kedahttpv1beta1 import InterceptorRoute
from kubesim.api.kedav1alpha1 import (
    AdvancedConfig,
    ScaledObject,
    ScaledObjectSpec,
    ScaleTarget,
    ScaleTrigger,
)
from kubesim.api.metav1 import Condition, ObjectMeta, controller_of, new_controller_ref
from kubesim.controlplane.client import AlreadyExists, Client, Controller, NotFound
from kubesim.sim import Sim, SimProcess
from kubesim.sim.time import SECOND

POLLING_S = 15  # soPollingInterval
SCALER_ADDRESS = "keda-add-ons-http-external-scaler.keda:9090"
SKIP = "httpscaledobject.keda.sh/skip-scaledobject-creation"


class HTTPScaledObjectController(Controller):
    """Reconciles HTTPScaledObjects.

    Args:
        sim: The run.
        client: Its connection to the API server.
    """

    def __init__(self, sim: Sim, *, client: Client) -> None:
        super().__init__(sim, workers=1)
        self._client = client
        self._objects = client.informer(HTTPScaledObject)
        self._objects.add_handler(self._object_changed)
        self._scaled = client.informer(ScaledObject)
        self._scaled.add_handler(self._scaled_changed)

    @override
    def reconcile(self, key: str) -> SimProcess[None]:
        """Keep the ScaledObject; the garbage collector takes it away."""
        obj = self._objects.get(key)
        if obj is None or obj.metadata.deletion_timestamp is not None:
            return
        known = self._scaled.get(key)
        if obj.metadata.annotations.get(SKIP) == "true":
            owner = controller_of(known) if known is not None else None
            if owner is not None and owner.kind == "HTTPScaledObject":
                with suppress(NotFound):
                    yield from self._client.delete(ScaledObject, key)
        else:
            wanted = scaled_object_of(obj)
            if known is None:
                with suppress(AlreadyExists):
                    yield from self._client.create(wanted)
            elif known.spec != wanted.spec:
                yield from self._client.patch(
                    ScaledObject, key, lambda old: old.replace(spec=wanted.spec)
                )
        yield from self._note(obj)

    def _note(self, obj: HTTPScaledObject) -> SimProcess[None]:
        target = obj.spec.scale_target_ref
        workload = f"{target.api_version or ''}/{target.kind or ''}/{target.name}"
        ready = _ready("ScaledObject created and configured", obj.metadata.generation)
        now_ns = self._sim.wall_ns

        def change(old: HTTPScaledObject) -> HTTPScaledObject:
            status = old.status.replace(
                target_workload=workload,
                target_service=f"{target.service}:{target.port or 0}",
                conditions=_with(old.status.conditions, ready, now_ns),
            )
            return old.replace(status=status)

        if change(obj).status != obj.status:
            with suppress(NotFound):
                yield from self._client.patch(HTTPScaledObject, obj.key, change, status=True)

    def _object_changed(self, old: HTTPScaledObject | None, new: HTTPScaledObject | None) -> None:
        if new is None or (
            old is not None
            and old.spec == new.spec
            and old.metadata.annotations == new.metadata.annotations
        ):
            return
        self.queue.add(new.key)

    def _scaled_changed(self, old: ScaledObject | None, new: ScaledObject | None) -> None:
        """Somebody changed or deleted a ScaledObject of ours: it is put right."""
        if old is not None and (new is None or new.spec != old.spec):
            owner = controller_of(old)
            if owner is not None and owner.kind == "HTTPScaledObject":
                self.queue.add(old.key)


class InterceptorRouteController(Controller):
    """Says of each route that it was seen.

    Args:
        sim: The run.
        client: Its connection to the API server.
    """

    def __init__(self, sim: Sim, *, client: Client) -> None:
        super().__init__(sim, workers=1)
        self._client = client
        self._routes = client.informer(InterceptorRoute)
        self._routes.add_handler(self._route_changed)

    @override
    def reconcile(self, key: str) -> SimProcess[None]:
        """Set its condition."""
        route = self._routes.get(key)
        if route is None:
            return
        ready = _ready("InterceptorRoute reconciled", route.metadata.generation)
        now_ns = self._sim.wall_ns

        def change(old: InterceptorRoute) -> InterceptorRoute:
            conditions = _with(old.status.conditions, ready, now_ns)
            return old.replace(status=old.status.replace(conditions=conditions))

        if change(route).status != route.status:
            with suppress(NotFound):
                yield from self._client.patch(InterceptorRoute, key, change, status=True)

    def _route_changed(self, old: InterceptorRoute | None, new: InterceptorRoute | None) -> None:
        if new is not None and (old is None or old.spec != new.spec):
            self.queue.add(new.key)


def scaled_object_of(obj: HTTPScaledObject) -> ScaledObject:
    """The ScaledObject of the same name, with a trigger that pushes."""
    spec, target, replicas = obj.spec, obj.spec.scale_target_ref, obj.spec.replicas
    return ScaledObject(
        metadata=ObjectMeta(
            name=obj.name,
            namespace=obj.namespace,
            labels=obj.metadata.labels,
            annotations=obj.metadata.annotations,
            owner_references=(new_controller_ref(obj),),
        ),
        spec=ScaledObjectSpec(
            scale_target_ref=ScaleTarget(
                name=target.name, api_version=target.api_version, kind=target.kind
            ),
            polling_interval=POLLING_S,
            cooldown_period=spec.scaledown_period,
            initial_cooldown_period=spec.initial_cooldown_period,
            min_replica_count=replicas.min if replicas is not None else None,
            max_replica_count=replicas.max if replicas is not None else None,
            advanced=AdvancedConfig(restore_to_original_replica_count=True),
            triggers=(
                ScaleTrigger(
                    type="external-push",
                    metadata=FrozenMap(
                        {"scalerAddress": SCALER_ADDRESS, "httpScaledObject": obj.name}
                    ),
                ),
            ),
        ),
    )


def _ready(message: str, generation: int | None) -> Condition:
    return Condition(
        type="Ready",
        status="True",
        observed_generation=generation,
        last_transition_time=0,
        reason="Reconciled",
        message=message,
    )


def _with(conditions: tuple[Condition, ...], new: Condition, now_ns: int) -> tuple[Condition, ...]:
    """The conditions with one set; it keeps its time while its status stays."""
    old = next((item for item in conditions if item.type == new.type), None)
    since_ns = now_ns // SECOND * SECOND
    if old is not None and old.status == new.status:
        since_ns = old.last_transition_time
    set_now = new.replace(last_transition_time=since_ns)
    if old is None:
        return (*conditions, set_now)
    return tuple(set_now if item is old else item for item in conditions)
