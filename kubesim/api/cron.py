"""Cron schedules: five fields, or a name such as ``@hourly``, in a time zone.

``next`` gives the first moment after another at which all fields fit. A day fits by its number and by
its day of the week; when both are restricted, one of them is enough. Where clocks are put forward the
hour that is left out has no runs; where they are put back the hour that comes twice has its runs twice.

Mirrors: github.com/robfig/cron/v3 (parser.go, spec.go, constantdelay.go), as Kubernetes uses it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from kubesim.api.duration import parse_duration

__all__ = ["CronError", "Schedule", "load_zone", "parse_schedule"]

YEARS_AHEAD = 5
_MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
_DAYS = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"]
_DESCRIPTORS = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_EVERY = "@every "


class CronError(ValueError):
    """A schedule or a time zone that cannot be understood."""


class _Bounds(NamedTuple):
    low: int
    high: int
    names: tuple[str, ...] = ()


_FIELDS = (
    _Bounds(0, 59),
    _Bounds(0, 23),
    _Bounds(1, 31),
    _Bounds(1, 12, tuple(_MONTHS)),
    _Bounds(0, 6, tuple(_DAYS)),
)


class _Field(NamedTuple):
    """The numbers that fit, in order, and whether the field says nothing."""

    values: tuple[int, ...]
    any: bool


@dataclass(frozen=True, slots=True)
class Schedule:
    """When something runs.

    Attributes:
        fields: Minute, hour, day of the month, month, day of the week; empty for a constant delay.
        zone: Where the clock hangs.
        every_s: The constant delay of ``@every``, in seconds.
    """

    fields: tuple[_Field, ...]
    zone: ZoneInfo | None = None
    every_s: int = 0

    def next(self, after_s: int) -> int | None:
        """The first run after a moment, both in seconds since the epoch.

        ``None`` when there is none in the next five years.
        """
        if self.every_s:
            return after_s + self.every_s
        zone = self.zone or UTC
        first = datetime.fromtimestamp(after_s, zone).date()
        for offset in range(366 * YEARS_AHEAD):
            day = first + timedelta(days=offset)
            if self._fits(day):
                found = min((at for at in self._on(day) if at > after_s), default=None)
                if found is not None:
                    return found
        return None

    def _fits(self, day: date) -> bool:
        _, _, of_month, month, of_week = self.fields
        if day.month not in month.values:
            return False
        by_number = day.day in of_month.values
        by_name = day.isoweekday() % 7 in of_week.values
        if of_month.any or of_week.any:
            return by_number and by_name
        return by_number or by_name

    def _on(self, day: date) -> Iterator[int]:
        """The runs of a day."""
        for hour in self.fields[1].values:
            for minute in self.fields[0].values:
                yield from self._moments(datetime(day.year, day.month, day.day, hour, minute))  # noqa: DTZ001

    def _moments(self, local: datetime) -> Iterator[int]:
        """When clocks show that: once as a rule, never or twice when they are changed."""
        if self.zone is None:
            yield int(local.replace(tzinfo=UTC).timestamp())
            return
        seen: set[int] = set()
        for fold in (0, 1):
            at_s = int(local.replace(tzinfo=self.zone, fold=fold).timestamp())
            shown = datetime.fromtimestamp(at_s, self.zone).replace(tzinfo=None, fold=0)
            if shown == local and at_s not in seen:
                seen.add(at_s)
                yield at_s


def load_zone(name: str | None) -> ZoneInfo | None:
    """A time zone by its name; ``None`` for UTC.

    Raises:
        CronError: If there is no such zone.
    """
    if not name or name == "UTC":
        return None
    try:
        return ZoneInfo(name)
    except (OSError, ValueError, KeyError) as error:
        raise CronError(f"unknown time zone {name}") from error


def parse_schedule(text: str, time_zone: str | None = None) -> Schedule:
    """Understand a schedule.

    Args:
        text: The schedule; it may begin with ``TZ=NAME`` or ``CRON_TZ=NAME``.
        time_zone: Where the clock hangs; UTC by default.

    Raises:
        CronError: If it cannot be understood.
    """
    zone = load_zone(time_zone)
    if text.startswith(("TZ=", "CRON_TZ=")):
        head, _, text = text.partition(" ")
        zone = load_zone(head.partition("=")[2])
    text = text.strip()
    if not text:
        raise CronError("empty spec string")
    if text.startswith(_EVERY):
        return _constant_delay(text)
    if text.startswith("@"):
        if text not in _DESCRIPTORS:
            raise CronError(f"unrecognized descriptor: {text}")
        text = _DESCRIPTORS[text]
    parts = text.split()
    if len(parts) != len(_FIELDS):
        listed = " ".join(parts)
        raise CronError(f"expected exactly {len(_FIELDS)} fields, found {len(parts)}: [{listed}]")
    fields = (_parse_field(part, bounds) for part, bounds in zip(parts, _FIELDS, strict=True))
    return Schedule(tuple(fields), zone)


def _constant_delay(text: str) -> Schedule:
    try:
        every_ns = parse_duration(text.removeprefix(_EVERY))
    except ValueError as error:
        raise CronError(f"failed to parse duration {text}: {error}") from error
    return Schedule((), None, max(1, every_ns // 10**9))


def _parse_field(text: str, bounds: _Bounds) -> _Field:
    values: set[int] = set()
    says_nothing = False
    for part in text.split(","):
        found, star = _parse_range(part, bounds)
        values.update(found)
        says_nothing = says_nothing or star
    return _Field(tuple(sorted(values)), says_nothing)


def _parse_range(text: str, bounds: _Bounds) -> tuple[range, bool]:
    span, slash, step_text = text.partition("/")
    first, dash, last = span.partition("-")
    step = _number(step_text, ()) if slash else 1
    star = first in ("*", "?")
    if star and not dash:
        low, high = bounds.low, bounds.high
    else:
        low = _number(first, bounds.names, bounds.low)
        high = _number(last, bounds.names, bounds.low) if dash else low
        if slash and not dash:
            high = bounds.high  # "5/15" is from 5 on
    if step == 0:
        raise CronError(f"step of range should be a positive number: {text}")
    if low < bounds.low:
        raise CronError(f"beginning of range ({low}) below minimum ({bounds.low}): {text}")
    if high > bounds.high:
        raise CronError(f"end of range ({high}) above maximum ({bounds.high}): {text}")
    if low > high:
        raise CronError(f"beginning of range ({low}) beyond end of range ({high}): {text}")
    return range(low, high + 1, step), star and step == 1


def _number(text: str, names: tuple[str, ...], first: int = 0) -> int:
    if text.lower() in names:
        return names.index(text.lower()) + first
    if not text.isascii() or not text.isdecimal():
        raise CronError(f"failed to parse int from {text}")
    return int(text)
