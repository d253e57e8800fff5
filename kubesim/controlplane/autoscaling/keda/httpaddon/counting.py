"""The interceptor's counts, and the external scaler that tells KEDA of them.

The scaler asks the interceptor for its counts every half a second and, on a stream, tells KEDA every
fifth of a second whether there is anything to do. Neither ticks here: counts are kept with their times,
so that what the scaler last saw can be asked for at any instant, and an instant of its grid is looked at
only when a count has changed before it.

Mirrors: kedacore/http-add-on@59b2f6a scaler/{queue_pinger,handlers}.go, pkg/queue/{queue,bucketing}.go.
Departs: the grids of scaler and stream begin at instants of their own, once and for all.
"""

from __future__ import annotations

import math
import re
from array import array
from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from kubesim.api.duration import parse_duration
from kubesim.api.kedahttpv1beta1 import InterceptorRoute
from kubesim.controlplane.autoscaling.keda.httpaddon.config import HttpAddOnConfig
from kubesim.controlplane.autoscaling.keda.sources import HttpMetric, SourceError
from kubesim.sim import Sim

BY_OBJECT, BY_ROUTE = "httpScaledObject", "interceptorRoute"

Telling = Callable[[str], None]
Ended = Callable[[str, int], None]


def _column() -> array[int]:
    return array("q")


@dataclass(slots=True)
class _Counter:
    """One route's requests.

    Attributes:
        since_ns: Since when they are counted.
        began: When each came.
        ended: When each was over.
        active: Whether KEDA was last told that there is something to do.
        planned: Whether an instant of the scaler's grid is going to be looked at.
    """

    since_ns: int
    began: array[int] = field(default_factory=_column)
    ended: array[int] = field(default_factory=_column)
    active: bool = False
    planned: bool = False

    def requests(self, at_ns: int) -> int:
        """How many had come."""
        return bisect_right(self.began, at_ns)

    def in_flight(self, at_ns: int) -> int:
        """How many had come and were not over."""
        return bisect_right(self.began, at_ns) - bisect_right(self.ended, at_ns)


class RequestCounts:
    """The counts of all routes.

    Args:
        sim: The run.
        config: The add-on's settings.
        route: The route of a namespace and name, and whether it was an HTTPScaledObject.
        active: Told of a route (by namespace and name) that has become active.
        idle: Told of one that is not any more, and of the last instant (virtual) at which KEDA heard
            that it was.
    """

    def __init__(
        self,
        sim: Sim,
        *,
        config: HttpAddOnConfig,
        route: Callable[[str], tuple[InterceptorRoute, bool] | None],
        active: Telling,
        idle: Ended,
    ) -> None:
        self._sim = sim
        self._config = config
        self._route = route
        self._active = active
        self._idle = idle
        rng = sim.rng("keda-http-scaler/grid")
        self._tick_phase_ns = rng.uniform(0, config.queue_tick_ns)
        self._stream_phase_ns = rng.uniform(0, config.stream_interval_ns)
        self._counters: dict[str, _Counter] = {}

    def ensure(self, key: str) -> None:
        """Count a route's requests from now on."""
        self._counters.setdefault(key, _Counter(self._sim.now))

    def forget(self, key: str) -> None:
        """There is no such route any more."""
        self._counters.pop(key, None)

    def began(self, key: str) -> None:
        """A request came."""
        self.ensure(key)
        counter = self._counters[key]
        counter.began.append(self._sim.now)
        if not counter.active:
            self._plan(key, counter, self._next_tick(self._sim.now))

    def ended(self, key: str) -> None:
        """One is over."""
        counter = self._counters.get(key)
        if counter is None:
            return
        counter.ended.append(self._sim.now)
        if counter.active and len(counter.began) == len(counter.ended):
            self._plan(key, counter, self._next_tick(self._sim.now))

    def metrics(self, namespace: str, metadata: Mapping[str, str]) -> Sequence[HttpMetric]:
        """See ``HttpScaler``."""
        return [metric for metric, _ in self._metrics(_key(namespace, metadata))]

    def value_milli(self, namespace: str, metadata: Mapping[str, str], metric: str) -> int:
        """See ``HttpScaler``."""
        key = _key(namespace, metadata)
        for known, measure in self._metrics(key):
            if known.name == metric:
                return measure(self._last_tick(self._sim.now))
        raise SourceError(f"requested metric {metric} not found")

    def is_quiet(self, namespace: str, metadata: Mapping[str, str]) -> bool:
        """See ``HttpScaler``."""
        key = _key(namespace, metadata)
        counter = self._counters.get(key)
        if counter is None:
            return True
        idle = len(counter.began) == len(counter.ended)
        return idle and not (counter.active or counter.planned)

    def _metrics(self, key: str) -> list[tuple[HttpMetric, Callable[[int], int]]]:
        found = self._route(key)
        if found is None:
            raise SourceError(f'HTTPScaledObject "{key.rpartition("/")[2]}" not found')
        route, of_object = found
        self.ensure(key)
        counter, spec = self._counters[key], route.spec.scaling_metric
        metrics: list[tuple[HttpMetric, Callable[[int], int]]] = []
        if spec.concurrency is not None:
            name = _escaped(f"http-{key}") if of_object else f"http_{route.name}_concurrency"
            metrics.append(
                (
                    HttpMetric(name=name, target=spec.concurrency.target_value),
                    lambda at_ns: 1000 * counter.in_flight(at_ns),
                )
            )
        if spec.request_rate is not None:
            rate = spec.request_rate
            window_ns, step_ns = parse_duration(rate.window), parse_duration(rate.granularity)

            def measure(at_ns: int) -> int:
                found = self._rate(counter, at_ns, window_ns=window_ns, step_ns=step_ns)
                return 1000 * math.ceil(found) if of_object else round(1000 * found)

            name = _escaped(f"http-{key}") if of_object else f"http_{route.name}_rate"
            metrics.append((HttpMetric(name=name, target=rate.target_value), measure))
        return metrics

    def _rate(self, counter: _Counter, tick_ns: int, *, window_ns: int, step_ns: int) -> float:
        """The mean of the window's buckets: what came between two ticks is in the second's bucket."""
        first_tick_ns = self._next_tick(counter.since_ns)
        if tick_ns <= first_tick_ns:
            return 0.0  # the first tick only learns where the count stands
        start_ns = self._sim.start_time_ns
        last = (start_ns + tick_ns) // step_ns
        buckets = -(-window_ns // step_ns)
        valid = min(last - (start_ns + first_tick_ns) // step_ns + 1, buckets)
        opens_ns = (last - buckets + 1) * step_ns - start_ns
        # The deltas of the window are those of its ticks: from the tick before the first of them on.
        before_ns = max(first_tick_ns, self._last_tick(opens_ns - 1))
        total = counter.requests(tick_ns) - counter.requests(before_ns)
        return round(total / valid, 3)

    def _plan(self, key: str, counter: _Counter, at_ns: int) -> None:
        if not counter.planned:
            counter.planned = True
            self._sim.call_in(at_ns - self._sim.now, self._look, key, counter)

    def _look(self, key: str, counter: _Counter) -> None:
        """An instant of the scaler's grid at which something may be different."""
        counter.planned = False
        if self._counters.get(key) is not counter or self._route(key) is None:
            return
        now_ns = self._sim.now
        busy = any(measure(now_ns) > 0 for _, measure in self._metrics(key))
        if busy and not counter.active:
            counter.active = True
            self._sim.call_in(self._next_stream(now_ns) - now_ns, self._active, key)
        elif counter.active and not busy:
            counter.active = False
            self._idle(key, max(0, self._next_stream(now_ns) - self._config.stream_interval_ns))
        if busy and len(counter.began) == len(counter.ended):
            self._plan(key, counter, self._when_idle(key, counter))

    def _when_idle(self, key: str, counter: _Counter) -> int:
        """The first tick at which the window of a rate may have nothing any more."""
        found = self._route(key)
        rate = found[0].spec.scaling_metric.request_rate if found is not None else None
        soon_ns = self._next_tick(self._sim.now + 1)
        if rate is None:
            return soon_ns
        over_ns = counter.began[-1] + parse_duration(rate.window)
        return max(soon_ns, self._next_tick(over_ns - parse_duration(rate.granularity)))

    def _next_tick(self, at_ns: int) -> int:
        return _grid(at_ns, self._tick_phase_ns, self._config.queue_tick_ns)

    def _last_tick(self, at_ns: int) -> int:
        tick_ns = self._next_tick(at_ns)
        return tick_ns if tick_ns == at_ns else tick_ns - self._config.queue_tick_ns

    def _next_stream(self, at_ns: int) -> int:
        return _grid(at_ns, self._stream_phase_ns, self._config.stream_interval_ns)


def _grid(at_ns: int, phase_ns: int, period_ns: int) -> int:
    """The first point of a grid that is not before an instant."""
    return at_ns + (phase_ns - at_ns) % period_ns


def _key(namespace: str, metadata: Mapping[str, str]) -> str:
    name = metadata.get(BY_ROUTE) or metadata.get(BY_OBJECT, "")
    return f"{namespace}/{name}"


def _escaped(name: str) -> str:
    return re.sub(r"[^-.0-9A-Za-z]", lambda found: f"_{ord(found[0]):04X}", name)
