"""What happened to pods and containers on a node."""

from __future__ import annotations

from dataclasses import dataclass

from kubesim.sim.journal import Fact


@dataclass(frozen=True, slots=True, kw_only=True)
class StartupPhaseEnded(Fact):
    """One phase on a pod's way from its creation to its first possible request ended.

    Attributes:
        phase: One of ``kubesim.telemetry.startup.PHASES``.
        container: The container, empty when the phase belongs to the pod.
    """

    namespace: str
    name: str
    uid: str
    container: str
    phase: str
    began_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PodPhaseChanged(Fact):
    """The API server holds a new phase or reason for a pod."""

    namespace: str
    name: str
    uid: str
    node: str
    phase: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerStarted(Fact):
    """A container's process began to run."""

    namespace: str
    name: str
    uid: str
    node: str
    container: str
    attempt: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerExited(Fact):
    """A container's process ended."""

    namespace: str
    name: str
    uid: str
    node: str
    container: str
    attempt: int
    exit_code: int
    reason: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerThrottled(Fact):
    """A container that has ended was held back by its CPU limit: what its ``cpu.stat`` said last.

    Attributes:
        nr_periods: Periods in which it wanted to run.
        nr_throttled: Those in which its quota was used up.
        throttled_ns: How long it slept therefore.
    """

    namespace: str
    name: str
    uid: str
    node: str
    container: str
    attempt: int
    nr_periods: int
    nr_throttled: int
    throttled_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LogWritten(Fact):
    """A container wrote a line to its standard output or error."""

    namespace: str
    name: str
    uid: str
    container: str
    stream: str
    line: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeFailed(Fact):
    """A node went down: its kubelet, its runtime and everything on it stopped at once."""

    node: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeBooted(Fact):
    """A node that was down is up again, with what was on its disk and nothing else."""

    node: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NodePartitioned(Fact):
    """A node's kubelet does not reach the API server any more."""

    node: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeRejoined(Fact):
    """A node's kubelet reaches the API server again."""

    node: str
