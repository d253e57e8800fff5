"""What probes are for, and what they find.

Mirrors: pkg/kubelet/prober/results/results_manager.go, pkg/kubelet/prober/prober_manager.go.
"""

from __future__ import annotations

from enum import Enum


class ProbeType(Enum):
    """What a probe decides; the value is how messages call it."""

    STARTUP = "Startup"
    READINESS = "Readiness"
    LIVENESS = "Liveness"


class Result(Enum):
    """What is believed of a container."""

    SUCCESS = "success"
    FAILURE = "failure"
    UNKNOWN = "unknown"


INITIAL = {
    ProbeType.STARTUP: Result.UNKNOWN,
    ProbeType.READINESS: Result.FAILURE,
    ProbeType.LIVENESS: Result.SUCCESS,
}
