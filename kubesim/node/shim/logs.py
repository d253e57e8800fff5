"""A container's standard streams: bytes in, lines with timestamps out.

Mirrors: containerd internal/cri/io/logger.go (one record a line, the rest flushed at the end).
Departs: a line longer than the runtime's buffer is not cut into partial records.
"""

from __future__ import annotations

from kubesim.facts import LogWritten
from kubesim.node.shim.task import TaskSpec
from kubesim.sim import Sim

RECORD_BYTES = len("2026-01-01T00:00:00.000000000Z stdout F \n")  # what CRI adds to each line


class ContainerLog:
    """The log of one container."""

    def __init__(self, sim: Sim, spec: TaskSpec) -> None:
        self._sim = sim
        self._spec = spec
        self._open: dict[str, bytes] = {}

    def write(self, stream: str, data: bytes) -> None:
        """Take bytes as the process wrote them; whole lines become facts, now."""
        *lines, rest = (self._open.get(stream, b"") + data).split(b"\n")
        self._open[stream] = rest
        for line in lines:
            self._emit(stream, line)

    def close(self) -> None:
        """The streams are at their end: what is left without a newline is a line too."""
        for stream, rest in self._open.items():
            if rest:
                self._emit(stream, rest)
        self._open.clear()

    def _emit(self, stream: str, line: bytes) -> None:
        spec = self._spec
        spec.layer.log(len(line) + RECORD_BYTES)
        self._sim.emit(
            LogWritten(
                namespace=spec.namespace,
                name=spec.pod,
                uid=spec.uid,
                container=spec.container,
                stream=stream,
                line=line.decode("utf-8", "replace"),
            )
        )
