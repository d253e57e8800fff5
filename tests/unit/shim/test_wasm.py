"""Wasm containers: modules that are really run, at virtual times."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import wasmtime
from harness import MILLISECOND, SECOND, Cluster, NodeUnderTest, program

from kubesim.facts import LogWritten, ModuleLoaded, WasmExecuted
from kubesim.node.shim import ExitStatus, ShimError, TaskSpec
from kubesim.node.shim.pool import InstanceNumbers
from kubesim.node.shim.precompiled import PrecompiledModules
from kubesim.node.shim.task import SIGKILL, SIGTERM
from kubesim.node.shim.wasm import WasmShim, WasmTask
from kubesim.node.shim.wasmruntime import WasmRuntime
from kubesim.sim import Interrupt, SimProcess
from kubesim.sim.distribution import Constant
from kubesim.sim.time import seconds
from kubesim.wasm import Engine, TimeModel
from kubesim.wasm.memo import Memo
from kubesim.wire.http import ConnectionRefused, HttpRequest, Served
from kubesim.wire.image import WasmKind, WasmProgram, sha256_digest

HELLO = """(module
  (import "wasi_snapshot_preview1" "fd_write" (func $w (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "\\10\\00\\00\\00\\22\\00\\00\\00")
  (data (i32.const 16) "Content-Type: text/plain\\n\\nhi there")
  (func (export "_start") (drop (call $w (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8))))
)"""
STARTED_NS = 100 * MILLISECOND  # the runtime below: 20 ms start, 60 ms compile, 20 ms load

Make = Callable[..., WasmTask]


@pytest.fixture
def node() -> NodeUnderTest:
    return NodeUnderTest(Cluster(), kubelet=False)


@pytest.fixture
def shim(node: NodeUnderTest, engine: Engine) -> WasmShim:
    memo = Memo(engine)
    return WasmShim(
        node.services,
        runtime=WasmRuntime(
            name="containerd-shim-spin-v2",
            kinds=frozenset(WasmKind),
            start=Constant(20 * MILLISECOND),
            stop=Constant(5 * MILLISECOND),
            listen=Constant(10 * MILLISECOND),
            instances=InstanceNumbers(cold=Constant(MILLISECOND)),
            instance_bytes=3 << 20,
            pod_overhead_bytes=1 << 20,
            time=TimeModel(fuel_per_us=1000, host_call_ns=1000),
            horizon_ns=60 * SECOND,
        ),
        engine=lambda: engine,
        memo=lambda: memo,
        modules=PrecompiledModules(
            node.services,
            runtime="containerd-shim-spin-v2",
            compile_per_kib=Constant(0),
            load=Constant(20 * MILLISECOND),
        ),
    )


def spec(module: bytes, kind: WasmKind = WasmKind.COMMAND, **more: Any) -> TaskSpec:
    runs = WasmProgram(module=module, digest=sha256_digest(module), kind=kind)
    values: dict[str, Any] = {
        "namespace": "default", "pod": "web", "uid": "u1", "container": "main", "attempt": 0,
        "program": runs, "ip": "10.244.0.2",
    }  # fmt: skip
    return TaskSpec(**{**values, **more})


@pytest.fixture
def run(node: NodeUnderTest, shim: WasmShim) -> Make:
    """Starts a task of a module."""

    def start(module: bytes, kind: WasmKind = WasmKind.COMMAND, **more: Any) -> WasmTask:
        made = shim.create(spec(module, kind, **more))
        node.cluster.do(made.start())
        return made

    return start


def ended(made: WasmTask) -> ExitStatus:
    """How it ended."""
    assert made.exited.triggered
    status = made.exited.value
    assert isinstance(status, ExitStatus)
    return status


def hello() -> bytes:
    return bytes(wasmtime.wat2wasm(HELLO))


def request(node: NodeUnderTest) -> Served | ConnectionRefused:
    answer, _ = node.cluster.do(node.network.request("10.244.0.2", 80, HttpRequest()))
    return answer


def test_a_module_ends_with_its_own_exit_code(
    node: NodeUnderTest, run: Make, fixtures: dict[str, bytes]
) -> None:
    """Three is three, and a return from ``_start`` is nothing."""
    three = run(fixtures["exit_three"])
    zero = run(hello())
    node.cluster.run(1)

    assert ExitStatus(exit_code=3, reason="Error") == ended(three)
    assert ExitStatus(exit_code=0, reason="Completed") == ended(zero)
    assert ["exited", "exited"] == [fact.status for fact in node.cluster.facts(WasmExecuted)]
    assert 0 == node.machine.memory_used_bytes


def test_a_trap_is_exit_code_137_with_its_message(
    node: NodeUnderTest, run: Make, fixtures: dict[str, bytes]
) -> None:
    """As runwasi reports an error of the sandbox."""
    made = run(fixtures["unreachable"])
    node.cluster.run(1)
    status = ended(made)

    assert (137, "Error") == (status.exit_code, status.reason)
    assert "unreachable" in status.message


def test_memory_beyond_the_limit_is_refused_to_the_module(
    node: NodeUnderTest, run: Make, fixtures: dict[str, bytes]
) -> None:
    """A bomb that gives up when it is refused ends with 137."""
    made = run(fixtures["memory_bomb"], memory_limit_bytes=16 << 20)
    node.cluster.run(60)
    (fact,) = node.cluster.facts(WasmExecuted)

    assert 137 == ended(made).exit_code
    assert fact.status in ("out of memory", "trapped")


def test_a_module_that_starts_too_large_is_oom_killed(node: NodeUnderTest, run: Make) -> None:
    """Its first memory is over the container's limit."""
    large = bytes(wasmtime.wat2wasm('(module (memory 512) (func (export "_start")))'))
    made = run(large, memory_limit_bytes=16 << 20)
    node.cluster.run(1)

    assert 137 == ended(made).exit_code
    assert ended(made).reason in ("OOMKilled", "Error")


def test_output_appears_at_the_virtual_times_of_its_writing(
    node: NodeUnderTest, run: Make, fixtures: dict[str, bytes]
) -> None:
    """A line is not there before its time, and all of it is there at the end."""
    began = []
    made = run(fixtures["counts_aloud"])
    began.append(node.cluster.sim.now)
    node.cluster.run(1)
    (fact,) = node.cluster.facts(WasmExecuted)
    (at,) = [at for at, _ in node.cluster.sim.journal.of(LogWritten)]

    assert ["." * 100] == [fact.line for fact in node.cluster.facts(LogWritten)]
    assert began[0] + MILLISECOND + fact.elapsed_ns == at  # the instance is made first
    assert 0 == ended(made).exit_code


def test_a_sleeping_module_takes_virtual_time_only(
    node: NodeUnderTest, run: Make, fixtures: dict[str, bytes]
) -> None:
    """An hour's sleep is past the end of the run: it never ends, and can still be stopped."""
    made = run(fixtures["sleeps_an_hour"])
    node.cluster.run(59)

    assert not made.exited.triggered

    made.kill(SIGTERM)
    node.cluster.run(0.005)

    assert 0 == ended(made).exit_code


def test_an_endless_module_does_not_hang_the_simulation(
    node: NodeUnderTest, run: Make, fixtures: dict[str, bytes]
) -> None:
    """It runs to the end of the run in virtual time, or to the end of its fuel."""
    made = run(fixtures["infinite_loop"])
    node.cluster.run(1)
    made.kill(SIGKILL)

    assert 137 == ended(made).exit_code


def test_a_quota_stretches_a_command(node: NodeUnderTest, run: Make) -> None:
    """A tenth of a core: it sleeps from the end of its quota to the end of the period."""
    times = []
    for quota in ((0, 1), (1, 10)):
        began = node.cluster.sim.now
        made = run(hello(), cpu_quota=quota)
        started = node.cluster.sim.now
        while not made.exited.triggered:
            node.cluster.sim.step()
        times.append(node.cluster.sim.now - started)
        assert started > began

    assert MILLISECOND + 1006 == times[0]
    assert 1001 * 10_000 + 6 == times[1]


@pytest.mark.parametrize(("signal", "code", "after_ms"), [(SIGTERM, 0, 5), (SIGKILL, 137, 0)])
def test_signals(node: NodeUnderTest, run: Make, signal: int, code: int, after_ms: int) -> None:
    """SIGTERM ends a trigger after the runtime's time with 0, SIGKILL at once with 137."""
    made = run(hello(), WasmKind.WAGI)
    node.cluster.run(1)
    made.kill(signal)
    node.cluster.run(after_ms / 1000)

    assert code == ended(made).exit_code
    assert ConnectionRefused() == request(node)


def test_a_request_gets_a_fresh_instance(node: NodeUnderTest, run: Make) -> None:
    """The body is what the module printed; instantiation and execution are told apart."""
    run(hello(), WasmKind.WAGI)
    node.cluster.run(1)
    answers = [request(node) for _ in range(2)]

    for answer in answers:
        assert isinstance(answer, Served)
        assert (200, b"hi there") == (answer.response.status, answer.response.body)
        assert MILLISECOND == answer.instantiate_ns
        assert 0 < answer.execute_ns < MILLISECOND
        assert 0 == answer.queue_ns


def test_nobody_listens_before_the_trigger_is_up(node: NodeUnderTest, run: Make) -> None:
    """The module is loaded, the socket opens 10 ms later."""
    run(hello(), WasmKind.WAGI)
    early = request(node)
    node.cluster.run(0.01)

    assert ConnectionRefused() == early
    assert isinstance(request(node), Served)


def test_a_connection_breaks_with_its_server(node: NodeUnderTest, run: Make) -> None:
    """A request that is being served when the process is killed gets no answer."""
    made = run(hello(), WasmKind.WAGI)
    node.cluster.run(1)
    process = node.cluster.sim.process(node.network.request("10.244.0.2", 80, HttpRequest()))
    node.cluster.run(0.001)
    made.kill(SIGKILL)
    node.cluster.run(1)

    assert ConnectionRefused("connection reset by peer") == process.value[0]


def test_a_port_that_is_taken_ends_the_trigger(node: NodeUnderTest, run: Make) -> None:
    """With a line on standard error and 137; the first keeps serving."""
    first = run(hello(), WasmKind.WAGI)
    second = run(hello(), WasmKind.WAGI, container="second")
    node.cluster.run(1)
    (line,) = node.cluster.facts(LogWritten)

    assert ("second", "stderr", "Error: Address already in use (os error 98)") == (
        line.container,
        line.stream,
        line.line,
    )
    assert 137 == ended(second).exit_code
    assert not first.exited.triggered
    assert isinstance(request(node), Served)


def test_a_kind_without_a_trigger_is_refused(node: NodeUnderTest, shim: WasmShim) -> None:
    """And so is an image without a module."""
    command_only = WasmShim(
        node.services,
        runtime=_only_commands(shim.runtime),
        engine=shim.engine,
        memo=shim.memo,
        modules=shim.modules,
    )
    with pytest.raises(ShimError, match='no trigger for a module of kind "wagi"'):
        command_only.create(spec(hello(), WasmKind.WAGI))
    with pytest.raises(ShimError, match="no Wasm layer"):
        shim.create(TaskSpec(
            namespace="d", pod="p", uid="u", container="c", attempt=0, program=program(),
            ip="10.244.0.2",
        ))  # fmt: skip


def _only_commands(runtime: WasmRuntime) -> WasmRuntime:
    return replace(runtime, kinds=frozenset({WasmKind.COMMAND}))


def test_a_broken_module_fails_to_start(node: NodeUnderTest, shim: WasmShim) -> None:
    """The engine's message reaches whoever started it."""
    made = shim.create(spec(b"\0asm broken"))

    with pytest.raises(ShimError):
        node.cluster.do(made.start())


def cached(node: NodeUnderTest) -> PrecompiledModules:
    return PrecompiledModules(
        node.services,
        runtime="spin",
        compile_per_kib=Constant(10 * MILLISECOND),
        load=Constant(20 * MILLISECOND),
    )


def test_a_module_is_compiled_once_on_a_node(node: NodeUnderTest) -> None:
    """The second start waits for the first one's compilation, the third only loads."""
    modules, ends = cached(node), []

    def prepare(delay_ns: int) -> SimProcess[None]:
        yield node.cluster.sim.timeout(delay_ns)
        yield from modules.prepare("d1", 6 * 1024, rng=node.cluster.sim.rng("t"))
        ends.append(node.cluster.sim.now // MILLISECOND)

    for delay_ns in (0, 30 * MILLISECOND, 500 * MILLISECOND):
        node.cluster.sim.process(prepare(delay_ns))
    node.cluster.run(1)

    assert [80, 80, 520] == ends
    assert [(True, 80), (False, 50), (False, 20)] == [
        (fact.compiled, fact.took_ns // MILLISECOND) for fact in node.cluster.facts(ModuleLoaded)
    ]


def test_another_digest_is_another_compilation(node: NodeUnderTest) -> None:
    """The cache goes by content."""
    modules = cached(node)
    for digest in ("d1", "d2"):
        node.cluster.do(modules.prepare(digest, 1024, rng=node.cluster.sim.rng("t")))

    assert [True, True] == [fact.compiled for fact in node.cluster.facts(ModuleLoaded)]


def test_a_start_that_is_called_off_does_not_take_the_module_along(node: NodeUnderTest) -> None:
    """Whoever waits for the compilation, now or later, gets it."""
    modules, ends = cached(node), []

    def prepare() -> SimProcess[None]:
        try:
            yield from modules.prepare("d1", 6 * 1024, rng=node.cluster.sim.rng("t"))
            ends.append(node.cluster.sim.now // MILLISECOND)
        except Interrupt:
            pass

    first = node.cluster.sim.process(prepare())
    node.cluster.run(0.02)
    node.cluster.sim.process(prepare())
    node.cluster.run(0.02)
    first.interrupt()
    node.cluster.run(1)
    node.cluster.sim.process(prepare())
    node.cluster.run(1)

    assert [80, seconds(1.04) // MILLISECOND + 20] == ends
