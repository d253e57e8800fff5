"""The process's one Wasm engine: a module is compiled once a process, whatever runs it."""

from __future__ import annotations

import atexit
import os
from functools import cache

from kubesim.wasm.engine import Engine
from kubesim.wasm.measuring import Clock, Runner, Stopwatch
from kubesim.wasm.memo import Memo

MEMO_VARIABLE = "KUBESIM_WASM_MEMO"
"""``off`` executes every request, even equal ones; a run's journal is the same either way."""


@cache
def shared_engine() -> Engine:
    """The engine; wasmtime is loaded when it is first asked for."""
    # Left to the interpreter's own end, the engine's objects would outlive the library's code.
    atexit.register(shared_engine.cache_clear)
    return Engine()


def new_memo() -> Memo:
    """The shared engine, remembering one run's results, unless the user would not have it."""
    return Memo(shared_engine(), remembers=os.environ.get(MEMO_VARIABLE) != "off")


def new_runner(clock: Clock | None) -> Runner:
    """Who runs one run's modules: with a clock, a stopwatch that remembers nothing."""
    return new_memo() if clock is None else Stopwatch(shared_engine(), clock)
