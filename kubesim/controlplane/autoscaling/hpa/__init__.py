"""The HorizontalPodAutoscaler: the number of pods follows a metric.

``replicacalculator`` says how many replicas a metric asks for, ``behaviors`` how fast they may come and
go, ``reconcile`` puts the two together, ``horizontal`` runs it every 15 seconds for each autoscaler.

Mirrors: pkg/controller/podautoscaler.
"""

from kubesim.controlplane.autoscaling.hpa.config import HPAConfig, HPAFeatures
from kubesim.controlplane.autoscaling.hpa.horizontal import HorizontalController

__all__ = ["HPAConfig", "HPAFeatures", "HorizontalController"]
