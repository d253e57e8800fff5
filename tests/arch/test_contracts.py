"""The house rules that a machine can hold: import directions, import hygiene, sizes, docstrings."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "kubesim"
MODULES = sorted(PACKAGE.rglob("*.py"))

FUNCTION_LINES_MAX = 70
FILE_LINES_MAX = 500
# What is longer today may not grow; take a line out when its file got shorter.
LONGER_FILES: dict[str, int] = {}

# Rooms whose modules stand for something upstream and must say what, and what they leave out.
MIRRORING = (
    "controlplane/apiserver",
    "controlplane/client",
    "controlplane/controllers",
    "controlplane/spin",
    "node/kubelet",
    "node/containerd",
    "node/shim",
)
# Modules that only hold values or wiring of their room.
MIRRORS_NOTHING = {"task.py"}


def modules_loaded_by(statement: str) -> set[str]:
    """What a fresh interpreter has loaded after a statement."""
    code = f"{statement}; import sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_import_contracts() -> None:
    """Imports go down only; the contracts are in pyproject.toml."""
    tool = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([tool], cwd=ROOT, capture_output=True, text=True, check=False)
    assert 0 == done.returncode, done.stdout


@pytest.mark.parametrize("heavy", ["textual", "wasmtime", "pandas", "pydantic", "simpy", "numpy"])
def test_import_kubesim_is_light(heavy: str) -> None:
    """``import kubesim`` loads nothing heavy before it is used."""
    assert heavy not in modules_loaded_by("import kubesim")


@pytest.mark.parametrize("heavy", ["textual", "wasmtime", "pandas", "pydantic", "simpy", "yaml"])
def test_help_is_light(heavy: str) -> None:
    """``kubesim --help`` loads nothing that it does not need."""
    assert heavy not in modules_loaded_by("import kubesim.cli.main")


def test_a_run_without_wasm_loads_no_engine() -> None:
    """The scenario room alone does not load wasmtime or textual."""
    assert not {"wasmtime", "textual"} & modules_loaded_by("import kubesim.scenario")


def test_public_names_exist() -> None:
    """Every name in ``kubesim.__all__`` can be had."""
    import kubesim

    assert [] == [name for name in kubesim.__all__ if not hasattr(kubesim, name)]


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_module_is_tidy(path: Path) -> None:
    """A module has a docstring, fits the limits, and its functions fit on a screen."""
    text = path.read_text(encoding="utf-8")
    tree = ast.parse(text)
    name = str(path.relative_to(PACKAGE))
    assert ast.get_docstring(tree), f"{name} has no docstring"
    assert text.count("\n") <= LONGER_FILES.get(name, FILE_LINES_MAX), name
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno is not None
            lines = node.end_lineno - node.lineno + 1
            assert lines <= FUNCTION_LINES_MAX, f"{name}:{node.lineno} {node.name}: {lines} lines"


@pytest.mark.parametrize("room", MIRRORING)
def test_rooms_say_what_they_mirror(room: str) -> None:
    """Every module of a room that stands for something upstream says so."""
    silent = [
        path.name
        for path in sorted((PACKAGE / room).rglob("*.py"))
        if "Mirrors:" not in path.read_text(encoding="utf-8") and path.name not in MIRRORS_NOTHING
    ]
    assert [] == silent
