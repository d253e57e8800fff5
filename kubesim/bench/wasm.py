"""Wasm: modules of several toolchains with what they cost, throughput, density, and the hostile set.

Everything is executed for real: compiled anew in this process, loaded from machine code, and asked
the question it was made for. Requests are measured as a node makes them, a fresh instance each;
"memoised" are equal requests that are replayed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from kubesim.bench.hostile import CASES, FIXTURES, hostile_engine, outcome
from kubesim.bench.mutation import run_mutations
from kubesim.bench.result import Result, timed
from kubesim.share import share_path
from kubesim.sim.rng import Rng
from kubesim.wasm import Component, Engine, Limits, Module, TimeModel, WasiContext, wagi
from kubesim.wasm.holding import hold, load_machine_code, machine_code
from kubesim.wasm.memo import Memo
from kubesim.wire.http import HttpRequest

SCENARIOS = share_path("scenarios")
SCENARIO = SCENARIOS / "mixed-pool" / "modules"
TOOLCHAINS = SCENARIOS / "toolchains" / "modules"
LIMITS = Limits()
TIME = TimeModel()

MUTATED = (
    "seed-rust",
    "seed-zig",
    "seed-assemblyscript",
    "files-component",
    "httpinfo-component",
)
INSTANCES = 5_000
MUTATIONS = 10_000
RUNS = 200
REQUESTS = 5_000
MEMOISED_REQUESTS = 50_000

_US = 1_000_000


@dataclass(frozen=True, slots=True)
class Subject:
    """A module of the table.

    Attributes:
        name: Its name.
        toolchain: What made it.
        path: Where it is.
        request: The request it answers; ``None`` for what is called or run.
    """

    name: str
    toolchain: str
    path: Path
    request: HttpRequest | None = None


_ASKED = HttpRequest(path="/hello", query="n=30")
_TEXT = HttpRequest(method="POST", body=b"to be or not to be\nthat is the question\n")

SUBJECTS = (
    Subject("greeter", "zig cc", SCENARIO / "greeter" / "greeter.wasm", _ASKED),
    Subject("report", "zig cc", SCENARIO / "report" / "report.wasm"),
    Subject("files", "zig cc", FIXTURES / "files.wasm"),
    Subject("echo-rust", "rustc", FIXTURES / "toolchains" / "echo-rust.wasm", _ASKED),
    Subject("seed-rust", "rustc", FIXTURES / "toolchains" / "seed-rust.wasm"),
    Subject("seed-zig", "zig", FIXTURES / "toolchains" / "seed-zig.wasm"),
    Subject("seed-assemblyscript", "asc", FIXTURES / "toolchains" / "seed-assemblyscript.wasm"),
    Subject("luhn", "zig cc", TOOLCHAINS / "luhn.wasm", HttpRequest(query="4539578763621486")),
    Subject("sieve", "zig", TOOLCHAINS / "sieve.wasm"),
    Subject("words", "rustc", TOOLCHAINS / "words.wasm", _TEXT),
    Subject("collatz", "rustc", TOOLCHAINS / "collatz.wasm"),
    Subject("squares", "asc", TOOLCHAINS / "squares.wasm"),
    Subject("sorted", "go", TOOLCHAINS / "sorted.wasm", _TEXT),
    Subject("files-component", "zig cc", FIXTURES / "components" / "files.wasm"),
    Subject("httpinfo-component", "zig cc", FIXTURES / "components" / "httpinfo.wasm", _ASKED),
    Subject("visits-component", "zig cc", FIXTURES / "components" / "visits.wasm", _ASKED),
)


def measure() -> list[Result]:
    """Run it all; under a minute on two cores."""
    density = _density()  # first: what others free would be taken again
    results = [result for subject in SUBJECTS for result in _table_row(subject)]
    results.append(_count("modules_run", len(SUBJECTS)))
    results += _throughput()
    results.append(density)
    results += _hostile()
    return results


def _table_row(subject: Subject) -> Iterator[Result]:
    """Size, and the microseconds of compiling, loading, instantiating and one use."""
    wasm = subject.path.read_bytes()
    engine = Engine(use_cache=False, trusted_bytes_max=len(wasm), trusts_components=True)
    module, compile_s = timed(lambda: engine.load(wasm))
    artifact = machine_code(module)
    load_s = _median(lambda: load_machine_code(engine, module, artifact), 20)
    ask = _question(engine, module, subject.request)
    request_s = _median(ask, RUNS)
    name = subject.name
    row = f"{name} ({subject.toolchain})"
    yield Result(
        name=f"{name}_kb", value=len(wasm) / 1_000, unit="kB", higher_is_better=False, row=row
    )
    costs = {"compile": compile_s, "load": load_s, "request": request_s}
    if isinstance(module, Module):
        instances, held_s = timed(lambda: hold(engine, module, RUNS))
        instances.release()
        costs["instantiate"] = held_s / RUNS
    for what, seconds in costs.items():
        yield Result(
            name=f"{name}_{what}_us",
            value=seconds * _US,
            unit="us",
            higher_is_better=False,
            row=row,
        )


def _question(
    engine: Engine, module: Module | Component, request: HttpRequest | None
) -> Callable[[], object]:
    """One use of a module: a request answered, a command run, a function called."""
    if isinstance(module, Component):
        if request is None:
            return lambda: engine.run(module, WasiContext(), LIMITS)
        return lambda: engine.handle(module, request, WasiContext(), LIMITS)
    if request is not None:
        context = wagi.context(request, wagi.WagiHandler())
        return lambda: engine.run(module, context, LIMITS)
    if module.is_command:
        return lambda: engine.run(module, WasiContext(), LIMITS)
    return lambda: engine.call(module, "fibonacci", 50)


def _throughput() -> list[Result]:
    """WAGI requests and component requests a second, executed and replayed."""
    engine = Engine(use_cache=False)
    greeter = engine.load(SUBJECTS[0].path.read_bytes())
    handler = wagi.WagiHandler()
    component = engine.load((FIXTURES / "components" / "httpinfo.wasm").read_bytes())
    assert isinstance(component, Component)
    memo = Memo(engine)

    def plain() -> None:
        for number in range(REQUESTS):
            request = HttpRequest(query=f"n={number % 90}")
            wagi.respond(engine.run(greeter, wagi.context(request, handler), LIMITS, time=TIME))

    def memoised() -> None:
        for _ in range(MEMOISED_REQUESTS):
            memo.run(greeter, wagi.context(_ASKED, handler), LIMITS, time=TIME)

    def components() -> None:
        for number in range(REQUESTS // 5):
            request = HttpRequest(query=f"n={number % 90}")
            engine.handle(component, request, WasiContext(), LIMITS, time=TIME)

    return [
        _rate("wagi_requests_per_s", REQUESTS, timed(plain)[1]),
        _rate("memoised_requests_per_s", MEMOISED_REQUESTS, timed(memoised)[1]),
        _rate("component_requests_per_s", REQUESTS // 5, timed(components)[1]),
    ]


def _density() -> Result:
    """Megabytes that so many live instances of a module add to this process."""
    engine = Engine(use_cache=False)
    greeter = engine.load(SUBJECTS[0].path.read_bytes())
    assert isinstance(greeter, Module)
    before = _resident_mb()
    instances = hold(engine, greeter, INSTANCES)
    held = _resident_mb() - before
    instances.release()
    return Result(
        name=f"instances_{INSTANCES}_mb", value=max(0.0, held), unit="MB", higher_is_better=False
    )


def _hostile() -> list[Result]:
    """The hostile set and the mutations: how many came to their state."""
    engine = hostile_engine()
    contained = sum(case.state == outcome(engine, case) for case in CASES)
    modules = [s.path.read_bytes() for s in SUBJECTS if s.name in MUTATED]
    assert len(MUTATED) == len(modules), MUTATED
    endings, seconds = timed(lambda: run_mutations(modules, MUTATIONS, Rng(1, "bench/mutation")))
    return [
        _count("hostile_contained", contained),
        Result(
            name="hostile_escaped",
            value=len(CASES) - contained,
            unit="cases",
            higher_is_better=False,
        ),
        _count("mutations_survived", endings.total()),
        _rate("mutations_per_s", MUTATIONS, seconds),
    ]


def _median(work: Callable[[], object], count: int) -> float:
    return sorted(timed(work)[1] for _ in range(count))[count // 2]


def _rate(name: str, count: int, seconds: float) -> Result:
    return Result(name=name, value=count / seconds, unit="1/s", higher_is_better=True)


def _count(name: str, value: int) -> Result:
    return Result(name=name, value=value, unit="", higher_is_better=True)


def _resident_mb() -> float:
    """The resident set of this process now."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * 4096 / 1_000_000
