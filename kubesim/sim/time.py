"""Virtual time: whole nanoseconds, the unit of Go's ``time.Duration``.

A Wasm instantiation takes microseconds and a study a month, and both must be exact; a float could
not hold them. Seconds become nanoseconds once, at the edge, with ``seconds``.
"""

from __future__ import annotations

NANOSECOND = 1
MICROSECOND = 1_000
MILLISECOND = 1_000_000
SECOND = 1_000_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR


def seconds(value: float) -> int:
    """Nanoseconds in ``value`` seconds, rounded to the nearest."""
    return round(value * SECOND)


def millis(value: float) -> int:
    """Nanoseconds in ``value`` milliseconds, rounded to the nearest."""
    return round(value * MILLISECOND)


def next_grid_point(now_ns: int, *, period_ns: int, offset_ns: int = 0) -> int:
    """The first instant after ``now_ns`` on the grid ``offset_ns + k * period_ns``.

    This is how a periodic loop is computed instead of run: what a relist, a sync or a scrape would
    have seen, it sees at the grid point that follows the change.
    """
    assert period_ns > 0, period_ns
    return now_ns + period_ns - (now_ns - offset_ns) % period_ns


def human(duration_ns: int) -> str:
    """A duration for people: three significant digits and a unit, such as ``1.52s`` or ``640us``."""
    magnitude = abs(duration_ns)
    # Rounded before the unit is chosen: 999.9 ms are one second, and no "1e+03ms".
    step = 10 ** max(0, len(str(magnitude)) - 3) if magnitude < MINUTE else 100 * MILLISECOND
    magnitude = (magnitude + step // 2) // step * step
    if magnitude >= HOUR:
        hours, rest = divmod(magnitude // SECOND, 3600)
        text = f"{hours}h{rest // 60:02d}m{rest % 60:02d}s"
    elif magnitude >= MINUTE:
        minutes, rest = divmod(magnitude, MINUTE)
        text = f"{minutes}m{rest / SECOND:.3g}s"
    else:
        for unit, name in ((SECOND, "s"), (MILLISECOND, "ms"), (MICROSECOND, "us")):
            if magnitude >= unit:
                text = f"{magnitude / unit:.3g}{name}"
                break
        else:
            text = f"{magnitude}ns" if magnitude else "0s"
    return f"-{text}" if duration_ns < 0 else text
