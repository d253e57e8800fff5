"""fermyon:spin@2: key-value, sqlite and variables, as a guest calls them.

Where a store's data is, the runtime configuration says: in the container, or in a Redis server
(``redis``); what is somewhere outside of the cluster is not to be reached.

Mirrors: Spin 3, wit/deps/spin@2.0.0 {key-value,sqlite,variables}.wit; crates/factor-*.
Departs: keys are listed in order.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from typing import Any

from kubesim.wasm import redis
from kubesim.wasm.database import Cell, Database, DatabaseFull
from kubesim.wasm.execution import STORES
from kubesim.wasm.stores import VALUE_BYTES_MAX
from kubesim.wasm.values import OK, Case, Err, Ok
from kubesim.wasm.wasi.errno import Errno
from kubesim.wasm.wasip2.clocks import random_bytes, wall_now
from kubesim.wasm.wasip2.guest import ComponentGuest
from kubesim.wasm.wasip2.resources import Functions, resource_number

HANDLES_MAX = 256

_STORE, _CONNECTION = resource_number("store"), resource_number("connection")
_ACCESS_DENIED = Err(Case("access-denied"))
_SECOND_NS = 1_000_000_000


@dataclass(slots=True)
class OpenStore:
    """An open key-value store."""

    label: str


@dataclass(slots=True)
class Connection:
    """An open database; a remote one is only found out not to be there when it is asked."""

    database: Database | None
    unreachable: str = ""


def store_open(guest: ComponentGuest, label: str) -> Ok | Err:
    """Open a store that was granted."""
    if label not in guest.spin.key_value_stores:
        guest.deny("key-value.open", label, Errno.ENOTCAPABLE)
        return _ACCESS_DENIED
    if _handles(guest, OpenStore) + _handles(guest, redis.RedisStore) >= HANDLES_MAX:
        return Err(Case("store-table-full"))
    if label in guest.spin.unreachable:
        return Err(Case("other", guest.spin.unreachable[label]))
    host = guest.spin.redis_stores.get(label)
    if host is None:
        return Ok(guest.own(_STORE, OpenStore(label)))
    opened = redis.opened(guest, host)
    return opened if isinstance(opened, Err) else Ok(guest.own(_STORE, opened))


def store_get(guest: ComponentGuest, number: int, key: str) -> Ok | Err:
    """The value of a key, if it has one."""
    store = _store(guest, number)
    if isinstance(store, redis.RedisStore):
        return redis.get(guest, store, key)
    value = guest.spin.stores.get(store.label, key)
    guest.take(len(value or b""))
    return Ok(value)


def store_set(guest: ComponentGuest, number: int, key: str, value: bytes) -> Ok | Err:
    """Set the value of a key."""
    guest.take(len(value))
    if len(value) > VALUE_BYTES_MAX:
        return Err(Case("other", f"a value has at most {VALUE_BYTES_MAX} bytes"))
    store = _store(guest, number)
    if isinstance(store, redis.RedisStore):
        return redis.put(guest, store, key, value)
    if not guest.spin.stores.put(store.label, key, value):
        return Err(Case("other", "the store is full"))
    return OK


def store_delete(guest: ComponentGuest, number: int, key: str) -> Ok | Err:
    """Forget a key."""
    store = _store(guest, number)
    if isinstance(store, redis.RedisStore):
        return redis.delete(guest, store, key)
    guest.spin.stores.put(store.label, key, None)
    return OK


def store_exists(guest: ComponentGuest, number: int, key: str) -> Ok | Err:
    """Whether a key has a value."""
    store = _store(guest, number)
    if isinstance(store, redis.RedisStore):
        return redis.exists(guest, store, key)
    return Ok(guest.spin.stores.get(store.label, key) is not None)


def store_get_keys(guest: ComponentGuest, number: int) -> Ok | Err:
    """All keys."""
    store = _store(guest, number)
    if isinstance(store, redis.RedisStore):
        return redis.keys(guest, store)
    keys = guest.spin.stores.keys(store.label)
    guest.take(sum(map(len, keys)))
    guest.take_entries(len(keys))
    return Ok(keys)


def connection_open(guest: ComponentGuest, name: str) -> Ok | Err:
    """Open a database that was granted."""
    if name not in guest.spin.sqlite_databases:
        guest.deny("sqlite.open", name, Errno.ENOTCAPABLE)
        return _ACCESS_DENIED
    if _handles(guest, Connection) >= HANDLES_MAX:
        return Err(Case("io", "too many connections"))
    guest.touched.add(STORES)
    remote = guest.spin.unreachable_databases.get(name, "")
    database = None if remote else guest.spin.stores.database(name)
    return Ok(guest.own(_CONNECTION, Connection(database, remote)))


def connection_execute(
    guest: ComponentGuest, number: int, statement: str, parameters: list[Case]
) -> Ok | Err:
    """Run a statement."""
    guest.touched.add(STORES)
    guest.take(len(statement))
    connection = guest.get(number, Connection)
    database = connection.database
    if database is None:
        return Err(Case("io", connection.unreachable))
    given: list[Cell] = [parameter.value for parameter in parameters]
    try:
        columns, rows = database.execute(
            statement,
            given,
            now_ns=lambda: _now_ns(guest),
            draw=lambda length: random_bytes(guest, length),
        )
    except DatabaseFull:
        return Err(Case("database-full"))
    except (sqlite3.Error, sqlite3.Warning, OverflowError, UnicodeError) as error:
        return Err(Case("io", str(error)))
    guest.take_entries(len(rows) * max(1, len(columns)))
    found = []
    for row in rows:
        guest.take(sum(len(cell) for cell in row if isinstance(cell, str | bytes)))
        found.append(([_case(cell) for cell in row],))
    return Ok((columns, found))


def variable_get(guest: ComponentGuest, name: str) -> Ok | Err:
    """The value of a configuration variable."""
    if not name or not name.replace("_", "").isalnum() or not name[0].isalpha():
        return Err(Case("invalid-name", name))
    value = guest.spin.variables.get(name)
    return Err(Case("undefined", name)) if value is None else Ok(value)


def _store(guest: ComponentGuest, number: int) -> OpenStore | redis.RedisStore:
    guest.touched.add(STORES)
    found = guest.resources.get(number)
    if found is not None and isinstance(found[1], redis.RedisStore):
        return found[1]
    return guest.get(number, OpenStore)


def _handles(guest: ComponentGuest, kind: type) -> int:
    return sum(isinstance(thing, kind) for _, thing in guest.resources.values())


def _now_ns(guest: ComponentGuest) -> int:
    seconds, nanoseconds = wall_now(guest)
    return seconds * _SECOND_NS + nanoseconds


def _case(cell: Any) -> Case:
    if cell is None:
        return Case("null")
    kinds = {int: "integer", float: "real", str: "text", bytes: "blob"}
    return Case(kinds[type(cell)], cell)


KEY_VALUE: Functions = {
    "[static]store.open": store_open,
    "[method]store.get": store_get,
    "[method]store.set": store_set,
    "[method]store.delete": store_delete,
    "[method]store.exists": store_exists,
    "[method]store.get-keys": store_get_keys,
}
SQLITE: Functions = {
    "[static]connection.open": connection_open,
    "[method]connection.execute": connection_execute,
}
VARIABLES: Functions = {"get": variable_get}
