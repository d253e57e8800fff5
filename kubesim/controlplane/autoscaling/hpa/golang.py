"""The arithmetic of the original: IEEE doubles and fixed-width integers as Go has them on amd64.

The replica count that comes out of a ratio depends on the last bit of a double (0.28 * 25 rounds up
to 8), and on what a division by nothing gives. Python's floats are the same doubles; only what Go
does without an error and Python with one is written out here.

Mirrors: the Go specification's numeric operators and conversions, as compiled for amd64.
"""

from __future__ import annotations

import math

from kubesim.api.quantity import Quantity

MAX_INT32 = 2**31 - 1
MIN_INT32 = -(2**31)
MAX_INT64 = 2**63 - 1
MIN_INT64 = -(2**63)


def divide(dividend: float, divisor: float) -> float:
    """A quotient of doubles: by zero it is an infinity, or no number."""
    if divisor:
        return dividend / divisor
    if dividend == 0 or math.isnan(dividend):
        return math.nan
    return math.copysign(math.inf, dividend) * math.copysign(1.0, divisor)


def truncated(dividend: int, divisor: int) -> int:
    """An integer quotient, rounded towards zero."""
    quotient = abs(dividend) // abs(divisor)
    return quotient if (dividend < 0) == (divisor < 0) else -quotient


def ceil_to_int32(value: float) -> int:
    """Rounded up; what does not fit becomes the smallest number, as the processor does it."""
    if not math.isfinite(value):
        return MIN_INT32
    rounded = math.ceil(value)
    return rounded if MIN_INT32 <= rounded <= MAX_INT32 else MIN_INT32


def ceil_to_int64(value: float) -> int:
    """The same with 64 bits."""
    if not math.isfinite(value):
        return MIN_INT64
    rounded = math.ceil(value)
    return rounded if MIN_INT64 <= rounded <= MAX_INT64 else MIN_INT64


def wrap_int64(value: int) -> int:
    """A sum that ran over comes back from the other side."""
    return (value + 2**63) % 2**64 - 2**63


def wrap_int32(value: int) -> int:
    """The lower 32 bits, with their sign."""
    return (value + 2**31) % 2**32 - 2**31


def approximate_float(quantity: Quantity) -> float:
    """A quantity as a double: its canonical mantissa times a power of ten."""
    mantissa, exponent = quantity.nanos, -9
    while exponent < 0 and mantissa % 1000 == 0:
        mantissa, exponent = mantissa // 1000, exponent + 3
    return float(mantissa) if exponent == 0 else mantissa * float(f"1e{exponent}")
