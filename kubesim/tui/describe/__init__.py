"""Descriptions: everything about one object as lines, in the spirit of ``kubectl describe``.

One file a kind; what kubectl cannot know stands with it: the phases of a pod's start as a
waterfall, what became of a Service's requests.
"""

from kubesim.tui.describe.describe import describe
from kubesim.tui.describe.log import log_lines
from kubesim.tui.describe.text import yaml_lines

__all__ = ["describe", "log_lines", "yaml_lines"]
