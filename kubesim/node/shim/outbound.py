"""A component's calls of other services: what was answered so far, and what it sees of a failure.

A handler runs in one go and its calls take virtual time. So it runs up to a call, the shim makes the
call, and the handler runs again from its start with every answer that is known; a deterministic guest
goes the same way again. The n-th call of a request costs n runs, hence a request has only so many.

Mirrors: Spin crates/factor-outbound-http/src/wasi.rs (``ErrorCode`` for what went wrong).
Departs: calls of one request follow one another, also where the guest made them at once; after
    ``CALLS_MAX`` of them it gets ``connection-limit-reached``, which Spin has no such limit for.
"""

from __future__ import annotations

from collections.abc import Callable

from kubesim.sim import SimProcess
from kubesim.wasm.stores import CONNECTION_REFUSED, Awaiting, Reply
from kubesim.wasm.values import Case
from kubesim.wire.http import (
    NO_SUCH_HOST,
    ConnectionRefused,
    HttpRequest,
    HttpResponse,
)

Outbound = Callable[[HttpRequest, str], SimProcess[HttpResponse | ConnectionRefused]]
"""Asks another service, taking virtual time: the request and its scheme."""

Outbounds = Callable[[str, str], Outbound]
"""The way out of one pod, by its namespace and name."""

CALLS_MAX = 64

DNS_ERROR = Case("DNS-error", ("address not available", 0))
NOBODY = Case("destination-not-found")

_ERRORS = {
    NO_SUCH_HOST: DNS_ERROR,
    "timeout": Case("connection-timeout"),
    "connection timed out": Case("connection-timeout"),
    "connection reset by peer": Case("connection-terminated"),
    "no route to host": Case("destination-unavailable"),
}
_TOO_MANY = Case("connection-limit-reached")


class Replies:
    """The calls of one request whose answers are known, in their order."""

    def __init__(self) -> None:
        self._known: list[tuple[HttpRequest, str, Reply]] = []
        self._position = 0

    def __len__(self) -> int:
        """How many."""
        return len(self._known)

    def rewind(self) -> None:
        """The handler runs again from its start."""
        self._position = 0

    def add(
        self, call: Awaiting, answer: HttpResponse | ConnectionRefused | None, took_ns: int
    ) -> None:
        """The next call was answered; ``None`` when there is no network."""
        if isinstance(answer, HttpResponse):
            reply = Reply(answer, took_ns)
        elif answer is None:
            reply = Reply(None, took_ns, NOBODY)
        else:
            reply = Reply(None, took_ns, _ERRORS.get(answer.reason, CONNECTION_REFUSED))
        self._known.append((call.request, call.scheme, reply))

    def __call__(self, request: HttpRequest, scheme: str) -> Reply:
        """What the handler's next call is answered; raises ``Awaiting`` when that is not known."""
        if self._position < len(self._known):
            if self._known[self._position][:2] == (request, scheme):
                self._position += 1
                return self._known[self._position - 1][2]
            # The stores changed meanwhile, and the guest goes another way.
            del self._known[self._position :]
        if self._position >= CALLS_MAX:
            return Reply(None, 0, _TOO_MANY)
        raise Awaiting(request, scheme)
