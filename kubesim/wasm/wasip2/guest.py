"""The state of one run of a component: that of a core module, and the objects it holds.

A component does not see addresses or descriptors but resources: numbers that stand for objects of
the host, typed, and useless outside of it. All of them live here until the guest drops them.

Mirrors: wasmtime-wasi's ResourceTable and WasiHttpCtx.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NoReturn, TypeVar

from kubesim.wasm.execution import Limits, Status, TimeModel, WasiContext
from kubesim.wasm.stores import SpinContext
from kubesim.wasm.wasi.guest import Guest, Meter, Stop
from kubesim.wire.http import HttpRequest, HttpResponse

Kind = TypeVar("Kind")

# wasmtime's own table grows without end; its component's handles do not.
RESOURCES_MAX = 10_000


@dataclass(slots=True)
class Answer:
    """What the guest answered, while it is being written.

    Attributes:
        status: The status code.
        headers: Name and value of each.
        body: What was written of the body.
        error: The error code that was answered instead; empty when there is none.
    """

    status: int = 200
    headers: list[tuple[str, bytes]] | None = None
    body: bytearray | None = None
    error: str = ""

    def response(self) -> HttpResponse:
        """The response as the client gets it."""
        if self.error:
            return HttpResponse(status=500)
        headers = tuple((name, value.decode("latin-1")) for name, value in self.headers or ())
        return HttpResponse(status=self.status, headers=headers, body=bytes(self.body or b""))


class ComponentGuest(Guest):
    """One run of a component from the inside.

    Args:
        context: What the component is given.
        limits: What it may use.
        time: What its work costs.
        meter: Its fuel gauge.
        spin: Its stores, variables and outbound hosts.
        request: The request it answers; ``None`` for a command.
    """

    __slots__ = ("_last", "answer", "input_position", "request", "resources", "spin")

    def __init__(
        self,
        context: WasiContext,
        limits: Limits,
        time: TimeModel,
        *,
        meter: Meter,
        spin: SpinContext,
        request: HttpRequest | None = None,
    ) -> None:
        super().__init__(context, limits, time, memory=NO_MEMORY, meter=meter)
        self.spin = spin
        self.request = request
        self.answer: Answer | None = None
        self.resources: dict[int, tuple[int, object]] = {}
        self.input_position = 0
        self._last = 0

    def own(self, kind: int, thing: object) -> int:
        """Hand an object to the guest; returns the number under which it is kept."""
        if len(self.resources) >= RESOURCES_MAX:
            message = f"more than {RESOURCES_MAX} resources"
            raise Stop(Status.HOST_CALL_LIMIT, message)
        self._last += 1
        self.resources[self._last] = (kind, thing)
        return self._last

    def get(self, number: int, kind: type[Kind]) -> Kind:
        """The object behind a resource of the guest's."""
        found = self.resources.get(number)
        if found is None or not isinstance(found[1], kind):
            raise Stop(Status.TRAPPED, f"resource {number} is no {kind.__name__}")
        return found[1]

    def take_back(self, number: int, kind: type[Kind]) -> Kind:
        """The object behind a resource that the guest gives away."""
        thing = self.get(number, kind)
        del self.resources[number]
        return thing

    def fail(self, message: str) -> NoReturn:
        """End the run, as the engine does when a guest breaks a rule."""
        raise Stop(Status.TRAPPED, message)


class _NoMemory:
    """Components do not show their memory."""

    size_bytes = 0

    def read(self, address: int, length: int) -> bytes:
        """Never called."""
        raise AssertionError((address, length))

    def write(self, address: int, data: bytes) -> None:
        """Never called."""
        raise AssertionError((address, data))

    write_u32: Callable[[int, int], None]
    write_u64: Callable[[int, int], None]


NO_MEMORY = _NoMemory()
