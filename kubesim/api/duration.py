"""Spans of time as Go writes them: ``1h15m30.5s``, ``300ms``; integers of nanoseconds inside.

Mirrors: Go's time.ParseDuration and time.Duration.String; metav1.Duration.
"""

from __future__ import annotations

import re

__all__ = ["format_duration", "parse_duration"]

_UNITS = {
    "ns": 1,
    "us": 10**3,
    "µs": 10**3,  # U+00B5, the micro sign
    "μs": 10**3,  # U+03BC, the Greek letter
    "ms": 10**6,
    "s": 10**9,
    "m": 60 * 10**9,
    "h": 3600 * 10**9,
}
_PART = re.compile(r"([0-9]*)(?:\.([0-9]*))?([a-zµμ]+)")
_MAX = 2**63 - 1


def parse_duration(text: str) -> int:
    """The nanoseconds of a Go duration; what is finer than a nanosecond is dropped, as in Go.

    Raises:
        ValueError: If the text is not a duration.
    """
    rest = text[1:] if text[:1] in {"+", "-"} else text
    if rest == "0":
        return 0
    if not rest:
        raise ValueError(f'invalid duration "{text}"')
    nanos, position = 0, 0
    while position < len(rest):
        match = _PART.match(rest, position)
        if match is None:
            missing = rest[position:].replace(".", "").isdecimal()
            what = "missing unit in duration" if missing else "invalid duration"
            raise ValueError(f'{what} "{text}"')
        whole, fraction, unit = match.group(1), match.group(2) or "", match.group(3)
        if not whole and not fraction:
            raise ValueError(f'invalid duration "{text}"')
        if unit not in _UNITS:
            raise ValueError(f'unknown unit "{unit}" in duration "{text}"')
        scale = _UNITS[unit]
        nanos += int(whole or "0") * scale + int(fraction or "0") * scale // 10 ** len(fraction)
        position = match.end()
    if nanos > _MAX:
        raise ValueError(f'invalid duration "{text}"')
    return -nanos if text[0] == "-" else nanos


def format_duration(nanos: int) -> str:
    """The shortest Go text: ``90 * 10**9`` is ``1m30s``."""
    sign, nanos = ("-", -nanos) if nanos < 0 else ("", nanos)
    if nanos == 0:
        return "0s"
    if nanos < 10**9:
        unit, scale = next(
            (u, s) for u, s in (("ms", 10**6), ("µs", 10**3), ("ns", 1)) if nanos >= s
        )
        return f"{sign}{_decimal(nanos, scale)}{unit}"
    minutes, rest = divmod(nanos, 60 * 10**9)
    text = f"{_decimal(rest, 10**9)}s"
    if minutes:
        hours, minutes = divmod(minutes, 60)
        text = f"{hours}h{minutes}m{text}" if hours else f"{minutes}m{text}"
    return sign + text


def _decimal(amount: int, scale: int) -> str:
    whole, fraction = divmod(amount, scale)
    if not fraction:
        return str(whole)
    return f"{whole}.{str(fraction).zfill(len(str(scale)) - 1).rstrip('0')}"
