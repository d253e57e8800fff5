"""ExecSync, a command in a running container, and CheckpointContainer: what not every shim can do.

Mirrors: containerd internal/cri/server/container_execsync.go, container_checkpoint_linux.go; messages
as there.
Departs: a command that is given up goes on in the container, where the real one is killed. Whether CRIU
is there is asked after the container and its shim, so that each says what it lacks itself.
"""

from __future__ import annotations

from kubesim.node.containerd.calls import CallLog, no_work
from kubesim.node.containerd.store import Container
from kubesim.node.cri.messages import ContainerState, CriError, ExecSyncResponse
from kubesim.node.shim import ShimError
from kubesim.sim import Sim, SimProcess
from kubesim.wire.http import Outlook


class ExecServer:
    """The part of a CRI server that runs commands."""

    _sim: Sim
    _containers: dict[str, Container]
    _calls: CallLog

    def exec_sync(
        self, container_id: str, cmd: tuple[str, ...], timeout_ns: int
    ) -> SimProcess[ExecSyncResponse]:
        """Run a command to its end.

        Raises:
            CriError: If the container does not run, its runtime runs no commands, or the command
                did not end in time.
        """
        container = self._containers.get(container_id)
        if container is None:
            raise CriError(
                "NotFound",
                f'failed to find container "{container_id}" in store: not found',
            )
        work = self._exec_sync(container, cmd, timeout_ns)
        return (
            yield from self._calls.call(
                "ExecSync", container.spec.uid, container.status.name, work
            )
        )

    def checkpoint_container(self, container_id: str) -> SimProcess[None]:
        """Freeze a running container into an image.

        Raises:
            CriError: If it does not run, or its runtime or node cannot.
        """
        container = self._containers.get(container_id)
        if container is None:
            raise CriError("NotFound", f'failed to find container "{container_id}": not found')
        work = self._checkpoint(container)
        yield from self._calls.call(
            "CheckpointContainer", container.spec.uid, container.status.name, work
        )

    def exec_outlook(self, container_id: str) -> Outlook | None:
        """Until when a command in the container would end alike."""
        container = self._containers.get(container_id)
        if container is None or container.status.state is not ContainerState.RUNNING:
            return None
        return container.task.exec_outlook()

    def _checkpoint(self, container: Container) -> SimProcess[None]:
        yield from no_work()
        state, name = container.status.state, f'container "{container.status.id}"'
        running = ContainerState.RUNNING
        if state is not running:
            only = f"only {running.value} containers can be checkpointed"
            raise CriError("Unknown", f"{name} is in {state.value} state. {only}")
        try:
            container.task.checkpoint()
        except ShimError as error:
            raise CriError("Unknown", f"checkpointing {name} failed: {error}") from None

    def _exec_sync(
        self, container: Container, cmd: tuple[str, ...], timeout_ns: int
    ) -> SimProcess[ExecSyncResponse]:
        state = container.status.state
        if state is not ContainerState.RUNNING:
            raise CriError("Unknown", f"container is in {state.value} state")
        running = self._sim.process(_guarded(container, cmd))
        limits = [self._sim.timeout(timeout_ns)] if timeout_ns else []
        yield self._sim.any_of([running, *limits])
        if not running.triggered:
            raise CriError("DeadlineExceeded", "context deadline exceeded")
        ended = running.value
        if isinstance(ended, ShimError):
            raise CriError("Unknown", f"failed to exec in container: {ended}")
        assert isinstance(ended, int), ended
        return ExecSyncResponse(exit_code=ended)


def _guarded(container: Container, cmd: tuple[str, ...]) -> SimProcess[int | ShimError]:
    """The command's exit code, or why it could not be run."""
    try:
        return (yield from container.task.execute(cmd))
    except ShimError as error:
        return error
