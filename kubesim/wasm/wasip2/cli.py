"""wasi:cli: arguments, environment, the three streams, and the way out.

Mirrors: wasi:cli@0.2.
Departs: no stream is a terminal, as in a container without a tty.
"""

from __future__ import annotations

from kubesim.wasm.values import Err, Ok
from kubesim.wasm.wasi.guest import Exit
from kubesim.wasm.wasip2.guest import ComponentGuest
from kubesim.wasm.wasip2.io import InputStream, OutputStream
from kubesim.wasm.wasip2.resources import Functions, resource_number

_INPUT, _OUTPUT = resource_number("input-stream"), resource_number("output-stream")


def get_environment(guest: ComponentGuest) -> list[tuple[str, str]]:
    """The environment variables."""
    return list(guest.context.env)


def get_arguments(guest: ComponentGuest) -> list[str]:
    """The arguments, the program's name first."""
    return list(guest.context.args)


def nothing(_guest: ComponentGuest) -> None:
    """There is no working directory and no terminal."""


def get_stdin(guest: ComponentGuest) -> int:
    """Standard input."""
    return guest.own(_INPUT, InputStream(guest.context.stdin))


def get_stdout(guest: ComponentGuest) -> int:
    """Standard output."""
    return guest.own(_OUTPUT, OutputStream(lambda run, data: run.put("stdout", data)))


def get_stderr(guest: ComponentGuest) -> int:
    """Standard error."""
    return guest.own(_OUTPUT, OutputStream(lambda run, data: run.put("stderr", data)))


def leave(_guest: ComponentGuest, status: Ok | Err) -> None:
    """End the run, well or not."""
    raise Exit(0 if isinstance(status, Ok) else 1)


def leave_with_code(_guest: ComponentGuest, code: int) -> None:
    """End the run with an exit code."""
    raise Exit(code)


ENVIRONMENT: Functions = {
    "get-environment": get_environment,
    "get-arguments": get_arguments,
    "initial-cwd": nothing,
    "get-initial-cwd": nothing,
}
EXIT: Functions = {"exit": leave, "exit-with-code": leave_with_code}
STDIN: Functions = {"get-stdin": get_stdin}
STDOUT: Functions = {"get-stdout": get_stdout}
STDERR: Functions = {"get-stderr": get_stderr}
TERMINAL_STDIN: Functions = {"get-terminal-stdin": nothing}
TERMINAL_STDOUT: Functions = {"get-terminal-stdout": nothing}
TERMINAL_STDERR: Functions = {"get-terminal-stderr": nothing}
