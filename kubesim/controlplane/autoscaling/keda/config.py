"""The operator's settings: flags and environment variables of keda-operator.

Mirrors: kedacore/keda@8b4f083 cmd/operator/main.go.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class KedaConfig:
    """How the operator works.

    Attributes:
        kube_api_qps: ``--kube-api-qps``.
        kube_api_burst: ``--kube-api-burst``.
        scaled_object_workers: ``KEDA_SCALEDOBJECT_CTRL_MAX_RECONCILES``.
        scaled_job_workers: ``KEDA_SCALEDJOB_CTRL_MAX_RECONCILES``.
    """

    kube_api_qps: float = 20.0
    kube_api_burst: int = 30
    scaled_object_workers: int = 5
    scaled_job_workers: int = 1
