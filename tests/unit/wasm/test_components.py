"""Components: commands and HTTP handlers, with the same clock, limits and memory as modules."""

from __future__ import annotations

import json

import pytest
import wasmtime

from kubesim.wasm import (
    Directory,
    HttpExecution,
    Limits,
    SpinContext,
    Status,
    TimeModel,
    WasiContext,
    WasmError,
)
from kubesim.wasm.memo import Memo
from kubesim.wire.http import HttpRequest

LIMITS = Limits(fuel=100_000_000)
TIME = TimeModel()


@pytest.fixture
def httpinfo(load):
    """The handler that says what it was asked."""
    return load("httpinfo")


@pytest.fixture(scope="session")
def files(binary, engine):
    """The command that reads files, as a component."""
    from tests.unit.wasm.conftest import FIXTURES

    return engine.load((FIXTURES / "components" / "files.wasm").read_bytes())


def component(text: str) -> bytes:
    """A component from its text."""
    return bytes(wasmtime.wat2wasm(text))


def test_a_handler_answers_a_request(engine, httpinfo):
    """Method, path, query and body arrive, status, header and body come back."""
    request = HttpRequest(method="POST", path="/a", query="n=50", body=b'{"k":1}')
    answered = engine.handle(httpinfo, request, WasiContext())

    assert 200 == answered.response.status
    assert (("content-type", "application/json"),) == answered.response.headers
    assert {
        "method": "POST",
        "path": "/a?n=50",
        "n": 50,
        "fibonacci": 12_586_269_025,
        "body_len": 7,
        "body": '{"k":1}',
    } == json.loads(answered.response.body)
    assert answered.execution.succeeded
    assert not answered.execution.touched


def test_a_component_shows_what_it_is(httpinfo, files):
    """Imports and exports are interfaces; a handler is no command and the other way round."""
    assert ("wasi:http/incoming-handler@0.2.0",) == httpinfo.exports
    assert "wasi:http/types@0.2.0" in httpinfo.imports
    assert (False, True) == (httpinfo.is_command, httpinfo.is_http_handler)
    assert (True, False) == (files.is_command, files.is_http_handler)


def test_a_command_reads_granted_files_and_no_others(engine, files):
    """The component sees what the module sees, and what is denied is on record."""
    tree = {"/d": Directory.of({"a": b"one"})}
    inside = engine.run(files, WasiContext(args=("files", "/d/a"), preopens=tree))
    outside = engine.run(files, WasiContext(args=("files", "/d/../../etc/passwd"), preopens=tree))

    assert b"one" in inside.stdout
    assert "fs" in inside.touched
    assert "stat-at" in {denial.function for denial in outside.denied}
    assert b"root:" not in outside.stdout


def test_equal_runs_are_equal(engine, httpinfo):
    """The same request gives the same answer to the byte and to the unit of fuel."""
    request = HttpRequest(path="/x", query="n=9")

    assert engine.handle(httpinfo, request, WasiContext()) == engine.handle(
        httpinfo, request, WasiContext(start_ns=7, seed=b"other")
    )


def test_a_memo_replays_answers(engine, httpinfo):
    """An equal request is answered from memory, another one is executed."""
    memo = Memo(engine)

    def ask(query: str) -> HttpExecution:
        request = HttpRequest(query=query)
        return memo.handle(httpinfo, request, WasiContext(), LIMITS, time=TIME)

    first, again, other = ask("n=3"), ask("n=3"), ask("n=4")

    assert first == again
    assert first.response.body != other.response.body
    assert (1, 2) == (memo.statistics.hits, memo.statistics.misses)


def test_a_memo_that_is_off_executes_everything(engine, httpinfo):
    """Without remembering there are only misses, and the same answers."""
    memo, request = Memo(engine, remembers=False), HttpRequest()
    answers = [memo.handle(httpinfo, request, WasiContext(), LIMITS, time=TIME) for _ in range(3)]

    assert answers[0] == answers[2]
    assert (0, 3) == (memo.statistics.hits, memo.statistics.misses)


@pytest.mark.parametrize(
    ("imported", "reason"),
    [
        ("other:thing/api@1.0.0", "imports other:thing/api@1.0.0, which nothing here provides"),
        ("wasi:http/types@0.3.0", "WASI 0.3 is not"),
        ("wasi:nonsense/types@0.2.0", "imports wasi:nonsense/types@0.2.0"),
    ],
)
def test_an_unknown_interface_is_an_error_that_names_it(engine, imported, reason):
    """A component that needs what nobody offers is refused when it is loaded."""
    text = f'(component (import "{imported}" (instance (export "f" (func)))))'

    with pytest.raises(WasmError, match=reason):
        engine.load(component(text))


STUB = """
(component
  (import "fermyon:spin/llm@2.0.0" (instance $llm (export "infer" (func))))
  (core func $infer (canon lower (func $llm "infer")))
  (core module $m
    (import "host" "infer" (func $infer))
    (func (export "idle"))
    (func (export "infer") (call $infer)))
  (core instance $i (instantiate $m (with "host" (instance (export "infer" (func $infer))))))
  (func (export "idle") (canon lift (core func $i "idle")))
  (func (export "infer") (canon lift (core func $i "infer"))))
"""


def test_what_an_sdk_imports_and_nobody_calls_is_no_harm(engine):
    """A function that is not provided may be imported; calling it ends the run and names it."""
    loaded = engine.load(component(STUB))
    _, idle = engine.call_component(loaded, "idle")
    _, called = engine.call_component(loaded, "infer")

    assert ("fermyon:spin/llm#infer",) == loaded.compiled.stubs
    assert Status.EXITED is idle.status
    assert Status.TRAPPED is called.status
    assert "called fermyon:spin/llm#infer, which is not provided" == called.trap.message


def test_sockets_are_refused_and_recorded(engine):
    """A component that opens a socket gets access-denied, and the attempt is a fact."""
    text = """
    (component
      (import "wasi:sockets/tcp-create-socket@0.2.0" (instance $tcp
        (type $family (enum "ipv4" "ipv6"))
        (export "ip-address-family" (type $f (eq $family)))
        (type $code (enum "unknown" "access-denied"))
        (export "error-code" (type $e (eq $code)))
        (export "create-tcp-socket" (func (param "f" $f) (result (result (error $e)))))))
      (core func $create (canon lower (func $tcp "create-tcp-socket")))
      (core module $m
        (import "host" "create" (func $create (param i32 i32)))
        (memory (export "memory") 1)
        (func (export "go") (call $create (i32.const 0) (i32.const 8))))
      (core module $mem (memory (export "memory") 1))
      (core instance $x (instantiate $mem))
      (core func $c (canon lower (func $tcp "create-tcp-socket") (memory (core memory $x "memory"))))
      (core instance $i (instantiate $m (with "host" (instance (export "create" (func $c))))))
      (func (export "go") (canon lift (core func $i "go"))))
    """.replace('(core func $create (canon lower (func $tcp "create-tcp-socket")))', "")
    _, execution = engine.call_component(engine.load(component(text)), "go")

    assert ["create-tcp-socket"] == [denial.function for denial in execution.denied]


def test_functions_of_a_component_take_and_give_values(engine):
    """An exported function is called with numbers; a wrong name or count is the user's error."""
    text = """
    (component
      (core module $m (func (export "add") (param i32 i32) (result i32)
        (i32.add (local.get 0) (local.get 1))))
      (core instance $i (instantiate $m))
      (func (export "add") (param "a" s32) (param "b" s32) (result s32)
        (canon lift (core func $i "add"))))
    """
    loaded = engine.load(component(text))

    assert -1 == engine.call_component(loaded, "add", 2, -3)[0]
    with pytest.raises(WasmError, match="exports no function sub"):
        engine.call_component(loaded, "sub")
    with pytest.raises(WasmError, match="takes a, b, not 1"):
        engine.call_component(loaded, "add", 1)


def test_a_deadline_cuts_a_command(engine, files):
    """A command that is not done when the simulation ends is running, not failed."""
    whole = engine.run(files, WasiContext(args=("files", "/nothing")))
    cut = engine.run(
        files, WasiContext(args=("files", "/nothing"), deadline_ns=whole.elapsed_ns // 2)
    )

    assert Status.EXITED is whole.status
    assert Status.RUNNING is cut.status


def test_a_module_is_asked_nothing_it_is_not(engine, httpinfo, files):
    """A handler does not run as a command, nor a command as a handler."""
    run = engine.run(httpinfo, WasiContext())
    handled = engine.handle(files, HttpRequest(), WasiContext(), spin=SpinContext())

    assert Status.START_FAILED is run.status
    assert (500, Status.START_FAILED) == (handled.response.status, handled.execution.status)


COMPOSED = """
(component
  (component $inner
    (core module $m
      (memory (export "memory") 1)
      (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 64))
      (func (export "size") (param i32 i32) (result i32) (local.get 1)))
    (core instance $i (instantiate $m))
    (func (export "size") (param "text" string) (result u32)
      (canon lift (core func $i "size") (memory (core memory $i "memory"))
        (realloc (core func $i "realloc")))))
  (instance $parts (instantiate $inner))
  (core module $mem
    (memory (export "memory") 1)
    (data (i32.const 0) "hello"))
  (core instance $x (instantiate $mem))
  (core func $size (canon lower (func $parts "size") (memory (core memory $x "memory"))))
  (core module $m
    (import "inner" "size" (func $size (param i32 i32) (result i32)))
    (func (export "go") (result i32) (call $size (i32.const 0) (i32.const 5))))
  (core instance $i (instantiate $m (with "inner" (instance (export "size" (func $size))))))
  (func (export "go") (result u32) (canon lift (core func $i "go"))))
"""


def test_the_parts_of_a_composed_component_call_each_other(engine):
    """A string crosses from one part's memory into the other's."""
    assert 5 == engine.call_component(engine.load(component(COMPOSED)), "go")[0]
