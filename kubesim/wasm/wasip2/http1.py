"""HTTP/1.1 as bytes on a connection: requests out of them, responses into them. Pure.

Mirrors: RFC 9112, as far as a client needs it that sends a request with a Content-Length.
Departs: chunked bodies, pipelining before an answer and upgrades are no requests here.
"""

from __future__ import annotations

import re
from http import HTTPStatus

from kubesim.wire.http import HttpRequest, HttpResponse

HEAD_BYTES_MAX = 64 * 1024
BAD_REQUEST = b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"

_END = b"\r\n\r\n"
_REQUEST_LINE = re.compile(r"([A-Z]+) (/[^ ?]*)(?:\?([^ ]*))? HTTP/1\.[01]")


def parse_request(data: bytes, host: str) -> tuple[HttpRequest | None, int] | None:
    """The request at the beginning of what was sent, and how many bytes of that it is.

    Args:
        data: What was sent.
        host: Address and port of the peer.

    Returns:
        ``None`` while it is not complete; without a request when it will never be one.
    """
    head, found, rest = data.partition(_END)
    if not found:
        is_http = len(data) <= HEAD_BYTES_MAX and data[:1].isalpha()
        return None if is_http or not data else (None, len(data))
    line, *fields = head.decode("latin-1").split("\r\n")
    asked = _REQUEST_LINE.fullmatch(line)
    pairs = [field.partition(":") for field in fields]
    if asked is None or not all(colon for _, colon, _ in pairs):
        return None, len(data)
    headers = tuple((name.strip(), value.strip()) for name, _, value in pairs)
    known = {name.lower(): value for name, value in headers}
    length = known.get("content-length", "0")
    if "transfer-encoding" in known or not length.isdecimal():
        return None, len(data)
    if len(rest) < int(length):
        return None
    request = HttpRequest(
        method=asked[1],
        path=asked[2],
        query=asked[3] or "",
        headers=headers,
        body=rest[: int(length)],
        host=host,
    )
    return request, len(head) + len(_END) + int(length)


def response_bytes(response: HttpResponse, method: str = "GET") -> bytes:
    """A response as it comes along the connection, whose length it says itself."""
    try:
        phrase = HTTPStatus(response.status).phrase
    except ValueError:
        phrase = ""
    own = {"content-length", "transfer-encoding"}
    lines = [f"HTTP/1.1 {response.status} {phrase}"]
    lines += [f"{name}: {value}" for name, value in response.headers if name.lower() not in own]
    lines.append(f"content-length: {len(response.body)}")
    head = "\r\n".join(lines).encode("latin-1", "replace") + _END
    return head if method == "HEAD" else head + response.body
