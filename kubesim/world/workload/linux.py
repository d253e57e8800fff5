"""A Linux program as a model: it comes up, listens, answers, writes lines, perhaps ends.

Requests are served by a fixed number of workers on the node's cores; the CPU time of each is drawn.
Who finds all workers busy and the queue full is turned away. A request may lead to calls of other
Services, which its worker waits for.

Departs: memory is constant; a request's cost does not depend on the request.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from kubesim.sim import Event, Sim, SimProcess
from kubesim.wire.http import ConnectionRefused, HttpRequest, HttpResponse, Served
from kubesim.wire.image import LinuxProgram, ServiceCall
from kubesim.world.workload.queue import RequestQueue

RESET = "connection reset by peer"


class CpuCgroup(Protocol):
    """The container's cgroup, as far as a program uses it."""

    def compute(self, cpu_ns: int) -> SimProcess[int]:
        """Use so much CPU with one thread; returns how much longer than that it took."""
        ...

    def set_background(self, milli_cpu: int) -> None:
        """Want so many thousandths of a core all the time, from now on."""
        ...


class MemoryOwner(Protocol):
    """The process's memory."""

    def allocate(self, memory_bytes: int) -> None:
        """Take some; the kernel may kill the process for it."""
        ...

    def free(self, memory_bytes: int) -> None:
        """Give some back."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class LinuxProcessHooks:
    """What a process reaches outside itself.

    Attributes:
        log: Takes its standard output.
        listen: Opens its socket when it is up; False when the address is taken.
        cgroup: Where it computes.
        memory: What it has in memory.
        call: Asks another Service; gives whether it answered well. ``None``: nobody ever does.
    """

    log: Callable[[bytes], None]
    listen: Callable[[], bool]
    cgroup: CpuCgroup
    memory: MemoryOwner
    call: Callable[[ServiceCall], SimProcess[bool]] | None = None


class LinuxProcess:
    """One running program.

    Args:
        sim: The run.
        program: Its model.
        scope: The owner of its random streams.
        hooks: What it reaches outside itself.
    """

    def __init__(
        self,
        sim: Sim,
        *,
        program: LinuxProgram,
        scope: str,
        hooks: LinuxProcessHooks,
    ) -> None:
        self.ended: Event = sim.event()
        self._sim = sim
        self._program = program
        self._hooks = hooks
        self._rng = sim.rng(f"{scope}/service")
        self._life_rng = sim.rng(f"{scope}/life")
        self._queue = RequestQueue(sim, workers=program.workers, length=program.queue_length)
        self._alive = True
        self._response = HttpResponse(body=program.body)

    def run(self) -> SimProcess[None]:
        """Come up, listen, and end when the model says so; ``ended`` then has the exit code."""
        program = self._program
        yield self._sim.timeout(program.init.draw(self._life_rng))
        if not self._alive:
            return
        self._hooks.log(b"".join(f"{line}\n".encode() for line in program.log))
        if program.port and not self._hooks.listen():
            self._hooks.log(f"listen tcp :{program.port}: bind: address already in use\n".encode())
            self._end(1)
            return
        if program.run_time is None:
            return
        yield self._sim.timeout(program.run_time.draw(self._life_rng))
        if self._alive:
            self._end(program.exit_code)

    def stop(self) -> None:
        """The process is gone; connections that wait for it break."""
        self._alive = False
        self._queue.stop()

    @property
    def waiting(self) -> int:
        """How many requests wait for a worker."""
        return self._queue.waiting

    def serve(self, request: HttpRequest) -> SimProcess[Served | ConnectionRefused]:  # noqa: ARG002
        """Answer one request as soon as a worker is free."""
        program, queue, asked_ns = self._program, self._queue, self._sim.now
        if queue.full:
            if program.refuses_when_full:
                return ConnectionRefused()
            return Served(response=HttpResponse(status=503))
        turn = queue.enter()
        if turn is not None:
            has_worker = yield turn
            if not has_worker:
                return ConnectionRefused(RESET)
        began_ns = self._sim.now
        waited_ns = yield from self._hooks.cgroup.compute(program.service.draw(self._rng))
        answered = True
        if program.calls and self._alive:
            answered = yield from self._call_others(program.calls)
        queue.leave()
        if not self._alive:
            return ConnectionRefused(RESET)
        response = self._response if answered else HttpResponse(status=502)
        return Served(
            response=response,
            queue_ns=began_ns - asked_ns + waited_ns,
            execute_ns=self._sim.now - began_ns - waited_ns,
        )

    def _call_others(self, calls: tuple[ServiceCall, ...]) -> SimProcess[bool]:
        """One call after another, those that are parallel at once; whether all went well."""
        if self._hooks.call is None:
            return False
        for call in calls:
            if call.parallel and call.count > 1:
                asked = [self._sim.process(self._hooks.call(call)) for _ in range(call.count)]
                yield self._sim.all_of(asked)
                if not all(process.value for process in asked):
                    return False
                continue
            for _ in range(call.count):
                answered = yield from self._hooks.call(call)
                if not answered:
                    return False
        return True

    def _end(self, exit_code: int) -> None:
        self._alive = False
        self.ended.succeed(exit_code)
