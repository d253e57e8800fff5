"""wasi:clocks and wasi:random: the simulation's time, and its dice.

Mirrors: wasi:clocks@0.2 {monotonic-clock, wall-clock}, wasi:random@0.2.
Departs: the wall clock has no time zone but UTC; secure and insecure random bytes are one stream.
"""

from __future__ import annotations

from hashlib import shake_256

from kubesim.wasm.execution import CLOCK, MONOTONIC, RANDOM
from kubesim.wasm.wasi.guest import SLEEP_NS_MAX
from kubesim.wasm.wasip2.guest import ComponentGuest
from kubesim.wasm.wasip2.io import CHUNK_BYTES, Pollable
from kubesim.wasm.wasip2.resources import Functions, resource_number

RESOLUTION_NS = 1
SECOND_NS = 1_000_000_000
RANDOM_BYTES_MAX = 16 * CHUNK_BYTES

_POLLABLE = resource_number("pollable")


def monotonic_now(guest: ComponentGuest) -> int:
    """Nanoseconds since the start of the run."""
    guest.touched.add(MONOTONIC)
    return guest.elapsed_ns()


def monotonic_resolution(_guest: ComponentGuest) -> int:
    """How fine the clock is."""
    return RESOLUTION_NS


def subscribe_instant(guest: ComponentGuest, instant_ns: int) -> int:
    """Something that is ready at a time of the monotonic clock."""
    return guest.own(_POLLABLE, Pollable(min(instant_ns, SLEEP_NS_MAX)))


def subscribe_duration(guest: ComponentGuest, duration_ns: int) -> int:
    """Something that is ready after a while."""
    return subscribe_instant(guest, guest.elapsed_ns() + duration_ns)


def wall_now(guest: ComponentGuest) -> tuple[int, int]:
    """Seconds and nanoseconds since 1970."""
    guest.touched.add(CLOCK)
    return divmod(guest.context.start_ns + guest.elapsed_ns(), SECOND_NS)


def wall_resolution(_guest: ComponentGuest) -> tuple[int, int]:
    """How fine the clock is."""
    return 0, RESOLUTION_NS


def random_bytes(guest: ComponentGuest, length: int) -> bytes:
    """The next bytes of the run's stream."""
    if length > RANDOM_BYTES_MAX:
        guest.fail(f"{length} random bytes are more than {RANDOM_BYTES_MAX}")
    guest.touched.add(RANDOM)
    guest.take(length)
    key = guest.context.seed + guest.random_draws.to_bytes(8, "little")
    guest.random_draws += 1
    return shake_256(key).digest(length)


def random_u64(guest: ComponentGuest) -> int:
    """A number of the run's stream."""
    return int.from_bytes(random_bytes(guest, 8), "little")


def insecure_seed(guest: ComponentGuest) -> tuple[int, int]:
    """Two numbers of the run's stream, for hash tables."""
    return random_u64(guest), random_u64(guest)


MONOTONIC_CLOCK: Functions = {
    "now": monotonic_now,
    "resolution": monotonic_resolution,
    "subscribe-instant": subscribe_instant,
    "subscribe-duration": subscribe_duration,
}
WALL_CLOCK: Functions = {"now": wall_now, "resolution": wall_resolution}
SECURE_RANDOM: Functions = {
    "get-random-bytes": random_bytes,
    "get-random-u64": random_u64,
}
INSECURE_RANDOM: Functions = {
    "get-insecure-random-bytes": random_bytes,
    "get-insecure-random-u64": random_u64,
}
INSECURE_SEED: Functions = {
    "insecure-seed": insecure_seed,
    "get-insecure-seed": insecure_seed,
}
