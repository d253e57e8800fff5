"""runc: ordinary Linux containers (and runsc, which is the same with other numbers).

Mirrors: containerd cmd/containerd-shim-runc-v2, opencontainers/runc.
Departs: what runs in the container is a model of a program (``world.workload``).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from kubesim.node.shim.logs import ContainerLog
from kubesim.node.shim.task import (
    EXIT_SIGNAL_BASE,
    SIGKILL,
    ExitStatus,
    NodeServices,
    ShimError,
    TaskSpec,
)
from kubesim.sim import Event, SimProcess
from kubesim.sim.distribution import Distribution
from kubesim.wire.image import LinuxProgram, ServiceCall
from kubesim.world.workload import LinuxProcess
from kubesim.world.workload.linux import LinuxProcessHooks

Call = Callable[[ServiceCall], SimProcess[bool]]
"""Asks another Service; gives whether it answered well."""

Calls = Callable[[str, str], Call]
"""The calls of one pod, by its namespace and name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LinuxRuntime:
    """The numbers of one such runtime.

    Attributes:
        name: The shim binary's name.
        start: Until the program runs.
        stop: From SIGTERM to the end, for a program that obeys.
        pod_overhead_bytes: Memory of the shim and pause.
    """

    name: str
    start: Distribution
    stop: Distribution
    pod_overhead_bytes: int


class RuncShim:
    """A runtime for Linux containers on one node.

    Args:
        services: The node.
        runtime: Its numbers.
        calls: The way from a pod to other Services; without it nobody answers.
    """

    runs_wasm = False

    def __init__(
        self, services: NodeServices, *, runtime: LinuxRuntime, calls: Calls | None = None
    ) -> None:
        self.name = runtime.name
        self._calls = calls
        self.pod_overhead_bytes = runtime.pod_overhead_bytes
        self._services = services
        self._runtime = runtime

    def create(self, spec: TaskSpec) -> RuncTask:
        """A task that is not started yet.

        Raises:
            ShimError: If the image has no Linux program.
        """
        if not isinstance(spec.program, LinuxProgram):
            entry = (spec.command or ("/",))[0]
            raise ShimError(
                "failed to create containerd task: failed to create shim task: OCI runtime create "
                "failed: runc create failed: unable to start container process: error during "
                f'container init: exec: "{entry}": exec format error'
            )
        return RuncTask(
            self._services,
            runtime=self._runtime,
            spec=spec,
            program=spec.program,
            call=self._calls(spec.namespace, spec.pod) if self._calls is not None else None,
        )


class RuncTask:
    """One Linux container's process."""

    def __init__(
        self,
        services: NodeServices,
        *,
        runtime: LinuxRuntime,
        spec: TaskSpec,
        program: LinuxProgram,
        call: Call | None = None,
    ) -> None:
        self._call = call
        self.exited: Event = services.sim.event()
        self._services = services
        self._runtime = runtime
        self._spec = spec
        self._program = program
        self._log = ContainerLog(services.sim, spec)
        self._rng = services.sim.rng(f"{spec.scope}/shim")
        self._process: LinuxProcess | None = None
        self._stopping = False
        self._listening = False

    def start(self) -> SimProcess[None]:
        """Have a core until the program runs, then let it run."""
        yield from self._services.machine.compute(self._runtime.start.draw(self._rng))
        if self._stopping:
            return
        self._process = LinuxProcess(
            self._services.sim,
            program=self._program,
            scope=self._spec.scope,
            hooks=LinuxProcessHooks(
                log=lambda data: self._log.write("stdout", data),
                listen=self._listen,
                throttled=self._spec.throttled,
                compute=self._services.machine.compute,
                call=self._call,
            ),
        )
        self._services.machine.allocate(self._program.memory_bytes)
        limit_bytes = self._spec.memory_limit_bytes
        if limit_bytes and self._program.memory_bytes > limit_bytes:
            self._end(EXIT_SIGNAL_BASE + SIGKILL, reason="OOMKilled")
            return
        self._services.sim.process(self._process.run())
        self._services.sim.when(self._process.ended, self._process_ended)

    def kill(self, signal: int) -> None:
        """SIGTERM ends it after the runtime's stop time, SIGKILL at once."""
        if self.exited.triggered:
            return
        if signal == SIGKILL:
            self._end(EXIT_SIGNAL_BASE + signal)
        elif not self._stopping:
            self._stopping = True
            delay_ns = self._runtime.stop.draw(self._rng)
            self._services.sim.call_in(delay_ns, self._end, 0)

    def _process_ended(self, ended: Event) -> None:
        assert isinstance(ended.value, int)
        self._end(ended.value)

    def _listen(self) -> bool:
        assert self._process is not None
        sockets = self._services.sockets
        self._listening = sockets.listen(self._spec.ip, self._program.port, self._process)
        return self._listening

    def _end(self, exit_code: int, *, reason: str = "") -> None:
        if self.exited.triggered:
            return
        self._stopping = True
        if self._process is not None:
            self._process.stop()
            if self._listening:
                self._services.sockets.close(self._spec.ip, self._program.port)
            self._services.machine.free(self._program.memory_bytes)
        self._log.close()
        reason = reason or ("Completed" if exit_code == 0 else "Error")
        self.exited.succeed(ExitStatus(exit_code=exit_code, reason=reason))
