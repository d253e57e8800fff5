"""An object as YAML, lightly coloured."""

from __future__ import annotations

import re

from kubesim.api.metav1 import KubeObject
from kubesim.manifests import dump
from kubesim.tui.ink import Line, printable

_ENTRY = re.compile(r"^(\s*(?:- )*)([\w./~-]+|'[^']*'):(\s.*)?$")


def yaml_lines(obj: KubeObject) -> list[Line]:
    """What ``kubectl get -o yaml`` would print."""
    return [_line(text) for text in dump(obj).splitlines()]


def _line(text: str) -> Line:
    text = printable(text)
    entry = _ENTRY.match(text)
    if entry is None:
        return ((text, "text"),)
    indent, name, value = entry.groups()
    return ((indent, "faint"), (name, "container"), (":", "dim"), (value or "", "text"))
