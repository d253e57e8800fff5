"""Builds every Wasm module that is committed to this repository, from the source beside it.

The modules are committed with their sources, so that nobody needs a compiler to run a scenario.
This program is for the one who changes a source, and for the check that a module really comes from
its source: builds are reproducible, byte for byte, in any folder.

    python tools/build_modules.py             build all, write the .wasm files and SHA256SUMS
    python tools/build_modules.py --check     build all and compare; exits 1 on a difference
    python tools/build_modules.py --zig PATH  use this zig instead of installing one

The compiler is zig's clang from PyPI (ziglang, 400 MB on disk), put into a private environment in
the user's cache folder. The first build takes half a minute, as zig compiles its C library.
"""

from __future__ import annotations

import argparse
import hashlib
import subprocess
import sys
import tempfile
import venv
from dataclasses import dataclass
from pathlib import Path

import platformdirs

ROOT = Path(__file__).resolve().parent.parent
ZIG_VERSION = "0.17.1"
SUMS = "SHA256SUMS"

# The usual stack of 16 MB would make every instance's memory larger than that.
COMMAND = ("-target", "wasm32-wasi", "-Os", "-s", "-Wl,-z,stack-size=65536")
LIBRARY = ("-target", "wasm32-freestanding", "-O2", "-s", "-nostdlib", "-Wl,--no-entry")


@dataclass(frozen=True)
class Build:
    """One module: its source, its flags, and the folder whose SHA256SUMS lists it."""

    source: str
    flags: tuple[str, ...]
    listed_in: str

    @property
    def wasm(self) -> Path:
        """The module, beside its source."""
        return (ROOT / self.source).with_suffix(".wasm")


BUILDS = (
    Build(
        "scenarios/mixed-pool/modules/greeter/greeter.c", COMMAND, "scenarios/mixed-pool/modules"
    ),
    Build("scenarios/mixed-pool/modules/report/report.c", COMMAND, "scenarios/mixed-pool/modules"),
    Build(
        "scenarios/scheduler-plugins/plugins/stage.c",
        LIBRARY,
        "scenarios/scheduler-plugins/plugins",
    ),
    Build(
        "scenarios/scheduler-plugins/plugins/thrift.c",
        LIBRARY,
        "scenarios/scheduler-plugins/plugins",
    ),
    Build("tests/fixtures/wasm/arith.c", LIBRARY, "tests/fixtures/wasm"),
    Build("tests/fixtures/wasm/files.c", COMMAND, "tests/fixtures/wasm"),
)


def compile_module(zig: list[str], build: Build) -> bytes:
    """Compile one module in an empty folder and return its bytes."""
    source = ROOT / build.source
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / build.wasm.name
        command = [*zig, "cc", *build.flags, "-o", str(target), source.name]
        subprocess.run(command, cwd=source.parent, check=True)
        return target.read_bytes()


def install_zig() -> list[str]:
    """The command of a zig in the user's cache folder, installed there if it is not yet."""
    folder = platformdirs.user_cache_path("kubesim") / f"zig-{ZIG_VERSION}"
    python = folder / "bin" / "python"
    if not (folder / "ready").exists():
        print(f"installing ziglang {ZIG_VERSION} into {folder}", file=sys.stderr)
        venv.create(folder, with_pip=True, clear=True)
        pip = [str(python), "-m", "pip", "install", "--quiet", f"ziglang=={ZIG_VERSION}"]
        subprocess.run(pip, check=True)
        (folder / "ready").touch()
    return [str(python), "-m", "ziglang"]


def sums(built: dict[Path, bytes]) -> dict[Path, str]:
    """The SHA256SUMS files and their contents, in the format of ``sha256sum``."""
    lines: dict[Path, list[str]] = {}
    for build in BUILDS:
        folder = ROOT / build.listed_in
        digest = hashlib.sha256(built[build.wasm]).hexdigest()
        name = build.wasm.relative_to(folder).as_posix()
        lines.setdefault(folder / SUMS, []).append(f"{digest}  {name}\n")
    return {
        path: "".join(sorted(text, key=lambda line: line[66:])) for path, text in lines.items()
    }


def main() -> int:
    """Build or check; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="compare, write nothing")
    parser.add_argument("--zig", metavar="PATH", help="a zig executable to use")
    options = parser.parse_args()
    zig = [options.zig] if options.zig else install_zig()
    built = {build.wasm: compile_module(zig, build) for build in BUILDS}
    wanted = built | {path: text.encode() for path, text in sums(built).items()}
    different = [path for path, content in wanted.items() if _content(path) != content]
    for path in different:
        print(f"{'differs' if options.check else 'written'}: {path.relative_to(ROOT)}")
        if not options.check:
            path.write_bytes(wanted[path])
            path.chmod(0o644)
    if not different:
        print(f"{len(built)} modules are what their sources make")
    return 1 if options.check and different else 0


def _content(path: Path) -> bytes | None:
    return path.read_bytes() if path.exists() else None


if __name__ == "__main__":
    sys.exit(main())
