"""Where the data that is shipped with kubesim lies: ``models/`` and ``scenarios/``.

In an installed wheel they are inside the package; in a checkout they stand beside it.
"""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def share_path(name: str) -> Path:
    """The folder ``models`` or ``scenarios``."""
    installed = _PACKAGE / "_share" / name
    return installed if installed.is_dir() else _PACKAGE.parent / name
