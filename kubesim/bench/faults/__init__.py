"""Fault injection: many small clusters to which bad things happen, and the invariants that hold."""

from kubesim.bench.faults.bench import (
    SCHEDULES,
    Verdict,
    live_run,
    measure,
    measure_schedules,
    replay,
    replay_command,
    unsettled,
)
from kubesim.bench.faults.schedule import Schedule, schedule_of

__all__ = [
    "SCHEDULES",
    "Schedule",
    "Verdict",
    "live_run",
    "measure",
    "measure_schedules",
    "replay",
    "replay_command",
    "schedule_of",
    "unsettled",
]
