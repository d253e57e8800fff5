"""Flags of real components: spelled as on their command lines, and nothing else."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


def _flag(name: str) -> str:
    return name.replace("_", "-")


class Flags(BaseModel):
    """Fields whose names are flags: ``scan_interval`` is read from ``scan-interval``."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        alias_generator=_flag,
        validate_by_name=False,
        validate_by_alias=True,
        defer_build=True,
    )
