"""Values that scenarios write in their own way: durations, rates, taints, quantities."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, WithJsonSchema
from pydantic.alias_generators import to_camel

from kubesim.api.corev1 import Taint
from kubesim.api.duration import parse_duration
from kubesim.api.quantity import Quantity

_RATE = re.compile(r"(\d+(?:\.\d+)?)\s*/\s*(ms|s|m|h)")
_RATE_UNIT = {"ms": 1_000_000, "s": 1_000, "m": 1_000 / 60, "h": 1_000 / 3600}
_TAINT = re.compile(r"([^=:]+)(?:=([^:]*))?:(NoSchedule|PreferNoSchedule|NoExecute)")


def _parse_rate(value: object) -> object:
    """``50/s`` as requests in a thousand seconds, and not none."""
    rate_mhz = _parse_rate_or_none(value)
    if isinstance(rate_mhz, int) and rate_mhz < 1:
        raise ValueError("a rate is at least 0.001/s")
    return rate_mhz


def _parse_rate_or_none(value: object) -> object:
    if not isinstance(value, str):
        raise ValueError(f"expected a rate such as 50/s, got {value!r}")
    match = _RATE.fullmatch(value)
    if match is None:
        raise ValueError(f'expected a rate such as 50/s or 600/m, got "{value}"')
    return round(float(match[1]) * _RATE_UNIT[match[2]])


def _parse_taint(value: object) -> object:
    """``key=value:Effect``, as ``kubectl taint`` takes it, or a mapping."""
    if not isinstance(value, str):
        return value
    match = _TAINT.fullmatch(value)
    if match is None:
        raise ValueError(f'expected a taint such as key=value:NoSchedule, got "{value}"')
    return {"key": match[1], "value": match[2] or "", "effect": match[3]}


def _parse_span(value: object) -> object:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if not isinstance(value, str):
        raise ValueError(f"expected a duration such as 1m30s, got {value!r}")
    return parse_duration(value)


def _not_negative(value: int) -> int:
    if value < 0:
        raise ValueError("must not be negative")
    return value


Span = Annotated[
    int,
    BeforeValidator(_parse_span),
    AfterValidator(_not_negative),
    WithJsonSchema({"type": "string", "examples": ["90s", "1m30s", "250ms"]}),
]
"""A duration as Go writes it; nanoseconds in memory."""

Rate = Annotated[
    int,
    BeforeValidator(_parse_rate),
    WithJsonSchema({"type": "string", "examples": ["50/s", "600/m"]}),
]
"""A rate such as ``50/s``; thousandths of a hertz in memory."""

RateOrNone = Annotated[
    int,
    BeforeValidator(_parse_rate_or_none),
    WithJsonSchema({"type": "string", "examples": ["0/s", "50/s"]}),
]
"""A rate that may be ``0/s`` for a while; thousandths of a hertz in memory."""

PoolTaint = Annotated[
    Taint,
    BeforeValidator(_parse_taint),
    WithJsonSchema({"type": ["string", "object"], "examples": ["key=value:NoSchedule"]}),
]

ScenarioQuantity = Annotated[
    Quantity,
    WithJsonSchema({"type": ["string", "number"], "examples": ["4", "500m", "16Gi"]}),
]


class ScenarioModel(BaseModel):
    """The base: frozen, camel case on the wire, no unknown fields."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        alias_generator=to_camel,
        validate_by_name=True,
        validate_by_alias=True,
        defer_build=True,
        arbitrary_types_allowed=True,
    )
