"""KEDA's admission webhook for ScaledObjects.

Mirrors: kedacore/keda apis/keda/v1alpha1/scaledobject_webhook.go.
Departs: a workload that another ScaledObject or autoscaler has already is not refused; a trigger that is
not simulated is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from kubesim.api.fielderrors import FieldError, invalid
from kubesim.api.kedav1alpha1 import ScaledObject, scaled_object_errors
from kubesim.api.metav1 import KubeObject
from kubesim.controlplane.autoscaling.keda.scalers import check_trigger


@dataclass(frozen=True, slots=True)
class ScaledObjectWebhook:
    """Validates ScaledObjects."""

    name: str = "vscaledobject.kb.io"
    kind: type[KubeObject] = ScaledObject

    def default(self, obj: Any, reader: Any) -> ScaledObject:  # noqa: ARG002  # the protocol's
        """Nothing is filled in."""
        scaled: ScaledObject = obj
        return scaled

    def validate(self, obj: Any, reader: Any) -> list[FieldError]:  # noqa: ARG002
        """Everything that is wrong with it."""
        scaled: ScaledObject = obj
        errors = scaled_object_errors(scaled)
        for index, trigger in enumerate(scaled.spec.triggers):
            if problem := check_trigger(trigger, scaled.namespace):
                path = ("spec", "triggers", index, "type")
                errors.append(invalid(path, trigger.type, problem))
        return errors


KEDA_WEBHOOKS = (ScaledObjectWebhook(),)
