"""Key-value stores that are a Redis server: each operation of a guest is a command over the network.

The guest runs in one go, so the first run ends at the command (``Awaiting``), and when the server has
replied the guest runs again with what is known; see ``stores``. A command is sent once.

Mirrors: Spin 3, crates/key-value-redis/src/store.rs (which command an operation is, a PING when a
    store is opened, one connection a process), the redis crate's words for what went wrong.
Departs: a connection that broke is not tried again in the background: the next command finds out.
"""

from __future__ import annotations

from dataclasses import dataclass

from kubesim.wasm.execution import OUTBOUND
from kubesim.wasm.values import OK, Case, Err, Ok
from kubesim.wasm.wasip2.guest import ComponentGuest
from kubesim.wire import redis
from kubesim.wire.redis import ProtocolError, RedisError

_WORDS = {
    "DNS-error": "failed to lookup address information: Name or service not known",
    "destination-not-found": "failed to lookup address information: Name or service not known",
    "connection-refused": "Connection refused (os error 111)",
    "connection-timeout": "Connection timed out (os error 110)",
    "connection-terminated": "Connection reset by peer (os error 104)",
    "destination-unavailable": "No route to host (os error 113)",
}


@dataclass(slots=True)
class RedisStore:
    """An open store.

    Attributes:
        host: The server's host and port.
    """

    host: str


def opened(guest: ComponentGuest, host: str) -> RedisStore | Err:
    """Open a store: the first time of a process, its server must be there."""
    pinged = _asked(guest, host, b"PING")
    connected = guest.spin.stores.connected
    if isinstance(pinged, Err) and host not in connected:
        return pinged
    connected.add(host)
    return RedisStore(host)


def get(guest: ComponentGuest, store: RedisStore, key: str) -> Ok | Err:
    """The value of a key, if it has one."""
    answered = _asked(guest, store.host, b"GET", key.encode())
    if isinstance(answered, Ok) and isinstance(answered.value, bytes):
        guest.take(len(answered.value))
    return answered


def put(guest: ComponentGuest, store: RedisStore, key: str, value: bytes) -> Ok | Err:
    """Set the value of a key."""
    answered = _asked(guest, store.host, b"SET", key.encode(), value)
    return answered if isinstance(answered, Err) else OK


def delete(guest: ComponentGuest, store: RedisStore, key: str) -> Ok | Err:
    """Forget a key."""
    answered = _asked(guest, store.host, b"DEL", key.encode())
    return answered if isinstance(answered, Err) else OK


def exists(guest: ComponentGuest, store: RedisStore, key: str) -> Ok | Err:
    """Whether a key has a value."""
    answered = _asked(guest, store.host, b"EXISTS", key.encode())
    return answered if isinstance(answered, Err) else Ok(answered.value == 1)


def keys(guest: ComponentGuest, store: RedisStore) -> Ok | Err:
    """All keys."""
    answered = _asked(guest, store.host, b"KEYS", b"*")
    if isinstance(answered, Err):
        return answered
    names = [word.decode(errors="replace") for word in answered.value or ()]
    guest.take(sum(map(len, names)))
    guest.take_entries(len(names))
    return Ok(names)


def _asked(guest: ComponentGuest, host: str, *words: bytes) -> Ok | Err:
    """What a server replies to a command; the guest waits for it."""
    if guest.spin.outbound is None:
        return _failed(_WORDS["destination-not-found"])
    guest.touched.add(OUTBOUND)
    reply = guest.spin.outbound(redis.command(host, *words), redis.SCHEME)
    guest.sleep(reply.took_ns)
    if reply.response is None:
        return _failed(_WORDS.get(reply.error.tag, reply.error.tag))
    try:
        return Ok(redis.reply_of(reply.response))
    except (RedisError, ProtocolError) as error:
        return _failed(str(error))


def _failed(why: str) -> Err:
    return Err(Case("other", why))
