"""The limits of a cgroup: the part of the OCI runtime spec's ``linux.resources`` that is simulated."""

from __future__ import annotations

from dataclasses import dataclass

DEFAULT_SHARES = 1024  # what a cgroup has when nobody says
DEFAULT_PERIOD_US = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Resources:
    """What a cgroup may use; 0 means no limit.

    Attributes:
        cpu_shares: Its weight among its siblings.
        cpu_quota_us: CPU time a period.
        cpu_period_us: The period of the quota.
        memory_limit_bytes: Memory.
    """

    cpu_shares: int = DEFAULT_SHARES
    cpu_quota_us: int = 0
    cpu_period_us: int = DEFAULT_PERIOD_US
    memory_limit_bytes: int = 0
