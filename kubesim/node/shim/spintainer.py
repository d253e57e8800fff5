"""Spin in an ordinary container: no shim but runc's, and an image with the Spin CLI in it.

The kubelet knows nothing of the application: its image is pulled by Spin itself when the container
starts, past containerd and what that has already, and compiled then. A restarted container pulls and
compiles again. What runs is a process in a Linux container: commands can be executed in it.

Mirrors: spin-operator internal/controller/deployment.go (the arguments of ``spinImage``); Spin
    src/commands/up.rs, crates/oci/src/loader.rs.
Departs: layers are fetched one after another, and what the parent of ``spin up`` does besides takes no
time of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from kubesim.node.shim.runc import RuncTask, Script
from kubesim.node.shim.task import SIGKILL, ShimError
from kubesim.node.shim.wasm import WasmShim, WasmTask
from kubesim.sim import SimProcess
from kubesim.sim.distribution import Distribution
from kubesim.wire.image import Image, WasmKind, WasmProgram

FAILED = 1  # what the CLI ends with
KIB = 1024

Fetch = Callable[[str], SimProcess[Image]]
"""Brings an image from its registry, whoever has it already; raises ``ShimError``."""


def spin_up(spin: WasmShim, *, fetch: Fetch, compile_per_kib: Distribution) -> Script:
    """What the Spin CLI does.

    Args:
        spin: The runtime that is in it.
        fetch: The way to registries.
        compile_per_kib: What a KiB of a module takes to be compiled.
    """

    def script(task: RuncTask) -> SimProcess[int]:
        sim = spin.services.sim
        arguments = (*task.spec.command, *task.spec.args)
        reference = option(arguments, "-f", "--from", "--from-registry")
        if "up" not in arguments or not reference:
            return _failed(task, "expected spin up -f REFERENCE")
        yield sim.timeout(task.program.init.draw(task.rng))
        try:
            image = yield from fetch(reference)
            program = _application(image)
            inside = WasmTask(spin, spec=replace(task.spec, program=program), program=program)
            modules = inside.load()
        except ShimError as error:
            return _failed(task, str(error))
        if task.cgroup is None:
            return FAILED  # it was killed meanwhile
        size_bytes = sum(module.size_bytes for module in modules.values())
        yield from task.cgroup.compute(compile_per_kib.draw(task.rng) * size_bytes // KIB)
        if task.exited.triggered:
            return FAILED
        task.log.write("stdout", b"Serving http://0.0.0.0:80\n")
        inside.serve_in(task.cgroup, modules)
        sim.when(task.exited, lambda _: inside.kill(SIGKILL))
        yield inside.exited
        return FAILED

    return script


def _application(image: Image) -> WasmProgram:
    if not isinstance(image.program, WasmProgram):
        raise ShimError(f"{image.name} is not a Spin application: it has no Wasm layer")
    if image.program.kind is WasmKind.COMMAND:
        raise ShimError("the application has no trigger that spin up knows")
    return image.program


def _failed(task: RuncTask, why: str) -> int:
    task.log.write("stderr", f"Error: {why}\n".encode())
    return FAILED


def option(arguments: Sequence[str], *names: str) -> str:
    """The value of an option; empty when it is not given."""
    return next(_values(arguments, names), "")


def _values(arguments: Sequence[str], names: Sequence[str]) -> Iterator[str]:
    for name, value in zip(arguments, [*arguments[1:], ""], strict=True):
        head, joined, rest = name.partition("=")
        if head in names:
            yield rest if joined else value
