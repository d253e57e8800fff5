"""The hostile set: modules that do everything wrong, and what their containers come to.

Each case is a command, a module that is refused when it is loaded, or a request to a component that
misbehaves. ``state`` is what the kubelet is told of the container: ``137 OOMKilled``, ``137 Error``;
``refused`` for one that does not start; ``500`` for one that goes on running while its client gets
an error. The modules are shipped; the tests run the same cases through a node's shim.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from kubesim.node.shim.outcome import container_status
from kubesim.share import share_path
from kubesim.wasm import Component, Engine, Limits, SpinContext, WasiContext, WasmError
from kubesim.wire.http import HttpRequest

FIXTURES = share_path("modules")
# Enough fuel to be real, and memory as a container might have it.
LIMITS = Limits(fuel=1_000_000_000, memory_bytes=16 << 20)

GIGANTIC_BYTES = 65 << 20
BOMB_LOOPS = 12_000
BOMB_SECONDS = 1


@dataclass(frozen=True, slots=True)
class Hostile:
    """One case.

    Attributes:
        name: What it does.
        state: What its container comes to.
        module: Makes its bytes.
        path: The request that makes a component misbehave; empty for a command.
    """

    name: str
    state: str
    module: Callable[[], bytes]
    path: str = ""


def text(name: str) -> Callable[[], bytes]:
    """A module from its text."""

    def read() -> bytes:
        from kubesim.wasm.native import translate  # noqa: PLC0415 - loads the engine

        return translate((FIXTURES / f"{name}.wat").read_text(encoding="utf-8"))

    return read


def visits() -> bytes:
    """The component with bad manners."""
    return (FIXTURES / "components" / "visits.wasm").read_bytes()


def leb(number: int) -> bytes:
    """A number as WebAssembly writes it."""
    written = b""
    while number > 127:
        written += bytes([number & 127 | 128])
        number >>= 7
    return written + bytes([number])


def compile_bomb(loops: int = BOMB_LOOPS) -> bytes:
    """A small valid module whose compile time grows with the square of its size."""
    opened = b"".join(
        b"\x03\x40\x20" + leb(i) + b"\x21" + leb((i * 7 + 1) % loops) for i in range(loops)
    )
    closed = b"".join(b"\x20" + leb(i) + b"\x50\x0d\x00\x0b" for i in range(loops))
    function = leb(1) + leb(loops) + b"\x7e" + opened + closed + b"\x0b"
    code = leb(1) + leb(len(function)) + function
    sections = ((1, b"\1\x60\0\0"), (3, b"\1\0"), (7, b"\1\6_start\0\0"), (10, code))
    return b"\0asm\1\0\0\0" + b"".join(bytes([i]) + leb(len(d)) + d for i, d in sections)


_ERROR, _KILLED, _REFUSED = "137 Error", "137 OOMKilled", "refused"

CASES: tuple[Hostile, ...] = (
    *(
        Hostile(name, state, text(name))
        for name, state in (
            ("bad_pointers", "0 Completed"),
            ("divide_by_zero", _ERROR),
            ("host_call_spam", _ERROR),
            ("infinite_loop", _ERROR),
            ("infinite_start", _ERROR),
            ("memory_bomb", _KILLED),
            ("memory_exit", _KILLED),
            ("memory_huge", _KILLED),
            ("no_memory", _ERROR),
            ("out_of_bounds", _ERROR),
            ("output_flood", _ERROR),
            ("output_vector", _ERROR),
            ("path_escape", "8 Error"),
            ("poll_spam", _ERROR),
            ("random_spam", _ERROR),
            ("recursion", _ERROR),
            ("sleeps_an_hour", "0 Completed"),
            ("socket", "8 Error"),
            ("spins_until_later", "0 Completed"),
            ("table_huge", _ERROR),
            ("unreachable", _ERROR),
            ("threads", _REFUSED),
            ("unknown_import", _REFUSED),
            ("wrong_signature", _REFUSED),
        )
    ),
    Hostile("empty", _REFUSED, lambda: b""),
    Hostile("garbage", _REFUSED, lambda: b"\0asm\1\0\0\0" + bytes(range(256))),
    Hostile("component_garbage", _REFUSED, lambda: b"\0asm\x0d\0\1\0" + bytes(range(256))),
    Hostile("truncated", _REFUSED, lambda: visits()[:5_000]),
    Hostile("gigantic", _REFUSED, lambda: b"\0asm\1\0\0\0" + bytes(GIGANTIC_BYTES)),
    Hostile("compile_bomb", _REFUSED, compile_bomb),
    *(
        Hostile(f"component_{name}", "500", visits, path=f"/hostile/{name}")
        for name in (
            *("spin", "recurse", "grow", "flood", "trap", "twice", "silent", "bigwrite"),
            *("much", "open"),
        )
    ),
)


def hostile_engine() -> Engine:
    """An engine that gives a compile bomb no more than a second."""
    return Engine(use_cache=False, compile_seconds=BOMB_SECONDS)


def outcome(engine: Engine, case: Hostile) -> str:
    """What really becomes of a case, in the words of ``Hostile.state``."""
    try:
        module = engine.load(case.module())
    except WasmError:
        return _REFUSED
    if case.path:
        assert isinstance(module, Component), case.name
        spin = SpinContext(key_value_stores=("default",))
        request = HttpRequest(path=case.path)
        handled = engine.handle(module, request, WasiContext(), LIMITS, spin=spin)
        return str(handled.response.status)
    status = container_status(engine.run(module, WasiContext(args=("module",)), LIMITS))
    return f"{status.exit_code} {status.reason}"
