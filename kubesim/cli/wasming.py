"""``kubesim wasm``: one module or component, run or looked into outside of any cluster.

It gets the same sandbox as in a container: the granted directories are read into memory once and
are read-only, the clock begins with the run, the exit code is the module's own.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from kubesim.cli.options import OutputFormat
from kubesim.cli.output import print_data
from kubesim.errors import EXIT_PASSED, InputError, Problem
from kubesim.wasm import (
    Component,
    Directory,
    Engine,
    Execution,
    Module,
    SpinContext,
    WasiContext,
    WasmError,
    wagi,
)
from kubesim.wire.http import HttpRequest, HttpResponse

FAILED_EXIT_CODE = 137
GRANT_BYTES_MAX = 256 << 20

# What a module can do to the world, by what it imports.
_CAPABILITIES = (
    ("files", ("path_", "fd_readdir", "fd_prestat", "wasi:filesystem/")),
    ("clock", ("clock_", "wasi:clocks/wall-clock")),
    ("random", ("random_get", "wasi:random/")),
    ("environment", ("environ_", "args_", "wasi:cli/environment")),
    ("sockets", ("sock_", "wasi:sockets/")),
    ("outbound HTTP", ("wasi:http/outgoing-handler",)),
    ("key-value stores", ("fermyon:spin/key-value",)),
    ("SQLite", ("fermyon:spin/sqlite",)),
    ("variables", ("fermyon:spin/variables",)),
)


def run_wasm(  # noqa: PLR0913 - the options of the verb
    path: Path,
    arguments: list[str],
    *,
    env: list[str],
    grants: list[str],
    invoke: str,
    http: bool,
    output: OutputFormat,
) -> int:
    """Run a module once; returns its exit code.

    Raises:
        InputError: It cannot be loaded, or is asked for what it does not have.
    """
    engine = Engine()
    module = _load(engine, path)
    context = WasiContext(
        args=(path.name, *arguments),
        env=tuple(_pair(each) for each in env),
        preopens=dict(_grant(each) for each in grants),
    )
    try:
        if invoke:
            return _invoke(engine, module, invoke, arguments, output)
    except WasmError as error:
        raise _problem(path, str(error)) from None
    if http:
        return _request(engine, module, arguments, context, output)
    execution = engine.run(module, context, spin=_everything())
    if output is not OutputFormat.TEXT:
        print_data(_told(execution) | _printed(execution), output)
    else:
        sys.stdout.buffer.write(execution.stdout)
        sys.stdout.buffer.flush()
        sys.stderr.buffer.write(execution.stderr)
        _tell(execution)
    return _exit_code(execution)


def inspect_wasm(path: Path, *, output: OutputFormat) -> int:
    """Say what a module is."""
    module = _load(Engine(), path)
    needed = [
        name
        for name, prefixes in _CAPABILITIES
        if any(
            imported.removeprefix("wasi_snapshot_preview1.").startswith(prefix)
            for imported in module.imports
            for prefix in prefixes
        )
    ]
    stubs = list(module.compiled.stubs) if isinstance(module, Component) else []
    data = {
        "kind": "component" if isinstance(module, Component) else "module",
        "runs": _runs(module),
        "digest": module.digest,
        "sizeBytes": module.size_bytes,
        "capabilities": needed,
        "imports": list(module.imports),
        "exports": list(module.exports),
        "functions": sorted(module.functions),
        "notProvided": stubs,
    }
    if output is not OutputFormat.TEXT:
        print_data(data, output)
        return EXIT_PASSED
    for name, value in data.items():
        shown = value if not isinstance(value, list) else "\n             ".join(value) or "none"
        print(f"{name:12} {shown}")
    return EXIT_PASSED


def _load(engine: Engine, path: Path) -> Module | Component:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise _problem(path, error.strerror or str(error)) from None
    try:
        if content.lstrip().startswith((b"(module", b"(component", b";;")):
            from kubesim.wasm.native import translate  # noqa: PLC0415 - loads the engine

            content = translate(content.decode("utf-8", "replace"))
        return engine.load(content)
    except WasmError as error:
        raise _problem(path, str(error)) from None


def _invoke(
    engine: Engine,
    module: Module | Component,
    function: str,
    arguments: list[str],
    output: OutputFormat,
) -> int:
    """Call a function with numbers, or strings where a component takes them."""
    if isinstance(module, Component):
        given = [_value(argument) for argument in arguments]
        value, execution = engine.call_component(module, function, *given)
        values = [] if value is None else [value]
    else:
        called = engine.call(module, function, *[_number(argument) for argument in arguments])
        values, execution = list(called.values), called.execution
    if output is not OutputFormat.TEXT:
        print_data({"values": values} | _told(execution), output)
    else:
        for value in values:
            print(value)
        _tell(execution)
    return _exit_code(execution)


def _request(
    engine: Engine,
    module: Module | Component,
    arguments: list[str],
    context: WasiContext,
    output: OutputFormat,
) -> int:
    """Send one request: to a handler's component, or by WAGI."""
    method, target, body = [*arguments, *["GET", "/", ""][len(arguments) :]][:3]
    path, _, query = target.partition("?")
    request = HttpRequest(method=method.upper(), path=path, query=query, body=body.encode())
    if isinstance(module, Component):
        handled = engine.handle(module, request, context, spin=_everything())
        response, execution = handled.response, handled.execution
    else:
        asked = wagi.context(request, wagi.WagiHandler(environment=context.env))
        execution = engine.run(module, asked)
        response = wagi.respond(execution)
    if output is not OutputFormat.TEXT:
        print_data(_answer(response) | _told(execution), output)
    else:
        print(response.status)
        for name, value in response.headers:
            print(f"{name}: {value}")
        print()
        sys.stdout.flush()
        sys.stdout.buffer.write(response.body)
        sys.stdout.buffer.flush()
        sys.stderr.buffer.write(execution.stderr)
        _tell(execution)
    return _exit_code(execution)


def _everything() -> SpinContext:
    """The default store and database, as ``spin up`` grants them to a manifest that asks."""
    return SpinContext(key_value_stores=("default",), sqlite_databases=("default",))


def _runs(module: Module | Component) -> str:
    if isinstance(module, Component) and module.is_http_handler:
        return "http"
    return "command" if module.is_command else "functions"


def _answer(response: HttpResponse) -> dict[str, Any]:
    return {
        "status": response.status,
        "headers": dict(response.headers),
        "body": response.body.decode("utf-8", "replace"),
    }


def _printed(execution: Execution) -> dict[str, Any]:
    return {
        "stdout": execution.stdout.decode("utf-8", "replace"),
        "stderr": execution.stderr.decode("utf-8", "replace"),
    }


def _told(execution: Execution) -> dict[str, Any]:
    """An execution as plain data."""
    return {
        "ended": execution.status.value,
        "exitCode": _exit_code(execution),
        "message": execution.trap.message if execution.trap else "",
        "fuel": execution.fuel,
        "hostCalls": execution.host_calls,
        "elapsedNs": execution.elapsed_ns,
        "memoryBytes": execution.memory_bytes,
        "touched": sorted(execution.touched),
        "denied": [
            {"function": each.function, "target": each.target, "errno": each.errno}
            for each in execution.denied
        ],
    }


def _tell(execution: Execution) -> None:
    """Denied accesses and the reason of a bad end, on standard error."""
    sys.stderr.flush()
    for each in execution.denied:
        print(f"denied: {each.function} {each.target}: {each.errno}", file=sys.stderr)
    if execution.trap is not None:
        print(f"{execution.status.value}: {execution.trap.message}", file=sys.stderr)


def _exit_code(execution: Execution) -> int:
    if execution.succeeded:
        return EXIT_PASSED
    return execution.exit_code & 0xFF or FAILED_EXIT_CODE


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise InputError(Problem(message=f'expected K=V, got "{text}"'))
    return name, value


def _grant(text: str) -> tuple[str, Directory]:
    """A directory of this machine, read into memory, and the guest's path for it."""
    host, _, guest = text.partition("::")
    root = Path(host)
    if not root.is_dir():
        raise _problem(root, "is not a directory")
    files = {
        found.relative_to(root).as_posix(): found
        for found in sorted(root.rglob("*"))
        if found.is_file() and not found.is_symlink()
    }
    if sum(found.stat().st_size for found in files.values()) > GRANT_BYTES_MAX:
        raise _problem(root, f"holds more than {GRANT_BYTES_MAX} bytes")
    return guest or host, Directory.of({name: found.read_bytes() for name, found in files.items()})


def _number(text: str) -> float:
    try:
        return int(text, 0)
    except ValueError:
        pass
    try:
        return float(text)
    except ValueError:
        raise WasmError(f'takes numbers, not "{text}"') from None


def _value(text: str) -> Any:
    try:
        return _number(text)
    except WasmError:
        return text


def _problem(path: Path, message: str) -> InputError:
    return InputError(Problem(message=message, file=str(path)))
