"""Compiling in a child process, since fuel does not cover it: 30 KB of nested loops take seconds.

The child reads a module, compiles it with a limit on its CPU time and memory, and writes machine
code. CPU time and not the clock on the wall counts, so that a busy machine refuses no module that
an idle one takes; the parent's patience, many times as long, is for a child that does nothing. What
comes back is checked to be whole and taken up by the very settings that made it.

Policy: a module of more than ``TRUSTED_BYTES_MAX``, and every component, is compiled here when its
machine code is not in the cache. A smaller module is compiled in the process: nothing that small was
found to take more than half a second, and starting the child takes an eighth. Components have no
such grace, because the translator of the component model ends the process where it is surprised.

Mirrors: nothing in a cluster; there the shim's own process compiles.
Departs: the guard is against time and memory, not against a compiler that is taken over.
"""

from __future__ import annotations

import math
import resource
import signal
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

from kubesim.wasm.errors import WasmError

TRUSTED_BYTES_MAX = 2 * 1024
SECONDS_MIN = 10
BYTES_PER_SECOND = 500_000
PATIENCE = 20  # the parent waits for so many times the CPU time that the child has
ADDRESS_BYTES_MIN = 2 << 30
ADDRESS_BYTES_PER_BYTE = 64

# The child takes this very package, wherever it was imported from.
_CHILD = (
    f"import sys; sys.path.insert(0, {str(Path(__file__).resolve().parents[2])!r}); "
    "from kubesim.wasm.compiling import main; sys.exit(main())"
)
_DIGEST_BYTES = 32
_REFUSED_EXIT_CODE = 3
_OUT_OF_TIME = (-signal.SIGXCPU, -signal.SIGKILL)  # at the soft limit and at the hard one


def seconds_for(size_bytes: int) -> int:
    """How much CPU time compiling a module of this size may take."""
    return SECONDS_MIN + size_bytes // BYTES_PER_SECOND


def compile_guarded(wasm: bytes, *, is_component: bool, seconds: int | None = None) -> bytes:
    """Machine code of a module, made by a child process.

    Args:
        wasm: The module.
        is_component: What it claims to be.
        seconds: How much CPU time it may take, if not as much as usual.

    Raises:
        WasmError: It is not valid, or takes more time or memory than it may.
    """
    seconds = seconds_for(len(wasm)) if seconds is None else seconds
    kind = "component" if is_component else "module"
    command = [sys.executable, "-P", "-c", _CHILD, kind, str(seconds)]
    try:
        child = subprocess.run(  # noqa: S603 - ourselves
            command, input=wasm, capture_output=True, timeout=PATIENCE * seconds, check=False
        )
    except subprocess.TimeoutExpired:
        raise WasmError(f"takes more than {PATIENCE * seconds} s to compile") from None
    if child.returncode in _OUT_OF_TIME:
        raise WasmError(f"takes more than {seconds} s of CPU time to compile")
    if child.returncode == _REFUSED_EXIT_CODE:
        raise WasmError(child.stderr.decode("utf-8", "replace").strip())
    digest, artifact = child.stdout[:_DIGEST_BYTES], child.stdout[_DIGEST_BYTES:]
    if child.returncode != 0 or digest != sha256(artifact).digest():
        raise WasmError(
            "cannot be compiled: the compiler failed, or needs too much memory or time"
        )
    return artifact


def main() -> int:
    """Compile what comes from standard input; the child's whole life."""
    kind, seconds = sys.argv[1], int(sys.argv[2])
    wasm = sys.stdin.buffer.read()
    address_bytes = ADDRESS_BYTES_MIN + ADDRESS_BYTES_PER_BYTE * len(wasm)
    used = resource.getrusage(resource.RUSAGE_SELF)
    allowed = math.ceil(used.ru_utime + used.ru_stime) + seconds  # a start-up is not compiling
    resource.setrlimit(resource.RLIMIT_CPU, (allowed, allowed + 1))
    resource.setrlimit(resource.RLIMIT_AS, (address_bytes, address_bytes))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    from kubesim.wasm import native, nativecomponent  # noqa: PLC0415 - under the limits

    is_component = kind == "component"
    compiler = nativecomponent.ComponentNative() if is_component else native.Native()
    try:
        artifact = bytes(compiler.compile(wasm).serialize())
    except WasmError as error:
        sys.stderr.write(str(error))
        return _REFUSED_EXIT_CODE
    sys.stdout.buffer.write(sha256(artifact).digest() + artifact)
    return 0
