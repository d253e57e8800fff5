"""Lines on the screen: a fixed bar of them, and a page of them to scroll through."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.geometry import Size
from textual.scroll_view import ScrollView
from textual.strip import Strip
from textual.widget import Widget
from typing_extensions import override

from kubesim.tui.ink import EMPTY, Line, width_of
from kubesim.tui.theme import strip_of


class LinesView(Widget):
    """A few lines that stand still: header, ticker, key hints."""

    def __init__(self, *, id: str) -> None:  # noqa: A002  # Textual's own name
        super().__init__(id=id)
        self.lines: tuple[Line, ...] = ()

    def show(self, lines: Sequence[Line]) -> None:
        """Show these lines."""
        new = tuple(lines)
        if new != self.lines:
            self.lines = new
            self.refresh()

    @override
    def render_line(self, y: int) -> Strip:
        """One line of the screen."""
        line = self.lines[y] if y < len(self.lines) else EMPTY
        return strip_of(line, self.size.width, self.rich_style)


class ScrollingLines(ScrollView, can_focus=True):
    """A page of lines: a description, a log, YAML, the node grid.

    When it stands at its end, new lines keep it there if it follows (a log does).
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("j,down", "scroll_down", show=False),
        Binding("k,up", "scroll_up", show=False),
        Binding("g,home", "scroll_home", show=False),
        Binding("G,end", "scroll_end", show=False),
        Binding("ctrl+f,pagedown", "page_down", show=False),
        Binding("ctrl+b,pageup", "page_up", show=False),
        Binding("ctrl+d", "half_page(1)", show=False),
        Binding("ctrl+u", "half_page(-1)", show=False),
    ]

    def __init__(self, *, id: str) -> None:  # noqa: A002  # Textual's own name
        super().__init__(id=id)
        self.lines: tuple[Line, ...] = ()

    def show(self, lines: Sequence[Line], *, follow: bool = False, fresh: bool = False) -> None:
        """Show these lines.

        Args:
            lines: The lines.
            follow: Whether to stay at the end when standing there.
            fresh: Whether this is another page than before: it begins at the top (or the end).
        """
        new = tuple(lines)
        if new == self.lines and not fresh:
            return
        at_end = self.scroll_offset.y >= self.max_scroll_y
        self.lines = new
        self.virtual_size = Size(max(map(width_of, new), default=0), len(new))
        if fresh and not follow:
            self.scroll_to(0, 0, animate=False)
        elif follow and (fresh or at_end):
            self.scroll_end(animate=False)
        self.refresh()

    @override
    def render_line(self, y: int) -> Strip:
        """One line of the screen."""
        left, top = self.scroll_offset
        index = top + y
        line = self.lines[index] if index < len(self.lines) else EMPTY
        return strip_of(line, self.size.width, self.rich_style, left=left)

    def action_half_page(self, direction: int) -> None:
        """Scroll by half of what is seen."""
        self.scroll_relative(y=direction * max(self.size.height // 2, 1), animate=False)
