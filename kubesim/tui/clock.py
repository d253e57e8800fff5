"""Virtual time and ages as the screen writes them."""

from __future__ import annotations

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
    minutes, hours, days = seconds // 60, seconds // 3600, seconds // 86_400
    if seconds < 120:
        return f"{seconds}s"
    if minutes < 10:
        return _two(minutes, "m", seconds % 60, "s")
    if minutes < 180:
        return f"{minutes}m"
    if hours < 8:
        return _two(hours, "h", minutes % 60, "m")
    if hours < 48:
        return f"{hours}h"
    if days < 8:
        return _two(days, "d", hours % 24, "h")
    if days < 365 * 2:
        return f"{days}d"
    if days < 365 * 8:
        return _two(days // 365, "y", days % 365, "d")
    return f"{days // 365}y"


def _two(large: int, large_unit: str, small: int, small_unit: str) -> str:
    return f"{large}{large_unit}{small}{small_unit}" if small else f"{large}{large_unit}"
