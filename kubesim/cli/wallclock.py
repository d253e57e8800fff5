"""The clock on the wall, for runs that want to measure: the one that is handed down from here."""

from __future__ import annotations

from time import perf_counter_ns

from kubesim.wasm.measuring import Clock

WALL_CLOCK: Clock = perf_counter_ns
