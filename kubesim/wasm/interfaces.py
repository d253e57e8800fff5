"""The interfaces that a component may import, by name without version.

Any 0.2.x of WASI and any 2.x of fermyon:spin is served, since a component brings the types along
that it was built against. A function of these interfaces that is not here, and every function of
``STUBS``, can be imported and ends the run when it is called: SDKs import whole worlds of which a
program uses a corner. Any other interface is an error when the component is loaded.

Mirrors: wasi@0.2.12, fermyon:spin@2.0.0.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from kubesim.wasm import spin
from kubesim.wasm.wasip2 import cli, clocks, filesystem, http, io, sockets
from kubesim.wasm.wasip2.resources import resource_number

__all__ = ["COMPONENT_ABI_VERSION", "Interface", "interface", "resource_number"]

# Part of every key under which a result is remembered: raise it when an answer changes.
COMPONENT_ABI_VERSION = 2

_SERVED_VERSION = re.compile(r"wasi:[^@]+@0\.2\.\d+|fermyon:spin/[^@]+@2\.\d+\.\d+")
_STUB_VERSION = re.compile(r"(?:wasi|fermyon|spin):[^@]+@(?!0\.3)\S+")


@dataclass(frozen=True, slots=True)
class Interface:
    """An interface of the host.

    Attributes:
        name: Its name without version.
        functions: Its functions: they take the guest and lifted arguments.
    """

    name: str
    functions: Mapping[str, Callable[..., Any]]


FUNCTIONS: dict[str, Mapping[str, Callable[..., Any]]] = {
    "wasi:io/error": io.ERROR,
    "wasi:io/poll": io.POLL,
    "wasi:io/streams": io.STREAMS,
    "wasi:clocks/monotonic-clock": clocks.MONOTONIC_CLOCK,
    "wasi:clocks/wall-clock": clocks.WALL_CLOCK,
    "wasi:clocks/timezone": {},
    "wasi:random/random": clocks.SECURE_RANDOM,
    "wasi:random/insecure": clocks.INSECURE_RANDOM,
    "wasi:random/insecure-seed": clocks.INSECURE_SEED,
    "wasi:cli/environment": cli.ENVIRONMENT,
    "wasi:cli/exit": cli.EXIT,
    "wasi:cli/stdin": cli.STDIN,
    "wasi:cli/stdout": cli.STDOUT,
    "wasi:cli/stderr": cli.STDERR,
    "wasi:cli/terminal-input": {},
    "wasi:cli/terminal-output": {},
    "wasi:cli/terminal-stdin": cli.TERMINAL_STDIN,
    "wasi:cli/terminal-stdout": cli.TERMINAL_STDOUT,
    "wasi:cli/terminal-stderr": cli.TERMINAL_STDERR,
    "wasi:filesystem/types": filesystem.TYPES,
    "wasi:filesystem/preopens": filesystem.PREOPENS,
    "wasi:sockets/network": {},
    "wasi:sockets/instance-network": sockets.INSTANCE_NETWORK,
    "wasi:sockets/tcp": sockets.TCP,
    "wasi:sockets/tcp-create-socket": sockets.TCP_CREATE,
    "wasi:sockets/udp": {},
    "wasi:sockets/udp-create-socket": sockets.UDP_CREATE,
    "wasi:sockets/ip-name-lookup": sockets.NAME_LOOKUP,
    "wasi:http/types": http.TYPES,
    "wasi:http/outgoing-handler": http.OUTGOING_HANDLER,
    "fermyon:spin/key-value": spin.KEY_VALUE,
    "fermyon:spin/sqlite": spin.SQLITE,
    "fermyon:spin/variables": spin.VARIABLES,
}

# What Spin's SDKs import whether the program uses it or not.
STUBS = frozenset(
    {f"fermyon:spin/{name}" for name in ("llm", "mqtt", "mysql", "postgres", "rdbms-types")}
    | {"fermyon:spin/redis", "fermyon:spin/redis-types", "fermyon:spin/http"}
    | {"fermyon:spin/http-types", "spin:postgres/postgres", "spin:sqlite/sqlite"}
    | {"wasi:config/store", "wasi:keyvalue/store", "wasi:keyvalue/atomics"}
    | {"wasi:keyvalue/batch"}
)


def interface(imported: str) -> Interface | None:
    """The interface behind an import; ``None`` when nobody offers it."""
    name, _, _ = imported.partition("@")
    if name in FUNCTIONS and _SERVED_VERSION.fullmatch(imported):
        return Interface(name, FUNCTIONS[name])
    if name in STUBS and _STUB_VERSION.fullmatch(imported):
        return Interface(name, {})
    return None
