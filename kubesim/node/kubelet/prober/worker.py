"""One probe of one container: when it is asked, and what follows from the answers.

The worker ticks once a period from when the pod came to the node. A tick that could change nothing
is not waited for: while the container does not run, while another probe gates it, and as long as
whoever answers promises to go on answering the same, the worker sleeps until something happens.

Questions that are left out because the answer is promised cost what they would: whoever answers has a
steady load in their place.

Mirrors: pkg/kubelet/prober/worker.go.
Departs: a tick that falls into a question that takes longer than the period is lost; the load of what
is left out is the median of a question, for one more than are left out; of a failure that goes on
unchanged, events are recorded up to the burst of upstream's spam filter only.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from kubesim.api.corev1 import Container, Pod, Probe
from kubesim.controlplane.client import Recorder
from kubesim.node.kubelet.prober.asking import Asker, Target
from kubesim.node.kubelet.prober.results import INITIAL, ProbeType, Result
from kubesim.sim import Event, Rng, Sim, SimProcess
from kubesim.sim.time import SECOND, next_grid_point

EVENT_BURST = 25  # maxBurst of client-go's EventSourceObjectSpamFilter


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A container as its pod's status shows it.

    Attributes:
        container_id: Empty before there is one.
        started_ns: When it began to run, in virtual time; ``None`` when it does not run.
        ended: Whether it has terminated (and does not wait to be started again).
        started: Whether it is started, as startup probes mean it.
        pod_ip: The pod's address.
    """

    container_id: str
    started_ns: int | None
    ended: bool
    started: bool
    pod_ip: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """One probe of one container."""

    type_: ProbeType
    probe: Probe
    container: Container


@dataclass(slots=True, kw_only=True)
class Results:
    """What is believed, by probe type and container id."""

    by_container: dict[tuple[ProbeType, str], Result] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeContext:
    """What the probe workers of a kubelet share.

    Attributes:
        kubelet_started_ns: When the kubelet started; one that did so recently spreads its probes.
    """

    sim: Sim
    asker: Asker
    recorder: Recorder
    rng: Rng
    kubelet_started_ns: int


class ProbeWorker:
    """One probe.

    Args:
        context: What it shares with others.
        subject: What is probed, and what for.
        pod: The pod as it is now.
        results: Where results go.
        updated: Called when a result is another one than before.
    """

    def __init__(
        self,
        context: ProbeContext,
        *,
        subject: Subject,
        pod: Callable[[], Pod],
        results: Results,
        updated: Callable[[ProbeType, Result], None],
    ) -> None:
        self._context = context
        self._sim = context.sim
        self._type = subject.type_
        self._probe = probe = subject.probe
        self._container = subject.container
        self._pod = pod
        self._results = results
        self._updated = updated
        self._period_ns = (probe.period_seconds or 10) * SECOND
        self._ticker_ns = 0
        self._seen: Seen | None = None
        self._container_id = ""
        self._last: Result | None = None
        self._run_length = 0
        self._on_hold = self._ran = False
        self._events = 0
        self._kicked = self._manual = self._stopped = False
        self._wake: Event | None = None
        self._relieve: Callable[[], None] | None = None  # ends what stands for skipped questions
        self._sim.process(self._run())

    def saw(self, seen: Seen) -> None:
        """The pod's status shows the container like this."""
        if seen != self._seen:
            self._seen = seen
            self.kick()

    def kick(self) -> None:
        """Something changed: the next tick counts."""
        self._kicked = True
        self._rouse()

    def trigger(self) -> None:
        """Ask now, and count the period from now."""
        self._manual = True
        self._rouse()

    def stop(self) -> None:
        """Ask no more."""
        self._stopped = True
        self._rouse()

    def _rouse(self) -> None:
        if self._wake is not None and not self._wake.triggered:
            self._wake.succeed()

    def _run(self) -> SimProcess[None]:
        context = self._context
        if self._period_ns > self._sim.now - context.kubelet_started_ns:
            yield self._sim.timeout(context.rng.uniform(0, self._period_ns))
        self._ticker_ns = self._sim.now
        while not self._stopped:
            self._kicked = False
            earliest_ns = yield from self._do_probe()
            yield from self._until(earliest_ns)
            if self._relieve is not None:
                self._relieve()
                self._relieve = None

    def _until(self, earliest_ns: int | None) -> SimProcess[None]:
        """Wait for a tick at or after an instant, for a trigger, or for the end."""
        while not self._stopped:
            if self._manual:
                self._manual = False
                self._ticker_ns = self._sim.now
                return
            if self._kicked:
                earliest_ns = self._sim.now
            self._wake = self._sim.event()
            if earliest_ns is None:
                yield self._wake
                continue
            now_ns = self._sim.now
            after_ns = max(now_ns, earliest_ns - 1)
            tick_ns = next_grid_point(
                after_ns, period_ns=self._period_ns, offset_ns=self._ticker_ns
            )
            yield self._sim.any_of([self._wake, self._sim.timeout(tick_ns - now_ns)])
            if self._sim.now >= tick_ns:
                return

    def _do_probe(self) -> SimProcess[int | None]:
        """Ask if it is time to; gives the instant before which no tick can matter."""
        seen = self._seen
        if seen is None or not seen.container_id:
            return None
        if seen.container_id != self._container_id:
            self._results.by_container.pop((self._type, self._container_id), None)
            self._container_id = seen.container_id
            self._on_hold = self._ran = False
            self._set(INITIAL[self._type])
        if seen.started_ns is None:
            # A relist may fall between a container's creation and its start: that is no failure.
            if not self._on_hold and (self._ran or seen.ended):
                self._set(Result.FAILURE)
            return None
        self._ran = True
        going = self._pod().metadata.deletion_timestamp is not None
        if going and self._type is not ProbeType.READINESS:
            self._set(Result.SUCCESS)
            self._stopped = True
            return None
        allowed_ns = seen.started_ns + (self._probe.initial_delay_seconds or 0) * SECOND
        if self._sim.now < allowed_ns:
            return allowed_ns
        # A started container needs no startup probe, another one nothing else.
        gated = self._on_hold or seen.started == (self._type is ProbeType.STARTUP)
        return None if gated else (yield from self._ask(seen))

    def _ask(self, seen: Seen) -> SimProcess[int | None]:
        target = Target(
            container=self._container, container_id=seen.container_id, pod_ip=seen.pod_ip
        )
        answer = yield from self._context.asker.ask(self._probe, target)
        now_ns = self._sim.now
        if self._stopped:
            return None
        if answer.errored:
            self._warn(
                f"{self._type.value} probe errored and resulted in unknown state: {answer.output}"
            )
            return now_ns if self._events < EVENT_BURST else None
        if not answer.ok:
            self._warn(f"{self._type.value} probe failed: {answer.output}")
        result = Result.SUCCESS if answer.ok else Result.FAILURE
        self._run_length = self._run_length + 1 if result is self._last else 1
        self._last = result
        if self._run_length < self._threshold(result):
            return now_ns
        self._set(result)
        if self._type is ProbeType.STARTUP or (
            self._type is ProbeType.LIVENESS and result is Result.FAILURE
        ):
            self._on_hold = True
            self._run_length = 0
            return None
        return self._next_change_ns(target, result)

    def _next_change_ns(self, target: Target, result: Result) -> int | None:
        """Until when the answer cannot be another one; ``None`` for as long as nothing happens."""
        if result is Result.FAILURE and self._events < EVENT_BURST:
            return self._sim.now
        outlook = self._context.asker.outlook(self._probe, target)
        if outlook is None:
            return self._sim.now
        if outlook.broken is not None:
            self._sim.when(outlook.broken, lambda _event: self.kick())
        if outlook.steady is not None:
            self._relieve = outlook.steady(self._period_ns)
        return outlook.until_ns

    def _threshold(self, result: Result) -> int:
        if result is Result.SUCCESS:
            return self._probe.success_threshold or 1
        return self._probe.failure_threshold or 3

    def _set(self, result: Result) -> None:
        key = (self._type, self._container_id)
        before = self._results.by_container.get(key)
        self._results.by_container[key] = result
        if before is not None and before is not result:
            self._updated(self._type, result)

    def _warn(self, message: str) -> None:
        self._events += 1
        if self._events <= EVENT_BURST:
            self._context.recorder.warning(self._pod(), "Unhealthy", message)
