"""Change the source, rebuild, and see another log: the modules are what runs.

Installs zig from PyPI into the user's cache folder; takes about a minute the first time.
"""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from kubesim.scenario import Scenario
from kubesim.share import share_path

ROOT = Path(__file__).parents[2]
TOOL = ROOT / "tools" / "build_modules.py"
SIGNATURE = "counted by a sieve inside a Wasm module"


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    """The build tool as a module."""
    spec = importlib.util.spec_from_file_location("build_modules", TOOL)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["build_modules"] = module
    spec.loader.exec_module(module)
    return module


def test_committed_modules_come_from_their_sources() -> None:
    """A rebuild of every committed module gives the committed bytes."""
    done = subprocess.run(
        [sys.executable, TOOL, "--check"], capture_output=True, text=True, check=False
    )
    assert 0 == done.returncode, done.stdout + done.stderr


def test_one_changed_byte_changes_the_log(tool: ModuleType, tmp_path: Path) -> None:
    """One byte of the module's source string, changed and rebuilt, is in the pod's log."""
    scenario = tmp_path / "mixed-pool"
    shutil.copytree(share_path("scenarios") / "mixed-pool", scenario)
    source = scenario / "modules" / "report" / "report.c"
    text = source.read_text()
    assert SIGNATURE in text
    source.write_text(text.replace(SIGNATURE, SIGNATURE.replace("sieve", "sleve")))
    wasm = source.with_suffix(".wasm")
    command = [*tool.install_zig(), "cc", *tool.COMMAND, "-o", str(wasm), str(source)]
    subprocess.run(command, check=True, cwd=source.parent)

    before = Scenario.load("mixed-pool").run(seed=7).pod("report")["log"]
    after = Scenario.load(scenario).run(seed=7).pod("report")["log"]

    assert [True, False] == [any(SIGNATURE in line for line in log) for log in (before, after)]
    assert any("counted by a sleve" in line for line in after)
