"""Answering requests with a module: a fresh instance for each, which the handler's fuel makes busy.

The instance costs what the preset says, the handler costs what its fuel says, and the response is what
the module printed (WAGI) or what the component answered (wasi:http). A component that calls another
service is run up to the call, and again when the answer is there.

Mirrors: Spin crates/trigger-http/src/{wasi,wagi}.rs (execute); runwasi crates/containerd-shim-wasmtime
    (its HTTP server).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, replace

from typing_extensions import override

from kubesim.node.machine import Cgroup
from kubesim.node.shim.denials import Denials
from kubesim.node.shim.foresight import Foresight
from kubesim.node.shim.grants import Given
from kubesim.node.shim.logs import ContainerLog
from kubesim.node.shim.outbound import Outbound, Replies
from kubesim.node.shim.pool import InstancePool
from kubesim.node.shim.spin import NAME as SPIN
from kubesim.node.shim.task import NodeServices, TaskSpec
from kubesim.node.shim.wasmruntime import WasmRuntime
from kubesim.sim import Event, SimProcess
from kubesim.wasm import wagi
from kubesim.wasm.component import Component
from kubesim.wasm.engine import Module
from kubesim.wasm.execution import Execution, Limits, WasiContext
from kubesim.wasm.measuring import Runner
from kubesim.wasm.routes import DEFAULT_ROUTE
from kubesim.wasm.spinheaders import CLIENT, with_spin_headers
from kubesim.wasm.stores import Awaiting
from kubesim.wire.filetree import restore, snapshot
from kubesim.wire.http import ConnectionRefused, HttpRequest, HttpResponse, Outlook, Served


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """What the modules of one container share.

    Attributes:
        services: The node.
        runtime: The numbers of its runtime.
        memo: What really runs them.
        spec: The container.
        cgroup: Where they compute.
        limits: What one run may use.
        pool: Slots for instances.
        foresight: What can be promised of answers.
        log: The container's output.
        denials: What was tried and not granted.
        exited: Happens when the container ends.
    """

    services: NodeServices
    runtime: WasmRuntime
    memo: Callable[[], Runner]
    spec: TaskSpec
    cgroup: Cgroup
    limits: Limits
    pool: InstancePool
    foresight: Foresight
    log: ContainerLog
    denials: Denials
    exited: Event


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A request on its way to a module.

    Attributes:
        request: The request.
        route: The route that it took.
        client: Who asked: address and port.
        chained: Another component asked, so that nobody can foresee it.
    """

    request: HttpRequest
    route: str = DEFAULT_ROUTE
    client: str = CLIENT
    chained: bool = False


class WasmHttpHandler(ABC):
    """Answers requests with a fresh instance each.

    Attributes:
        prints_answer: Whether what it prints is the answer; else it is the pod's log.
    """

    prints_answer = False
    waiting = 0  # the pool of instances has no queue: who finds it empty is turned away

    def __init__(self, host: Host, *, module: Module | Component, given: Given) -> None:
        self._host = host
        self._module = module
        self._given = given
        self._sim = sim = host.services.sim
        # Random bytes follow from the run's seed and the module alone, so that a guest that draws
        # some only to seed its hash maps stays a function of its input.
        self._seed = sim.seed_bytes(f"wasi-random/{module.digest}")

    def serve(self, request: HttpRequest) -> SimProcess[Served | ConnectionRefused]:
        """Make an instance, run the handler for real, answer with what it said."""
        return self.serve_asked(Asked(request=request))

    def serve_asked(self, asked: Asked) -> SimProcess[Served | ConnectionRefused]:
        """The same for a request that took a certain route."""
        pool = self._host.pool
        if pool.is_full:
            self._host.log.write("stderr", b"Error: maximum concurrent component instance limit\n")
            return Served(response=HttpResponse(status=500))
        made_ns = pool.take()
        if pool.in_use > 1:
            self._host.foresight.disturb()
        try:
            return (yield from self._serve(asked, made_ns))
        finally:
            pool.give_back()

    def outlook(self, request: HttpRequest) -> Outlook | None:
        """A module whose last answer was a function of its input goes on answering alike."""
        return None if self._host.pool.in_use else self._host.foresight.outlook(request)

    def _serve(self, asked: Asked, made_ns: int) -> SimProcess[Served | ConnectionRefused]:
        host = self._host
        waited_ns = yield from host.cgroup.compute(made_ns)
        if self._is_gone():
            return ConnectionRefused("connection reset by peer")
        began_ns = self._sim.now
        response, execution = yield from self._answer(asked)
        if not asked.chained:
            host.foresight.executed(asked.request, execution)
        called_ns = self._sim.now - began_ns
        core_wait_ns = yield from host.cgroup.compute(execution.cpu_ns + host.pool.overhead())
        # What it waited for other services has passed already.
        if execution.sleep_ns > called_ns:
            yield self._sim.timeout(execution.sleep_ns - called_ns)
        if self._is_gone():
            return ConnectionRefused("connection reset by peer")
        host.denials.note(execution)
        if execution.stdout and not self.prints_answer:
            host.log.write("stdout", execution.stdout)
        if execution.stderr:
            host.log.write("stderr", execution.stderr)
        return Served(
            response=response,
            queue_ns=waited_ns + core_wait_ns,
            instantiate_ns=made_ns,
            execute_ns=self._sim.now - began_ns - core_wait_ns,
        )

    def _is_gone(self) -> bool:
        return self._host.exited.triggered

    @abstractmethod
    def _answer(self, asked: Asked) -> SimProcess[tuple[HttpResponse, Execution]]:
        """What the module answers, and how its execution went."""


class WagiHttpHandler(WasmHttpHandler):
    """Serves a core module that answers with what it prints.

    Args:
        host: Its container.
        module: The module.
        given: What it is granted.
        argv: The template of its arguments; empty for the usual one.
    """

    prints_answer = True

    def __init__(
        self, host: Host, *, module: Module | Component, given: Given, argv: str = ""
    ) -> None:
        super().__init__(host, module=module, given=given)
        self._argv = argv or wagi.DEFAULT_ARGV

    @override
    def _answer(self, asked: Asked) -> SimProcess[tuple[HttpResponse, Execution]]:
        handler = wagi.WagiHandler(
            route=asked.route, argv=self._argv, environment=self._given.environment
        )
        context = wagi.context(
            asked.request,
            handler,
            client=asked.client,
            start_ns=self._sim.wall_ns,
            seed=self._seed,
            seed_is_input=True,
        )
        context = replace(context, preopens=self._given.preopens)
        host = self._host
        execution = host.memo().run(
            self._module, context, host.limits, time=host.runtime.time, spin=self._given.spin
        )
        yield from ()  # takes no virtual time, but is waited for as what does
        return wagi.respond(execution), execution


class ComponentHttpHandler(WasmHttpHandler):
    """Serves a component that exports ``wasi:http/incoming-handler``.

    Args:
        host: Its container.
        module: The component.
        given: What it is granted.
        outbound: Its way to others; without it nobody answers.
    """

    def __init__(
        self, host: Host, *, module: Module | Component, given: Given, outbound: Outbound | None
    ) -> None:
        super().__init__(host, module=module, given=given)
        self._outbound = outbound

    @override
    def _answer(self, asked: Asked) -> SimProcess[tuple[HttpResponse, Execution]]:
        """Run the handler; again after each call of another service, with the answers so far."""
        assert isinstance(self._module, Component)
        host = self._host
        context = WasiContext(
            env=self._given.environment,
            start_ns=self._sim.wall_ns,
            seed=self._seed,
            seed_is_input=True,
            preopens=self._given.preopens,
        )
        request = asked.request
        if host.runtime.name == SPIN:
            request = with_spin_headers(request, route=asked.route, client=asked.client)
        replies = Replies()
        spin = replace(self._given.spin, outbound=replies)
        while True:
            replies.rewind()
            files = snapshot(self._given.preopens.values())
            try:
                handled = host.memo().handle(
                    self._module, request, context, host.limits, time=host.runtime.time, spin=spin
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
