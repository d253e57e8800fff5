"""What an expectation can ask: the run as plain values, built only as far as it is asked for.

``pods``, ``nodes``, ``spinapps``, ``workloads``, ``sizes`` (what VerticalPodAutoscalers recommend),
``events``, ``transcript`` and ``refused`` are lists of maps, ``services`` is a map by ``name`` (in
namespace default) and by ``namespace/name``, ``traffic`` and ``queues`` are maps by name, ``cost`` and
``run`` are maps. Durations are CEL durations, so that
``services["web"].latency.p99 < duration("50ms")`` works; each also stands as an integer of
nanoseconds (``latency_ns``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta
from typing import Any

from kubesim.api.corev1 import Node, Pod, Service
from kubesim.api.spinv1alpha1 import SpinApp
from kubesim.cluster import Simulation
from kubesim.scenario.ledger import Ledger
from kubesim.scenario.verticalautoscaler import sizes_of
from kubesim.scenario.workloads import pod_rows, workloads_table
from kubesim.sim.time import MICROSECOND, SECOND
from kubesim.telemetry import Observer
from kubesim.telemetry.build import node_row, service_row
from kubesim.telemetry.observer import ServiceTotals
from kubesim.telemetry.quantiles import quantile
from kubesim.telemetry.queues import queue_row
from kubesim.telemetry.requests import service_violations, traffic_row

PERCENTILES = (50, 90, 95, 99, 99.9)
NANO = 1_000_000_000


class View:
    """A run in the middle or at its end, as values for CEL.

    Args:
        simulation: The cluster.
        observer: What was seen so far.
        ledger: Who had which place when; without it the bill has no workloads.
        transcript: What was typed and said so far.
    """

    def __init__(
        self,
        simulation: Simulation,
        observer: Observer,
        ledger: Ledger | None = None,
        *,
        transcript: Sequence[dict[str, Any]] = (),
    ) -> None:
        self._transcript = transcript
        self._ledger = ledger or Ledger(simulation)
        self._simulation = simulation
        self._observer = observer

    def values(self, names: Iterable[str]) -> dict[str, Any]:
        """The variables of those names; unknown ones are left out."""
        return {name: VARIABLES[name](self) for name in names if name in VARIABLES}

    def pods(self) -> list[dict[str, Any]]:
        """One map a pod; ``throttled`` is how long CPU limits held its containers back."""
        rows = pod_rows(self._simulation, self._observer)
        for row, pod in zip(rows, self._simulation.store.values(Pod), strict=True):
            row["startup_ns"] = row["startup"]
            row["startup"] = {phase: _duration(ns) for phase, ns in row["startup"].items()}
            row["labels"] = dict(pod.metadata.labels)
            row["throttled"] = _duration(row["throttled_ns"])
        return rows

    def services(self) -> dict[str, Any]:
        """One map a Service, by name and by namespace and name."""
        found: dict[str, Any] = {}
        sources, promises = self._observer.sources, self._simulation.config.promises
        violations = service_violations(sources, promises)
        for service in self._simulation.store.values(Service):
            totals = self._observer.services.get((service.namespace, service.name))
            entry = _service(service, totals or ServiceTotals())
            entry["slo_violations"] = violations[service.namespace, service.name]
            found[service.key] = entry
            if service.namespace == "default":
                found[service.name] = entry
        return found

    def traffic(self) -> dict[str, Any]:
        """One map a source of requests, by name; ``in_flight`` is known at the end."""
        found: dict[str, Any] = {}
        promises = self._simulation.config.promises
        for name, totals in self._observer.sources.items():
            row = traffic_row(name, totals, promises.get(name))
            names = ("p50", "p90", "p99", "max")
            row["latency_ns"] = {q: row[f"latency_{q}_ns"] for q in names}
            row["latency"] = {q: _duration(ns) for q, ns in row["latency_ns"].items()}
            found[name] = row
        return found

    def queues(self) -> dict[str, Any]:
        """One map a queue of messages, by name, as it is now."""
        found: dict[str, Any] = {}
        for name, queue in self._simulation.broker.queues.items():
            row = queue_row(name, self._observer.queues[name])
            away = queue.published - queue.processed - queue.lost - queue.ready
            row |= {"published": queue.published, "refused": queue.refused, "ready": queue.ready,
                    "unacknowledged": away}  # fmt: skip
            row["wait_ns"] = {q: row[f"wait_{q}_ns"] for q in ("p50", "p99", "max")}
            row["wait"] = {q: _duration(ns) for q, ns in row["wait_ns"].items()}
            found[name] = row
        return found

    def sizes(self) -> list[dict[str, Any]]:
        """One map a VerticalPodAutoscaler and container; cpu in thousandths, memory in bytes."""
        return sizes_of(self._simulation.store)

    def losses(self) -> list[dict[str, Any]]:
        """One map a source and cause of lost requests."""
        return self._observer.losses.rows()

    def nodes(self) -> list[dict[str, Any]]:
        """One map a node; ``images`` are those that its kubelet last reported."""
        simulation = self._simulation
        pods = list(simulation.store.values(Pod))
        now_ns = simulation.sim.now
        return [
            {
                **node_row(node, pods, simulation.node_facts(node.name), now_ns),
                "images": [name for image in node.status.images for name in image.names],
            }
            for node in simulation.store.values(Node)
        ]

    def spinapps(self) -> list[dict[str, Any]]:
        """One map a SpinApp: what it wants, what it has, and its conditions by type."""
        return [
            {
                "namespace": app.namespace,
                "name": app.name,
                "executor": app.spec.executor or "",
                "desired": app.spec.replicas or 0,
                "ready": app.status.ready_replicas,
                "deployment": app.status.deployment_name or "",
                "service": app.status.service_name or "",
                "conditions": {c.type: c.status for c in app.status.conditions},
            }
            for app in self._simulation.store.values(SpinApp)
        ]

    def workloads(self) -> list[dict[str, Any]]:
        """One map a workload; see ``kubesim.telemetry.workloads``."""
        return [dict(row) for row in workloads_table(self._simulation, self._observer)]

    def cost(self) -> dict[str, Any]:
        """What the machines cost so far, in dollars, and for whom."""
        costs = self._ledger.costs()
        return {
            "total": costs.total / NANO,
            "idle": costs.idle / NANO,
            "spot": costs.spot / NANO,
            "total_usd": costs.total / NANO,
            "total_nano_usd": costs.total,
            "pools": {pool: cost / NANO for pool, cost in costs.pools.items()},
            "workloads": {
                f"{namespace}/{name}": cost / NANO
                for (namespace, _, name), cost in costs.workloads.items()
            },
            "services": {
                f"{namespace}/{name}": cost / NANO
                for (namespace, name), cost in costs.services.items()
            },
        }

    def events(self) -> list[dict[str, Any]]:
        """One map a Kubernetes Event."""
        return [
            {
                "at": _duration(at_ns),
                "kind": event.kind,
                "namespace": event.namespace,
                "name": event.name,
                "type": event.type,
                "reason": event.reason,
                "message": event.message,
            }
            for at_ns, event in self._observer.events
        ]

    def transcript(self) -> list[dict[str, Any]]:
        """One map a command of the timeline: when it was typed, and what was said."""
        return [
            {"at": _duration(row["at_ns"]), "command": row["command"], "output": row["output"]}
            for row in self._transcript
        ]

    def refused(self) -> list[dict[str, Any]]:
        """One map an object that the API server refused."""
        return [
            {
                "kind": fact.kind,
                "namespace": fact.namespace,
                "name": fact.name,
                "reason": fact.reason,
                "message": fact.message,
            }
            for _, fact in self._observer.refused
        ]

    def run(self) -> dict[str, Any]:
        """The run itself."""
        sim = self._simulation.sim
        return {"now": _duration(sim.now), "seconds": sim.now / SECOND, "seed": sim.seed}


VARIABLES: dict[str, Callable[[View], Any]] = {
    "pods": View.pods,
    "services": View.services,
    "nodes": View.nodes,
    "traffic": View.traffic,
    "queues": View.queues,
    "sizes": View.sizes,
    "losses": View.losses,
    "spinapps": View.spinapps,
    "workloads": View.workloads,
    "events": View.events,
    "refused": View.refused,
    "transcript": View.transcript,
    "cost": View.cost,
    "run": View.run,
}


def _service(service: Service, totals: ServiceTotals) -> dict[str, Any]:
    row = service_row(service, totals)
    latencies = sorted(totals.latencies_ns)
    names = {f"p{q}".replace(".", "_"): q for q in PERCENTILES}
    row["latency_ns"] = {name: quantile(latencies, q) for name, q in names.items()}
    row["latency"] = {name: _duration(ns) for name, ns in row["latency_ns"].items()}
    row["success_rate"] = 1 - totals.errors / totals.requests if totals.requests else 1.0
    return row


def _duration(ns: int) -> timedelta:
    """CEL durations have microseconds; what is below is cut off."""
    return timedelta(microseconds=ns // MICROSECOND)
