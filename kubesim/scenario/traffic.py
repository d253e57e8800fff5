"""From the scenario's users to sources of requests; traces are read here."""

from __future__ import annotations

import csv
import importlib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from kubesim.errors import InputError, Problem
from kubesim.manifests import Document, closest
from kubesim.scenario.format import ScenarioSpec, TrafficSpec
from kubesim.scenario.format.traffic import AzureSpec, TraceSpec
from kubesim.scenario.queues import unknown_queue
from kubesim.sim.distribution import Constant, Exponential
from kubesim.sim.time import MINUTE, SECOND
from kubesim.wire.http import HttpRequest
from kubesim.world.traffic import (
    ClosedLoad,
    HedgePolicy,
    OpenLoad,
    RetryPolicy,
    Slo,
    TrafficConfig,
)
from kubesim.world.traffic.profiles import (
    Bursts,
    Counts,
    Diurnal,
    Profile,
    Ramp,
    Steady,
    Steps,
)

Where = tuple[str | int, ...]
MINUTES_A_DAY = 1440
HOST = "host"


class TrafficLoader:
    """Makes a scenario's sources of requests.

    Args:
        document: The scenario's document, for the places of problems.
        folder: What paths in it are relative to.
    """

    def __init__(self, document: Document, *, folder: Path) -> None:
        self._document = document
        self._folder = folder

    def load(self, spec: ScenarioSpec, nodes: Iterable[str] = ()) -> tuple[TrafficConfig, ...]:
        """All sources of a scenario; without an end they end with the scenario.

        Raises:
            InputError: With everything that is wrong in them and in their traces.
        """
        known = sorted(nodes)
        found: list[TrafficConfig] = []
        problems: list[Problem] = []
        for index, source in enumerate(spec.traffic):
            where: Where = ("spec", "traffic", index)
            if source.node is not None and known and source.node not in known:
                near = closest(source.node, known)
                hint = f'did you mean "{near}"?' if near else ""
                message = f'no node "{source.node}"'
                problems.append(self._document.problem(message, (*where, "node"), suggestion=hint))
            if source.queue is not None:
                problems += unknown_queue(spec, source.queue, self._document, (*where, "queue"))
            try:
                found.append(self._source(source, spec.duration, where))
            except InputError as error:
                problems += error.problems
        if problems:
            raise InputError(problems)
        return tuple(found)

    def files(self, spec: ScenarioSpec) -> list[Path]:
        """The traces that are read, for the scenario's digest."""
        traces = [trace for source in spec.traffic for trace in (source.trace, source.azure)]
        return [self._folder / trace.file for trace in traces if trace is not None]

    def _source(self, source: TrafficSpec, end_ns: int, where: Where) -> TrafficConfig:
        namespace, _, service = source.service.rpartition("/")
        namespace = namespace or "default"
        request, retries, hedge, slo = source.request, source.retries, source.hedge, source.slo
        return TrafficConfig(
            name=source.name,
            queue=source.queue or "",
            namespace=namespace,
            service=service,
            port=source.port,
            begin_ns=source.begin,
            end_ns=end_ns if source.until is None else source.until,
            load=self._load(source, where),
            request=HttpRequest(
                method=request.method,
                path=request.path,
                query=request.query,
                headers=tuple(
                    (name, text) for name, text in request.headers.items() if name.lower() != HOST
                ),
                body=request.body.encode(),
                host=_host(request.headers) or f"{service}.{namespace}.svc",
            ),
            node=source.node or "",
            clients=source.clients,
            timeout_ns=source.timeout or 0,
            retry=None if retries is None else RetryPolicy(
                attempts=retries.attempts,
                on=retries.on,
                backoff_ns=retries.backoff,
                max_backoff_ns=retries.max_backoff,
                jitter=retries.jitter,
            ),
            hedge=None if hedge is None else HedgePolicy(after_ns=hedge.after, extra=hedge.extra),
            slo=None if slo is None else Slo(latency_ns=slo.latency, quantile=slo.quantile),
        )  # fmt: skip

    def _load(self, source: TrafficSpec, where: Where) -> OpenLoad | ClosedLoad:
        if source.connections is not None:
            think = Exponential if source.think == "exponential" else Constant
            return ClosedLoad(
                connections=source.connections,
                think=think(source.think_time),
                ramp_ns=source.ramp_up,
                keep_alive=source.keep_alive,
                reconnect_ns=source.reconnect,
            )
        return OpenLoad(profile=self._profile(source, where), arrival=source.arrival)

    def _profile(self, source: TrafficSpec, where: Where) -> Profile:
        if source.rate is not None:
            return Steady(source.rate)
        if source.ramp is not None:
            return Ramp(source.ramp.begin, source.ramp.to, source.ramp.over)
        if source.steps is not None:
            return Steps(tuple((step.at, step.rate) for step in source.steps))
        if source.bursts is not None:
            return Bursts(tuple((state.rate, state.mean) for state in source.bursts))
        if source.diurnal is not None:
            sine = source.diurnal
            return Diurnal(sine.mean, sine.amplitude, sine.period, sine.peak)
        return self._recorded(source, where)

    def _recorded(self, source: TrafficSpec, where: Where) -> Profile:
        if source.trace is not None:
            trace = source.trace
            return self._read(
                (*where, "trace", "file"), trace.file, lambda p: rate_trace(p, trace)
            )
        assert source.azure is not None
        azure = source.azure
        return self._read((*where, "azure", "file"), azure.file, lambda p: azure_trace(p, azure))

    def _read(self, where: Where, file: str, read: Callable[[Path], Profile]) -> Profile:
        try:
            return read(self._folder / file)
        except OSError as error:
            why = f'trace "{file}": {error.strerror or error}'
            raise InputError(self._document.problem(why, where)) from None
        except ImportError as error:
            why = f'trace "{file}" needs {error.name}'
            raise InputError(
                self._document.problem(why, where, suggestion="pip install 'kubesim[study]'")
            ) from None


def _host(headers: Mapping[str, str]) -> str:
    """The authority that a request's headers name; empty for none."""
    return next((text for name, text in headers.items() if name.lower() == HOST), "")


def rate_trace(path: Path, spec: TraceSpec) -> Steps:
    """A rate trace; each row holds until the next one.

    Raises:
        InputError: With the file and the line of what is no trace.
        OSError: If the file cannot be read.
        ImportError: If it is a Parquet file and pyarrow is not installed.
    """
    steps: list[tuple[int, int]] = []
    for line, row in _rows(path, (spec.time, spec.rate)):
        at_s, rate = (_number(path, line, name, row[name]) for name in (spec.time, spec.rate))
        at_ns = round(at_s * SECOND / spec.speed)
        if rate < 0 or at_ns < 0:
            raise _wrong(path, line, "times and rates are not negative")
        if steps and at_ns <= steps[-1][0]:
            raise _wrong(path, line, f"{spec.time} {at_s:g} is not after the row before")
        steps.append((at_ns, round(rate * spec.scale * 1000)))
    return Steps(tuple(steps))


def azure_trace(path: Path, spec: AzureSpec) -> Counts:
    """The invocations of all rows that match, minute by minute.

    Raises:
        InputError: With the file and the line of what is not in that format.
        OSError: If the file cannot be read.
        ImportError: If it is a Parquet file and pyarrow is not installed.
    """
    wanted = {"HashOwner": spec.owner, "HashApp": spec.app, "HashFunction": spec.function,
              "Trigger": spec.trigger}  # fmt: skip
    minutes = [str(minute) for minute in range(1, MINUTES_A_DAY + 1)]
    counts = [0] * MINUTES_A_DAY
    matched = False
    for line, row in _rows(path, (*wanted, *minutes)):
        if any(value is not None and row[name] != value for name, value in wanted.items()):
            continue
        matched = True
        for index, minute in enumerate(minutes):
            count = _number(path, line, minute, row[minute])
            if count < 0 or count != int(count):
                raise _wrong(path, line, f"minute {minute}: {count:g} is no number of invocations")
            counts[index] += int(count)
    if not matched:
        asked = ", ".join(f"{name} {value}" for name, value in wanted.items() if value is not None)
        raise _wrong(path, 1, f"no row has {asked}" if asked else "there are no rows")
    return Counts(MINUTE, tuple(counts[spec.from_minute - 1 :]))


def _rows(path: Path, columns: Iterable[str]) -> Iterable[tuple[int, Mapping[str, Any]]]:
    """The rows of a CSV or Parquet file with the line (or row) where each stands."""
    if path.suffix == ".parquet":
        table = importlib.import_module("pyarrow.parquet").read_table(path)
        _require(path, columns, table.column_names)
        for number, row in enumerate(table.to_pylist(), start=1):
            yield number, row
        return
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file)
        _require(path, columns, reader.fieldnames or ())
        for row in reader:
            yield reader.line_num, row


def _require(path: Path, columns: Iterable[str], there: Iterable[str]) -> None:
    there = tuple(there)
    for column in columns:
        if column not in there:
            near = closest(column, list(there))
            hint = f'did you mean "{near}"?' if near else f"there are: {', '.join(there[:8])}"
            raise InputError(
                Problem(
                    message=f'no column "{column}"',
                    file=str(path),
                    line=1,
                    column=1,
                    suggestion=hint,
                )
            )


def _number(path: Path, line: int, column: str, value: Any) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise _wrong(path, line, f'{column}: "{value}" is not a number') from None
    if number != number or number in (float("inf"), float("-inf")):  # noqa: PLR0124
        raise _wrong(path, line, f'{column}: "{value}" is not a finite number')
    return number


def _wrong(path: Path, line: int, message: str) -> InputError:
    return InputError(Problem(message=message, file=str(path), line=line, column=1))
