"""The modules that are shipped: they are what the sums say, and do what their sources say."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path

import pytest

from kubesim.wasm import Status, WasiContext, wagi
from kubesim.wire.http import HttpRequest

REPOSITORY = Path(__file__).parents[3]
MODULES = REPOSITORY / "scenarios" / "mixed-pool" / "modules"
FIXTURES = REPOSITORY / "tests" / "fixtures" / "wasm"
START_NS = 1_767_225_600 * 10**9  # 2026-01-01T00:00:00Z


@pytest.mark.parametrize("folder", [MODULES, FIXTURES], ids=["mixed-pool", "fixtures"])
def test_committed_modules_are_the_ones_that_were_built(folder):
    """Every committed module is listed in SHA256SUMS with its digest."""
    lines = (folder / "SHA256SUMS").read_text().splitlines()
    listed = {name: digest for digest, name in (line.split("  ") for line in lines)}
    found = {
        path.relative_to(folder).as_posix(): sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*.wasm")
    }

    assert listed == found


def test_the_greeter_answers_a_request(engine, load):
    """The body is JSON with the greeting, the request and a computed number; stderr is the log."""
    request = HttpRequest(path="/hello", query="verbose=1&n=30")
    execution = engine.run(load("greeter"), wagi.context(request, wagi.WagiHandler()))
    response = wagi.respond(execution)

    assert (200, (("content-type", "application/json"),)) == (response.status, response.headers)
    assert {
        "message": "Hello from Wasm!",
        "path": "/hello",
        "method": "GET",
        "runtime": "wasm32-wasi",
        "n": 30,
        "fibonacci": 832040,
    } == json.loads(response.body)
    assert b"GET /hello n=30 200\n" == execution.stderr
    assert not execution.touched


@pytest.mark.parametrize("query", ["", "n=", "n=x", "n=94", "n=-1", "nn=3", "n=5x", "n=1e3"])
def test_the_greeter_takes_any_query(engine, load, query):
    """What is no number from 0 to 93 counts as 10."""
    context = wagi.context(HttpRequest(query=query), wagi.WagiHandler())
    body = wagi.respond(engine.run(load("greeter"), context)).body

    assert 55 == json.loads(body)["fibonacci"]


def test_the_greeter_escapes_what_the_client_chose(engine, load):
    """A path with quotes and control characters stays a JSON string."""
    context = wagi.context(HttpRequest(path='/a"b\\c\x01'), wagi.WagiHandler())
    body = wagi.respond(engine.run(load("greeter"), context)).body

    assert '/a"b\\c\x01' == json.loads(body)["path"]


def test_the_report_is_printed_line_by_line(engine, load):
    """It counts the primes below a million, line by line, with a nap in between."""
    context = WasiContext(args=("report",), env=(("REPORT_TITLE", "Primes"),), start_ns=START_NS)
    execution = engine.run(load("report"), context)
    lines = [chunk.data.decode() for chunk in execution.output]

    assert execution.succeeded
    assert [
        "Primes below 1000000, started 2026-01-01T00:00:00Z\n",
        "first half: 41538 primes\n",
        "second half: 36960 primes\n",
        "total: 78498 primes, counted by a sieve inside a Wasm module\n",
        "took 26 ms\n",
    ] == lines
    assert 20_000_000 == execution.sleep_ns
    assert execution.output[2].at_ns - execution.output[1].at_ns > 20_000_000


def test_the_report_refuses_a_limit_that_is_none(engine, load):
    """A wrong argument is exit code 64 and a line on stderr."""
    execution = engine.run(load("report"), WasiContext(args=("report", "many")))

    assert (Status.EXITED, 64) == (execution.status, execution.exit_code)
    assert b"report: LIMIT must be from 10 to 2000000\n" == execution.stderr


def test_nothing_of_the_report_is_canned(engine, binary):
    """Another byte in the module's string is another byte in its log."""
    wasm = binary("report").replace(b"inside a Wasm module", b"inside a Wasm modulo")
    execution = engine.run(engine.load(wasm), WasiContext(args=("report", "100")))

    assert b"total: 25 primes, counted by a sieve inside a Wasm modulo\n" in execution.stdout
