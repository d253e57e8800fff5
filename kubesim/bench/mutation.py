"""Random changes to valid modules: whatever comes of it, the simulator lives on.

A few bytes of a module are replaced, taken out or doubled, and the result is loaded and, if it is
still valid, run with small limits. A mutation is refused or contained; what it must not do is bring
the process down or hold it up. The stream of changes is seeded, so a failure is there again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from kubesim.sim.rng import Rng
from kubesim.wasm import Component, Engine, Limits, WasiContext, WasmError
from kubesim.wire.http import HttpRequest

LIMITS = Limits(
    fuel=1_000_000,
    memory_bytes=4 << 20,
    host_calls=1_000,
    host_bytes=1 << 20,
    output_bytes=64 * 1024,
)
# A changed length may make any module a large one; none of these is worth a child process.
TRUSTED_BYTES_MAX = 1 << 20
MODULES_MAX = 500

_HEADER_BYTES = 8


def mutate(wasm: bytes, rng: Rng) -> bytes:
    """A module with one to four places changed, its header left alone."""
    changed = bytearray(wasm)
    for _ in range(rng.uniform(1, 5)):
        at = _HEADER_BYTES + rng.uniform(0, max(1, len(changed) - _HEADER_BYTES))
        kind = rng.uniform(0, 4)
        if kind == 0:
            changed[at : at + 1] = b""
        elif kind == 1:
            changed[at:at] = changed[at : at + 4]
        else:
            changed[at : at + 1] = bytes([rng.uniform(0, 256)])
    return bytes(changed)


def run_mutations(modules: Sequence[bytes], count: int, rng: Rng) -> Counter[str]:
    """Load and run so many mutations; how often each ending came up."""
    endings: Counter[str] = Counter()
    engine = Engine(use_cache=False, trusted_bytes_max=TRUSTED_BYTES_MAX, trusts_components=True)
    for number in range(count):
        if number % MODULES_MAX == MODULES_MAX - 1:  # an engine keeps what it has loaded
            engine = Engine(
                use_cache=False, trusted_bytes_max=TRUSTED_BYTES_MAX, trusts_components=True
            )
        wasm = mutate(modules[number % len(modules)], rng)
        endings[_ending(engine, wasm)] += 1
    return endings


def _ending(engine: Engine, wasm: bytes) -> str:
    try:
        module = engine.load(wasm)
    except WasmError:
        return "refused"
    if isinstance(module, Component):
        if module.is_http_handler:
            handled = engine.handle(module, HttpRequest(), WasiContext(), LIMITS)
            return handled.execution.status.value
        return engine.run(module, WasiContext(), LIMITS).status.value
    plain = [name for name, function in module.functions.items() if not function.other_types]
    for name in plain[:4]:
        arguments = [1] * len(module.functions[name].parameters)
        engine.call(module, name, *arguments, limits=LIMITS)
    return engine.run(module, WasiContext(), LIMITS).status.value
