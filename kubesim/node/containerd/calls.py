"""The door of the CRI server: every call that ends is written down, none is answered while it is shut.

Mirrors: containerd internal/cri/instrument/instrumented_service.go; google.golang.org/grpc for what a
client sees of a server that is being restarted.
Departs: a call that is under way when containerd is restarted is finished.
"""

from __future__ import annotations

from typing import TypeVar

from kubesim.facts import CriCalled
from kubesim.node.cri.messages import CriError
from kubesim.sim import Event, Interrupt, Sim, SimProcess

T = TypeVar("T")

REFUSED_WHILE_DOWN = (
    "RunPodSandbox",
    "PullImage",
    "CreateContainer",
    "StartContainer",
    "ExecSync",
    "CheckpointContainer",
)
CONNECTION_REFUSED = (
    'connection error: desc = "transport: Error while dialing: dial unix '
    '/run/containerd/containerd.sock: connect: connection refused"'
)


class CallLog:
    """The calls of one node's CRI server.

    Args:
        sim: The run.
        node: The node's name.

    Attributes:
        off: The machine is gone: nothing is written down any more.
    """

    def __init__(self, sim: Sim, node: str) -> None:
        self._sim = sim
        self._node = node
        self._back: Event | None = None
        self.off = False

    def shut(self, took_ns: int) -> SimProcess[None]:
        """Answer nobody for that long."""
        back = self._back = self._sim.event()
        yield self._sim.timeout(took_ns)
        self._back = None
        back.succeed()

    def call(self, method: str, uid: str, subject: str, work: SimProcess[T]) -> SimProcess[T]:
        """Do a call's work and write down that it was made.

        Raises:
            CriError: If the work was refused, or the server is down.
        """
        began_ns = self._sim.now
        # No "finally": when a generator is thrown away unfinished is up to Python, not to the run.
        try:
            if self._back is not None:
                if method in REFUSED_WHILE_DOWN:
                    raise CriError("Unavailable", CONNECTION_REFUSED)
                yield self._back  # the kubelet asks until it is done
            result = yield from work
        except CriError as refused:
            self._ended(method, uid, subject, began_ns, str(refused))
            raise
        except Interrupt:
            canceled = CriError("Canceled", "context canceled")
            self._ended(method, uid, subject, began_ns, str(canceled))
            raise
        self._ended(method, uid, subject, began_ns, "")
        return result

    def _ended(self, method: str, uid: str, subject: str, began_ns: int, error: str) -> None:
        if not self.off:
            self._sim.emit(
                CriCalled(
                    node=self._node,
                    method=method,
                    pod_uid=uid,
                    subject=subject,
                    began_ns=began_ns,
                    error=error,
                )
            )


def no_work() -> SimProcess[None]:
    """A call that takes no time worth modelling."""
    yield from ()
