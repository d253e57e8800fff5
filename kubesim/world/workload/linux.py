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
from kubesim.wire.http import ConnectionRefused, HttpRequest, HttpResponse, Outlook, Served
from kubesim.wire.image import Condition, LinuxProgram, Role, ServiceCall
from kubesim.world.workload.consumer import Consumers, Queue, Worker
from kubesim.world.workload.queue import RequestQueue
from kubesim.world.workload.redis import RedisData

RESET = "connection reset by peer"
GRPC_HEADER = ("content-type", "application/grpc")


class CpuCgroup(Protocol):
    """The container's cgroup, as far as a program uses it."""

    def compute(self, cpu_ns: int) -> SimProcess[int]:
        """Use so much CPU with one thread; returns how much longer than that it took."""
        ...

    def set_background(self, milli_cpu: int) -> None:
        """Want so many thousandths of a core all the time, from now on."""
        ...

    def add_steady(self, cpu_ns: int, every_ns: int) -> Callable[[], None]:
        """Use so much in each of such periods; gives what ends that."""
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
        queue: Where its messages come from, if it consumes any.
        pod: Who it is to the queue.
        write: Writes so many bytes at a path.
    """

    log: Callable[[bytes], None]
    listen: Callable[[], bool]
    cgroup: CpuCgroup
    memory: MemoryOwner
    call: Callable[[ServiceCall], SimProcess[bool]] | None = None
    queue: Queue | None = None
    pod: str = ""
    write: Callable[[str, int], None] | None = None


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
        self._redis = RedisData() if program.role is Role.REDIS else None
        self._began_ns = sim.now
        self._consumers: Consumers | None = None
        self._gone: Event | None = None
        self._disturbed: Event | None = None

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
        if program.cpu_millis:
            self._hooks.cgroup.set_background(program.cpu_millis)
        if program.growth_every_ns:
            self._sim.call_in(program.growth_every_ns, self._grow)
        self._start_consumers()
        if program.disk.size_bytes:
            self._write(program.disk.size_bytes)
        if program.disk.growth_every_ns:
            self._sim.call_in(program.disk.growth_every_ns, self._write_more)
        if program.run_time is None:
            return
        yield self._sim.timeout(program.run_time.draw(self._life_rng))
        if self._alive:
            self._end(program.exit_code)

    def stop(self) -> None:
        """The process is gone; connections that wait for it break."""
        self._alive = False
        self._queue.stop()
        if self._consumers is not None:
            self._consumers.stop()
        if self._gone is not None:
            self._gone.succeed()
            self._gone = None

    def finished(self) -> Event:
        """Happens when no request or message is being worked on and none waits."""
        if self._consumers is not None:
            return self._consumers.finished()
        return self._queue.idle()

    @property
    def waiting(self) -> int:
        """How many requests wait for a worker."""
        return self._queue.waiting

    def outlook(self, request: HttpRequest) -> Outlook | None:  # noqa: ARG002
        """Until when requests are answered alike; nobody knows while some have to wait."""
        if self._queue.waiting:
            return None
        if self._disturbed is None:
            self._disturbed = self._sim.event()
        condition, _ = self._program.health.at(self._sim.now - self._began_ns)
        works = condition is not Condition.HUNG
        return Outlook(
            self._steady_until_ns(), self._disturbed, self._answer_steadily if works else None
        )

    def _answer_steadily(self, every_ns: int) -> Callable[[], None]:
        """What a request takes, once in so many nanoseconds."""
        return self._hooks.cgroup.add_steady(self._program.service.median_ns, every_ns)

    def execute(self) -> SimProcess[int]:
        """What a command in the container ends with: a failure unless the program is well."""
        condition = yield from self._awake()
        return 0 if condition is Condition.HEALTHY else 1

    def exec_outlook(self) -> Outlook:
        """Until when commands end alike."""
        return Outlook(self._steady_until_ns())

    def _steady_until_ns(self) -> int | None:
        _, until_ns = self._program.health.at(self._sim.now - self._began_ns)
        return None if until_ns is None else self._began_ns + until_ns

    def _awake(self) -> SimProcess[Condition]:
        """How the program is, once it does not hang (any more); its end is an end of hanging."""
        health = self._program.health
        condition, until_ns = health.at(self._sim.now - self._began_ns)
        while condition is Condition.HUNG and self._alive:
            if self._gone is None:
                self._gone = self._sim.event()
            ends: list[Event] = [self._gone]
            if until_ns is not None:
                ends.append(self._sim.timeout(self._began_ns + until_ns - self._sim.now))
            yield self._sim.any_of(ends)
            condition, until_ns = health.at(self._sim.now - self._began_ns)
        return condition

    def serve(self, request: HttpRequest) -> SimProcess[Served | ConnectionRefused]:
        """Answer one request as soon as a worker is free."""
        program, queue, asked_ns = self._program, self._queue, self._sim.now
        if queue.full:
            if program.refuses_when_full:
                return ConnectionRefused()
            return Served(response=HttpResponse(status=503))
        turn = queue.enter()
        if turn is not None:
            if self._disturbed is not None:
                self._disturbed.succeed()
                self._disturbed = None
            has_worker = yield turn
            if not has_worker:
                return ConnectionRefused(RESET)
        began_ns = self._sim.now
        well = (yield from self._awake()) is Condition.HEALTHY
        cpu_ns = program.service.draw(self._rng)
        memory, memory_bytes = self._hooks.memory, program.request_memory_bytes
        memory.allocate(memory_bytes)
        waited_ns = yield from self._hooks.cgroup.compute(cpu_ns if self._alive else 0)
        answered = True
        if program.calls and self._alive:
            answered = yield from self._call_others(program.calls)
        memory.free(memory_bytes)
        queue.leave()
        if not self._alive:
            return ConnectionRefused(RESET)
        response = self._response if answered else HttpResponse(status=502)
        if self._redis is not None:
            done = self._execute_command(self._redis, request)
            if done is None or not self._alive:
                return ConnectionRefused(RESET)
            response = done
        elif not well:
            response = HttpResponse(status=503)
        if GRPC_HEADER in request.headers:
            response = HttpResponse(status=response.status, headers=(GRPC_HEADER,))
        return Served(
            response=response,
            queue_ns=began_ns - asked_ns + waited_ns,
            execute_ns=self._sim.now - began_ns - waited_ns,
        )

    def _execute_command(self, data: RedisData, request: HttpRequest) -> HttpResponse | None:
        """Do what a command says; what it keeps takes memory, which may be the end of it."""
        before_bytes = data.size_bytes
        response = data.serve(request)
        grown_bytes = data.size_bytes - before_bytes
        if grown_bytes > 0:
            self._hooks.memory.allocate(grown_bytes)
        else:
            self._hooks.memory.free(-grown_bytes)
        return response

    def _start_consumers(self) -> None:
        """Take messages from now on; without a queue of that name there are none."""
        program, hooks = self._program, self._hooks
        if program.consumes is None or hooks.queue is None:
            return
        self._consumers = Consumers(
            self._sim,
            worker=Worker(
                consumption=program.consumes,
                queue=hooks.queue,
                pod=hooks.pod,
                service=program.service,
                rng=self._rng,
                compute=hooks.cgroup.compute,
            ),
            count=program.workers,
            over=lambda: self._end(program.exit_code),
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

    def _grow(self) -> None:
        """Memory that is never given back: a cache without a bound, a leak."""
        if self._alive:
            self._hooks.memory.allocate(self._program.growth_bytes)
            self._sim.call_in(self._program.growth_every_ns, self._grow)

    def _write_more(self) -> None:
        if self._alive:
            disk = self._program.disk
            self._write(disk.growth_bytes)
            self._sim.call_in(disk.growth_every_ns, self._write_more)

    def _write(self, size_bytes: int) -> None:
        if self._hooks.write is not None:
            self._hooks.write(self._program.disk.path, size_bytes)

    def _end(self, exit_code: int) -> None:
        self.stop()
        self.ended.succeed(exit_code)
