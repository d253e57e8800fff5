"""HTTP messages as values, and the side of a connection that answers.

A request is made by a traffic generator or a probe, carried by the network to a pod's address, and
answered by whatever the shim started there: a workload program or a Wasm module. The answer says
how long its parts took, because the one who sent the request is the one who writes it down.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from kubesim.sim.kernel import Event, SimProcess

Headers = tuple[tuple[str, str], ...]

HTTP_PORT = 80

LOOKUP_SCHEME = "dns"
"""Asks for the address of the host that a request names; it is the response's body."""
CONNECT_SCHEME = "tcp"
"""Asks whether a connection to the host that a request names would be accepted."""

NO_SUCH_HOST = "no such host"
"""Why a connection failed when its name means nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpRequest:
    """One request, as it leaves the client.

    Attributes:
        method: The method in capitals.
        path: The path, beginning with a slash, without the query.
        query: The raw query string without the question mark.
        headers: Name and value pairs in the order they were sent.
        body: The body, empty when there is none.
        host: The authority the client named: a Service's name, or an address.
    """

    method: str = "GET"
    path: str = "/"
    query: str = ""
    headers: Headers = ()
    body: bytes = b""
    host: str = "localhost"


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpResponse:
    """One response.

    Attributes:
        status: The status code, 100 to 599.
        headers: Name and value pairs.
        body: The body as it came from the program or the module.
    """

    status: int = 200
    headers: Headers = ()
    body: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """A response and where its time went, in nanoseconds of virtual time.

    Attributes:
        response: What the client receives.
        queue_ns: Waiting for a free worker or core inside the pod.
        instantiate_ns: Creating the Wasm instance that serves this request alone; 0 for a container.
        execute_ns: Running the handler.
    """

    response: HttpResponse
    queue_ns: int = 0
    instantiate_ns: int = 0
    execute_ns: int = 0


@dataclass(frozen=True, slots=True)
class ConnectionRefused:
    """Nobody listens at the address: the pod is gone, or its program is not up yet."""

    reason: str = field(default="connection refused")


class Handler(Protocol):
    """Whatever listens on a port of a pod."""

    @property
    def waiting(self) -> int:
        """How many requests wait inside for a worker."""
        ...

    def serve(self, request: HttpRequest) -> SimProcess[Served | ConnectionRefused]:
        """Answer one request; a generator that takes virtual time.

        A connection that breaks while it waits (the process died) ends in ``ConnectionRefused``.
        """
        ...


Steady = Callable[[int], Callable[[], None]]
"""Begins a steady load that stands for a question once in so many nanoseconds; gives its end."""


@dataclass(frozen=True, slots=True)
class Outlook:
    """A promise of whoever answers: asked the same, it answers the same.

    Attributes:
        until_ns: The virtual instant up to which it holds; ``None`` for as long as nothing happens.
        broken: Happens when something does (others began to wait for an answer).
        steady: Has whoever answers work as if it were asked once in so many nanoseconds, from now
            on; gives what ends that.
    """

    until_ns: int | None = None
    broken: Event | None = None
    steady: Steady | None = None


@runtime_checkable
class Foreseeable(Protocol):
    """A handler that can tell for how long its answers stay as they are."""

    def outlook(self, request: HttpRequest) -> Outlook | None:
        """For how long the answer to ``request`` is known; ``None`` when it is not."""
        ...
