"""Leases: heartbeats and leader election.

Mirrors: staging/src/k8s.io/api/coordination/v1/types.go.
"""

from typing import ClassVar, Literal

from kubesim.api.metav1 import KubeObject, MicroTime
from kubesim.api.model import Int32, KubeModel


class LeaseSpec(KubeModel):
    """Who holds a lease, and since when."""

    holder_identity: str | None = None
    lease_duration_seconds: Int32 | None = None
    acquire_time: MicroTime | None = None
    renew_time: MicroTime | None = None
    lease_transitions: Int32 | None = None
    strategy: str | None = None
    preferred_holder: str | None = None


class Lease(KubeObject):
    """A sign of life that must be renewed."""

    simulated: ClassVar[bool] = False

    api_version: Literal["coordination.k8s.io/v1"] = "coordination.k8s.io/v1"
    kind: Literal["Lease"] = "Lease"
    spec: LeaseSpec = LeaseSpec.zero()
