"""What tells one Wasm runtime from another: its numbers and its powers.

Mirrors: runwasi crates/containerd-shim-wasm (what ``Shim::name`` and ``Sandbox::can_handle`` say).
"""

from __future__ import annotations

from dataclasses import dataclass

from kubesim.node.shim.pool import InstanceNumbers
from kubesim.sim.distribution import Distribution
from kubesim.wasm.execution import TimeModel
from kubesim.wire.image import WasmKind


@dataclass(frozen=True, slots=True, kw_only=True)
class WasmRuntime:
    """The numbers and the powers of one Wasm runtime.

    Attributes:
        name: The shim binary's name.
        kinds: What modules can be for it.
        start: StartContainer without compiling and loading.
        stop: From SIGTERM to the end.
        listen: From a loaded module until its HTTP trigger listens.
        instances: What an instance and a request take.
        instance_bytes: Memory of an idle instance.
        pod_overhead_bytes: Memory of the shim, its zygote and pause.
        time: From fuel to time.
        horizon_ns: When the run ends; a command that is still running then is.
        zygote_bytes: The part of the overhead that is the zygote.
        pause_bytes: The part of it that is pause.
    """

    name: str
    kinds: frozenset[WasmKind]
    start: Distribution
    stop: Distribution
    listen: Distribution
    instances: InstanceNumbers
    instance_bytes: int
    pod_overhead_bytes: int
    time: TimeModel
    horizon_ns: int
    zygote_bytes: int = 0
    pause_bytes: int = 0
