"""The colours: a dark theme, and the style of each tone."""

from __future__ import annotations

from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip
from textual.theme import Theme

from kubesim.tui.ink import Line, Tone

NIGHT = Theme(
    name="kubesim-night",
    primary="#5b9df5",
    secondary="#a78bfa",
    accent="#5b9df5",
    warning="#e0af4b",
    error="#f2706b",
    success="#5fbf7f",
    foreground="#c8d1dc",
    background="#0d1117",
    surface="#0d1117",
    panel="#161c25",
    dark=True,
    variables={
        "scrollbar": "#2a3442",
        "scrollbar-hover": "#3a4758",
        "scrollbar-active": "#5b9df5",
        "scrollbar-background": "#0d1117",
        "scrollbar-background-hover": "#0d1117",
        "scrollbar-background-active": "#0d1117",
        "scrollbar-corner-color": "#0d1117",
        "frame": "#2a3442",
        "frame-focus": "#41618c",
    },
)

STYLES: dict[Tone, Style] = {
    "text": Style(color="#c8d1dc"),
    "bold": Style(color="#eef2f7", bold=True),
    "dim": Style(color="#7d8896"),
    "faint": Style(color="#39434f"),
    "title": Style(color="#9db4d0", bold=True),
    "accent": Style(color="#5b9df5", bold=True),
    "key": Style(color="#5b9df5"),
    "ok": Style(color="#5fbf7f"),
    "warn": Style(color="#e0af4b"),
    "bad": Style(color="#f2706b"),
    "done": Style(color="#7d8896"),
    "starting": Style(color="#e8c877"),
    "container": Style(color="#4fb6c9"),
    "wasm": Style(color="#a78bfa"),
    "cursor": Style(color="#eef2f7", bgcolor="#27466f", bold=True),
}
SELECTED = Style(bgcolor="#1d2f49")
SELECTED_BLURRED = Style(bgcolor="#18202b")


def strip_of(line: Line, width: int, base: Style, *, left: int = 0) -> Strip:
    """A line on the screen: ``width`` columns of it from column ``left`` on."""
    segments = [Segment(text, base + STYLES[tone]) for text, tone in line if text]
    strip = Strip(segments)
    if left:
        strip = strip.crop(left, left + width)
    return strip.adjust_cell_length(width, base)
