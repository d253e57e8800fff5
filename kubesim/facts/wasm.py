"""What was executed for real."""

from __future__ import annotations

from dataclasses import dataclass

from kubesim.sim.journal import Fact


@dataclass(frozen=True, slots=True, kw_only=True)
class ModuleLoaded(Fact):
    """A node has a module ready to run: compiled there, or its compiled form loaded again."""

    node: str
    runtime: str
    digest: str
    size_bytes: int
    compiled: bool
    took_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class WasmExecuted(Fact):
    """A command module ran to its end, its limit or the end of the run."""

    namespace: str
    name: str
    uid: str
    container: str
    digest: str
    status: str
    exit_code: int
    fuel: int
    host_calls: int
    elapsed_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessDenied(Fact):
    """A module tried something that it was not granted; once for each such thing and container.

    Attributes:
        function: The host's function, such as ``path_open`` or ``outgoing-handler.handle``.
        target: What it was about: a path, a host, a store.
        errno: The name of the error behind what the guest got.
    """

    namespace: str
    name: str
    uid: str
    container: str
    function: str
    target: str
    errno: str
