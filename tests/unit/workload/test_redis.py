"""A Redis server and its protocol: commands in, replies out."""

from __future__ import annotations

import pytest

from kubesim.wire import redis
from kubesim.wire.http import HttpRequest, HttpResponse
from kubesim.wire.redis import ProtocolError, RedisError
from kubesim.world.workload.redis import ENTRY_OVERHEAD_BYTES, RedisData


def say(data: RedisData, *words: bytes) -> redis.Reply:
    """What the server replies to a command, there and back as bytes."""
    response = data.serve(redis.command("redis:6379", *words))
    assert response is not None
    return redis.reply_of(response)


def test_commands() -> None:
    """Each command that key-value stores use, and some that people use to look."""
    data = RedisData()
    assert b"PONG" == say(data, b"ping")
    assert None is say(data, b"GET", b"a")
    assert b"OK" == say(data, b"SET", b"a", b"1")
    assert b"1" == say(data, b"GET", b"a")
    assert [1, 0] == [say(data, b"EXISTS", key) for key in (b"a", b"b")]
    assert b"OK" == say(data, b"MSET", b"b", b"\r\n\x00", b"c", b"")
    assert [b"1", b"\r\n\x00", b""] == say(data, b"MGET", b"a", b"b", b"c")
    assert [b"a", b"b", b"c"] == say(data, b"KEYS", b"*")
    assert 6 == say(data, b"INCRBY", b"a", b"5")
    assert 2 == say(data, b"DEL", b"a", b"b", b"nothing")
    assert 1 == say(data, b"DBSIZE")


def test_size_follows_what_is_kept() -> None:
    """Keys, values and what an entry takes; nothing when all is deleted."""
    data = RedisData()
    say(data, b"SET", b"key", b"value")
    say(data, b"SET", b"key", b"longer value")
    assert 3 + 12 + ENTRY_OVERHEAD_BYTES == data.size_bytes
    say(data, b"DEL", b"key")
    assert 0 == data.size_bytes


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((b"SUBSCRIBE", b"x"), "ERR unknown command 'SUBSCRIBE'"),
        ((b"GET",), "ERR wrong number of arguments for 'get' command"),
        ((b"MSET", b"a", b"b", b"c"), "ERR wrong number of arguments for 'mset' command"),
        ((b"INCRBY", b"a", b"x"), "ERR value is not an integer or out of range"),
    ],
)
def test_refusals(words: tuple[bytes, ...], message: str) -> None:
    """In the server's own words."""
    with pytest.raises(RedisError) as refused:
        say(RedisData(), *words)
    assert message == str(refused.value)


@pytest.mark.parametrize(
    "body", [b"", b"GET / HTTP/1.1\r\n", b"*1\r\n$4\r\nPI", b"*x\r\n", b":1\r\n"]
)
def test_who_does_not_speak_redis(body: bytes) -> None:
    """A request that is no command is not answered."""
    assert None is RedisData().serve(HttpRequest(body=body))


def test_an_answer_of_somebody_else() -> None:
    """A web server's answer is no reply."""
    with pytest.raises(ProtocolError):
        redis.reply_of(HttpResponse(body=b"ok\n"))
