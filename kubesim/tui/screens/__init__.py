"""What lies over the main screen: the help, and the verdict at the end."""

from kubesim.tui.screens.overlay import Overlay
from kubesim.tui.screens.pages import help_lines, verdict_lines

__all__ = ["Overlay", "help_lines", "verdict_lines"]
