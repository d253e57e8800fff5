"""Completion indexes as an API server takes them: ``0-3,5``, in order, below the completions.

Mirrors: pkg/apis/batch/validation (validateIndexesFormat).
"""

from __future__ import annotations


class IndexesError(ValueError):
    """Not a list of indexes; the message says why."""


def check_indexes(text: str, completions: int) -> int:
    """How many indexes a text names.

    Raises:
        IndexesError: If it is no such list, or not in order, or names one that there is not.
    """
    last: int | None = None
    total = 0
    for part in text.split(",") if text else ():
        first, end = _interval(part, completions)
        if last is not None and last >= first:
            raise IndexesError(f"non-increasing order, previous: {last}, current: {first}")
        total += end - first + 1
        last = end
    return total


def _interval(text: str, completions: int) -> tuple[int, int]:
    parts = text.split("-")
    if len(parts) > 2:
        raise IndexesError(
            f'the fragment "{text}" violates the requirement that an index interval can have '
            "at most two parts separated by '-'"
        )
    first, *rest = (_index(part, completions) for part in parts)
    if rest and first >= rest[0]:
        raise IndexesError(f"non-increasing order, previous: {first}, current: {rest[0]}")
    return first, rest[0] if rest else first


def _index(text: str, completions: int) -> int:
    if not text.isascii() or not text.isdecimal():
        raise IndexesError(f'cannot convert string to integer for index: "{text}"')
    if int(text) >= completions:
        raise IndexesError(f'too large index: "{text}"')
    return int(text)
