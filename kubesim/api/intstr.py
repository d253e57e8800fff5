"""A number or a percentage: ``3``, ``"25%"``, or the name of a port.

Mirrors: staging/src/k8s.io/apimachinery/pkg/util/intstr.
"""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import PlainValidator, WithJsonSchema

__all__ = ["IntOrString", "scaled_value"]


def _validate(value: Any) -> int | str:
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise ValueError("expected integer or string")  # pydantic wants a ValueError
    return value


IntOrString = Annotated[
    int | str,
    PlainValidator(_validate),
    WithJsonSchema({"anyOf": [{"type": "integer"}, {"type": "string"}]}),
]
"""An ``int``, or a ``str`` such as ``"25%"``."""

_PERCENT = re.compile(r"[0-9]+%", re.ASCII)


def scaled_value(value: int | str, total: int, *, round_up: bool) -> int:
    """The number that ``value`` stands for, where ``total`` is 100 percent.

    Raises:
        ValueError: If a text is not a percentage.
    """
    if isinstance(value, int):
        return value
    if not _PERCENT.fullmatch(value):
        raise ValueError(f'invalid value for IntOrString: "{value}" is not a percentage')
    product = int(value[:-1]) * total
    return -(-product // 100) if round_up else product // 100
