"""What this machine's Wasm engine takes, as numbers in the schema of ``models/``.

Fuel per microsecond is the median over workloads that differ as much as real ones do: a loop of
arithmetic, recursion, and a handler with its C library. It is a modelling choice even so; the note
gives the spread. Compiling is measured on modules of several sizes, loading and instantiating on a
handler. The wall clock is read, so no two measurements are the same: what is made of them is a
file, and a run that uses the file is reproducible again.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

from kubesim.bench.hostile import FIXTURES
from kubesim.bench.result import machine, timed
from kubesim.bench.wasm import SCENARIO
from kubesim.calibration.number import CountNumber, DurationNumber
from kubesim.wasm import Engine, Limits, Module, WasiContext, wagi
from kubesim.wasm.holding import hold, load_machine_code, machine_code
from kubesim.wire.http import HttpRequest

_FUEL = 200_000_000
_ROUNDS = 9
_LOADS = 300
_MICROSECONDS = 1_000_000
_NS = 1_000_000_000
_KIB = 1024


def measure_wasm(today: date) -> dict[str, Any]:
    """A fragment of a preset: ``execution`` and what a Wasm runtime does beside it.

    Args:
        today: What to write down as the date.
    """
    engine = Engine(use_cache=False, trusted_bytes_max=1 << 20)
    fuel = sorted(_fuel_per_us(engine))
    handler = engine.load((SCENARIO / "greeter" / "greeter.wasm").read_bytes())
    assert isinstance(handler, Module)
    artifact = machine_code(handler)
    loads = _seconds(lambda: load_machine_code(engine, handler, artifact), _LOADS)
    instances = _seconds(lambda: hold(engine, handler, 20).release(), _LOADS)
    found = machine()
    source = f"kubesim calibrate wasm, {engine.version}, {found['cpu']}, {found['cores']} cores"
    common = {"source": source, "measured": f"{today:%Y-%m}", "grade": "A"}
    host_call_ns = _host_call_ns(engine)
    fragment: dict[str, Any] = {
        "execution": {
            "fuel_per_us": {
                "value": fuel[len(fuel) // 2],
                **common,
                "note": f"median of {len(fuel)} workloads from {fuel[0]} to {fuel[-1]}",
            },
            "host_call": {
                "value": f"{host_call_ns}ns",
                "spread": "none",
                **common,
                "note": "one WASI call of this engine's host, which is written in Python",
            },
        },
        "wasm_runtime": {
            "compile_per_kib": _duration(_compile_per_kib(), common),
            "load": _duration(loads, common),
            "instantiate": _duration([each / 20 for each in instances], common),
        },
    }
    _check(fragment)
    return fragment


def wasm_seconds(count: int) -> dict[str, list[float]]:
    """Seconds of what a handler goes through, as a node would: each anew, ``count`` times.

    Compiling it and one KiB of several modules, loading its machine code, instantiating it, and the
    first request after loading.
    """
    wasm = (SCENARIO / "greeter" / "greeter.wasm").read_bytes()
    context = wagi.context(HttpRequest(path="/hello", query="n=30"), wagi.WagiHandler())
    found: dict[str, list[float]] = {"compile_per_kib": _compile_per_kib()}
    for _ in range(count):
        engine = Engine(use_cache=False, trusted_bytes_max=1 << 20)
        handler, compiled = timed(lambda engine=engine: engine.load(wasm))  # type: ignore[misc]
        assert isinstance(handler, Module)
        artifact = machine_code(handler)
        took = {
            "compile": compiled,
            "load": timed(lambda: load_machine_code(engine, handler, artifact))[1],  # noqa: B023
            "first_request": timed(lambda: engine.run(handler, context, Limits()))[1],  # noqa: B023
            "instantiate": timed(lambda: hold(engine, handler, 20).release())[1] / 20,  # noqa: B023
        }
        for what, seconds in took.items():
            found.setdefault(what, []).append(seconds)
    return found


def _check(fragment: dict[str, Any]) -> None:
    """Every number is what a preset would take."""
    CountNumber.model_validate(fragment["execution"]["fuel_per_us"])
    DurationNumber.model_validate(fragment["execution"]["host_call"])
    for number in fragment["wasm_runtime"].values():
        DurationNumber.model_validate(number)


def _fuel_per_us(engine: Engine) -> list[int]:
    """Fuel that a microsecond executes, of each workload."""
    from kubesim.wasm.native import translate  # noqa: PLC0415 - loads the engine

    rates = []
    for name in ("infinite_loop", "infinite_start"):
        module = engine.load(translate((FIXTURES / f"{name}.wat").read_text(encoding="utf-8")))
        rates.append(_rate(lambda module=module: _spent(engine, module)))  # type: ignore[misc]
    for name in ("seed-rust", "seed-zig", "seed-assemblyscript"):
        library = engine.load((FIXTURES / "toolchains" / f"{name}.wasm").read_bytes())
        assert isinstance(library, Module)
        rates.append(_rate(lambda library=library: _called(engine, library)))  # type: ignore[misc]
    report = engine.load((SCENARIO / "report" / "report.wasm").read_bytes())
    assert isinstance(report, Module)
    rates.append(_rate(lambda: _spent(engine, report)))
    return rates


def _spent(engine: Engine, module: Any) -> int:
    return engine.run(module, WasiContext(), Limits(fuel=_FUEL)).fuel


def _called(engine: Engine, library: Module) -> int:
    return engine.call(library, "fibonacci", 20_000_000).execution.fuel


def _rate(work: Callable[[], int]) -> int:
    """Fuel per microsecond: the median of some rounds."""
    rates = []
    for _ in range(_ROUNDS):
        fuel, seconds = timed(work)
        rates.append(fuel / (seconds * _MICROSECONDS))
    return max(1, round(sorted(rates)[_ROUNDS // 2]))


def _host_call_ns(engine: Engine) -> int:
    """What one host call takes, of a module that makes nothing else."""
    from kubesim.wasm.native import translate  # noqa: PLC0415 - loads the engine

    text = (FIXTURES / "host_call_spam.wat").read_text(encoding="utf-8")
    spam = engine.load(translate(text))
    execution = engine.run(spam, WasiContext())
    seconds = _seconds(lambda: engine.run(spam, WasiContext()), _ROUNDS)
    return max(1, round(seconds[_ROUNDS // 2] * _NS) // execution.host_calls)


def _compile_per_kib() -> list[float]:
    """Seconds of compiling one KiB, of modules of several sizes, sorted."""
    found = []
    for path in (
        SCENARIO / "greeter" / "greeter.wasm",
        SCENARIO / "report" / "report.wasm",
        FIXTURES / "files.wasm",
        FIXTURES / "toolchains" / "echo-rust.wasm",
    ):
        wasm = path.read_bytes()
        for _ in range(3):
            engine = Engine(use_cache=False, trusted_bytes_max=1 << 20)
            _, seconds = timed(lambda engine=engine, wasm=wasm: engine.load(wasm))  # type: ignore[misc]
            found.append(seconds * _KIB / len(wasm))
    return sorted(found)


def _seconds(work: Callable[[], object], count: int) -> list[float]:
    return sorted(timed(work)[1] for _ in range(count))


def _duration(seconds: list[float], common: dict[str, str]) -> dict[str, Any]:
    """A duration with its median and its 99th percentile."""
    median = round(seconds[len(seconds) // 2] * _NS)
    p99 = max(median, round(seconds[min(len(seconds) - 1, len(seconds) * 99 // 100)] * _NS))
    return {
        "value": f"{median}ns",
        "spread": {"p99": f"{p99}ns"},
        **common,
        "note": f"n = {len(seconds)}",
    }
