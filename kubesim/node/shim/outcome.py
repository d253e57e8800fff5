"""What an execution of a module is for its container: output with its times, and an exit status.

Mirrors: runwasi crates/containerd-shim-wasm (an error of run_wasi is exit code 137).
"""

from __future__ import annotations

from collections.abc import Iterator

from kubesim.node.shim.task import ExitStatus
from kubesim.wasm.execution import Execution, OutputChunk, Status

FAILED_EXIT_CODE = 137  # what runwasi reports when run_wasi returns an error


def timed_output(execution: Execution) -> Iterator[tuple[int, int, OutputChunk | None]]:
    """The CPU time and the sleep up to each piece of output, and from the last one to the end."""
    elapsed_ns = max(1, execution.elapsed_ns)
    cpu_done = sleep_done = 0
    for chunk in (*execution.output, None):
        at_ns = elapsed_ns if chunk is None else chunk.at_ns
        # Where between CPU and sleep a piece was written is not known; its share of the run is.
        cpu_ns = execution.cpu_ns * at_ns // elapsed_ns
        sleep_ns = execution.sleep_ns * at_ns // elapsed_ns
        yield cpu_ns - cpu_done, sleep_ns - sleep_done, chunk
        cpu_done, sleep_done = cpu_ns, sleep_ns


def container_status(execution: Execution) -> ExitStatus:
    """What the kubelet is told: the module's own exit code, or 137 and why it was stopped."""
    if execution.status is Status.EXITED:
        reason = "Completed" if execution.exit_code == 0 else "Error"
        return ExitStatus(exit_code=execution.exit_code & 0xFF, reason=reason)
    reason = "OOMKilled" if execution.status is Status.OUT_OF_MEMORY else "Error"
    trap = execution.trap
    message = trap.message if trap is not None else execution.status.value
    if trap is not None and trap.frames:
        message = f"{message} at {' < '.join(trap.frames)}"
    return ExitStatus(exit_code=FAILED_EXIT_CODE, reason=reason, message=message)
