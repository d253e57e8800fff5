"""A Redis server, as far as key-value stores ask it: what it keeps, it keeps in memory.

Nothing is written to disk, so everything is gone with the process: a Redis without persistence, as
its container image runs it.

Mirrors: redis-server 7 (PING, GET, SET, DEL, EXISTS, KEYS, MGET, MSET, INCRBY, DBSIZE; their messages).
Departs: KEYS knows the pattern ``*`` only; no expiry, no eviction, no persistence, no replication;
all connections see database 0.
"""

from __future__ import annotations

from collections.abc import Callable

from kubesim.wire.http import HttpRequest, HttpResponse
from kubesim.wire.redis import ProtocolError, RedisError, Reply, answer, words_of

ENTRY_OVERHEAD_BYTES = 64
"""What an entry takes beside its key and value; a dictionary entry and two headers upstream."""


class RedisData:
    """The one database of a server."""

    def __init__(self) -> None:
        self._pairs: dict[bytes, bytes] = {}
        self.size_bytes = 0

    def serve(self, request: HttpRequest) -> HttpResponse | None:
        """Do what a request says; ``None`` for one that does not speak Redis."""
        try:
            words = words_of(request)
        except (ProtocolError, RedisError):
            return None
        return answer(self._execute(words))

    def _execute(self, words: list[bytes]) -> Reply | RedisError:
        name, arguments = words[0].upper(), words[1:]
        known = _COMMANDS.get(name)
        if known is None:
            shown = words[0].decode(errors="replace")
            return RedisError(f"ERR unknown command '{shown}'")
        count, run = known
        if not count[0] <= len(arguments) <= count[1]:
            shown = name.decode().lower()
            return RedisError(f"ERR wrong number of arguments for '{shown}' command")
        return run(self, arguments)

    def get(self, key: bytes) -> bytes | None:
        """The value of a key."""
        return self._pairs.get(key)

    def set(self, key: bytes, value: bytes) -> None:
        """Give a key a value."""
        self.delete(key)
        self._pairs[key] = value
        self.size_bytes += len(key) + len(value) + ENTRY_OVERHEAD_BYTES

    def delete(self, key: bytes) -> bool:
        """Forget a key; whether there was one."""
        value = self._pairs.pop(key, None)
        if value is not None:
            self.size_bytes -= len(key) + len(value) + ENTRY_OVERHEAD_BYTES
        return value is not None

    def keys(self) -> list[bytes]:
        """All keys, in the order in which they were set."""
        return list(self._pairs)


def _set(data: RedisData, arguments: list[bytes]) -> Reply | RedisError:
    data.set(arguments[0], arguments[1])
    return b"OK"


def _mset(data: RedisData, arguments: list[bytes]) -> Reply | RedisError:
    if len(arguments) % 2:
        return RedisError("ERR wrong number of arguments for 'mset' command")
    for key, value in zip(arguments[::2], arguments[1::2], strict=True):
        data.set(key, value)
    return b"OK"


def _keys(data: RedisData, arguments: list[bytes]) -> Reply | RedisError:
    if arguments != [b"*"]:
        return RedisError("ERR only the pattern '*' is simulated")
    return data.keys()


def _incrby(data: RedisData, arguments: list[bytes]) -> Reply | RedisError:
    try:
        number = int(data.get(arguments[0]) or b"0") + int(arguments[1])
    except ValueError:
        return RedisError("ERR value is not an integer or out of range")
    data.set(arguments[0], b"%d" % number)
    return number


_ANY = 1 << 20
_Command = Callable[[RedisData, list[bytes]], Reply | RedisError]
_COMMANDS: dict[bytes, tuple[tuple[int, int], _Command]] = {
    b"PING": ((0, 0), lambda _data, _arguments: b"PONG"),
    b"GET": ((1, 1), lambda data, arguments: data.get(arguments[0])),
    b"SET": ((2, 2), _set),
    b"DEL": ((1, _ANY), lambda data, arguments: sum(map(data.delete, arguments))),
    b"EXISTS": ((1, _ANY), lambda data, arguments: sum(
        data.get(key) is not None for key in arguments)),
    b"KEYS": ((1, 1), _keys),
    b"MGET": ((1, _ANY), lambda data, arguments: [data.get(key) or b"" for key in arguments]),
    b"MSET": ((2, _ANY), _mset),
    b"INCRBY": ((2, 2), _incrby),
    b"DBSIZE": ((0, 0), lambda data, _arguments: len(data.keys())),
}  # fmt: skip
