"""The main table: a sheet with a cursor.

Only the lines on the screen are drawn, so seven thousand pods are as quick as seven. The cursor
stays on its object, wherever that moves.
"""

from __future__ import annotations

from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip
from typing_extensions import override

from kubesim.tui.ink import EMPTY, Line, Span, fit
from kubesim.tui.scene import Ref
from kubesim.tui.sheet import GAP, Row, Sheet, layout
from kubesim.tui.theme import SELECTED, SELECTED_BLURRED, strip_of

NOTHING = Sheet("", (), ())
HEAD = 1  # the column titles


class SheetTable(ScrollView, can_focus=True):
    """A sheet on the screen."""

    class Opened(Message):
        """A row was double-clicked."""

    class Moved(Message):
        """The cursor is on another row."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("j,down", "move(1)", show=False),
        Binding("k,up", "move(-1)", show=False),
        Binding("ctrl+d", "page(0.5)", show=False),
        Binding("ctrl+u", "page(-0.5)", show=False),
        Binding("ctrl+f,pagedown", "page(1)", show=False),
        Binding("ctrl+b,pageup", "page(-1)", show=False),
        Binding("g,home", "edge(False)", show=False),
        Binding("G,end", "edge(True)", show=False),
    ]

    def __init__(self, *, id: str) -> None:  # noqa: A002  # Textual's own name
        super().__init__(id=id)
        self.sheet = NOTHING
        self.cursor = 0
        self._columns: tuple[tuple[int, int], ...] = ()

    @property
    def selected(self) -> Ref | None:
        """The object under the cursor."""
        rows = self.sheet.rows
        return rows[self.cursor].ref if self.cursor < len(rows) else None

    def show(self, sheet: Sheet) -> None:
        """Show this sheet; the cursor stays on its object if that is still there."""
        same = sheet.title == self.sheet.title
        if same and sheet.rows == self.sheet.rows:
            return
        before, was = self.selected, self.cursor
        self.sheet = sheet
        self.cursor = self._position(before) if same else 0
        self._lay_out()
        if not same:
            self.scroll_to(0, 0, animate=False)
        elif self.cursor != was:
            self._keep_in_sight()
        self.refresh()
        if self.selected != before:
            self.post_message(self.Moved())

    def _position(self, ref: Ref | None) -> int:
        rows = self.sheet.rows
        at = min(self.cursor, max(len(rows) - 1, 0))
        # Events and their like have many rows of one object: the nearest one is meant.
        if ref is None or not rows or rows[at].ref == ref:
            return at
        return next((index for index, row in enumerate(rows) if row.ref == ref), at)

    def _lay_out(self) -> None:
        if self.sheet.columns:
            self._columns = layout(self.sheet, max(self._room - 2, 1))
        self.virtual_size = Size(self._room, len(self.sheet.rows) + HEAD)

    @property
    def _room(self) -> int:
        # The scroll bar is there or not: the columns must not jump when it comes.
        return self.size.width or 80

    @override
    def render_line(self, y: int) -> Strip:
        """One line of the screen: the titles on top, then the rows."""
        width = self.size.width
        if y == 0:
            return strip_of(self._titles(), width, self.rich_style)
        index = self.scroll_offset.y + y - HEAD
        rows = self.sheet.rows
        if index >= len(rows):
            nothing: Line = ((" nothing here", "dim"),) if not rows and y == 1 else EMPTY
            return strip_of(nothing, width, self.rich_style)
        style = self.rich_style
        if index == self.cursor:
            style += SELECTED if self.has_focus else SELECTED_BLURRED
        return strip_of(self._row_line(rows[index]), width, style)

    def _titles(self) -> Line:
        columns = self.sheet.columns
        titles = (
            fit(columns[index].name, width, right=columns[index].right)
            for index, width in self._columns
        )
        return ((f" {(' ' * GAP).join(titles)}", "title"),)

    def _row_line(self, row: Row) -> Line:
        columns = self.sheet.columns
        spans: list[Span] = [(" ", "text")]
        for index, width in self._columns:
            text, tone = row.cells[index]
            spans.append((fit(text, width, right=columns[index].right), tone))
            spans.append((" " * GAP, "text"))
        return tuple(spans)

    def on_resize(self) -> None:
        """The terminal has another size."""
        self._lay_out()
        self._keep_in_sight()
        self.refresh()

    def on_focus(self) -> None:
        """The cursor's colour says whether keys go here."""
        self.refresh()

    def on_blur(self) -> None:
        """The cursor's colour says whether keys go here."""
        self.refresh()

    def on_click(self, event: events.Click) -> None:
        """A click moves the cursor, a double click opens."""
        index = self.scroll_offset.y + event.y - HEAD
        if event.y >= HEAD and index < len(self.sheet.rows):
            self._move_to(index)
            if event.chain == 2:
                self.post_message(self.Opened())

    def action_move(self, by: int) -> None:
        """Move the cursor by rows."""
        self._move_to(self.cursor + by)

    def action_page(self, pages: float) -> None:
        """Move the cursor by pages."""
        self._move_to(self.cursor + round(pages * max(self.size.height - HEAD, 1)))

    def action_edge(self, end: bool) -> None:
        """Move the cursor to the first or the last row."""
        self._move_to(len(self.sheet.rows) - 1 if end else 0)

    def _move_to(self, index: int) -> None:
        self.cursor = min(max(index, 0), max(len(self.sheet.rows) - 1, 0))
        self._keep_in_sight()
        self.refresh()
        self.post_message(self.Moved())

    def _keep_in_sight(self) -> None:
        # The titles cover the first line of what is seen, so the line above must be in sight, too.
        self.scroll_to_region(
            Region(0, self.cursor, 1, 1 + HEAD), animate=False, force=True, x_axis=False
        )
