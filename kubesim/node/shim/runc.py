"""runc: ordinary Linux containers (and runsc, which is the same with other numbers).

Mirrors: containerd cmd/containerd-shim-runc-v2, opencontainers/runc.
Departs: what runs in the container is a model of a program (``world.workload``). The runtime's
commands are told of (``RuntimeCalled``) where the preset has their times, and ``delete`` only after
SIGTERM: after SIGKILL it is in containerd's ``kill_container``, and after an end of its own it takes no
time.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from kubesim.facts import RuntimeCalled
from kubesim.node.machine import Cgroup, Process
from kubesim.node.shim.logs import ContainerLog
from kubesim.node.shim.task import (
    EXIT_SIGNAL_BASE,
    OOM_KILLED,
    SIGKILL,
    SIGTERM,
    ExitStatus,
    NodeServices,
    ShimError,
    TaskSpec,
)
from kubesim.sim import Event, Sim, SimProcess
from kubesim.sim.distribution import Distribution
from kubesim.wire.http import Outlook
from kubesim.wire.image import LinuxProgram, Role, ServiceCall
from kubesim.world.workload import LinuxProcess
from kubesim.world.workload.consumer import Queue
from kubesim.world.workload.linux import LinuxProcessHooks

Call = Callable[[ServiceCall], SimProcess[bool]]
"""Asks another Service; gives whether it answered well."""

Calls = Callable[[str, str], Call]
"""The calls of one pod, by its namespace and name."""

Script = Callable[["RuncTask"], SimProcess[int]]
"""What a program of a special role does, in its container; gives its exit code."""


NO_CRIU = 'exec: "criu": executable file not found in $PATH'
NO_SCRIPTS: Mapping[Role, Script] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Commands:
    """The binary that the shim calls, as ``runc``, and what its commands take."""

    name: str
    create: Distribution
    start: Distribution
    delete: Distribution


@dataclass(frozen=True, slots=True, kw_only=True)
class LinuxRuntime:
    """The numbers of one such runtime.

    Attributes:
        name: The shim binary's name.
        start: Until the program runs.
        stop: From SIGTERM to the end, for a program that obeys.
        pod_overhead_bytes: Memory of the shim and pause.
        pause_bytes: The part of it that is pause.
        commands: The parts of ``start`` and ``stop`` that are the binary's, if they are known.
    """

    name: str
    start: Distribution
    stop: Distribution
    pod_overhead_bytes: int
    pause_bytes: int = 0
    commands: Commands | None = None


class RuncShim:
    """A runtime for Linux containers on one node.

    Args:
        services: The node.
        runtime: Its numbers.
        calls: The way from a pod to other Services; without it nobody answers.
        scripts: What programs of special roles do.
    """

    runs_wasm = False
    zygote_bytes = 0

    def __init__(
        self,
        services: NodeServices,
        *,
        runtime: LinuxRuntime,
        calls: Calls | None = None,
        scripts: Mapping[Role, Script] = NO_SCRIPTS,
    ) -> None:
        self.name = runtime.name
        self._scripts = scripts
        self._calls = calls
        self.pod_overhead_bytes = runtime.pod_overhead_bytes
        self.pause_bytes = runtime.pause_bytes
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
            script=self._scripts.get(spec.program.role),
        )


class RuncTask:
    """One Linux container's process: a model of a program, or a script.

    Attributes:
        spec: The container.
        program: What runs in it.
        log: Its log.
        rng: Its random stream.
        cgroup: Its cgroup; ``None`` while no process runs.
    """

    def __init__(
        self,
        services: NodeServices,
        *,
        runtime: LinuxRuntime,
        spec: TaskSpec,
        program: LinuxProgram,
        call: Call | None = None,
        script: Script | None = None,
    ) -> None:
        self._call = call
        self._script = script
        self.exited: Event = services.sim.event()
        self._services = services
        self._runtime = runtime
        self.spec = spec
        self.program = program
        self.log = ContainerLog(services.sim, spec)
        self.rng = services.sim.rng(f"{spec.scope}/shim")
        self._exec_rng = services.sim.rng(f"{spec.scope}/exec")
        self._process: LinuxProcess | None = None
        self.cgroup: Cgroup | None = None
        self._memory: Process | None = None
        self._stopping = False
        self._listening = self._ended = False

    def start(self) -> SimProcess[None]:
        """Let the runtime work until the program runs, then let that run in its cgroup."""
        machine = self._services.machine
        yield from self._set_up()
        if self._stopping:
            return
        self.cgroup = self.spec.make_cgroup(machine)
        self._memory = machine.memory.process(
            self.cgroup,
            component="app",
            name=self.spec.process_name,
            oom_score_adj=self.spec.oom_score_adj,
            on_oom_kill=self._oom_killed,
        )
        if self._script is not None:
            self._memory.allocate(self.program.memory_bytes)
            if not self.exited.triggered:
                self._services.sim.process(self._play(self._script))
            return
        self._process = LinuxProcess(
            self._services.sim,
            program=self.program,
            scope=self.spec.scope,
            hooks=LinuxProcessHooks(
                log=lambda data: self.log.write("stdout", data),
                listen=self._listen,
                call=self._call,
                queue=self._queue(),
                pod=f"{self.spec.namespace}/{self.spec.pod}",
                cgroup=self.cgroup,
                memory=self._memory,
                write=self.spec.write,
            ),
        )
        self._memory.allocate(self.program.memory_bytes)
        if self.exited.triggered:
            return
        self._services.sim.process(self._process.run())
        self._services.sim.when(self._process.ended, self._process_ended)

    def _set_up(self) -> SimProcess[None]:
        """What containerd and the shim do, and then the runtime's ``create`` and ``start``."""
        machine, commands = self._services.machine, self._runtime.commands
        took_ns = (self.program.start or self._runtime.start).draw(self.rng)
        if commands is None or self.program.start is not None:
            yield from machine.compute(took_ns)
            return
        rng = self.sim.rng(f"{self.spec.scope}/commands")
        create_ns, start_ns = commands.create.draw(rng), commands.start.draw(rng)
        yield from machine.compute(max(0, took_ns - create_ns - start_ns))
        for command, command_ns in (("create", create_ns), ("start", start_ns)):
            began_ns = self.sim.now
            yield from machine.compute(command_ns)
            self._called(commands.name, command, began_ns)

    def _called(self, runtime: str, command: str, began_ns: int) -> None:
        self.sim.emit(
            RuntimeCalled(
                node=self._services.node,
                runtime=runtime,
                command=command,
                pod_uid=self.spec.uid,
                container=self.spec.container,
                began_ns=began_ns,
            )
        )

    def _queue(self) -> Queue | None:
        """Where its messages come from."""
        consumes, queues = self.program.consumes, self._services.queues
        return None if consumes is None or queues is None else queues(consumes.queue)

    def _play(self, script: Script) -> SimProcess[None]:
        code = yield from script(self)
        self._end(code)

    @property
    def sim(self) -> Sim:
        """The run."""
        return self._services.sim

    def stats(self) -> Cgroup | None:
        """Its cgroup, while its process runs."""
        return self.cgroup

    def kill(self, signal: int) -> None:
        """SIGTERM ends it after the runtime's stop time, or its last request's; SIGKILL at once."""
        if self.exited.triggered:
            return
        if signal == SIGKILL:
            self._end(EXIT_SIGNAL_BASE + signal)
        elif not self._stopping:
            self._stopping = True
            if self.program.finishes and self._process is not None:
                self._close()
                self._services.sim.when(self._process.finished(), lambda _: self._wind_up())
            else:
                self._wind_up()

    def _wind_up(self) -> None:
        delay_ns = self._runtime.stop.draw(self.rng)
        # A server that is asked to stop has done its work; a program that should have run on has not.
        program = self.program
        cut_short = _ends_by_itself(program) and not program.finishes
        code = EXIT_SIGNAL_BASE + SIGTERM if cut_short else 0
        commands = self._runtime.commands
        if commands is not None:
            rng = self.sim.rng(f"{self.spec.scope}/commands")
            delete_ns = min(delay_ns, commands.delete.draw(rng))
            self.sim.call_in(delay_ns, self._deleted, commands.name, delete_ns)
        self.sim.call_in(delay_ns, self._end, code)

    def _deleted(self, runtime: str, took_ns: int) -> None:
        if not self.exited.triggered:
            self._called(runtime, "delete", self.sim.now - took_ns)

    def execute(self, command: tuple[str, ...]) -> SimProcess[int]:
        """Start a command beside the program; how it ends is as the program is.

        Raises:
            ShimError: If the program has ended.
        """
        yield from self._services.machine.compute(self._runtime.start.draw(self._exec_rng))
        if self.exited.triggered or (self._process is None and self._script is None):
            raise ShimError(f"failed to create exec {command[0]!r}: task has stopped: not found")
        if self._process is None:
            return 0
        code = yield from self._process.execute()
        return EXIT_SIGNAL_BASE + SIGKILL if self._ended else code

    def exec_outlook(self) -> Outlook | None:
        """Until when a command would end alike."""
        if self._process is None:
            return None
        outlook = self._process.exec_outlook()
        system, start = self._services.machine.system, self._runtime.start
        return replace(
            outlook, steady=lambda every_ns: system.add_steady(start.median_ns, every_ns)
        )

    def checkpoint(self) -> None:
        """CRIU would do it; the nodes' images do not come with it.

        Raises:
            ShimError: Always.
        """
        raise ShimError(NO_CRIU)

    def _process_ended(self, ended: Event) -> None:
        assert isinstance(ended.value, int)
        self._end(ended.value)

    def _oom_killed(self) -> None:
        self._finish(OOM_KILLED)

    def _listen(self) -> bool:
        assert self._process is not None
        sockets = self._services.sockets
        self._listening = sockets.listen(self.spec.ip, self.program.port, self._process)
        return self._listening

    def _close(self) -> None:
        if self._listening:
            self._listening = False
            self._services.sockets.close(self.spec.ip, self.program.port)

    def _end(self, exit_code: int) -> None:
        reason = "Completed" if exit_code == 0 else "Error"
        self._finish(ExitStatus(exit_code=exit_code, reason=reason))

    def _finish(self, exit_status: ExitStatus) -> None:
        if self.exited.triggered:
            return
        self._stopping = self._ended = True
        if self._process is not None:
            self._process.stop()
            self._close()
        self.log.close()
        self.exited.succeed(exit_status)
        if self._memory is not None and self.cgroup is not None:
            self._memory.exit()
            self.cgroup.remove()
            self.cgroup = None


def _ends_by_itself(program: LinuxProgram) -> bool:
    """Whether it has an end of its own, which a signal then comes before."""
    consumes = program.consumes
    batch = consumes is not None and (consumes.messages or consumes.idle_ns) is not None
    return program.run_time is not None or batch
