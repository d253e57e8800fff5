"""What a client and a Redis server say to each other: commands and replies, as the bytes they are.

A command travels as the body of a request with the scheme ``redis``, a reply as the body of its
response, so that the cluster's network carries them like everything else.

Mirrors: the Redis serialization protocol, version 2 (RESP2).
Departs: one command a request; a connection has no state (no SELECT, AUTH, MULTI, pipelines).
"""

from __future__ import annotations

from kubesim.wire.http import HttpRequest, HttpResponse

SCHEME = "redis"
REDIS_PORT = 6379

Reply = bytes | int | list[bytes] | None
"""A string, a number, several strings, or nothing (the key has no value)."""


class RedisError(Exception):
    """What a server answers when it does not do what it is told; begins with ``ERR``."""


class ProtocolError(Exception):
    """These bytes are not RESP."""


def command(host: str, *words: bytes) -> HttpRequest:
    """A command for the server at an authority, as a request."""
    body = b"*%d\r\n" % len(words) + b"".join(map(_bulk, words))
    return HttpRequest(method="POST", path=f"/{words[0].decode()}", body=body, host=host)


def words_of(request: HttpRequest) -> list[bytes]:
    """The words of a command.

    Raises:
        ProtocolError: It is none.
    """
    words, rest = _read(request.body)
    if rest or not isinstance(words, list) or not words:
        raise ProtocolError("expected an array of bulk strings")
    return words


def answer(reply: Reply | RedisError) -> HttpResponse:
    """A server's reply, as a response."""
    if isinstance(reply, RedisError):
        body = b"-%s\r\n" % str(reply).encode()
    elif isinstance(reply, int):
        body = b":%d\r\n" % reply
    elif isinstance(reply, list):
        body = b"*%d\r\n" % len(reply) + b"".join(map(_bulk, reply))
    elif reply is None:
        body = b"$-1\r\n"
    else:
        body = _bulk(reply)
    return HttpResponse(body=body)


def reply_of(response: HttpResponse) -> Reply:
    """What a server replied.

    Raises:
        RedisError: It refused.
        ProtocolError: Whoever answered is no Redis server.
    """
    reply, rest = _read(response.body)
    if rest:
        raise ProtocolError("bytes after the reply")
    return reply


def _bulk(word: bytes) -> bytes:
    return b"$%d\r\n%s\r\n" % (len(word), word)


def _read(data: bytes) -> tuple[Reply, bytes]:
    line, found, rest = data.partition(b"\r\n")
    kind, value = line[:1], line[1:]
    if not found:
        raise ProtocolError("invalid response")
    if kind == b"-":
        raise RedisError(value.decode(errors="replace"))
    if kind == b"+":
        return value, rest
    try:
        number = int(value)
    except ValueError:
        raise ProtocolError("invalid response") from None
    if kind == b":":
        return number, rest
    if kind == b"$":
        if number < 0:
            return None, rest
        if len(rest) < number + 2:
            raise ProtocolError("unexpected end of file")
        return rest[:number], rest[number + 2 :]
    if kind != b"*":
        raise ProtocolError("invalid response")
    words = []
    for _ in range(number):
        word, rest = _read(rest)
        if not isinstance(word, bytes):
            raise ProtocolError("expected an array of bulk strings")
        words.append(word)
    return words, rest
