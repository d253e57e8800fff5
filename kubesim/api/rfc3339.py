"""Points in time as text: ``2026-01-01T00:00:00Z`` and back, to the nanosecond.

Inside the simulation a moment is an integer, nanoseconds since the Unix epoch. Text exists at the
edge only. Nothing here asks what time it is.

Mirrors: staging/src/k8s.io/apimachinery/pkg/apis/meta/v1/{time,micro_time}.go.
"""

from __future__ import annotations

import re
from datetime import date

__all__ = ["format_micro_time", "format_time", "parse_time"]

SECOND = 10**9
_DAY_SECONDS = 86_400
_EPOCH_ORDINAL = date(1970, 1, 1).toordinal()
_TIME = re.compile(
    r"(\d{4})-(\d{2})-(\d{2})[Tt](\d{2}):(\d{2}):(\d{2})(?:\.(\d{1,9})\d*)?"
    r"(?:[Zz]|([+-])(\d{2}):(\d{2}))",
    re.ASCII,
)


def parse_time(text: str) -> int:
    """The moment that an RFC 3339 text names, in nanoseconds since the epoch.

    Raises:
        ValueError: If the text is not an RFC 3339 date and time with an offset.
    """
    match = _TIME.fullmatch(text)
    if match is None:
        raise ValueError('must be an RFC 3339 time such as "2026-01-01T00:00:00Z"')
    year, month, day, hour, minute, second = (int(match.group(i)) for i in range(1, 7))
    if hour > 23 or minute > 59 or second > 59:
        raise ValueError("hour, minute or second out of range")
    try:
        days = date(year, month, day).toordinal() - _EPOCH_ORDINAL
    except ValueError as error:
        raise ValueError(f"{error}, in an RFC 3339 time") from None
    seconds = days * _DAY_SECONDS + hour * 3600 + minute * 60 + second
    if match.group(8):
        offset = int(match.group(9)) * 3600 + int(match.group(10)) * 60
        seconds += -offset if match.group(8) == "+" else offset
    return seconds * SECOND + int((match.group(7) or "0").ljust(9, "0"))


def format_time(nanos: int) -> str:
    """The moment in UTC with whole seconds (what is finer is dropped), as Kubernetes writes it."""
    seconds = nanos // SECOND
    days, rest = divmod(seconds, _DAY_SECONDS)
    day = date.fromordinal(days + _EPOCH_ORDINAL).isoformat()
    return f"{day}T{rest // 3600:02}:{rest % 3600 // 60:02}:{rest % 60:02}Z"


def format_micro_time(nanos: int) -> str:
    """The moment in UTC with six digits of a second."""
    return f"{format_time(nanos)[:-1]}.{nanos % SECOND // 1000:06}Z"
