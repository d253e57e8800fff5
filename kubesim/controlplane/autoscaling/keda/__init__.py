"""KEDA: an operator that scales to and from nothing, and lets the HorizontalPodAutoscaler do the rest.

``scalers`` reads triggers, ``hpaobject`` writes the autoscaler, ``activation`` decides between 0 and 1,
``operator`` runs it, ``externalmetrics`` answers the autoscaler's questions.

Mirrors: kedacore/keda v2.21.
Departs: triggers of the types cpu, memory, cron and prometheus only; no ScaledJob, no HTTP add-on.
"""

from kubesim.controlplane.autoscaling.keda.externalmetrics import KedaMetrics
from kubesim.controlplane.autoscaling.keda.operator import ScaledObjectController
from kubesim.controlplane.autoscaling.keda.webhook import KEDA_WEBHOOKS

__all__ = ["KEDA_WEBHOOKS", "KedaMetrics", "ScaledObjectController"]
