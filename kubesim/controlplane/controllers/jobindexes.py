"""Sets of completion indexes, written as ``0-3,5``. Pure functions.

Mirrors: pkg/controller/job/indexed_job_utils.go (orderedIntervals).
Departs: a set is a sorted tuple of numbers instead of a list of intervals.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import count, islice

Indexes = tuple[int, ...]


def parse_indexes(text: str | None, completions: int) -> Indexes:
    """The numbers below ``completions`` that a text such as ``0-3,5`` names."""
    found: set[int] = set()
    for part in (text or "").split(","):
        first, _, last = part.partition("-")
        if first.isdecimal() and (not last or last.isdecimal()):
            found.update(range(int(first), min(int(last or first) + 1, completions)))
    return tuple(sorted(found))


def format_indexes(indexes: Indexes) -> str:
    """The text: intervals of three and more are written with a dash."""
    intervals: list[list[int]] = []
    for index in indexes:
        if intervals and intervals[-1][1] == index - 1:
            intervals[-1][1] = index
        else:
            intervals.append([index, index])
    parts: list[str] = []
    for first, last in intervals:
        if first == last:
            parts.append(str(first))
        else:
            parts.append(f"{first},{last}" if last == first + 1 else f"{first}-{last}")
    return ",".join(parts)


def merged(one: Iterable[int], other: Iterable[int]) -> Indexes:
    """Both together, in order."""
    return tuple(sorted({*one, *other}))


def first_free(taken: Iterable[int], wanted: int, completions: int) -> Indexes:
    """The first ``wanted`` numbers below ``completions`` that are not taken."""
    occupied = frozenset(taken)
    free = (index for index in islice(count(), completions) if index not in occupied)
    return tuple(islice(free, wanted))
