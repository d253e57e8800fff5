"""KEDA: an operator that scales to and from nothing, and lets the HorizontalPodAutoscaler do the rest.

``triggers`` has a file for each type of trigger, ``scalehandler`` reads them (with ``fallback`` and
``formula``), ``hpaobject`` writes the autoscaler, ``activation`` decides between 0 and 1 and
``jobscaling`` how many jobs to make; ``operator`` and ``scaledjobcontroller`` run it,
``externalmetrics`` answers the autoscaler's questions. ``httpaddon`` is the HTTP add-on.

Mirrors: kedacore/keda@8b4f083 (after v2.20).
"""

from kubesim.controlplane.autoscaling.keda.config import KedaConfig
from kubesim.controlplane.autoscaling.keda.externalmetrics import KedaMetrics
from kubesim.controlplane.autoscaling.keda.operator import ScaledObjectController
from kubesim.controlplane.autoscaling.keda.scaledjobcontroller import ScaledJobController
from kubesim.controlplane.autoscaling.keda.scalehandler import ScaleHandler
from kubesim.controlplane.autoscaling.keda.sources import Sources
from kubesim.controlplane.autoscaling.keda.webhook import KEDA_WEBHOOKS

__all__ = [
    "KEDA_WEBHOOKS",
    "KedaConfig",
    "KedaMetrics",
    "ScaleHandler",
    "ScaledJobController",
    "ScaledObjectController",
    "Sources",
]
