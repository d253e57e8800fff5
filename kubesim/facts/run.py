"""What happened to the run itself."""

from __future__ import annotations

from dataclasses import dataclass

from kubesim.sim.journal import Fact


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStarted(Fact):
    """The first fact of every journal: what is being run, with what."""

    scenario: str
    scenario_digest: str
    seed: int
    preset: str
    kubernetes: str
    wasmtime: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutionsMeasured(Fact):
    """Wasm executions of this run take as long as they took on the machine: none is like it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepTaken(Fact):
    """A step of the scenario's timeline was taken."""

    verb: str
    subject: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectRefused(Fact):
    """The API server refused what the scenario asked of it."""

    kind: str
    namespace: str
    name: str
    reason: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RunEnded(Fact):
    """The last fact of every journal."""

    events: int
