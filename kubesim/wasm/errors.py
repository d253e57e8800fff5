"""What can be wrong with a module before it runs.

A module that cannot be loaded is the user's to repair, so its error is an ``InputError`` and names
the reason in one sentence. What a module does *while* it runs is never an exception: it is the
``Status`` of an ``Execution``.
"""

from __future__ import annotations

from kubesim.errors import InputError


class WasmError(InputError):
    """A module cannot be loaded, or is asked for something it does not have."""
