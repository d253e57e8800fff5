"""wasi:http: the request that came in, the response that goes out, and requests to others.

Mirrors: wasi:http@0.2 {types, outgoing-handler}; Spin's outbound_http.
Departs: bodies are whole when they are handed over; there are no trailers and no informational
    responses; a response counts when the handler has returned, so a guest that traps after setting
    one answers 500 where a real one breaks the connection.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from kubesim.wasm.execution import OUTBOUND, Status
from kubesim.wasm.stores import Reply
from kubesim.wasm.values import OK, Case, Err, Ok
from kubesim.wasm.wasi.errno import Errno
from kubesim.wasm.wasi.guest import Stop
from kubesim.wasm.wasip2.guest import Answer, ComponentGuest
from kubesim.wasm.wasip2.headers import FIELDS, METHOD, Fields
from kubesim.wasm.wasip2.io import InputStream, IoError, OutputStream, Pollable
from kubesim.wasm.wasip2.resources import Functions, resource_number
from kubesim.wire.http import HttpRequest

_FIELDS, _POLLABLE = resource_number("fields"), resource_number("pollable")
_INPUT, _OUTPUT = resource_number("input-stream"), resource_number("output-stream")
_INCOMING_BODY = resource_number("incoming-body")
_OUTGOING_BODY = resource_number("outgoing-body")
_TRAILERS = resource_number("future-trailers")
_RESPONSE = resource_number("outgoing-response")
_REQUEST = resource_number("outgoing-request")
_OPTIONS = resource_number("request-options")
_FUTURE = resource_number("future-incoming-response")
_INCOMING_RESPONSE = resource_number("incoming-response")
INCOMING_REQUEST = resource_number("incoming-request")
RESPONSE_OUTPARAM = resource_number("response-outparam")

_METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH")
# Under these a component means its own application: what it may call then is called "self".
_OWN = frozenset({"", "self.alt"})
_FAILED = Err()


@dataclass(slots=True)
class Incoming:
    """A request or a response that came in.

    Attributes:
        headers: Its headers.
        body: Its body.
        status: Of a response.
        is_consumed: The body was handed over.
    """

    headers: Fields
    body: bytes
    status: int = 0
    is_consumed: bool = False


@dataclass(slots=True)
class IncomingBody:
    """A body that came in."""

    data: bytes
    is_streamed: bool = False


@dataclass(slots=True)
class OutgoingBody:
    """A body that goes out."""

    data: bytearray
    is_streamed: bool = False


@dataclass(slots=True)
class Outgoing:
    """A request or a response that goes out."""

    headers: Fields
    status: int = 200
    method: str = "GET"
    path: str = "/"
    scheme: str = "http"
    authority: str = ""
    body: OutgoingBody = field(default_factory=lambda: OutgoingBody(bytearray()))
    is_body_taken: bool = False


@dataclass(slots=True)
class Future:
    """An answer that will be there at a time since the start of the run."""

    reply: Reply
    due_ns: int
    is_taken: bool = False


@dataclass(slots=True)
class Nothing:
    """An object about which nothing is to be known: options, trailers, the way to answer."""


def request_method(guest: ComponentGuest, _number: int) -> Case:
    """The method of the request that came in."""
    method = _incoming(guest).method
    return Case(method.lower()) if method in _METHODS else Case("other", method)


def request_path(guest: ComponentGuest, _number: int) -> str:
    """Its path and query."""
    request = _incoming(guest)
    return f"{request.path}?{request.query}" if request.query else request.path


def request_scheme(_guest: ComponentGuest, _number: int) -> Case:
    """Plain HTTP."""
    return Case("HTTP")


def request_authority(guest: ComponentGuest, _number: int) -> str:
    """The host that the client named."""
    return _incoming(guest).host


def incoming_headers(guest: ComponentGuest, number: int) -> int:
    """The headers of a request or response that came in."""
    return guest.own(_FIELDS, guest.get(number, Incoming).headers)


def incoming_consume(guest: ComponentGuest, number: int) -> Ok | Err:
    """Its body, once."""
    incoming = guest.get(number, Incoming)
    if incoming.is_consumed:
        return _FAILED
    incoming.is_consumed = True
    return Ok(guest.own(_INCOMING_BODY, IncomingBody(incoming.body)))


def incoming_status(guest: ComponentGuest, number: int) -> int:
    """The status code of a response that came in."""
    return guest.get(number, Incoming).status


def body_stream(guest: ComponentGuest, number: int) -> Ok | Err:
    """The bytes of a body that came in, once."""
    body = guest.get(number, IncomingBody)
    if body.is_streamed:
        return _FAILED
    body.is_streamed = True
    return Ok(guest.own(_INPUT, InputStream(body.data)))


def body_finish(guest: ComponentGuest, number: int) -> int:
    """Done with a body; its trailers follow."""
    guest.take_back(number, IncomingBody)
    return guest.own(_TRAILERS, Nothing())


def always_ready(guest: ComponentGuest, _number: int) -> int:
    """Nothing to wait for."""
    return guest.own(_POLLABLE, Pollable())


def trailers_get(_guest: ComponentGuest, _number: int) -> Ok:
    """There are none."""
    return Ok(Ok(None))


def response_new(guest: ComponentGuest, headers: int) -> int:
    """A response with these headers."""
    given = guest.take_back(headers, Fields)
    return guest.own(_RESPONSE, Outgoing(Fields(given.pairs, is_fixed=True)))


def response_status(guest: ComponentGuest, number: int) -> int:
    """Its status code."""
    return guest.get(number, Outgoing).status


def response_set_status(guest: ComponentGuest, number: int, status: int) -> Ok | Err:
    """Set its status code."""
    if status not in range(100, 1000):
        return _FAILED
    guest.get(number, Outgoing).status = status
    return OK


def outgoing_headers(guest: ComponentGuest, number: int) -> int:
    """The headers of something that goes out."""
    return guest.own(_FIELDS, guest.get(number, Outgoing).headers)


def outgoing_body(guest: ComponentGuest, number: int) -> Ok | Err:
    """The body of something that goes out, once."""
    outgoing = guest.get(number, Outgoing)
    if outgoing.is_body_taken:
        return _FAILED
    outgoing.is_body_taken = True
    return Ok(guest.own(_OUTGOING_BODY, outgoing.body))


def body_write(guest: ComponentGuest, number: int) -> Ok | Err:
    """A stream into a body that goes out, once."""
    body = guest.get(number, OutgoingBody)
    if body.is_streamed:
        return _FAILED
    body.is_streamed = True

    def put(run: ComponentGuest, data: bytes) -> None:
        run.output_bytes += len(data)
        if run.output_bytes > run.limits.output_bytes:
            message = f"more than {run.limits.output_bytes} bytes of output"
            raise Stop(Status.OUTPUT_LIMIT, message)
        body.data.extend(data)

    return Ok(guest.own(_OUTPUT, OutputStream(put)))


def outgoing_finish(guest: ComponentGuest, number: int, _trailers: int | None) -> Ok | Err:
    """The body is complete."""
    guest.take_back(number, OutgoingBody)
    return OK


def outparam_set(guest: ComponentGuest, number: int, response: Ok | Err) -> None:
    """Answer the request."""
    guest.take_back(number, Nothing)
    if isinstance(response, Err):
        guest.answer = Answer(error=response.error.tag)
        return
    outgoing = guest.take_back(response.value, Outgoing)
    guest.answer = Answer(outgoing.status, outgoing.headers.pairs, outgoing.body.data)


def request_new(guest: ComponentGuest, headers: int) -> int:
    """A request to another service."""
    given = guest.take_back(headers, Fields)
    return guest.own(_REQUEST, Outgoing(Fields(given.pairs, is_fixed=True)))


def set_method(guest: ComponentGuest, number: int, method: Case) -> Ok | Err:
    """Its method."""
    name = method.value if method.tag == "other" else method.tag.upper()
    if not METHOD.fullmatch(name):
        return _FAILED
    guest.get(number, Outgoing).method = name
    return OK


def set_path(guest: ComponentGuest, number: int, path: str | None) -> Ok | Err:
    """Its path and query."""
    guest.get(number, Outgoing).path = path or "/"
    return OK


def set_scheme(guest: ComponentGuest, number: int, scheme: Case | None) -> Ok | Err:
    """Its scheme."""
    tag = "https" if scheme is None else (scheme.value or scheme.tag).lower()
    guest.get(number, Outgoing).scheme = tag
    return OK


def set_authority(guest: ComponentGuest, number: int, authority: str | None) -> Ok | Err:
    """Its host and port."""
    guest.get(number, Outgoing).authority = authority or ""
    return OK


def get_method(guest: ComponentGuest, number: int) -> Case:
    """Its method."""
    method = guest.get(number, Outgoing).method
    return Case(method.lower()) if method in _METHODS else Case("other", method)


def get_path(guest: ComponentGuest, number: int) -> str:
    """Its path and query."""
    return guest.get(number, Outgoing).path


def get_scheme(guest: ComponentGuest, number: int) -> Case:
    """Its scheme."""
    scheme = guest.get(number, Outgoing).scheme.upper()
    return Case(scheme) if scheme in {"HTTP", "HTTPS"} else Case("other", scheme)


def get_authority(guest: ComponentGuest, number: int) -> str:
    """Its host and port."""
    return guest.get(number, Outgoing).authority


def options_new(guest: ComponentGuest) -> int:
    """Options of a request: timeouts, which nobody looks at."""
    return guest.own(_OPTIONS, Nothing())


def timeout_get(_guest: ComponentGuest, _number: int) -> None:
    """No timeout."""


def timeout_set(_guest: ComponentGuest, _number: int, _timeout_ns: int | None) -> Ok:
    """Accepted."""
    return OK


def send(guest: ComponentGuest, number: int, _options: int | None) -> Ok | Err:
    """Call another service, if that was granted."""
    outgoing = guest.take_back(number, Outgoing)
    scheme, authority = outgoing.scheme, outgoing.authority
    if authority in _OWN:
        scheme, authority = "http", "self"
    if not guest.spin.allows(scheme, authority):
        guest.deny("outgoing-handler.handle", f"{scheme}://{authority}", Errno.ENOTCAPABLE)
        return Err(Case("HTTP-request-denied"))
    if guest.spin.outbound is None:
        return Err(Case("destination-not-found"))
    guest.touched.add(OUTBOUND)
    path, _, query = outgoing.path.partition("?")
    pairs = outgoing.headers.pairs
    request = HttpRequest(
        method=outgoing.method,
        path=path or "/",
        query=query,
        headers=tuple((name, value.decode("latin-1")) for name, value in pairs),
        body=bytes(outgoing.body.data),
        host=authority,
    )
    reply = guest.spin.outbound(request, scheme)
    return Ok(guest.own(_FUTURE, Future(reply, due_ns=guest.elapsed_ns() + reply.took_ns)))


def future_subscribe(guest: ComponentGuest, number: int) -> int:
    """Something that is ready when the answer is there."""
    return guest.own(_POLLABLE, Pollable(guest.get(number, Future).due_ns))


def future_get(guest: ComponentGuest, number: int) -> Ok | Err | None:
    """The answer, once, if it is there."""
    future = guest.get(number, Future)
    if future.due_ns > guest.elapsed_ns():
        return None
    if future.is_taken:
        return Err()
    future.is_taken = True
    response = future.reply.response
    if response is None:
        return Ok(Err(future.reply.error))
    guest.take(len(response.body))
    pairs = [(name, value.encode("latin-1", "replace")) for name, value in response.headers]
    incoming = Incoming(Fields(pairs, is_fixed=True), response.body, status=response.status)
    return Ok(Ok(guest.own(_INCOMING_RESPONSE, incoming)))


def error_code(guest: ComponentGuest, number: int) -> None:
    """No error of a stream came from HTTP."""
    guest.get(number, IoError)


def admit(guest: ComponentGuest, request: HttpRequest) -> tuple[int, int]:
    """Make the two things that a handler is called with: the request and the way to answer."""
    pairs = [(name.lower(), value.encode("latin-1", "replace")) for name, value in request.headers]
    incoming = Incoming(Fields(pairs, is_fixed=True), request.body)
    return guest.own(INCOMING_REQUEST, incoming), guest.own(RESPONSE_OUTPARAM, Nothing())


def _incoming(guest: ComponentGuest) -> HttpRequest:
    assert guest.request is not None
    return guest.request


_TIMEOUTS = ("connect-timeout", "first-byte-timeout", "between-bytes-timeout")

TYPES: Functions = {
    **FIELDS,
    "[method]incoming-request.method": request_method,
    "[method]incoming-request.path-with-query": request_path,
    "[method]incoming-request.scheme": request_scheme,
    "[method]incoming-request.authority": request_authority,
    "[method]incoming-request.headers": incoming_headers,
    "[method]incoming-request.consume": incoming_consume,
    "[method]incoming-response.status": incoming_status,
    "[method]incoming-response.headers": incoming_headers,
    "[method]incoming-response.consume": incoming_consume,
    "[method]incoming-body.stream": body_stream,
    "[static]incoming-body.finish": body_finish,
    "[method]future-trailers.subscribe": always_ready,
    "[method]future-trailers.get": trailers_get,
    "[constructor]outgoing-response": response_new,
    "[method]outgoing-response.status-code": response_status,
    "[method]outgoing-response.set-status-code": response_set_status,
    "[method]outgoing-response.headers": outgoing_headers,
    "[method]outgoing-response.body": outgoing_body,
    "[method]outgoing-body.write": body_write,
    "[static]outgoing-body.finish": outgoing_finish,
    "[static]response-outparam.set": outparam_set,
    "[constructor]outgoing-request": request_new,
    "[method]outgoing-request.headers": outgoing_headers,
    "[method]outgoing-request.body": outgoing_body,
    "[method]outgoing-request.method": get_method,
    "[method]outgoing-request.set-method": set_method,
    "[method]outgoing-request.path-with-query": get_path,
    "[method]outgoing-request.set-path-with-query": set_path,
    "[method]outgoing-request.scheme": get_scheme,
    "[method]outgoing-request.set-scheme": set_scheme,
    "[method]outgoing-request.authority": get_authority,
    "[method]outgoing-request.set-authority": set_authority,
    "[constructor]request-options": options_new,
    **{f"[method]request-options.{name}": timeout_get for name in _TIMEOUTS},
    **{f"[method]request-options.set-{name}": timeout_set for name in _TIMEOUTS},
    "[method]future-incoming-response.subscribe": future_subscribe,
    "[method]future-incoming-response.get": future_get,
    "http-error-code": error_code,
}
OUTGOING_HANDLER: Functions = {"handle": send}
