"""The types of resources by number: what the engine compares when a guest hands one over.

A name stands for one type in every interface and version that uses it; the aliases of wasi:http
(``headers``, ``trailers``, ``io-error``) are the type that they stand for.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Functions = dict[str, Callable[..., Any]]
"""The functions of an interface by name: they take the guest and lifted arguments."""

_ALIASES = {"io-error": "error", "headers": "fields", "trailers": "fields"}

_NAMES = (
    *("error", "pollable", "input-stream", "output-stream"),
    *("descriptor", "directory-entry-stream", "terminal-input", "terminal-output"),
    *("network", "tcp-socket", "udp-socket", "incoming-datagram-stream"),
    *("outgoing-datagram-stream", "resolve-address-stream"),
    *("fields", "incoming-request", "outgoing-request", "request-options", "response-outparam"),
    *("incoming-response", "incoming-body", "future-trailers", "outgoing-response"),
    *("outgoing-body", "future-incoming-response"),
    *("store", "connection"),
)
_NUMBERS = {name: number for number, name in enumerate(_NAMES, start=1)}


def resource_number(name: str) -> int:
    """The number of a resource type; a new one for a name that is not known."""
    name = _ALIASES.get(name, name)
    return _NUMBERS.setdefault(name, len(_NUMBERS) + 1)
