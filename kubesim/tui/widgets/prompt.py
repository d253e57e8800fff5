"""The prompt: ``:`` for commands, ``/`` for the filter. It is there only while it is used."""

from __future__ import annotations

from typing import Literal

from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.message import Message
from textual.suggester import SuggestFromList
from textual.widgets import Input, Static
from typing_extensions import override

from kubesim.tui.views import view_words

Mode = Literal["command", "filter"]
SIGNS: dict[Mode, str] = {"command": ":", "filter": "/"}
WORDS = (*view_words(), "to", "speed", "verdict", "help", "quit")


class Prompt(Horizontal):
    """One line to type into."""

    class Typed(Message):
        """The text of the filter changed."""

        def __init__(self, text: str) -> None:
            super().__init__()
            self.text = text

    class Entered(Message):
        """A command or a filter was entered."""

        def __init__(self, mode: Mode, text: str) -> None:
            super().__init__()
            self.mode = mode
            self.text = text

    def __init__(self, *, id: str) -> None:  # noqa: A002  # Textual's own name
        super().__init__(id=id)
        self.mode: Mode = "command"
        self.display = False

    @override
    def compose(self) -> ComposeResult:
        """A sign and a field."""
        yield Static(":", id="sign", markup=False)
        yield Input(id="field", compact=True, select_on_focus=False)

    @property
    def field(self) -> Input:
        """The field."""
        return self.query_one("#field", Input)

    def open(self, mode: Mode, text: str = "") -> None:
        """Begin to type."""
        self.mode = mode
        self.query_one("#sign", Static).update(SIGNS[mode])
        field = self.field
        field.suggester = SuggestFromList(WORDS) if mode == "command" else None
        with field.prevent(Input.Changed):
            field.value = text
        field.cursor_position = len(text)
        self.display = True
        field.focus()

    def close(self) -> None:
        """It is not used any more."""
        self.display = False

    def on_input_changed(self, event: Input.Changed) -> None:
        """A filter works while it is typed."""
        event.stop()
        if self.mode == "filter" and self.display:
            self.post_message(self.Typed(event.value))

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Enter."""
        event.stop()
        self.close()
        self.post_message(self.Entered(self.mode, event.value.strip()))
