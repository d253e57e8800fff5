"""Modules of several toolchains: the same two functions, and the same answers."""

from __future__ import annotations

import json

import pytest

from kubesim.wasm import wagi
from kubesim.wire.http import HttpRequest


@pytest.mark.parametrize("name", ["seed-rust", "seed-zig", "seed-assemblyscript"])
def test_add_and_fibonacci(engine, load, name):
    """Each language's functions give the sums and the numbers of Fibonacci."""
    module = load(name)

    assert (5,) == engine.call(module, "add", 2, 3).values
    assert (-(2**31),) == engine.call(module, "add", 2**31 - 1, 1).values
    numbers = [engine.call(module, "fibonacci", n).values[0] for n in (0, 1, 2, 10, 50, 90)]
    assert [0, 1, 1, 55, 12_586_269_025, 2_880_067_194_370_816_120] == numbers


def test_a_rust_program_answers_requests(engine, load):
    """Rust's standard library finds its environment, input and output."""
    request = HttpRequest(method="POST", path="/r", query="n=30", body=b'"')
    response = wagi.respond(
        engine.run(load("echo-rust"), wagi.context(request, wagi.WagiHandler()))
    )

    assert {
        "method": "POST",
        "path": "/r",
        "n": 30,
        "fibonacci": 832_040,
        "body": '"',
    } == json.loads(response.body)
