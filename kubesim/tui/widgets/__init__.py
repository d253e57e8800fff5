"""Widgets: they show lines and sheets, and decide nothing."""

from kubesim.tui.widgets.browser import Browser
from kubesim.tui.widgets.lines import LinesView, ScrollingLines
from kubesim.tui.widgets.prompt import Prompt
from kubesim.tui.widgets.table import SheetTable

__all__ = ["Browser", "LinesView", "Prompt", "ScrollingLines", "SheetTable"]
