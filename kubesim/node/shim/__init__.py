"""The shims: what containerd starts to have a container run, one file a runtime.

Below the task API a shim is the runtime: ``runc`` starts a model of a Linux program, the Wasm shims
run the module itself. containerd chooses one by the runtime handler that the pod's RuntimeClass names.

Mirrors: containerd's task service (api/services/tasks/v1), runwasi's Shim, Sandbox and Compiler
(crates/containerd-shim-wasm).
"""

from kubesim.node.shim.task import (
    ExitStatus,
    NodeServices,
    Shim,
    ShimError,
    Sockets,
    Task,
    TaskSpec,
)

__all__ = ["ExitStatus", "NodeServices", "Shim", "ShimError", "Sockets", "Task", "TaskSpec"]
