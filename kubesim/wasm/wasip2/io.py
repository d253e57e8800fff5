"""wasi:io: streams of bytes, things to wait for, and errors.

Input is all there when a stream is opened and output never blocks, so only clocks are worth
waiting for. A stream never moves more than 64 KiB at a time, since a byte costs 32 while it crosses
the border.

Mirrors: wasi:io@0.2 {error, poll, streams}.
Departs: splice moves what is there at once; a stream closes at its end and never fails.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from kubesim.wasm.execution import FILES
from kubesim.wasm.values import OK, Case, Err, Ok
from kubesim.wasm.wasip2.guest import ComponentGuest
from kubesim.wasm.wasip2.resources import Functions, resource_number

CHUNK_BYTES = 64 * 1024

_CLOSED = Err(Case("closed"))
_POLLABLE = resource_number("pollable")


@dataclass(slots=True)
class InputStream:
    """Bytes that are read from the front.

    Attributes:
        data: All of them.
        position: How many were read.
        is_file: They are a file's.
        fill: Fetches more when all were read, if more can come.
    """

    data: bytes
    position: int = 0
    is_file: bool = False
    fill: Callable[[ComponentGuest, InputStream], None] | None = None


@dataclass(slots=True)
class OutputStream:
    """Where written bytes go."""

    write: Callable[[ComponentGuest, bytes], None]


@dataclass(slots=True)
class Pollable:
    """Something to wait for: a time since the start of the run, or nothing at all."""

    due_ns: int = 0


@dataclass(slots=True)
class IoError:
    """An error that can be put into words."""

    text: str


def error_to_debug_string(guest: ComponentGuest, number: int) -> str:
    """An error in words."""
    return guest.get(number, IoError).text


def ready(guest: ComponentGuest, number: int) -> bool:
    """Whether waiting would be over at once."""
    return guest.get(number, Pollable).due_ns <= guest.elapsed_ns()


def block(guest: ComponentGuest, number: int) -> None:
    """Wait: virtual time moves on."""
    wait_until(guest, guest.get(number, Pollable).due_ns)


def poll(guest: ComponentGuest, numbers: list[int]) -> list[int]:
    """Wait until one of several is ready; which ones are."""
    if not numbers:
        guest.fail("poll was called with an empty list")
    guest.take_entries(len(numbers))
    pollables = [guest.get(number, Pollable) for number in numbers]
    wait_until(guest, min(pollable.due_ns for pollable in pollables))
    now_ns = guest.elapsed_ns()
    return [index for index, pollable in enumerate(pollables) if pollable.due_ns <= now_ns]


def wait_until(guest: ComponentGuest, due_ns: int) -> None:
    """Let virtual time pass until a time since the start of the run."""
    wait_ns = due_ns - guest.elapsed_ns()
    if wait_ns > 0:
        guest.sleep(wait_ns)


def subscribe(guest: ComponentGuest, _number: int) -> int:
    """Something that is always ready."""
    return guest.own(_POLLABLE, Pollable())


def read(guest: ComponentGuest, number: int, length: int) -> Ok | Err:
    """The next bytes of a stream."""
    data = _advance(guest, number, length)
    return _CLOSED if data is None else Ok(data)


def skip(guest: ComponentGuest, number: int, length: int) -> Ok | Err:
    """Leave out the next bytes of a stream."""
    data = _advance(guest, number, length)
    return _CLOSED if data is None else Ok(len(data))


def check_write(guest: ComponentGuest, number: int) -> Ok | Err:
    """How many bytes may be written."""
    guest.get(number, OutputStream)
    return Ok(CHUNK_BYTES)


def write(guest: ComponentGuest, number: int, data: bytes) -> Ok | Err:
    """Write bytes."""
    guest.take(len(data))
    guest.get(number, OutputStream).write(guest, data)
    return OK


def write_zeroes(guest: ComponentGuest, number: int, length: int) -> Ok | Err:
    """Write zeroes."""
    if length > CHUNK_BYTES:
        guest.fail(f"write-zeroes: {length} bytes are more than check-write allows")
    return write(guest, number, bytes(length))


def flush(guest: ComponentGuest, number: int) -> Ok | Err:
    """Wait until everything is written: it is."""
    guest.get(number, OutputStream)
    return OK


def splice(guest: ComponentGuest, number: int, source: int, length: int) -> Ok | Err:
    """Move bytes from an input to an output."""
    data = _advance(guest, source, length)
    if data is None:
        return _CLOSED
    guest.get(number, OutputStream).write(guest, data)
    return Ok(len(data))


def _advance(guest: ComponentGuest, number: int, length: int) -> bytes | None:
    """The next bytes of an input; ``None`` at its end."""
    stream = guest.get(number, InputStream)
    if stream.is_file:
        guest.touched.add(FILES)
    if stream.fill is not None and length and stream.position >= len(stream.data):
        stream.fill(guest, stream)
    data = stream.data[stream.position : stream.position + min(length, CHUNK_BYTES)]
    if not data and length:
        return None
    guest.take(len(data))
    stream.position += len(data)
    return data


ERROR: Functions = {"[method]error.to-debug-string": error_to_debug_string}
POLL: Functions = {
    "[method]pollable.ready": ready,
    "[method]pollable.block": block,
    "poll": poll,
}
STREAMS: Functions = {
    "[method]input-stream.read": read,
    "[method]input-stream.blocking-read": read,
    "[method]input-stream.skip": skip,
    "[method]input-stream.blocking-skip": skip,
    "[method]input-stream.subscribe": subscribe,
    "[method]output-stream.check-write": check_write,
    "[method]output-stream.write": write,
    "[method]output-stream.blocking-write-and-flush": write,
    "[method]output-stream.flush": flush,
    "[method]output-stream.blocking-flush": flush,
    "[method]output-stream.subscribe": subscribe,
    "[method]output-stream.write-zeroes": write_zeroes,
    "[method]output-stream.blocking-write-zeroes-and-flush": write_zeroes,
    "[method]output-stream.splice": splice,
    "[method]output-stream.blocking-splice": splice,
}
