"""The modules that ``kubesim bench wasm`` and ``calibrate wasm`` execute are shipped in the wheel."""

from __future__ import annotations

import tomllib
from pathlib import Path

from kubesim import share
from kubesim.bench.hostile import CASES, FIXTURES
from kubesim.bench.wasm import SUBJECTS

ROOT = Path(__file__).parents[3]


def test_the_wheel_takes_every_folder_that_is_looked_for():
    """What a checkout has beside the package, or among the tests, is inside an installed one."""
    build = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]
    included = build["targets"]["wheel"]["force-include"]
    found = {target: (ROOT / source).resolve() for source, target in included.items()}

    assert found == {
        f"kubesim/_share/{name}": share.share_path(name).resolve()
        for name in ("models", "scenarios", "modules")
    }


def test_every_module_lies_there():
    """Nothing that is executed comes from elsewhere."""
    shipped = [share.share_path(name) for name in ("scenarios", "modules")]

    assert FIXTURES == share.share_path("modules")
    assert len(SUBJECTS) >= 8
    assert [] == [s.name for s in SUBJECTS if not s.path.is_file()]
    assert all(any(s.path.is_relative_to(folder) for folder in shipped) for s in SUBJECTS)
    assert len({s.toolchain for s in SUBJECTS}) >= 5
    assert len(CASES) >= 25
