"""A page over the main screen; any key that is not for scrolling takes it away."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import ModalScreen
from typing_extensions import override

from kubesim.tui.ink import Line, width_of
from kubesim.tui.widgets import ScrollingLines

FRAME = 8  # border, padding and scroll bar


class Overlay(ModalScreen[None]):
    """Some lines in a frame in the middle.

    Args:
        title: The frame's title.
        lines: The lines.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,enter,space,v,question_mark,f1", "dismiss", show=False),
        Binding("q,ctrl+c", "app.quit", show=False),
    ]

    def __init__(self, title: str, lines: Sequence[Line]) -> None:
        super().__init__()
        self._title = title
        self._lines = tuple(lines)

    @override
    def compose(self) -> ComposeResult:
        """One page."""
        yield ScrollingLines(id="overlay")

    def on_mount(self) -> None:
        """Make the frame as large as its lines."""
        page = self.query_one(ScrollingLines)
        page.border_title = self._title
        page.border_subtitle = "esc closes"
        page.styles.width = max(map(width_of, self._lines), default=20) + FRAME
        page.styles.height = len(self._lines) + 4
        page.show(self._lines, fresh=True)
        page.focus()
