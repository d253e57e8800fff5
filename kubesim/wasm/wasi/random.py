"""Random bytes: a stream that the caller's seed decides and nothing else.

Each draw is SHAKE-256 of the seed and the number of the draw. It is not a secret from anyone, only
well mixed, and the same on every machine.

Mirrors: random_get of wasi_snapshot_preview1.witx.
"""

from __future__ import annotations

from hashlib import shake_256

from kubesim.wasm.execution import RANDOM
from kubesim.wasm.wasi.errno import Errno
from kubesim.wasm.wasi.guest import Guest


def random_get(guest: Guest, buffer: int, length: int) -> int:
    """Fill a buffer of the guest with random bytes."""
    guest.touched.add(RANDOM)
    # Look before making gigabytes of bytes for a buffer that is not there.
    if length:
        guest.memory.read(buffer + length - 1, 1)
    guest.take(length)
    key = guest.context.seed + guest.random_draws.to_bytes(8, "little")
    guest.random_draws += 1
    guest.memory.write(buffer, shake_256(key).digest(length))
    return Errno.SUCCESS
