"""Virtual time and ages as the screen writes them."""

from __future__ import annotations

import math

from kubesim.api.rfc3339 import format_micro_time
from kubesim.sim.time import DAY, HOUR, MILLISECOND, MINUTE, SECOND


def stamp(at_ns: int) -> str:
    """An instant of the run: ``00:00:12.350``, with the days before it when there are any."""
    days, rest = divmod(at_ns, DAY)
    hours, rest = divmod(rest, HOUR)
    minutes, rest = divmod(rest, MINUTE)
    seconds, rest = divmod(rest, SECOND)
    clock = f"{hours:02}:{minutes:02}:{seconds:02}.{rest // MILLISECOND:03}"
    return f"{days}d {clock}" if days else clock


def length(duration_ns: int) -> str:
    """How long the whole run is: ``02:00``, ``1:30:00``, ``2d 00:00:00``."""
    days, rest = divmod(duration_ns, DAY)
    hours, rest = divmod(rest, HOUR)
    minutes, rest = divmod(rest, MINUTE)
    seconds = rest // SECOND
    if days:
        return f"{days}d {hours:02}:{minutes:02}:{seconds:02}"
    if hours:
        return f"{hours}:{minutes:02}:{seconds:02}"
    return f"{minutes:02}:{seconds:02}"


def wall(wall_ns: int) -> str:
    """What the clock on the wall of the simulated world shows: ``2026-01-01 00:00:12Z``."""
    return f"{format_micro_time(wall_ns)[:19].replace('T', ' ')}Z"


def age(duration_ns: int) -> str:
    """An age as kubectl writes it: ``42s``, ``3m20s``, ``5h``.

    Mirrors: staging/src/k8s.io/apimachinery/pkg/util/duration (HumanDuration).
    """
    seconds = max(duration_ns, 0) // SECOND
    _, unit, part, small = next(step for step in _AGES if seconds < step[0])
    rest = seconds % unit // part if part else 0
    return f"{seconds // unit}{_UNITS[unit]}" + (f"{rest}{small}" if rest else "")


_MINUTE, _HOUR, _DAY, _YEAR = 60, 3600, 86_400, 365 * 86_400
_UNITS = {1: "s", _MINUTE: "m", _HOUR: "h", _DAY: "d", _YEAR: "y"}
# Below so many seconds: in this unit, with the rest in that one.
_AGES: tuple[tuple[float, int, int, str], ...] = (
    (2 * _MINUTE, 1, 0, ""),
    (10 * _MINUTE, _MINUTE, 1, "s"),
    (3 * _HOUR, _MINUTE, 0, ""),
    (8 * _HOUR, _HOUR, _MINUTE, "m"),
    (2 * _DAY, _HOUR, 0, ""),
    (8 * _DAY, _DAY, _HOUR, "h"),
    (2 * _YEAR, _DAY, 0, ""),
    (8 * _YEAR, _YEAR, _DAY, "d"),
    (math.inf, _YEAR, 0, ""),
)
