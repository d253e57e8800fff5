"""A scenario while it runs: time passes in steps, and at every step one can look.

The command line drives it to the end in one go, the TUI in small steps; both get the same run.
Expectations with ``by`` and ``never`` are looked at once a second of virtual time, and only when
something happened since the last look; looking costs no event, so it does not change the run.
"""

from __future__ import annotations

from kubesim.api.corev1 import Node, Pod, Service
from kubesim.cluster import Simulation
from kubesim.errors import InputError
from kubesim.facts import RunEnded
from kubesim.scenario.checkers import Checkers
from kubesim.scenario.expectations import compile_expectations
from kubesim.scenario.ledger import Ledger
from kubesim.scenario.loading import LoadedScenario
from kubesim.scenario.sources import sources_table
from kubesim.scenario.steps import take
from kubesim.scenario.transcript import Transcript
from kubesim.scenario.verticalautoscaler import sizes_of
from kubesim.scenario.view import View
from kubesim.scenario.workloads import pod_rows, workloads_table
from kubesim.sim.time import SECOND, next_grid_point
from kubesim.telemetry import Observer, Run, Table
from kubesim.telemetry.build import (
    NODE_COLUMNS,
    POD_COLUMNS,
    SERVICE_COLUMNS,
    log_rows,
    node_row,
    service_row,
    startup_rows,
)
from kubesim.telemetry.cost import COST_COLUMNS, INSTANCE_COLUMNS, cost_rows, instance_rows
from kubesim.telemetry.losses import LOSS_COLUMNS
from kubesim.telemetry.observer import ServiceTotals
from kubesim.telemetry.queues import QUEUE_COLUMNS, queue_row
from kubesim.telemetry.requests import (
    CURVE_COLUMNS,
    TRAFFIC_COLUMNS,
    curve_rows,
    service_violations,
    traffic_row,
)
from kubesim.telemetry.run import TRANSCRIPT_COLUMNS
from kubesim.telemetry.sizes import SIZE_COLUMNS
from kubesim.wasm.measuring import Clock

LOOK_PERIOD_NS = SECOND
MEASURED = "measured"


class LiveRun:
    """One run of a scenario.

    Args:
        scenario: The scenario.
        seed: A seed instead of the scenario's.
        until_ns: Virtual time after which to stop instead.
        clock: Nanoseconds on the wall, for a scenario whose Wasm executions are measured.

    Raises:
        InputError: Executions are to be measured and there is no clock.
    """

    def __init__(
        self,
        scenario: LoadedScenario,
        *,
        seed: int | None = None,
        until_ns: int | None = None,
        clock: Clock | None = None,
    ) -> None:
        self.scenario = scenario
        self.end_ns = scenario.spec.duration if until_ns is None else until_ns
        self.seed = scenario.spec.seed if seed is None else seed
        self.simulation = Simulation(
            scenario.cluster_config(seed=self.seed, horizon_ns=self.end_ns),
            clock=_stopwatch(scenario, clock),
        )
        self.observer = Observer()
        self._checkers = Checkers(self.simulation.store, lambda: self.simulation.nodes)
        journal = self.simulation.sim.journal
        for at_ns, fact in journal:
            self.observer(at_ns, fact)
        journal.subscribe(self.observer)
        journal.subscribe(self._checkers)
        self.ledger = Ledger(self.simulation)
        journal.subscribe(self.ledger)
        self.transcript = Transcript(self.simulation, self.observer)
        self._judges = compile_expectations(scenario.spec, scenario.document)
        self._watching = any(j.expectation.never or j.expectation.by for j in self._judges)
        self._looked_at = 0
        self._plan()

    @property
    def now_ns(self) -> int:
        """The virtual time."""
        return self.simulation.sim.now

    @property
    def over(self) -> bool:
        """Whether the end is reached."""
        return self.now_ns >= self.end_ns

    @property
    def view(self) -> View:
        """The run as plain values."""
        rows = self.transcript.rows
        return View(self.simulation, self.observer, self.ledger, transcript=rows)

    def advance(self, until_ns: int) -> None:
        """Let time pass until then, or until the run's end."""
        until_ns = min(until_ns, self.end_ns)
        while self._watching:
            look_ns = self._next_look_ns()
            if look_ns is None or look_ns > until_ns:
                break
            self.simulation.run_until(look_ns)
            self._look()
        if self.now_ns < until_ns:
            self.simulation.run_until(until_ns)

    def _next_look_ns(self) -> int | None:
        """The grid point after the next thing that happens; the same in however many steps."""
        if self.observer.facts_seen != self._looked_at:
            since_ns: int | None = self.now_ns
        else:
            since_ns = self.simulation.sim.next_event_ns
        if since_ns is None:
            return None
        return next_grid_point(max(since_ns - 1, 0), period_ns=LOOK_PERIOD_NS)

    def finish(self) -> Run:
        """Judge, and make a Run of what there is."""
        simulation, scenario = self.simulation, self.scenario
        sim = simulation.sim
        simulation.at_end()
        self._checkers.at_end()
        sim.emit(RunEnded(events=sim.events_processed))
        view = self.view
        return Run(
            scenario=scenario.name,
            seed=self.seed,
            digest=sim.journal.digest,
            preset=scenario.preset.name,
            virtual_ns=sim.now,
            start_time_ns=sim.start_time_ns,
            events=sim.events_processed,
            expectations=tuple(judge.finish(view, sim.now) for judge in self._judges),
            unsimulated=scenario.unsimulated,
            sources=sources_table(scenario.preset),
            journal=sim.journal,
            path=str(scenario.path.resolve()),
            scenario_digest=scenario.digest,
            reproducible=scenario.spec.timing != MEASURED,
            **self._tables(),
        )

    def _tables(self) -> dict[str, Table]:
        store, observer = self.simulation.store, self.observer
        pods = list(store.values(Pod))
        promises = self.simulation.config.promises
        violations = service_violations(observer.sources, promises)
        services = [
            service_row(
                service,
                observer.services.get((service.namespace, service.name), ServiceTotals()),
                slo_violations=violations[service.namespace, service.name],
            )
            for service in store.values(Service)
        ]
        traffic = [
            traffic_row(name, totals, promises.get(name))
            for name, totals in observer.sources.items()
        ]
        nodes = [
            node_row(node, pods, self.simulation.node_facts(node.name), self.now_ns)
            for node in store.values(Node)
        ]
        events = [
            {"at_ns": at_ns, "type": e.type, "reason": e.reason, "kind": e.kind,
             "namespace": e.namespace, "name": e.name, "message": e.message,
             "component": e.component}
            for at_ns, e in observer.events
        ]  # fmt: skip
        refused = [
            {"at_ns": at_ns, "kind": f.kind, "namespace": f.namespace, "name": f.name,
             "reason": f.reason, "message": f.message}
            for at_ns, f in observer.refused
        ]  # fmt: skip
        return {
            "pods": Table("pods", POD_COLUMNS, pod_rows(self.simulation, observer)),
            "services": Table("services", SERVICE_COLUMNS, services),
            "traffic": Table("traffic", TRAFFIC_COLUMNS, traffic),
            "queues": _queues(observer),
            "sizes": Table("sizes", SIZE_COLUMNS, sizes_of(store)),
            "losses": Table("losses", LOSS_COLUMNS, observer.losses.rows()),
            "traffic_curve": Table(
                "traffic_curve", CURVE_COLUMNS, curve_rows(observer.sources, promises, self.now_ns)
            ),
            "workloads": workloads_table(self.simulation, observer),
            "nodes": Table("nodes", NODE_COLUMNS, nodes),
            "cost": Table("cost", COST_COLUMNS, cost_rows(self.ledger.costs())),
            "instances": Table(
                "instances",
                INSTANCE_COLUMNS,
                instance_rows(self.simulation.fleet.cloud.instances.values(), self.now_ns),
            ),
            "startup": Table(
                "startup", ("namespace", "pod", "phase", "took_ns"), startup_rows(observer)
            ),
            "logs": Table(
                "logs",
                ("at_ns", "namespace", "pod", "container", "stream", "line"),
                log_rows(observer),
            ),
            "recorded": Table(
                "events",
                ("at_ns", "type", "reason", "kind", "namespace", "name", "message", "component"),
                events,
            ),
            "transcript": Table("transcript", TRANSCRIPT_COLUMNS, list(self.transcript.rows)),
            "refused": Table(
                "refused", ("at_ns", "kind", "namespace", "name", "reason", "message"), refused
            ),
        }

    def _look(self) -> None:
        seen = self.observer.facts_seen
        if seen == self._looked_at:
            return
        self._looked_at = seen
        view = self.view
        for judge in self._judges:
            judge.look(view, self.now_ns)

    def _plan(self) -> None:
        """What happens when: the manifests of the beginning first, then the timeline."""
        scenario, sim = self.scenario, self.simulation.sim
        objects = [manifest.obj for manifest in scenario.manifests]
        if objects:
            self.simulation.apply(objects, what=f"{len(objects)} objects of {scenario.name}")
        for index, step in enumerate(scenario.spec.timeline):
            if step.kubectl is not None:
                sim.call_in(step.at, self.transcript.kubectl, step.kubectl)
            elif step.curl is not None:
                sim.call_in(step.at, self.transcript.curl, step.curl)
            else:
                sim.call_in(step.at, take, self.simulation, step, scenario.steps.get(index, ()))


def _queues(observer: Observer) -> Table:
    rows = [queue_row(name, totals) for name, totals in observer.queues.items()]
    return Table("queues", QUEUE_COLUMNS, rows)


def _stopwatch(scenario: LoadedScenario, clock: Clock | None) -> Clock | None:
    """The clock that measures this scenario's executions, if any does."""
    if scenario.spec.timing != MEASURED:
        return None
    if clock is None:
        raise InputError(
            scenario.document.problem(
                "measured needs a clock",
                ("spec", "timing"),
                suggestion="kubesim run has one; in a program, Scenario.run(clock=time.perf_counter_ns)",
            )
        )
    return clock
