"""What the Wasm shims have in common: they really run the module.

A *command* module runs once, from ``_start`` to its exit. It is executed in one go at the virtual
instant at which its container starts; what it printed then appears in the log at the virtual times
at which it printed it, and the container ends when the module's own time is over.

An *HTTP* module gets a fresh instance for every request: the instance costs what the preset says,
the handler costs what its fuel says, and the response is what the module printed (WAGI) or what the
component answered (wasi:http). What a Spin application stores lives as long as its container. A
component that calls another service is run up to the call, and again when the answer is there.

The fuel of an execution becomes CPU time by the preset's model, used in the container's cgroup:
shared with the rest of the node, and throttled by the container's quota.

Mirrors: runwasi crates/containerd-shim-wasm (Shim, Sandbox; an error of run_wasi is exit code 137),
containerd-shim-spin (a SIGTERM ends the trigger at once with exit code 0).
Departs: a command cannot be observed half-way and calls nobody; ``Mirrors`` of each shim says which
triggers the real one has.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import replace

from typing_extensions import override

from kubesim.facts import StartupPhaseEnded, WasmExecuted
from kubesim.node.machine import Cgroup, Process
from kubesim.node.shim.denials import Denials
from kubesim.node.shim.foresight import Foresight
from kubesim.node.shim.grants import (
    limits,
    preopens,
    restore,
    runtime_config,
    snapshot,
    spin_context,
)
from kubesim.node.shim.logs import ContainerLog
from kubesim.node.shim.outbound import Outbounds, Replies
from kubesim.node.shim.outcome import FAILED_EXIT_CODE, container_status, timed_output
from kubesim.node.shim.pool import InstancePool
from kubesim.node.shim.precompiled import PrecompiledModules
from kubesim.node.shim.runc import RuncShim
from kubesim.node.shim.runtimeconfig import RuntimeConfig, RuntimeConfigError
from kubesim.node.shim.spin import NAME as SPIN
from kubesim.node.shim.task import (
    EXIT_SIGNAL_BASE,
    OOM_KILLED,
    SIGKILL,
    ExitStatus,
    NodeServices,
    ShimError,
    Task,
    TaskSpec,
)
from kubesim.node.shim.wasmruntime import WasmRuntime
from kubesim.node.shim.wasmtime import DEFAULT_PORT as WASMTIME_PORT
from kubesim.node.shim.wasmtime import NAME as WASMTIME
from kubesim.sim import Event, SimProcess
from kubesim.wasm import wagi
from kubesim.wasm.component import Component
from kubesim.wasm.engine import Engine, Module
from kubesim.wasm.errors import WasmError
from kubesim.wasm.execution import Execution, Status, WasiContext
from kubesim.wasm.memo import Memo
from kubesim.wasm.spinheaders import with_spin_headers
from kubesim.wasm.stores import Awaiting, Stores
from kubesim.wire.http import (
    HTTP_PORT,
    ConnectionRefused,
    HttpRequest,
    HttpResponse,
    Outlook,
    Served,
)
from kubesim.wire.image import LinuxProgram, WasmKind, WasmProgram

EXEC_NOT_SUPPORTED = "/containerd.task.v3.Task/Exec is not supported: not found"


class WasmShim:
    """A Wasm runtime on one node.

    Args:
        services: The node.
        runtime: Its numbers.
        engine: What really runs modules; made when the first module starts.
        memo: The same, remembering results.
        modules: What is compiled on this node.
        outbound: The way from a pod to other services; without it nobody answers.
        native: Runs the pod's containers that are no Wasm, side by side with those that are.
    """

    runs_wasm = True

    def __init__(  # noqa: PLR0913  # what a shim is made of
        self,
        services: NodeServices,
        *,
        runtime: WasmRuntime,
        engine: Callable[[], Engine],
        memo: Callable[[], Memo],
        modules: PrecompiledModules,
        outbound: Outbounds | None = None,
        native: RuncShim | None = None,
    ) -> None:
        self._native = native
        self.name = runtime.name
        self.outbound = outbound
        self.pod_overhead_bytes = runtime.pod_overhead_bytes
        self.zygote_bytes = runtime.zygote_bytes
        self.pause_bytes = runtime.pause_bytes
        self.services = services
        self.runtime = runtime
        self.engine = engine
        self.memo = memo
        self.modules = modules

    def create(self, spec: TaskSpec) -> Task:
        """A task that is not started yet; a Linux program's, when its image has one."""
        program = spec.program
        if self._native is not None and isinstance(program, LinuxProgram) and not program.guessed:
            return self._native.create(spec)
        return self.create_wasm(spec)

    def create_wasm(self, spec: TaskSpec) -> WasmTask:
        """A module's task that is not started yet.

        Raises:
            ShimError: If the image has no module, or one this runtime has no trigger for.
        """
        program = spec.program
        if not isinstance(program, WasmProgram):
            raise ShimError(f"{self.name}: the image has no Wasm layer that the shim can run")
        if program.kind not in self.runtime.kinds:
            raise ShimError(f'{self.name}: no trigger for a module of kind "{program.kind.value}"')
        return WasmTask(self, spec=spec, program=program)


class WasmTask:
    """One container whose process is a Wasm module."""

    def __init__(self, shim: WasmShim, *, spec: TaskSpec, program: WasmProgram) -> None:
        self.exited: Event = shim.services.sim.event()
        self.shim = shim
        self.spec = spec
        self._program = program
        self._sim = shim.services.sim
        self.log = ContainerLog(self._sim, spec)
        self.denials = Denials(self._sim, spec)
        self._rng = self._sim.rng(f"{spec.scope}/shim")
        self.limits = limits(shim.name, spec)
        self.config = RuntimeConfig()
        # The default stores are files in the container's own layer: gone when it is.
        self.stores = Stores()
        self.port = program.port or _default_port(shim.name)
        self._stopping = False
        self._listening = False
        self.cgroup: Cgroup | None = None
        self._memory: Process | None = None

    def start(self) -> SimProcess[None]:
        """Start the sandboxed process, have the module compiled and loaded, let it go.

        Raises:
            ShimError: If the module cannot be loaded.
        """
        runtime, services = self.shim.runtime, self.shim.services
        yield from services.machine.compute(runtime.start.draw(self._rng))
        try:
            module = self.shim.engine().load(self._program.module)
        except WasmError as error:
            raise ShimError(str(error)) from None
        if self._program.kind is WasmKind.HTTP and not _answers_http(module):
            raise ShimError(
                f"{runtime.name}: the module does not export wasi:http/incoming-handler"
            )
        began_ns = self._sim.now
        size_bytes = len(self._program.module)
        yield from self.shim.modules.prepare(self._program.digest, size_bytes, rng=self._rng)
        self._phase_ended("module", began_ns)
        if self._stopping:
            return
        self.cgroup = self.spec.make_cgroup(services.machine)
        self._memory = services.machine.memory.process(
            self.cgroup,
            component="app",
            oom_score_adj=self.spec.oom_score_adj,
            on_oom_kill=self._oom_killed,
        )
        self._memory.allocate(runtime.instance_bytes)
        if self.exited.triggered:
            return
        try:
            self.config = runtime_config(self.shim.name, self.spec, self._program.grants)
        except RuntimeConfigError as error:
            self._sim.call_in(0, self._fail, str(error))
            return
        run = self._command if self._program.kind is WasmKind.COMMAND else self._trigger
        self._sim.process(run(module))

    def stats(self) -> Cgroup | None:
        """Its cgroup, while the module runs."""
        return self.cgroup

    def kill(self, signal: int) -> None:
        """SIGTERM ends the process after the runtime's stop time, SIGKILL at once."""
        if self.exited.triggered:
            return
        if signal == SIGKILL:
            code = EXIT_SIGNAL_BASE + signal
            self._end(ExitStatus(exit_code=code, reason="Error"))
        elif not self._stopping:
            self._stopping = True
            delay_ns = self.shim.runtime.stop.draw(self._rng)
            self._sim.call_in(delay_ns, self._end, ExitStatus(exit_code=0, reason="Completed"))

    def execute(self, command: tuple[str, ...]) -> SimProcess[int]:  # noqa: ARG002
        """There is nothing in the sandbox that could run another command.

        Raises:
            ShimError: Always, as the real shims, whose task service has no Exec.
        """
        yield from ()
        raise ShimError(EXEC_NOT_SUPPORTED)

    def exec_outlook(self) -> Outlook | None:
        """It never becomes possible."""
        return Outlook()

    def _command(self, module: Module | Component) -> SimProcess[None]:
        """Make an instance, run its ``_start`` and let its output and end happen when due."""
        assert self.cgroup is not None
        yield from self.cgroup.compute(self.shim.runtime.instances.cold.draw(self._rng))
        spec, began_ns = self.spec, self._sim.now
        horizon_ns = self.shim.runtime.horizon_ns - began_ns
        context = WasiContext(
            args=(*(spec.command or (spec.container,)), *spec.args),
            env=spec.envs,
            start_ns=self._sim.wall_ns,
            seed=self._sim.seed_bytes(f"{spec.scope}/wasi-random"),
            preopens=preopens(self.shim.name, spec),
            deadline_ns=max(horizon_ns, 1),
        )
        execution = self.shim.engine().run(
            module,
            context,
            self.limits,
            time=self.shim.runtime.time,
            spin=spin_context(self._program, spec, self.stores, self.config),
        )
        for cpu_ns, sleep_ns, chunk in timed_output(execution):
            yield from self.cgroup.compute(cpu_ns)
            yield self._sim.timeout(sleep_ns)
            if self.exited.triggered:
                return
            if chunk is not None:
                self.log.write(chunk.stream, chunk.data)
        if execution.status is Status.RUNNING:
            return
        if not self.exited.triggered:
            exit_status = container_status(execution)
            self.denials.note(execution)
            self._executed(execution, exit_status)
            self._end(exit_status)

    def _trigger(self, module: Module | Component) -> SimProcess[None]:
        """Open the socket; requests are answered from then on."""
        began_ns = self._sim.now
        yield self._sim.timeout(self.shim.runtime.listen.draw(self._rng))
        if self._stopping or self.exited.triggered:
            return
        answers = _answers_http(module) and self._program.kind is WasmKind.HTTP
        handler = (ComponentHttpHandler if answers else WagiHttpHandler)(self, module=module)
        sockets = self.shim.services.sockets
        self._listening = sockets.listen(self.spec.ip, self.port, handler)
        if self._listening:
            self._phase_ended("listen", began_ns)
        else:
            self._fail("Address already in use (os error 98)")

    def _fail(self, why: str) -> None:
        """The runtime itself gives up: what runwasi makes of an error is exit code 137."""
        if not self.exited.triggered:
            self.log.write("stderr", f"Error: {why}\n".encode())
            self._end(ExitStatus(exit_code=FAILED_EXIT_CODE, reason="Error"))

    def _end(self, exit_status: ExitStatus) -> None:
        if self.exited.triggered:
            return
        self._stopping = True
        if self._listening:
            self.shim.services.sockets.close(self.spec.ip, self.port)
        self.stores.close()
        self.log.close()
        self.exited.succeed(exit_status)
        if self._memory is not None and self.cgroup is not None:
            self._memory.exit()
            self.cgroup.remove()
            self.cgroup = None

    def _oom_killed(self) -> None:
        self._end(OOM_KILLED)

    def _executed(self, execution: Execution, exit_status: ExitStatus) -> None:
        spec = self.spec
        self._sim.emit(
            WasmExecuted(
                namespace=spec.namespace,
                name=spec.pod,
                uid=spec.uid,
                container=spec.container,
                digest=self._program.digest,
                status=execution.status.value,
                exit_code=exit_status.exit_code,
                fuel=execution.fuel,
                host_calls=execution.host_calls,
                elapsed_ns=execution.elapsed_ns,
            )
        )

    def _phase_ended(self, phase: str, began_ns: int) -> None:
        spec = self.spec
        if spec.attempt == 0:
            self._sim.emit(
                StartupPhaseEnded(
                    namespace=spec.namespace,
                    name=spec.pod,
                    uid=spec.uid,
                    container=spec.container,
                    phase=phase,
                    began_ns=began_ns,
                )
            )


class WasmHttpHandler(ABC):
    """Answers requests with a fresh instance each.

    Attributes:
        prints_answer: Whether what it prints is the answer; else it is the pod's log.
    """

    prints_answer = False
    waiting = 0  # the pool of instances has no queue: who finds it empty is turned away

    def __init__(self, task: WasmTask, *, module: Module | Component) -> None:
        self._exited = task.exited
        self._shim = shim = task.shim
        self._spec = spec = task.spec
        self._module = module
        self._log = task.log
        self._sim = shim.services.sim
        self._rng = self._sim.rng(f"{spec.scope}/instances")
        self._pool = InstancePool(shim.runtime.instances, rng=self._rng)
        # Random bytes follow from the run's seed and the module alone, so that a guest that draws
        # some only to seed its hash maps stays a function of its input.
        self._seed = self._sim.seed_bytes(f"wasi-random/{module.digest}")
        self._limits = task.limits
        self._denials = task.denials
        assert task.cgroup is not None
        self._cgroup = task.cgroup
        self._foresight = Foresight(self._sim)
        self._preopens = preopens(shim.name, spec)

    def serve(self, request: HttpRequest) -> SimProcess[Served | ConnectionRefused]:
        """Make an instance, run the handler for real, answer with what it said."""
        if self._pool.is_full:
            self._log.write("stderr", b"Error: maximum concurrent component instance limit\n")
            return Served(response=HttpResponse(status=500))
        made_ns = self._pool.take()
        if self._pool.in_use > 1:
            self._foresight.disturb()
        try:
            return (yield from self._serve(request, made_ns))
        finally:
            self._pool.give_back()

    def outlook(self, request: HttpRequest) -> Outlook | None:
        """A module whose last answer was a function of its input goes on answering alike."""
        return None if self._pool.in_use else self._foresight.outlook(request)

    def _serve(self, request: HttpRequest, made_ns: int) -> SimProcess[Served | ConnectionRefused]:
        waited_ns = yield from self._cgroup.compute(made_ns)
        if self._is_gone():
            return ConnectionRefused("connection reset by peer")
        began_ns = self._sim.now
        response, execution = yield from self._answer(request)
        self._foresight.executed(request, execution)
        called_ns = self._sim.now - began_ns
        core_wait_ns = yield from self._cgroup.compute(execution.cpu_ns + self._pool.overhead())
        # What it waited for other services has passed already.
        if execution.sleep_ns > called_ns:
            yield self._sim.timeout(execution.sleep_ns - called_ns)
        if self._is_gone():
            return ConnectionRefused("connection reset by peer")
        self._denials.note(execution)
        if execution.stdout and not self.prints_answer:
            self._log.write("stdout", execution.stdout)
        if execution.stderr:
            self._log.write("stderr", execution.stderr)
        return Served(
            response=response,
            queue_ns=waited_ns + core_wait_ns,
            instantiate_ns=made_ns,
            execute_ns=self._sim.now - began_ns - core_wait_ns,
        )

    def _is_gone(self) -> bool:
        return self._exited.triggered

    @abstractmethod
    def _answer(self, request: HttpRequest) -> SimProcess[tuple[HttpResponse, Execution]]:
        """What the module answers, and how its execution went."""


class WagiHttpHandler(WasmHttpHandler):
    """Serves a core module that answers with what it prints."""

    prints_answer = True

    @override
    def _answer(self, request: HttpRequest) -> SimProcess[tuple[HttpResponse, Execution]]:
        context = wagi.context(
            request,
            wagi.WagiHandler(environment=self._spec.envs),
            start_ns=self._sim.wall_ns,
            seed=self._seed,
            seed_is_input=True,
        )
        context = replace(context, preopens=self._preopens)
        execution = self._shim.memo().run(
            self._module, context, self._limits, time=self._shim.runtime.time
        )
        yield from ()  # takes no virtual time, but is waited for as what does
        return wagi.respond(execution), execution


class ComponentHttpHandler(WasmHttpHandler):
    """Serves a component that exports ``wasi:http/incoming-handler``."""

    def __init__(self, task: WasmTask, *, module: Module | Component) -> None:
        super().__init__(task, module=module)
        assert isinstance(task.spec.program, WasmProgram)
        spec = task.spec
        self._granted = spin_context(task.spec.program, spec, task.stores, task.config)
        outbounds = task.shim.outbound
        self._outbound = outbounds(spec.namespace, spec.pod) if outbounds is not None else None

    @override
    def _answer(self, request: HttpRequest) -> SimProcess[tuple[HttpResponse, Execution]]:
        """Run the handler; again after each call of another service, with the answers so far."""
        assert isinstance(self._module, Component)
        context = WasiContext(
            env=self._spec.envs,
            start_ns=self._sim.wall_ns,
            seed=self._seed,
            seed_is_input=True,
            preopens=self._preopens,
        )
        if self._shim.name == SPIN:
            request = with_spin_headers(request)
        replies = Replies()
        spin = replace(self._granted, outbound=replies)
        while True:
            replies.rewind()
            files = snapshot(self._spec)
            try:
                handled = self._shim.memo().handle(
                    self._module,
                    request,
                    context,
                    self._limits,
                    time=self._shim.runtime.time,
                    spin=spin,
                )
            except Awaiting as call:
                restore(files)
                began_ns = self._sim.now
                answer = None
                if self._outbound is not None:
                    answer = yield from self._outbound(call.request, call.scheme)
                replies.add(call, answer, self._sim.now - began_ns)
            else:
                return handled.response, handled.execution


def _answers_http(module: Module | Component) -> bool:
    return isinstance(module, Component) and module.is_http_handler


def _default_port(shim: str) -> int:
    """Where a shim's HTTP server listens when the image does not say."""
    return WASMTIME_PORT if shim == WASMTIME else HTTP_PORT
