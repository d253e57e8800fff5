"""A guest's key-value store that is a Redis server: what is asked, and what it is told of failures."""

from __future__ import annotations

import pytest

from kubesim.node.shim.outbound import Replies
from kubesim.wasm import redis
from kubesim.wasm.execution import Limits, TimeModel, WasiContext
from kubesim.wasm.stores import Awaiting, SpinContext
from kubesim.wasm.values import Case, Err, Ok
from kubesim.wasm.wasip2.guest import ComponentGuest
from kubesim.wire.http import ConnectionRefused, HttpRequest, HttpResponse
from kubesim.wire.redis import answer, words_of


class Meter:
    """A gauge that stands still."""

    def used(self) -> int:
        return 0

    def restrict(self, total: int) -> None:
        assert total >= 0

    def exhausted(self) -> bool:
        return False


def guest(replies: Replies | None) -> ComponentGuest:
    return ComponentGuest(
        WasiContext(), Limits(), TimeModel(), meter=Meter(), spin=SpinContext(outbound=replies)
    )


def asked(replies: Replies, of: ComponentGuest) -> HttpRequest:
    """What a guest asks when it opens its store."""
    with pytest.raises(Awaiting) as awaiting:
        redis.opened(of, "redis:6379")
    assert "redis" == awaiting.value.scheme
    replies.add(awaiting.value, answer(b"PONG"), 400)
    replies.rewind()
    return awaiting.value.request


def test_opening_pings_and_waits_in_virtual_time() -> None:
    """The guest has waited as long as the reply took."""
    replies = Replies()
    one = guest(replies)
    assert [b"PING"] == words_of(asked(replies, one))
    assert isinstance(redis.opened(one, "redis:6379"), redis.RedisStore)
    assert 400 == one.sleep_ns


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        ("connection refused", "Connection refused (os error 111)"),
        ("no endpoints available", "Connection refused (os error 111)"),
        ("no such host", "failed to lookup address information: Name or service not known"),
        ("connection timed out", "Connection timed out (os error 110)"),
        ("no route to host", "No route to host (os error 113)"),
        ("connection reset by peer", "Connection reset by peer (os error 104)"),
    ],
)
def test_what_a_guest_is_told(reason: str, words: str) -> None:
    """The words of the operating system, as an error of the kind "other"."""
    replies = Replies()
    one = guest(replies)
    with pytest.raises(Awaiting) as awaiting:
        redis.opened(one, "redis:6379")
    replies.add(awaiting.value, ConnectionRefused(reason), 1)
    replies.rewind()
    assert Err(Case("other", words)) == redis.opened(one, "redis:6379")


def test_a_process_that_was_connected_opens_again() -> None:
    """A ping that fails later is ignored, as the client reconnects: the next command finds out."""
    replies = Replies()
    one = guest(replies)
    one.spin.stores.connected.add("redis:6379")
    with pytest.raises(Awaiting) as awaiting:
        redis.opened(one, "redis:6379")
    replies.add(awaiting.value, ConnectionRefused(), 1)
    replies.rewind()
    assert isinstance(redis.opened(one, "redis:6379"), redis.RedisStore)


def test_without_a_network_its_name_means_nothing() -> None:
    """Nobody is asked."""
    found = redis.opened(guest(None), "redis:6379")
    assert isinstance(found, Err)
    assert "Name or service not known" in found.error.value


def test_a_server_that_is_no_redis() -> None:
    """Whatever it answers, the guest is told that it is not understood."""
    replies = Replies()
    one = guest(replies)
    with pytest.raises(Awaiting) as awaiting:
        redis.get(one, redis.RedisStore("web:80"), "a")
    replies.add(awaiting.value, HttpResponse(body=b"ok\n"), 1)
    replies.rewind()
    assert isinstance(redis.get(one, redis.RedisStore("web:80"), "a"), Err)


@pytest.mark.parametrize(
    ("call", "sent", "reply", "expected"),
    [
        (lambda g, s: redis.get(g, s, "a"), [b"GET", b"a"], b"1", Ok(b"1")),
        (lambda g, s: redis.get(g, s, "a"), [b"GET", b"a"], None, Ok(None)),
        (lambda g, s: redis.put(g, s, "a", b"1"), [b"SET", b"a", b"1"], b"OK", Ok()),
        (lambda g, s: redis.delete(g, s, "a"), [b"DEL", b"a"], 0, Ok()),
        (lambda g, s: redis.exists(g, s, "a"), [b"EXISTS", b"a"], 1, Ok(True)),
        (redis.keys, [b"KEYS", b"*"], [b"a", b"b"], Ok(["a", "b"])),
    ],
)
def test_operations(call, sent, reply, expected) -> None:  # type: ignore[no-untyped-def]
    """Each operation is one command, sent once."""
    replies, store = Replies(), redis.RedisStore("redis:6379")
    one = guest(replies)
    with pytest.raises(Awaiting) as awaiting:
        call(one, store)
    assert sent == words_of(awaiting.value.request)
    replies.add(awaiting.value, answer(reply), 1)
    replies.rewind()
    assert expected == call(one, store)
