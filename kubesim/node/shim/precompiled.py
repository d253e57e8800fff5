"""The precompiled-module cache of a node.

A module is compiled the first time a node runs it with a given shim; from then on the compiled form
is loaded, until the image goes. Two starts of one module at the same time compile it once: the
second waits for the first.

Mirrors: runwasi crates/containerd-shim-wasm/src/sandbox/containerd/client.rs (the labels
``runwasi.io/precompiled/<shim>/<hash>`` in the content store).
Departs: the compiled form takes no disk; it is not yet removed with its image.
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
        compile_per_kib: Compiling one KiB of module.
        load: Making a compiled module ready.
    """

    def __init__(
        self,
        services: NodeServices,
        *,
        runtime: str,
        compile_per_kib: Distribution,
        load: Distribution,
    ) -> None:
        self._services = services
        self._runtime = runtime
        self._compile_per_kib = compile_per_kib
        self._load = load
        self._compiled: dict[str, Event] = {}

    def prepare(self, digest: str, size_bytes: int, *, rng: Rng) -> SimProcess[None]:
        """Have a module ready to be instantiated: compile it if need be, and load it."""
        sim = self._services.sim
        began_ns = sim.now
        ready = self._compiled.get(digest)
        compiled_here = ready is None
        if ready is None:
            ready = self._compiled[digest] = sim.event()
            cpu_ns = self._compile_per_kib.draw(rng) * size_bytes // KIB
            # Its own process: a start that is called off must not take it away from the others.
            sim.process(self._compile(cpu_ns, ready))
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

    def _compile(self, cpu_ns: int, ready: Event) -> SimProcess[None]:
        yield from self._services.machine.compute(cpu_ns)
        ready.succeed()
