"""From a scenario's users to sources: loads, traces, and what is refused with its place."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kubesim.errors import InputError
from kubesim.scenario import Scenario
from kubesim.sim.time import MINUTE, SECOND
from kubesim.world.traffic import OpenLoad
from kubesim.world.traffic.profiles import Counts, Profile, Steps

HEAD = """
apiVersion: kubesim.dev/v1alpha1
kind: Scenario
metadata: {name: users}
spec:
  duration: 60s
  nodePools: [{name: n, count: 1, capacity: {cpu: "4", memory: 4Gi}}]
"""
MINUTES = ",".join(str(minute) for minute in range(1, 1441))


def load(folder: Path, text: str) -> Scenario:
    file = folder / "scenario.yaml"
    file.write_text(HEAD + text, encoding="utf-8")
    return Scenario.load(file)


def user(folder: Path, text: str) -> Profile:
    (source,) = load(folder, f"  traffic: [{{name: u, service: web, {text}}}]").traffic
    assert isinstance(source.load, OpenLoad)
    return source.load.profile


def problem(work: Callable[[], Any]) -> str:
    with pytest.raises(InputError) as caught:
        work()
    return str(caught.value)


def test_a_csv_trace_is_a_row_of_steps(tmp_path: Path) -> None:
    """Scaled and sped up."""
    (tmp_path / "t.csv").write_text("time,rate\n0,10\n30,2.5\n", encoding="utf-8")

    assert Steps(((0, 20_000), (3 * SECOND, 5_000))) == user(
        tmp_path, "trace: {file: t.csv, scale: 2, speed: 10}"
    )


def test_a_parquet_trace_is_the_same(tmp_path: Path) -> None:
    """With the columns of one's own names."""
    pa = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    parquet.write_table(pa.table({"s": [0, 30], "rps": [10.0, 2.5]}), tmp_path / "t.parquet")

    assert Steps(((0, 10_000), (30 * SECOND, 2_500))) == user(
        tmp_path, "trace: {file: t.parquet, time: s, rate: rps}"
    )


def test_azure_rows_that_match_are_added_up(tmp_path: Path) -> None:
    """The format of 2019; the first minute can be chosen."""
    rows = [f"HashOwner,HashApp,HashFunction,Trigger,{MINUTES}"]
    for function, trigger, first in (("f", "http", 3), ("g", "timer", 5), ("h", "http", 7)):
        rows.append(f"o,a,{function},{trigger},{first},2" + ",0" * 1438)
    (tmp_path / "a.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    profile = user(tmp_path, "azure: {file: a.csv, trigger: http, fromMinute: 1}")

    assert isinstance(profile, Counts)
    assert (MINUTE, (10, 4, 0), 1440) == (
        profile.interval_ns, profile.counts[:3], len(profile.counts),
    )  # fmt: skip
    assert "no row has HashFunction x" in problem(
        lambda: user(tmp_path, "azure: {file: a.csv, function: x}")
    )


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ("time,rat\n0,1\n", 't.csv:1:1: no column "rate"'),
        ("time,rate\n0,1\n1,much\n", 't.csv:3:1: rate: "much" is not a number'),
        ("time,rate\n5,1\n5,2\n", "t.csv:3:1: time 5 is not after the row before"),
        ("time,rate\n0,-1\n", "t.csv:2:1: times and rates are not negative"),
    ],
)
def test_a_bad_trace_has_its_place(tmp_path: Path, rows: str, expected: str) -> None:
    """File, line and column."""
    (tmp_path / "t.csv").write_text(rows, encoding="utf-8")

    assert expected in problem(lambda: user(tmp_path, "trace: {file: t.csv}"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("port: 80", "exactly one of rate, ramp"),
        ("rate: 1/s, connections: 3", "exactly one of rate, ramp"),
        ("rate: 1/s, thinkTime: 1s", "thinkTime means nothing to an open loop"),
        ("connections: 3, arrival: poisson", "arrival means nothing to a closed loop"),
        ("rate: 1/s, node: n-9", 'no node "n-9"'),
        ("trace: {file: gone.csv}", 'trace "gone.csv": No such file'),
        ("steps: [{at: 5s, rate: 1/s}, {at: 5s, rate: 2/s}]", "in the order of their time"),
    ],
)
def test_what_makes_no_sense_is_refused(tmp_path: Path, text: str, expected: str) -> None:
    """With a place in the scenario."""
    message = problem(lambda: user(tmp_path, text))

    assert expected in message
    assert "scenario.yaml:" in message


SHOP = """
  images:
    - name: front
      layers: [{size: 1M}]
      program: {calls: [{service: back, count: 2, parallel: true}]}
    - name: back
      layers: [{size: 1M}]
      program: {service: 5ms%s}
  traffic: [{name: users, service: front, rate: 20/s, from: 20s, until: 50s}]
---
apiVersion: v1
kind: Service
metadata: {name: front}
spec: {selector: {app: front}, ports: [{port: 80}]}
---
apiVersion: v1
kind: Service
metadata: {name: back}
spec: {selector: {app: back}, ports: [{port: 80}]}
---
apiVersion: v1
kind: Pod
metadata: {name: front, labels: {app: front}}
spec: {containers: [{name: c, image: front}]}
---
apiVersion: v1
kind: Pod
metadata: {name: back, labels: {app: back}}
spec: {containers: [{name: c, image: back}]}
"""


def test_a_call_goes_through_the_node_and_its_latency_comes_back(tmp_path: Path) -> None:
    """Two calls a request, counted at the Service that is called; the caller waits for both."""
    run = load(tmp_path, SHOP % "").run()
    rows = {row["name"]: row for row in run.services}

    assert 2 * rows["front"]["requests"] == rows["back"]["requests"] > 1000
    assert rows["front"]["errors"] == rows["back"]["errors"] == 0
    assert rows["front"]["latency_p50_ns"] > rows["back"]["latency_p50_ns"]
    assert {"ingress", "n-0"} == {row["proxy"] for row in run.facts()["EndpointProgrammed"]}


def test_a_call_that_fails_is_a_502(tmp_path: Path) -> None:
    """Nobody is behind the Service."""
    run = load(tmp_path, (SHOP % "").replace("labels: {app: back}", "labels: {}")).run()
    rows = {row["name"]: row for row in run.services}

    assert rows["front"]["requests"] == rows["front"]["errors"] > 100
    assert {502} == {row["status"] for row in run.facts()["RequestCompleted"]}


def test_services_that_call_in_a_circle_are_refused(tmp_path: Path) -> None:
    """With the way round, and the place of a call that closes it."""
    message = problem(lambda: load(tmp_path, SHOP % ", calls: [{service: front}]"))

    assert "Services call each other in a circle: default/back -> default/front -> " in message
    assert "scenario.yaml:15:49:" in message
