"""Tables before they are on a screen: columns, rows, which of them match, and how they fit.

A sheet knows nothing of a terminal. ``matching`` is the ``/`` filter, ``layout`` decides which columns a
width can hold: less telling ones go first, and what may be cut is cut.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from rich.cells import cell_len

from kubesim.tui.ink import Span
from kubesim.tui.scene import Ref

GAP = 2
MOST_SPARE = 6


@dataclass(frozen=True, slots=True)
class Column:
    """One column.

    Attributes:
        name: Its title.
        right: Whether it is flush right.
        rank: In which order it gives way when there is no room; 0 never does.
        least: To how many columns its texts may be cut; 0 when they may not.
    """

    name: str
    right: bool = False
    rank: int = 0
    least: int = 0


@dataclass(frozen=True, slots=True)
class Row:
    """One row: the object that it stands for, and a toned text for each column."""

    ref: Ref
    cells: tuple[Span, ...]


@dataclass(frozen=True, slots=True)
class Sheet:
    """A table."""

    title: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]


def matching(sheet: Sheet, pattern: str) -> Sheet:
    """The rows that a filter leaves: a regular expression, ``!`` before it for those without.

    A pattern that is not a regular expression (yet: it is being typed) is taken literally.
    """
    inverse = pattern.startswith("!")
    wanted = pattern[1:] if inverse else pattern
    if not wanted:
        return sheet
    try:
        search = re.compile(wanted, re.IGNORECASE).search
    except re.error:
        search = re.compile(re.escape(wanted), re.IGNORECASE).search
    rows = tuple(
        row
        for row in sheet.rows
        if (search(" ".join(text for text, _ in row.cells)) is None) is inverse
    )
    return replace(sheet, rows=rows)


def layout(sheet: Sheet, width: int) -> tuple[tuple[int, int], ...]:
    """Which columns to show, and how wide: pairs of index and width, gaps not included."""
    widths = [cell_len(column.name) for column in sheet.columns]
    for row in sheet.rows:
        for index, (text, _) in enumerate(row.cells):
            widths[index] = max(widths[index], cell_len(text))
    shown = list(range(len(widths)))
    while len(shown) > 1 and _least(sheet, shown, widths) > width:
        last = max(shown, key=lambda index: (sheet.columns[index].rank, index))
        if sheet.columns[last].rank == 0:
            break
        shown.remove(last)
    _cut(sheet, shown, widths, width)
    spare = width - _total(shown, widths)
    extra = min(max(spare, 0) // len(shown), MOST_SPARE)
    return tuple((index, widths[index] + extra) for index in shown)


def _total(shown: list[int], widths: list[int]) -> int:
    return sum(widths[index] for index in shown) + GAP * (len(shown) - 1)


def _least(sheet: Sheet, shown: list[int], widths: list[int]) -> int:
    """How narrow these columns can be."""
    cut = [min(width, sheet.columns[index].least or width) for index, width in enumerate(widths)]
    return _total(shown, cut)


def _cut(sheet: Sheet, shown: list[int], widths: list[int], width: int) -> None:
    """Take what is too much from the columns that may be cut, the widest first."""
    flexible = [index for index in shown if sheet.columns[index].least]
    for index in sorted(flexible, key=lambda index: -widths[index]):
        excess = max(_total(shown, widths) - width, 0)
        widths[index] = max(widths[index] - excess, min(widths[index], sheet.columns[index].least))
