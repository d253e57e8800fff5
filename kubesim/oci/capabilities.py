"""What a module needs from its host, told by what it imports.

Mirrors: the interfaces of WASI 0.1 (wasi_snapshot_preview1) and 0.2, and of fermyon:spin.
Departs: an import is a wish, not a use; most compilers import more than a program calls.
"""

from __future__ import annotations

from collections.abc import Iterable

PREVIEW_1 = "wasi_snapshot_preview1"

_PREVIEW_1_WORDS = (
    ("args_", "arguments"),
    ("environ_", "environment"),
    ("clock_", "clocks"),
    ("poll_", "clocks"),
    ("random_", "random"),
    ("path_", "filesystem"),
    ("fd_prestat", "filesystem"),
    ("fd_readdir", "filesystem"),
    ("sock_", "sockets"),
    ("fd_", "stdio"),
)
_INTERFACES = (
    ("wasi:cli/environment", "environment"),
    ("wasi:cli/std", "stdio"),
    ("wasi:cli/terminal", "stdio"),
    ("wasi:clocks/", "clocks"),
    ("wasi:random/", "random"),
    ("wasi:filesystem/", "filesystem"),
    ("wasi:sockets/", "sockets"),
    ("wasi:http/outgoing-handler", "outbound-http"),
    ("wasi:keyvalue/", "key-value"),
    ("wasi:config/", "variables"),
    ("fermyon:spin/http", "outbound-http"),
    ("fermyon:spin/config", "variables"),
    ("fermyon:spin/", ""),
    ("spin:", ""),
)
_NOTHING = ("wasi:io/", "wasi:cli/exit", "wasi:http/types", "fermyon:spin/http-types")


def capabilities_of(imports: Iterable[str]) -> tuple[str, ...]:
    """What the host must offer, as words, sorted; an import that has no word is named itself.

    Args:
        imports: ``module.name`` of a core module, interfaces of a component.
    """
    return tuple(sorted({word for name in imports if (word := _capability(name))}))


def _capability(name: str) -> str:
    module, _, function = name.partition(".")
    if module == PREVIEW_1:
        words = (word for prefix, word in _PREVIEW_1_WORDS if function.startswith(prefix))
        return next(words, "")
    interface = name.partition("@")[0]
    if interface.startswith(_NOTHING):
        return ""
    for prefix, word in _INTERFACES:
        if interface.startswith(prefix):
            # fermyon:spin/key-value and spin:key-value/... are their own words.
            rest = interface.removeprefix(prefix).removeprefix("inbound-").partition("/")[0]
            return word or rest.removesuffix("-types")
    return f"import {name}"
