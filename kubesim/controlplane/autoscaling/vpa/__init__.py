"""The VerticalPodAutoscaler: sizes containers by what they use.

``recommender`` reads usage and writes recommendations, ``updater`` evicts or resizes pods that are too
far from them, ``admission`` sizes pods when they are created; each is a process of its own. What they
decide is in ``histogram``, ``model``, ``estimator``, ``capping``, ``priority`` and ``restriction``.

Mirrors: kubernetes/autoscaler vertical-pod-autoscaler (55c37cd).
Departs: the alpha feature gates are off; the components are always up.
"""

from kubesim.controlplane.autoscaling.vpa.admission import VPA_WEBHOOKS
from kubesim.controlplane.autoscaling.vpa.config import (
    RecommenderConfig,
    UpdaterConfig,
    VPAConfig,
)
from kubesim.controlplane.autoscaling.vpa.recommender import Activity, Recommender, Usage
from kubesim.controlplane.autoscaling.vpa.updater import Updater

__all__ = [
    "VPA_WEBHOOKS",
    "Activity",
    "Recommender",
    "RecommenderConfig",
    "Updater",
    "UpdaterConfig",
    "Usage",
    "VPAConfig",
]
