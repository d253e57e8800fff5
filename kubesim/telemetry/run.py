"""A run that has ended: tables, a digest, and what was expected of it.

``to_json()`` is a contract: its keys stay; more may be added. The tables of ``facts`` are the
journal itself, one table for each kind of fact, with the columns that the fact declares.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from kubesim.sim.journal import Journal
from kubesim.sim.time import SECOND
from kubesim.telemetry.cost import COST_COLUMNS, INSTANCE_COLUMNS
from kubesim.telemetry.losses import LOSS_COLUMNS
from kubesim.telemetry.queues import QUEUE_COLUMNS
from kubesim.telemetry.requests import CURVE_COLUMNS, TRAFFIC_COLUMNS
from kubesim.telemetry.sizes import SIZE_COLUMNS
from kubesim.telemetry.table import Table
from kubesim.telemetry.workloads import WORKLOAD_COLUMNS

TRANSCRIPT_COLUMNS = ("at_ns", "command", "output")
SCHEMA_VERSION = "kubesim.run/v1"


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectationResult:
    """What became of one expectation.

    Attributes:
        name: Its name.
        passed: Whether it held.
        expression: The CEL expression.
        expected: What it demanded, in words.
        actual: What was found.
        at_ns: When that was decided.
        hint: Where to look.
    """

    name: str
    passed: bool
    expression: str
    expected: str
    actual: str
    at_ns: int
    hint: str = ""


@dataclass(frozen=True, kw_only=True, eq=False)
class Run:
    """Everything that is known of a run.

    Attributes:
        scenario: The scenario's name.
        seed: The seed.
        digest: SHA-256 of the journal.
        preset: The preset's name.
        virtual_ns: How much time was simulated.
        start_time_ns: The wall clock when the run began.
        events: How many events the kernel processed.
        pods: One row a pod that exists at the end.
        services: One row a Service.
        nodes: One row a node.
        startup: One row a pod and phase.
        logs: One row a log line.
        recorded: One row a Kubernetes Event.
        refused: One row an object that the API server refused.
        transcript: One row a command of the timeline, with what it printed.
        workloads: One row a workload: what it is made of, needs, and did.
        traffic: One row a source of requests.
        sizes: One row a VerticalPodAutoscaler and container.
        queues: One row a queue of messages.
        losses: One row a source and cause of lost requests.
        traffic_curve: One row a source and second, or minute.
        expectations: What was expected, in the scenario's order.
        unsimulated: What was accepted and not simulated.
        sources: What the preset's numbers are from: path, value, source, grade.
        journal: The facts themselves.
        cost: The bill: the whole, its pools, its workloads and Services, and what was idle.
        instances: One row an instance that ever was.
        path: The scenario's file, as far as it is known.
        scenario_digest: Stands for everything that was read of the scenario.
        reproducible: Whether the same scenario and seed give this run again.
    """

    scenario: str
    seed: int
    digest: str
    preset: str
    virtual_ns: int
    start_time_ns: int
    events: int
    pods: Table
    services: Table
    nodes: Table
    startup: Table
    logs: Table
    recorded: Table
    refused: Table
    expectations: tuple[ExpectationResult, ...]
    unsimulated: tuple[str, ...]
    sources: Table
    journal: Journal
    traffic: Table = field(default_factory=lambda: Table("traffic", TRAFFIC_COLUMNS, []))
    sizes: Table = field(default_factory=lambda: Table("sizes", SIZE_COLUMNS, []))
    queues: Table = field(default_factory=lambda: Table("queues", QUEUE_COLUMNS, []))
    losses: Table = field(default_factory=lambda: Table("losses", LOSS_COLUMNS, []))
    traffic_curve: Table = field(default_factory=lambda: Table("traffic_curve", CURVE_COLUMNS, []))
    workloads: Table = field(default_factory=lambda: Table("workloads", WORKLOAD_COLUMNS, []))
    cost: Table = field(default_factory=lambda: Table("cost", COST_COLUMNS, []))
    instances: Table = field(default_factory=lambda: Table("instances", INSTANCE_COLUMNS, []))
    transcript: Table = field(default_factory=lambda: Table("transcript", TRANSCRIPT_COLUMNS, []))
    path: str = ""
    scenario_digest: str = ""
    reproducible: bool = True

    @property
    def passed(self) -> bool:
        """Whether every expectation held."""
        return all(result.passed for result in self.expectations)

    def pod(self, name: str, namespace: str = "default") -> Mapping[str, Any]:
        """The row of one pod.

        Raises:
            KeyError: If there is no such pod.
        """
        for row in self.pods:
            if row["name"] == name and row["namespace"] == namespace:
                return row
        raise KeyError(f"{namespace}/{name}")

    def facts(self) -> dict[str, Table]:
        """The journal as tables: one for each kind of fact, with the time first."""
        rows: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
        columns: dict[str, tuple[str, ...]] = {}
        for at_ns, fact in self.journal:
            kind = type(fact).__name__
            rows[kind].append({"at_ns": at_ns, **asdict(fact)})  # type: ignore[call-overload]
            if kind not in columns:
                names = (field.name for field in fields(fact))  # type: ignore[arg-type]
                columns[kind] = ("at_ns", *names)
        return {kind: Table(kind, columns[kind], rows[kind]) for kind in sorted(rows)}

    def to_json(self) -> dict[str, Any]:
        """One object with everything a script asks for; its keys are a contract."""
        return {
            "scenario": self.scenario,
            "seed": self.seed,
            "digest": self.digest,
            "preset": self.preset,
            "schema": SCHEMA_VERSION,
            "reproducible": self.reproducible,
            "virtual_seconds": self.virtual_ns / SECOND,
            "events": self.events,
            "pods": [_without(row, "uid") for row in self.pods],
            "services": [_service(row) for row in self.services],
            "nodes": [dict(row) for row in self.nodes],
            "traffic": [dict(row) for row in self.traffic],
            "queues": [dict(row) for row in self.queues],
            "sizes": [dict(row) for row in self.sizes],
            "workloads": [dict(row) for row in self.workloads],
            "cost": [dict(row) for row in self.cost],
            "instances": [dict(row) for row in self.instances],
            "expectations": [
                {
                    "name": result.name,
                    "passed": result.passed,
                    "actual": result.actual,
                    "expected": result.expected,
                }
                for result in self.expectations
            ],
            "refused": [dict(row) for row in self.refused],
            "transcript": [dict(row) for row in self.transcript],
            "unsimulated": list(self.unsimulated),
        }

    def tables(self) -> Iterable[Table]:
        """All tables that are written with ``--out``: the derived ones, then the facts."""
        yield from (self.pods, self.services, self.nodes, self.startup, self.logs)
        yield from (self.recorded, self.refused, self.workloads, self.sources)
        yield from (self.traffic, self.losses, self.traffic_curve, self.queues)
        yield self.sizes
        if len(self.transcript):
            yield self.transcript
        for kind, table in self.facts().items():
            yield Table(f"fact_{kind}", table.columns, list(table))


def _without(row: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {key: value for key, value in row.items() if key not in names}


def _service(row: Mapping[str, Any]) -> dict[str, Any]:
    flat = dict(row)
    flat["latency_ns"] = {name: flat.pop(f"latency_{name}_ns") for name in ("p50", "p95", "p99")}
    return flat
