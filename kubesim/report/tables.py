"""How tables of the report look."""

from __future__ import annotations

from typing import Any

from rich.table import Table as RichTable


def table(*headers: str) -> RichTable:
    """A plain table; ``>`` before a header aligns it to the right, ``~`` lets its cells wrap."""
    made = RichTable(box=None, header_style="dim", padding=(0, 2, 0, 0), pad_edge=False)
    for header in headers:
        right = header.startswith(">")
        options: dict[str, Any] = {"justify": "right" if right else "left"}
        keep = bool(header) and not header.startswith("~")
        made.add_column(header.lstrip(">~"), no_wrap=keep, **options)
    return made


def mib(size_bytes: int) -> str:
    """``250Mi``."""
    return f"{size_bytes / (1 << 20):.0f}Mi"
