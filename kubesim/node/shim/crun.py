"""crun: Linux containers, and modules when an annotation says so.

With ``module.wasm.image/variant: compat`` (or ``compat-smart``) or ``run.oci.handler: wasm`` on the pod,
and containerd told to hand the annotation on (``pod_annotations`` of the runtime table), crun runs the
module inside the container's own process. runwasi's shims do not look at these annotations.

Mirrors: containers/crun src/libcrun/custom-handler.c, src/libcrun/handlers/wasmedge.c,
    docs/wasm-wasi-on-kubernetes.md.
Departs: the module runs in wasmtime, whichever engine crun was built with.
"""

from __future__ import annotations

from kubesim.node.shim.runc import RuncShim
from kubesim.node.shim.task import Task, TaskSpec
from kubesim.node.shim.wasm import WasmShim
from kubesim.wire.image import WasmKind, WasmProgram

NAME = "crun"
KINDS = frozenset({WasmKind.COMMAND})
COMPILES = False

VARIANT = "module.wasm.image/variant"
HANDLER = "run.oci.handler"
VARIANTS = ("compat", "compat-smart")
HANDLERS = ("wasm", "wasmedge", "wasmtime", "wasmer", "wamr")

# What crun's documentation tells to put into containerd's runtime table.
POD_ANNOTATIONS = ("*.wasm.*", "wasm.*", "module.wasm.image/*", "run.oci.handler")


def wants_wasm(annotations: tuple[tuple[str, str], ...]) -> bool:
    """Whether the annotations tell crun to run a module."""
    given = dict(annotations)
    return given.get(VARIANT) in VARIANTS or given.get(HANDLER) in HANDLERS


class CrunShim:
    """crun behind containerd-shim-runc-v2 on one node.

    Args:
        linux: What it does with Linux containers.
        wasm: What its wasm handler does.
    """

    runs_wasm = False
    zygote_bytes = 0

    def __init__(self, linux: RuncShim, wasm: WasmShim) -> None:
        self.name = linux.name
        self.pod_overhead_bytes = linux.pod_overhead_bytes
        self.pause_bytes = linux.pause_bytes
        self._linux = linux
        self._wasm = wasm

    def create(self, spec: TaskSpec) -> Task:
        """A task that is not started yet.

        Raises:
            ShimError: If the image is of Wasm and no annotation says so, or the other way round.
        """
        if isinstance(spec.program, WasmProgram) and wants_wasm(spec.annotations):
            return self._wasm.create(spec)
        return self._linux.create(spec)
