"""A Linux program as a model: it comes up, listens, answers, writes lines, perhaps ends.

Requests are served by a fixed number of workers on the node's cores; the CPU time of each is drawn.

Departs: memory is constant; a request's cost does not depend on the request.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from kubesim.sim import Event, Sim, SimProcess
from kubesim.wire.http import ConnectionRefused, HttpRequest, HttpResponse, Served
from kubesim.wire.image import LinuxProgram


@dataclass(frozen=True, slots=True, kw_only=True)
class LinuxProcessHooks:
    """What a process reaches outside itself.

    Attributes:
        log: Takes its standard output.
        listen: Opens its socket when it is up; False when the address is taken.
        throttled: Wall time of some CPU time under the container's quota.
        compute: Holds a core of the node for that long; gives how long it was waited for.
    """

    log: Callable[[bytes], None]
    listen: Callable[[], bool]
    throttled: Callable[[int], int]
    compute: Callable[[int], SimProcess[int]]


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
        self._workers = sim.resource(program.workers)
        self._alive = True

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

    def serve(self, request: HttpRequest) -> SimProcess[Served | ConnectionRefused]:  # noqa: ARG002
        """Answer one request as soon as a worker is free."""
        asked_ns = self._sim.now
        with self._workers.request() as worker:
            yield worker
            queue_ns = self._sim.now - asked_ns
            began_ns = self._sim.now
            cpu_ns = self._hooks.throttled(self._program.service.draw(self._rng))
            waited_ns = yield from self._hooks.compute(cpu_ns)
        if not self._alive:
            return ConnectionRefused("connection reset by peer")
        return Served(
            response=HttpResponse(body=self._program.body),
            queue_ns=queue_ns + waited_ns,
            execute_ns=self._sim.now - began_ns - waited_ns,
        )

    def _end(self, exit_code: int) -> None:
        self._alive = False
        self.ended.succeed(exit_code)
