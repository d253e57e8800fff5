"""Where the data that is shipped with kubesim lies: ``models/``, ``scenarios/`` and Wasm modules.

In an installed wheel they are inside the package; in a checkout they stand beside it, the modules
that benchmarks execute among the tests, which run the same ones.
"""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent
_IN_CHECKOUT = {"modules": "tests/fixtures/wasm"}


def share_path(name: str) -> Path:
    """The folder ``models``, ``scenarios`` or ``modules``."""
    installed = _PACKAGE / "_share" / name
    return installed if installed.is_dir() else _PACKAGE.parent / _IN_CHECKOUT.get(name, name)
