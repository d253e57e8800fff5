"""Lifecycle hooks: what is run after a container's start and before its stop.

Mirrors: pkg/kubelet/lifecycle/handlers.go; messages as there.
Departs: an HTTP hook waits for its answer without a timeout, as upstream's client does; a TCP hook
is refused, as upstream refuses it.
"""

from __future__ import annotations

from kubesim.api.corev1 import LifecycleHandler, Pod
from kubesim.node.kubelet.prober.asking import Asker, Target
from kubesim.sim import Sim, SimProcess
from kubesim.sim.time import SECOND

FOREVER_S = 10**9


def run_hook(
    sim: Sim, asker: Asker, pod: Pod, target: Target, handler: LifecycleHandler
) -> SimProcess[str | None]:
    """Run a hook to its end; says what went wrong, or ``None``."""
    where = (
        f'for Container "{target.container.name}" in Pod "{pod.name}_{pod.namespace}({pod.uid})"'
    )
    if handler.exec is not None:
        answer = yield from asker.execute(handler.exec, target, 0)
        if answer.ok:
            return None
        command = " ".join(handler.exec.command)
        error = answer.output if answer.errored else "command terminated with non-zero exit code"
        output = "" if answer.errored else answer.output
        return (
            f"Exec lifecycle hook ([{command}]) {where} failed - error: {error}, "
            f'message: "{output}"'
        )
    if handler.http_get is not None:
        answer = yield from asker.http(handler.http_get, target, FOREVER_S)
        # Any answer will do: only a request that could not be made is a failure.
        if answer.ok or answer.output.startswith("HTTP probe failed with statuscode"):
            return None
        path = handler.http_get.path or "/"
        return f"HTTP lifecycle hook ({path}) {where} failed - error: {answer.output}"
    if handler.sleep is not None:
        yield sim.timeout(handler.sleep.seconds * SECOND)
        return None
    return f"Cannot run handler: invalid handler: {handler}"
