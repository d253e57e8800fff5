"""Toned text: what the pure part of the TUI makes and the widgets show.

A line is a tuple of spans, a span a text and a tone. A tone says what a text means (``ok``, ``dim``,
``wasm``), not which colour it has; colours are the theme's. So everything that decides what is on
the screen is a function of values to values, and a test compares tuples.

Texts of the simulated world (log lines, messages) pass ``printable`` first: a module that prints
escape sequences must not write on the player's terminal.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Sequence
from typing import Literal

from rich.cells import cell_len, set_cell_size

Tone = Literal[
    "text", "bold", "dim", "faint", "title", "accent", "key", "ok", "warn", "bad", "done",
    "starting", "container", "wasm", "cursor",
]  # fmt: skip
Span = tuple[str, Tone]
Line = tuple[Span, ...]

ELLIPSIS = "…"
EIGHTHS = " ▏▎▍▌▋▊▉█"
HEIGHTHS = " ▁▂▃▄▅▆▇█"
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]")

EMPTY: Line = ()
FIELD_WIDTH = 16


def printable(text: str) -> str:
    """The text on one line, without anything that a terminal would obey."""
    return _UNPRINTABLE.sub("\N{REPLACEMENT CHARACTER}", text.expandtabs(4))


def plain(line: Iterable[Span]) -> str:
    """A line's text."""
    return "".join(text for text, _ in line)


def width_of(line: Iterable[Span]) -> int:
    """How many columns of the terminal a line takes."""
    return sum(cell_len(text) for text, _ in line)


def fit(text: str, width: int, *, right: bool = False) -> str:
    """The text in exactly ``width`` columns: filled up with spaces, or cut with an ellipsis."""
    if width <= 0:
        return ""
    length = cell_len(text)
    if length > width:
        return set_cell_size(text, width - 1) + ELLIPSIS
    fill = " " * (width - length)
    return fill + text if right else text + fill


def crop(line: Iterable[Span], width: int) -> Line:
    """As much of a line as ``width`` columns hold; the cut is marked."""
    spans = tuple(line)
    if width_of(spans) <= width:
        return spans
    kept: list[Span] = []
    left = width
    for text, tone in spans:
        length = cell_len(text)
        if length >= left:
            kept.append((fit(f"{text} ", left) if length == left else fit(text, left), tone))
            break
        kept.append((text, tone))
        left -= length
    return tuple(kept)


def spread(left: Line, right: Line, width: int) -> Line:
    """Two lines in one: left and right of it, and as much room between them as there is."""
    room = width - width_of(left) - width_of(right)
    if room < 1:
        return crop((*left, ("  ", "text"), *right), width)
    return (*left, (" " * room, "text"), *right)


def wrap(text: str, width: int, tone: Tone = "text", *, indent: int = 0) -> list[Line]:
    """A text in lines of at most ``width`` columns; all but the first are indented."""
    parts = textwrap.wrap(printable(text), max(width - indent, 16), break_on_hyphens=False)
    return [
        ((part, tone),) if number == 0 else ((" " * indent, "text"), (part, tone))
        for number, part in enumerate(parts or [""])
    ]


def bar(share: float, width: int) -> str:
    """A horizontal bar of ``width`` columns, exact to an eighth of one."""
    eighths = round(min(max(share, 0.0), 1.0) * width * 8)
    if share > 0 and eighths == 0:
        eighths = 1  # something is not nothing
    full, rest = divmod(eighths, 8)
    return ("█" * full + (EIGHTHS[rest] if rest else "")).ljust(width)


def meter(share: float, width: int, tone: Tone) -> Line:
    """A bar with its empty part dotted."""
    used = bar(share, width).rstrip(" ")
    return ((used, tone), ("·" * (width - len(used)), "faint"))


def column(share: float) -> str:
    """One column of a bar chart: how full, in eighths of a line's height."""
    if share <= 0:
        return HEIGHTHS[0]
    return HEIGHTHS[min(max(round(share * 8), 1), 8)]


def field(name: str, value: str | Sequence[Span]) -> Line:
    """One ``Name:  value`` line of a description."""
    head: Span = (f"{name}:".ljust(FIELD_WIDTH), "dim")
    if isinstance(value, str):
        return (head, (printable(value), "text"))
    return (head, *value)


def heading(text: str, detail: str = "") -> Line:
    """The title of a section."""
    return ((text, "title"), (f"  {detail}" if detail else "", "dim"))
