"""What a Spin application keeps and may reach; one set of it a container.

In Kubernetes the default stores are files in a container's own layer: replicas do not share them
and a restart empties them. So the shim makes a ``Stores`` for each container and drops it with it.

A guest that calls another service needs virtual time to pass before it has the answer, but it runs
in one go. So the first run ends at the call (``Awaiting``), what it stored is taken back, and when
the answer is there the guest runs again from the start with it. A deterministic guest cannot tell.

Mirrors: Spin 3, crates/{key-value-spin,sqlite-inproc,expressions,outbound-networking-config}.
Departs: writes of a request that waits for another service are seen when it has ended; such a
    request runs once more for each call it makes, at no cost in virtual time.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from kubesim.wasm.database import Database
from kubesim.wasm.values import Case
from kubesim.wire.http import HttpRequest, HttpResponse

VALUE_BYTES_MAX = 1024 * 1024
STORE_BYTES_MAX = 64 * 1024 * 1024

CONNECTION_REFUSED = Case("connection-refused")

_HOST_PATTERN = re.compile(r"(?:([a-z*]+)://)?([^/:]+)(?::(\*|\d+(?:\.\.\d+)?))?/?")
_SOCKET_SCHEMES = frozenset({"*", "tcp"})
_DEFAULT_PORTS = {"http": 80, "https": 443}


class Awaiting(Exception):  # noqa: N818 - not an error: somebody has to be asked first
    """The guest calls another service, and its answer is not known yet."""

    def __init__(self, request: HttpRequest, scheme: str) -> None:
        super().__init__(request.host)
        self.request = request
        self.scheme = scheme


@dataclass(frozen=True, slots=True)
class Reply:
    """What another service answered.

    Attributes:
        response: The response; ``None`` when nobody answered.
        took_ns: How long it took.
        error: The error code that the guest sees when nobody answered.
    """

    response: HttpResponse | None
    took_ns: int = 0
    error: Case = CONNECTION_REFUSED


Outbound = Callable[[HttpRequest, str], Reply]
"""Asks another service: the request and its scheme. May raise ``Awaiting``."""


class Stores:
    """The key-value stores and databases of one container.

    Args:
        database_folder: Where the databases are kept as files; in memory by default.
    """

    def __init__(self, *, database_folder: str = "") -> None:
        self._folder = database_folder
        self._pairs: dict[str, dict[str, bytes]] = {}
        self._databases: dict[str, Database] = {}
        self._undo: list[tuple[str, str, bytes | None]] = []
        self.connected: set[str] = set()
        """Redis servers that this process has had a connection to."""
        self.names: dict[str, str] = {}
        """The name behind each address that was looked up."""
        self._bytes = 0

    def get(self, label: str, key: str) -> bytes | None:
        """The value of a key."""
        return self._pairs.get(label, {}).get(key)

    def keys(self, label: str) -> list[str]:
        """All keys of a store, sorted."""
        return sorted(self._pairs.get(label, {}))

    def put(self, label: str, key: str, value: bytes | None) -> bool:
        """Set a value, or with ``None`` take it away; false when the store is full."""
        pairs = self._pairs.setdefault(label, {})
        before = pairs.get(key)
        grows = (0 if value is None else len(value) + len(key)) - (
            0 if before is None else len(before) + len(key)
        )
        if grows > 0 and self._bytes + grows > STORE_BYTES_MAX:
            return False
        self._bytes += grows
        self._undo.append((label, key, before))
        if value is None:
            pairs.pop(key, None)
        else:
            pairs[key] = value
        return True

    def database(self, name: str) -> Database:
        """A database by its name; it comes into being when it is first asked for."""
        found = self._databases.get(name)
        if found is None:
            path = f"{self._folder}/{name}.db" if self._folder else ":memory:"
            found = self._databases[name] = Database(path)
        found.begin()
        return found

    def restore(self, label: str, pairs: dict[str, bytes]) -> None:
        """Begin with what a store had before."""
        self._pairs[label] = pairs
        self._bytes += sum(len(key) + len(value) for key, value in pairs.items())

    def restore_database(self, name: str, content: bytes) -> None:
        """Begin with what a database had before."""
        self._databases[name] = Database(":memory:", content=content)

    def dump_database(self, name: str) -> bytes | None:
        """A database as a file; ``None`` when nobody asked for it."""
        found = self._databases.get(name)
        return None if found is None else found.dump()

    def commit(self) -> None:
        """Keep what the last run wrote."""
        self._undo.clear()
        for database in self._databases.values():
            database.end(keep=True)

    def rollback(self) -> None:
        """Take back what the last run wrote."""
        for label, key, before in reversed(self._undo):
            self.put(label, key, before)
        self._undo.clear()
        for database in self._databases.values():
            database.end(keep=False)

    def close(self) -> None:
        """Let go of the databases."""
        for database in self._databases.values():
            database.close()
        self._databases.clear()


@dataclass(frozen=True, slots=True, kw_only=True)
class SpinContext:
    """What a Spin application is granted; nothing by default.

    Attributes:
        stores: Where its data is.
        key_value_stores: Labels of the stores it may open.
        sqlite_databases: Names of the databases it may open.
        variables: Its configuration variables.
        allowed_outbound_hosts: Whom it may call, as ``scheme://host:port`` with wildcards.
        redis_stores: The host and port of each label whose store is a Redis server.
        unreachable: What opening a store says that is somewhere outside of the cluster, by label.
        unreachable_databases: The same of databases, by name.
        outbound: Calls another service; without it nobody answers.
    """

    stores: Stores = field(default_factory=Stores)
    key_value_stores: tuple[str, ...] = ()
    sqlite_databases: tuple[str, ...] = ()
    variables: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    allowed_outbound_hosts: tuple[str, ...] = ()
    redis_stores: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    unreachable: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    unreachable_databases: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    outbound: Outbound | None = None

    @property
    def grants(self) -> tuple[object, ...]:
        """Everything in it that is a value: what a run can see without touching a store."""
        return (
            self.key_value_stores,
            self.sqlite_databases,
            tuple(sorted(self.variables.items())),
            self.allowed_outbound_hosts,
            tuple(sorted(self.redis_stores.items())),
            tuple(sorted(self.unreachable.items())),
            tuple(sorted(self.unreachable_databases.items())),
        )

    @property
    def has_sockets(self) -> bool:
        """Whether any host may be connected to by something else than HTTP."""
        return any(_scheme(host) in _SOCKET_SCHEMES for host in self.allowed_outbound_hosts)

    def allows_name(self, name: str) -> bool:
        """Whether a host may be connected to, at whatever port."""
        return any(
            _scheme(pattern) in _SOCKET_SCHEMES and _is_host(pattern, name.lower())
            for pattern in self.allowed_outbound_hosts
        )

    def allows(self, scheme: str, authority: str) -> bool:
        """Whether the application may call a host."""
        host, _, port = authority.partition(":")
        number = int(port) if port.isdigit() else _DEFAULT_PORTS.get(scheme, 0)
        return any(
            _matches(pattern, scheme, host.lower(), number)
            for pattern in self.allowed_outbound_hosts
        )


NO_SPIN = SpinContext()


def _scheme(pattern: str) -> str:
    return pattern.lower().partition("://")[0] if "://" in pattern else "*"


def _is_host(pattern: str, host: str) -> bool:
    """Whether an entry's host is, or stands for, this one."""
    found = _HOST_PATTERN.fullmatch(pattern.lower())
    if found is None:
        return False
    wanted = found[2]
    return host.endswith(wanted[1:]) if wanted.startswith("*.") else wanted in {"*", host}


def _matches(pattern: str, scheme: str, host: str, port: int) -> bool:
    """Whether an entry of ``allowed_outbound_hosts`` lets a call through."""
    found = _HOST_PATTERN.fullmatch(pattern.lower())
    if found is None:
        return False
    wanted_scheme, wanted_port = found[1] or "*", found[3]
    if wanted_scheme not in {"*", scheme}:
        return False
    if not _is_host(pattern, host):
        return False
    if wanted_port == "*":
        return True
    first, _, last = (wanted_port or str(_DEFAULT_PORTS.get(scheme, port))).partition("..")
    return port in range(int(first), int(last or int(first) + 1))
