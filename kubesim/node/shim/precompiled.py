"""The precompiled-module cache of a node.

A module is compiled the first time a node runs it with a given shim; from then on the compiled form
is loaded, until the image goes. Two starts of one module at the same time compile it once: the
second waits for the first.

Mirrors: runwasi crates/containerd-shim-wasm/src/sandbox/containerd/client.rs (the labels
``runwasi.io/precompiled/<shim>/<hash>`` in the content store).
Departs: how large the compiled form is, is a share of the module's size.
"""

from __future__ import annotations

from kubesim.facts import ModuleLoaded
from kubesim.node.shim.task import NodeServices
from kubesim.sim import Event, Rng, SimProcess
from kubesim.sim.distribution import Distribution

KIB = 1024


class PrecompiledModules:
    """What one shim has compiled on one node.

    Args:
        services: The node.
        runtime: The shim's name.
        compile_per_kib: Compiling one KiB of module; ``None`` for a shim without a Compiler, which
            keeps nothing.
        load: Making a compiled module ready.
        size_percent: Size of the compiled form in percent of the module's.
    """

    def __init__(
        self,
        services: NodeServices,
        *,
        runtime: str,
        compile_per_kib: Distribution | None,
        load: Distribution,
        size_percent: int = 0,
    ) -> None:
        self._services = services
        self._runtime = runtime
        self._compile_per_kib = compile_per_kib
        self._load = load
        self._size_percent = size_percent
        self._compiled: dict[str, Event] = {}
        if services.content is not None:
            services.content.on_dropped(self._forget)

    def prepare(self, digest: str, size_bytes: int, *, rng: Rng) -> SimProcess[None]:
        """Have a module ready to be instantiated: compile it if need be, and load it."""
        sim = self._services.sim
        began_ns = sim.now
        compiled_here = False
        if self._compile_per_kib is not None:
            ready = self._compiled.get(digest)
            compiled_here = ready is None
            if ready is None:
                ready = self._compiled[digest] = sim.event()
                cpu_ns = self._compile_per_kib.draw(rng) * size_bytes // KIB
                # Its own process: a start that is called off must not take it from the others.
                sim.process(self._compile(digest, size_bytes, cpu_ns, ready))
            if not ready.processed:
                yield ready
        yield sim.timeout(self._load.draw(rng))
        sim.emit(
            ModuleLoaded(
                node=self._services.node,
                runtime=self._runtime,
                digest=digest,
                size_bytes=size_bytes,
                compiled=compiled_here,
                took_ns=sim.now - began_ns,
            )
        )

    def _compile(
        self, digest: str, size_bytes: int, cpu_ns: int, ready: Event
    ) -> SimProcess[None]:
        yield from self._services.machine.compute(cpu_ns)
        content = self._services.content
        if content is not None:
            content.attach(digest, size_bytes * self._size_percent // 100)
        ready.succeed()

    def _forget(self, digest: str) -> None:
        """The image is gone, and what was compiled from it with it."""
        self._compiled.pop(digest, None)
