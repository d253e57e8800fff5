"""The shims there are, and one of them on a node.

Mirrors: the binaries ``containerd-shim-*`` that an installer puts on a node.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any

from kubesim.calibration import Preset
from kubesim.calibration.number import BytesNumber
from kubesim.calibration.preset import CommandNumbers
from kubesim.node.containerd.config import RuntimeEntry
from kubesim.node.shim import (
    NodeServices,
    Shim,
    crun,
    slight,
    spin,
    wamr,
    wasmedge,
    wasmer,
    wasmtime,
)
from kubesim.node.shim.outbound import Outbounds
from kubesim.node.shim.pool import InstanceNumbers
from kubesim.node.shim.precompiled import PrecompiledModules
from kubesim.node.shim.runc import (
    NO_SCRIPTS,
    Calls,
    Commands,
    LinuxRuntime,
    RuncShim,
    RuncTask,
    Script,
)
from kubesim.node.shim.spintainer import Fetch, spin_up
from kubesim.node.shim.wasm import WasmShim
from kubesim.node.shim.wasmruntime import WasmRuntime
from kubesim.sim import SimProcess
from kubesim.wasm.engine import Engine
from kubesim.wasm.execution import TimeModel
from kubesim.wasm.measuring import Runner
from kubesim.wire.image import Role

WASM_SHIMS = {
    "spin": spin,
    "slight": slight,
    "wasmtime": wasmtime,
    "wasmedge": wasmedge,
    "wasmer": wasmer,
    "wamr": wamr,
}
LINUX_SHIMS = {
    "runc": "containerd-shim-runc-v2",
    "crun": "containerd-shim-runc-v2",
    "runsc": "containerd-shim-runsc-v1",
    "kata": "containerd-shim-kata-v2",
}
KNOWN_SHIMS = (*LINUX_SHIMS, *WASM_SHIMS)
BESIDE_WASM = "youki"  # runwasi runs a pod's Linux containers with youki's libcontainer


def known_handlers() -> tuple[str, ...]:
    """The runtime handlers for which there is a shim when nothing else is said of them."""
    return KNOWN_SHIMS


def runs_wasm(shim: str) -> bool:
    """Whether it takes Wasm images."""
    return shim in WASM_SHIMS


def default_entry(handler: str) -> RuntimeEntry:
    """The runtime table's entry as its installer writes it."""
    if handler == crun.NAME:
        return RuntimeEntry(shim=handler, pod_annotations=crun.POD_ANNOTATIONS)
    return RuntimeEntry(shim=handler)


class ShimMaker:
    """Makes the shims of one node.

    Args:
        services: The node.
        preset: All numbers.
        engine: What really runs modules.
        memo: The same for requests, remembering results.
        commands: The same for commands; the engine itself by default.
        horizon_ns: When the run ends.
        calls: The way from the node's pods to other Services.
        outbound: The way of its components to hosts by name.
        fetch: The way of a process on the node to registries.
        scripts: What programs of special roles do on the node.
    """

    def __init__(  # noqa: PLR0913 - what a shim is made of
        self,
        services: NodeServices,
        *,
        preset: Preset,
        engine: Callable[[], Engine],
        memo: Callable[[], Runner],
        commands: Callable[[], Runner] | None = None,
        horizon_ns: int,
        calls: Calls | None,
        outbound: Outbounds | None = None,
        fetch: Fetch | None = None,
        scripts: Mapping[Role, Script] = NO_SCRIPTS,
    ) -> None:
        self._scripts = {**scripts, **({} if fetch is None else {Role.SPIN: self._spin_up})}
        self._fetch = fetch
        self._services = services
        self._preset = preset
        self._engine = engine
        self._memo = memo
        self._commands = commands
        self._horizon_ns = horizon_ns
        self._calls = calls
        self._outbound = outbound

    def make(self, shim: str) -> Shim:
        """A shim by its short name."""
        if shim == crun.NAME:
            linux = self._linux(LINUX_SHIMS[shim], shim)
            return crun.CrunShim(linux, self._wasm(shim, crun))
        if shim in LINUX_SHIMS:
            return self._linux(LINUX_SHIMS[shim], shim)
        native = self._linux(WASM_SHIMS[shim].NAME, BESIDE_WASM)
        return self._wasm(shim, WASM_SHIMS[shim], native)

    def _linux(self, name: str, runtime: str) -> RuncShim:
        numbers = self._preset.runtimes[runtime]
        return RuncShim(
            self._services,
            runtime=LinuxRuntime(
                name=name,
                start=numbers.start.distribution,
                stop=numbers.stop.distribution,
                pod_overhead_bytes=numbers.overhead.value,
                pause_bytes=_bytes(numbers.pause),
                commands=_commands(runtime, numbers.commands),
            ),
            calls=self._calls,
            scripts=self._scripts,
        )

    def _spin_up(self, task: RuncTask) -> SimProcess[int]:
        """The Spin CLI: the runtime of its shim, in an ordinary container."""
        assert self._fetch is not None
        per_kib = self._preset.wasm_runtimes["spin"].compile_per_kib.distribution
        return (yield from spin_up(self._spin, fetch=self._fetch, compile_per_kib=per_kib)(task))

    @cached_property
    def _spin(self) -> WasmShim:
        return self._wasm("spin", spin)

    def _wasm(self, shim: str, kind: Any, native: RuncShim | None = None) -> WasmShim:
        numbers, execution = self._preset.wasm_runtimes[shim], self._preset.execution
        runtime = WasmRuntime(
            name=kind.NAME,
            kinds=kind.KINDS,
            start=numbers.start.distribution,
            stop=numbers.stop.distribution,
            listen=numbers.listen.distribution,
            instances=InstanceNumbers(
                cold=numbers.instantiate.distribution,
                warm=numbers.reuse.distribution if numbers.reuse else None,
                request=numbers.request.distribution if numbers.request else None,
            ),
            instance_bytes=numbers.instance.value,
            pod_overhead_bytes=numbers.overhead.value,
            zygote_bytes=_bytes(numbers.zygote),
            pause_bytes=_bytes(numbers.pause),
            time=TimeModel(
                fuel_per_us=execution.fuel_per_us.value, host_call_ns=execution.host_call.value
            ),
            horizon_ns=self._horizon_ns,
        )
        compiles = kind.COMPILES
        modules = PrecompiledModules(
            self._services,
            runtime=kind.NAME,
            compile_per_kib=numbers.compile_per_kib.distribution if compiles else None,
            load=numbers.load.distribution,
            size_percent=self._preset.containerd.precompiled_percent.value,
        )
        return WasmShim(
            self._services,
            runtime=runtime,
            engine=self._engine,
            memo=self._memo,
            commands=self._commands,
            modules=modules,
            outbound=self._outbound,
            native=native,
        )


def _commands(runtime: str, numbers: CommandNumbers | None) -> Commands | None:
    if numbers is None:
        return None
    return Commands(
        name=runtime,
        create=numbers.create.distribution,
        start=numbers.start.distribution,
        delete=numbers.delete.distribution,
    )


def _bytes(number: BytesNumber | None) -> int:
    return 0 if number is None else number.value
