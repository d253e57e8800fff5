"""The composed component comes from its sources: Rust, C and wasm-tools make the committed bytes.

Debian's Rust is installed with apt-get when it is missing, which needs Debian and root; where that
fails, so does this test.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

TOOL = Path(__file__).parents[2] / "tools" / "compose_components.py"
APT = ["apt-get", "-y", "-o", "DPkg::Lock::Timeout=300"]
PACKAGES = ["rustc", "libstd-rust-dev-wasm32", "lld"]


def test_composed_component_comes_from_its_sources() -> None:
    """A rebuild of the middleware and of the composition gives the committed bytes."""
    if not Path("/usr/bin/rustc").exists() or not shutil.which("wasm-ld"):
        install = [*APT, "install", "--no-install-recommends", *PACKAGES]
        if subprocess.run(install, check=False, capture_output=True).returncode:
            subprocess.run([*APT, "update"], check=True, capture_output=True)
            subprocess.run(install, check=True, capture_output=True)
    done = subprocess.run(
        [sys.executable, TOOL, "--check"], check=False, capture_output=True, text=True
    )
    assert 0 == done.returncode, done.stdout + done.stderr
