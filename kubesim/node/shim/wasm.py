"""What the Wasm shims have in common: they really run the module.

A *command* module runs once, from ``_start`` to its exit. It is executed in one go at the virtual
instant at which its container starts; what it printed then appears in the log at the virtual times
at which it printed it, and the container ends when the module's own time is over.

An *HTTP* module gets a fresh instance for every request, see ``serving``; a Spin application has
several of them behind its routes, see ``spinserver``. What it stores lives as long as its container.

The fuel of an execution becomes CPU time by the preset's model, used in the container's cgroup:
shared with the rest of the node, and throttled by the container's quota.

Mirrors: runwasi crates/containerd-shim-wasm (Shim, Sandbox; an error of run_wasi is exit code 137),
containerd-shim-spin (a SIGTERM ends the trigger at once with exit code 0).
Departs: a command cannot be observed half-way, and calls others before it prints; ``Mirrors`` of each
shim says which triggers the real one has.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from kubesim.facts import StartupPhaseEnded, WasmExecuted
from kubesim.node.machine import Cgroup, Process
from kubesim.node.shim.denials import Denials
from kubesim.node.shim.foresight import Foresight
from kubesim.node.shim.grants import (
    Given,
    given_to,
    given_to_component,
    limits,
    runtime_config,
)
from kubesim.node.shim.logs import ContainerLog
from kubesim.node.shim.outbound import Outbound, Outbounds, Replies
from kubesim.node.shim.outcome import FAILED_EXIT_CODE, container_status, timed_output
from kubesim.node.shim.pool import InstancePool
from kubesim.node.shim.precompiled import PrecompiledModules
from kubesim.node.shim.runc import RuncShim
from kubesim.node.shim.runtimeconfig import RuntimeConfig, RuntimeConfigError
from kubesim.node.shim.serving import (
    ComponentHttpHandler,
    Host,
    WagiHttpHandler,
    WasmHttpHandler,
)
from kubesim.node.shim.spin import NAME as SPIN
from kubesim.node.shim.spinserver import (
    RETAIN_VARIABLE,
    RetainError,
    SpinServer,
    duplicate_routes,
    retained,
)
from kubesim.node.shim.storefiles import StoreFiles
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
from kubesim.wasm.component import Component
from kubesim.wasm.engine import Engine, Module
from kubesim.wasm.errors import WasmError
from kubesim.wasm.execution import Execution, Status, WasiContext
from kubesim.wasm.measuring import Runner
from kubesim.wasm.stores import Awaiting, Stores
from kubesim.wire.filetree import restore, snapshot
from kubesim.wire.http import HTTP_PORT, Outlook
from kubesim.wire.image import LinuxProgram, SpinApp, WasmKind, WasmProgram
from kubesim.wire.spinvariables import component_of

# runwasi's shims serve the task API of version 2, and of that no Exec.
EXEC_NOT_SUPPORTED = "/containerd.task.v2.Task/Exec is not supported"
CHECKPOINT_NOT_SUPPORTED = "/containerd.task.v2.Task/Checkpoint is not supported"
LISTEN_VARIABLE = "SPIN_HTTP_LISTEN_ADDR"


class WasmShim:
    """A Wasm runtime on one node.

    Args:
        services: The node.
        runtime: Its numbers.
        engine: What really runs modules; made when the first module starts.
        memo: The same for requests, remembering results.
        modules: What is compiled on this node.
        commands: The same for commands; the engine itself by default.
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
        memo: Callable[[], Runner],
        modules: PrecompiledModules,
        commands: Callable[[], Runner] | None = None,
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
        self.commands = commands or engine
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
        self._app = program.app if shim.name == SPIN else None
        self._sim = shim.services.sim
        self.log = ContainerLog(self._sim, spec)
        self.denials = Denials(self._sim, spec)
        self._rng = self._sim.rng(f"{spec.scope}/shim")
        self.limits = limits(shim.name, spec)
        self.config = RuntimeConfig()
        # The default stores are files in the container's own layer: gone when it is.
        self.stores = Stores()
        self._files: StoreFiles | None = None
        self.port = program.port or _default_port(shim.name, spec)
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
        modules = self.load()
        began_ns = self._sim.now
        for module in modules.values():
            yield from self.shim.modules.prepare(module.digest, module.size_bytes, rng=self._rng)
        self._phase_ended("module", began_ns)
        if self._stopping:
            return
        self.cgroup = self.spec.make_cgroup(services.machine)
        self._memory = services.machine.memory.process(
            self.cgroup,
            component="app",
            name=self.spec.process_name,
            oom_score_adj=self.spec.oom_score_adj,
            on_oom_kill=self._oom_killed,
        )
        self._memory.allocate(runtime.instance_bytes)
        if not self.exited.triggered:
            self._let_go(modules)

    def serve_in(self, cgroup: Cgroup, modules: dict[str, Module | Component]) -> None:
        """Be the Spin in somebody else's process, which has that cgroup."""
        self.cgroup = cgroup
        self._let_go(modules)

    def load(self) -> dict[str, Module | Component]:
        """The modules by their components' ids; the one of an image without components by "".

        Raises:
            ShimError: One cannot be loaded, or does not do what its image says.
        """
        program, name = self._program, self.shim.runtime.name
        wanted = {"": program.module}
        if self._app is not None:
            wanted = {component.id: component.module for component in self._app.components}
        try:
            modules = {key: self.shim.engine().load(wasm) for key, wasm in wanted.items()}
        except WasmError as error:
            raise ShimError(str(error)) from None
        serves = program.kind is WasmKind.HTTP and self._app is None
        if serves and not _answers_http(modules[""]):
            raise ShimError(f"{name}: the module does not export wasi:http/incoming-handler")
        return modules

    def _let_go(self, modules: dict[str, Module | Component]) -> None:
        """Run what there is to run."""
        try:
            app = self._retained()
            grants = {self.spec.container: self._program.grants}
            if app is not None:
                grants = {component.id: component.grants for component in app.components}
            self.config = runtime_config(self.shim.name, self.spec, grants)
        except (RetainError, RuntimeConfigError) as error:
            self._sim.call_in(0, self._fail, str(error))
            return
        self._files = StoreFiles(self.spec, self.config)
        self._files.load(self.stores)
        if app is not None:
            self._let_app_go(app, modules)
            return
        module = modules[""]
        given = given_to(self.shim.name, self.spec, self._program, self.stores, self.config)
        if self._program.kind is WasmKind.COMMAND:
            self._sim.process(self._command(module, given))
        else:
            self._sim.process(self._trigger(self._handler(module, given)))

    def _retained(self) -> SpinApp | None:
        """The application, as far as the environment selects its components."""
        selection = dict(self.spec.envs).get(RETAIN_VARIABLE)
        return None if self._app is None else retained(self._app, selection)

    def _let_app_go(self, app: SpinApp, modules: dict[str, Module | Component]) -> None:
        if app.triggers:
            self._sim.process(self._trigger(self._server(app, modules)))
        elif app.commands:
            component = component_of(app, app.commands[0])
            given = given_to_component(app, component, self.spec, self.stores, self.config)
            self._sim.process(self._command(modules[component.id], given))
        else:
            self._sim.call_in(0, self._fail, "the application has no trigger that could run")

    def _host(self) -> Host:
        """What everything that serves in this container shares."""
        assert self.cgroup is not None
        pool = InstancePool(
            self.shim.runtime.instances, rng=self._sim.rng(f"{self.spec.scope}/instances")
        )
        return Host(
            services=self.shim.services,
            runtime=self.shim.runtime,
            memo=self.shim.memo,
            spec=self.spec,
            cgroup=self.cgroup,
            limits=self.limits,
            pool=pool,
            foresight=Foresight(
                self._sim, steady=self.cgroup.add_steady, overhead_ns=pool.usual_ns
            ),
            log=self.log,
            denials=self.denials,
            exited=self.exited,
        )

    def _outbound(self) -> Outbound | None:
        outbounds = self.shim.outbound
        return None if outbounds is None else outbounds(self.spec.namespace, self.spec.pod)

    def _handler(self, module: Module | Component, given: Given) -> WasmHttpHandler:
        """Who answers for a module that is alone."""
        host = self._host()
        if self._program.kind is WasmKind.HTTP:
            return ComponentHttpHandler(
                host, module=module, given=given, outbound=self._outbound()
            )
        return WagiHttpHandler(host, module=module, given=given)

    def _server(self, app: SpinApp, modules: Mapping[str, Module | Component]) -> SpinServer:
        """Who answers for an application."""
        host = self._host()
        server = SpinServer(host, app=app, outbound=self._outbound())
        given = {
            component.id: given_to_component(app, component, self.spec, self.stores, self.config)
            for component in app.components
        }
        handlers: dict[str, WasmHttpHandler] = {}
        for trigger in app.triggers:
            name = trigger.component
            if trigger.wagi:
                handlers[trigger.id] = WagiHttpHandler(
                    host, module=modules[name], given=given[name], argv=trigger.argv
                )
            elif name:
                handlers[trigger.id] = ComponentHttpHandler(
                    host, module=modules[name], given=given[name], outbound=server.call
                )
        server.open(handlers)
        for line in duplicate_routes(app):
            self.log.write("stderr", f"{line}\n".encode())
        return server

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

    def checkpoint(self) -> None:
        """The shims' task service has no Checkpoint either.

        Raises:
            ShimError: Always.
        """
        raise ShimError(CHECKPOINT_NOT_SUPPORTED)

    def _command(self, module: Module | Component, given: Given) -> SimProcess[None]:
        """Make an instance, run its ``_start`` and let its output and end happen when due."""
        assert self.cgroup is not None
        yield from self.cgroup.compute(self.shim.runtime.instances.cold.draw(self._rng))
        spec, began_ns = self.spec, self._sim.now
        horizon_ns = self.shim.runtime.horizon_ns - began_ns
        context = WasiContext(
            args=(*(spec.command or (spec.container,)), *spec.args),
            env=given.environment,
            start_ns=self._sim.wall_ns,
            seed=self._sim.seed_bytes(f"{spec.scope}/wasi-random"),
            preopens=given.preopens,
            deadline_ns=max(horizon_ns, 1),
        )
        execution, waited_ns = yield from self._executed_command(module, context, given)
        for cpu_ns, sleep_ns, chunk in timed_output(execution):
            yield from self.cgroup.compute(cpu_ns)
            # What it waited for other services has passed already.
            passed_ns = min(waited_ns, sleep_ns)
            waited_ns -= passed_ns
            yield self._sim.timeout(sleep_ns - passed_ns)
            if self.exited.triggered:
                return
            if chunk is not None:
                self.log.write(chunk.stream, chunk.data)
        if execution.status is Status.RUNNING:
            return
        if not self.exited.triggered:
            exit_status = container_status(execution)
            self.denials.note(execution)
            self._executed(module.digest, execution, exit_status)
            self._end(exit_status)

    def _executed_command(
        self, module: Module | Component, context: WasiContext, given: Given
    ) -> SimProcess[tuple[Execution, int]]:
        """Run a command; again after each call of another service, with the answers so far.

        Returns:
            How it went, and for how long it waited for answers.
        """
        replies, outbound, waited_ns = Replies(), self._outbound(), 0
        spin = replace(given.spin, outbound=replies)
        while True:
            replies.rewind()
            files = snapshot(given.preopens.values())
            try:
                execution = self.shim.commands().run(
                    module, context, self.limits, time=self.shim.runtime.time, spin=spin
                )
            except Awaiting as call:
                restore(files)
                began_ns = self._sim.now
                answer = None
                if outbound is not None:
                    answer = yield from outbound(call.request, call.scheme)
                replies.add(call, answer, self._sim.now - began_ns)
                waited_ns += self._sim.now - began_ns
            else:
                return execution, waited_ns

    def _trigger(self, handler: WasmHttpHandler | SpinServer) -> SimProcess[None]:
        """Open the socket; requests are answered from then on."""
        began_ns = self._sim.now
        yield self._sim.timeout(self.shim.runtime.listen.draw(self._rng))
        if self._stopping or self.exited.triggered:
            return
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
        if self._files is not None:
            self._files.save(self.stores)
        self.stores.close()
        self.log.close()
        self.exited.succeed(exit_status)
        if self._memory is not None and self.cgroup is not None:
            self._memory.exit()
            self.cgroup.remove()
            self.cgroup = None

    def _oom_killed(self) -> None:
        self._end(OOM_KILLED)

    def _executed(self, digest: str, execution: Execution, exit_status: ExitStatus) -> None:
        spec = self.spec
        self._sim.emit(
            WasmExecuted(
                namespace=spec.namespace,
                name=spec.pod,
                uid=spec.uid,
                container=spec.container,
                digest=digest,
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


def _answers_http(module: Module | Component) -> bool:
    return isinstance(module, Component) and module.is_http_handler


def _default_port(shim: str, spec: TaskSpec) -> int:
    """Where a shim's HTTP server listens when the image does not say."""
    if shim == SPIN:
        port = dict(spec.envs).get(LISTEN_VARIABLE, "").rpartition(":")[2]
        return int(port) if port.isdigit() and 0 < int(port) < 1 << 16 else HTTP_PORT
    return WASMTIME_PORT if shim == WASMTIME else HTTP_PORT
