"""``kubesim wasm`` and ``kubesim calibrate``: single modules from the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from kubesim.cli.main import app
from kubesim.errors import InputError

FIXTURES = Path(__file__).parents[2] / "fixtures" / "wasm"


def kubesim(*arguments: object):
    """Run the command line."""
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_a_function_is_called_with_numbers():
    """The result is printed, and the exit code is good."""
    seed = FIXTURES / "toolchains" / "seed-rust.wasm"
    done = kubesim("wasm", "run", seed, "--invoke", "fibonacci", 50)

    assert (0, "12586269025\n") == (done.exit_code, done.stdout)


def test_a_handler_is_sent_a_request():
    """Status, headers and body of the answer are data."""
    handler = FIXTURES / "components" / "httpinfo.wasm"
    done = kubesim("wasm", "run", handler, "--http", "POST", "/a?n=9", "hi", "-o", "json")
    answer = json.loads(done.stdout)

    assert (200, "exited") == (answer["status"], answer["ended"])
    assert "hi" == json.loads(answer["body"])["body"]


def test_a_directory_is_read_only_when_it_is_granted(tmp_path):
    """Files below it are there, everything else is denied and said."""
    (tmp_path / "a").write_text("content")
    files = FIXTURES / "files.wasm"
    done = kubesim("wasm", "run", files, "/d/a", "/d/../b", "--dir", f"{tmp_path}::/d")

    assert 1 == done.exit_code
    assert "content" in done.stdout
    assert "denied: path_filestat_get ../b: ENOTCAPABLE" in done.stderr


def test_a_trap_is_exit_code_137():
    """As its container's would be."""
    done = kubesim("wasm", "run", FIXTURES / "unreachable.wat", "-o", "json")

    assert (137, "trapped") == (done.exit_code, json.loads(done.stdout)["ended"])


def test_inspect_tells_what_a_component_needs():
    """Kind, imports, exports and capabilities."""
    done = kubesim("wasm", "inspect", FIXTURES / "components" / "visits.wasm", "-o", "json")
    found = json.loads(done.stdout)

    assert ("component", "http") == (found["kind"], found["runs"])
    assert "key-value stores" in found["capabilities"]
    assert "fermyon:spin/sqlite@2.0.0" in found["imports"]


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("run", "nowhere.wasm"), "No such file"),
        (("run", FIXTURES / "SHA256SUMS"), "is not a WebAssembly module"),
        (("run", FIXTURES / "arith.wasm", "--invoke", "nothing"), "exports no function nothing"),
        (("run", FIXTURES / "arith.wasm", "--invoke", "add", "x", "1"), "takes numbers"),
        (("run", FIXTURES / "files.wasm", "--env", "x"), "expected K=V"),
        (("run", FIXTURES / "files.wasm", "--dir", "/no/where::/d"), "is not a directory"),
    ],
)
def test_a_mistake_is_told_with_its_place(arguments, reason):
    """It is the user's error, in one sentence."""
    done = kubesim("wasm", *arguments)

    assert isinstance(done.exception, InputError)
    assert reason in str(done.exception)


def test_calibrating_writes_numbers_with_their_source(tmp_path, monkeypatch):
    """The file holds what a preset takes, graded A, with this machine and month as the source."""
    monkeypatch.setattr("kubesim.bench.calibration._FUEL", 1_000_000)
    monkeypatch.setattr("kubesim.bench.calibration._ROUNDS", 1)
    monkeypatch.setattr("kubesim.bench.calibration._LOADS", 3)
    out = tmp_path / "numbers.yaml"
    done = kubesim("calibrate", "wasm", "-o", out)
    numbers = yaml.safe_load(out.read_text())

    assert 0 == done.exit_code, done.output
    assert "A" == numbers["execution"]["fuel_per_us"]["grade"]
    assert "wasmtime 50.0.1" in numbers["wasm_runtime"]["load"]["source"]
    assert numbers["execution"]["fuel_per_us"]["value"] > 0


def test_only_a_node_and_wasm_can_be_calibrated():
    """Anything else is a mistake."""
    assert "there are: node, wasm" in str(kubesim("calibrate", "nothing").exception)
