"""Waterfalls: which phases a pod's start has, and which of them it waited for."""

from __future__ import annotations

import itertools
import json
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubesim.report.waterfall import as_data, html_page, perfetto
from kubesim.scenario import Scenario
from kubesim.telemetry import Run
from kubesim.telemetry.waterfall import Bar, Waterfall, critical, waterfalls


@pytest.fixture(scope="module")
def run() -> Run:
    """A minute of the main story."""
    return Scenario.load("mixed-pool").run(seed=7, until=60 * 10**9)


@pytest.fixture(scope="module")
def falls(run: Run) -> list[Waterfall]:
    """All its waterfalls."""
    return waterfalls(run.journal)


def bar(name: str, began_ns: int, ended_ns: int) -> Bar:
    """A phase."""
    return Bar(name=name, detail="", kind="phase", began_ns=began_ns, ended_ns=ended_ns)


def test_every_pod_of_a_run_has_one(run: Run, falls: list[Waterfall]) -> None:
    """In the order of their creation."""
    assert {(p["namespace"], p["name"]) for p in run.pods} == {
        (f.namespace, f.name) for f in falls
    }
    assert sorted(f.created_ns for f in falls) == [f.created_ns for f in falls]


def test_durations_are_those_of_the_report(run: Run, falls: list[Waterfall]) -> None:
    """A phase takes as long in the waterfall as in the table of phases."""
    greeter = next(f for f in falls if f.name.startswith("greeter-"))
    took = {b.name: b.took_ns for b in greeter.bars if b.kind == "phase"}
    startup = run.pod(greeter.name)["startup"]
    assert {name: ns for name, ns in startup.items() if name != "total"} == took


def test_the_relist_is_waited_for_and_the_listener_is_not(falls: list[Waterfall]) -> None:
    """A Wasm pod listens long before the kubelet has seen that it runs."""
    greeter = next(f for f in falls if f.name.startswith("greeter-"))
    path = {b.name for b in greeter.bars if b.critical}
    assert {"pleg", "module", "start", "pull"} <= path
    assert "listen" not in path


def test_layers_are_under_the_pull(falls: list[Waterfall]) -> None:
    """Download and unpacking of what a pod pulled lie within its pull."""
    shop = next(f for f in falls if f.name.startswith("shop-"))
    pull = next(b for b in shop.bars if b.name == "pull")
    layers = [b for b in shop.bars if b.kind == "layer"]
    assert {"download", "unpack"} == {b.name for b in layers}
    assert all(pull.began_ns <= b.began_ns <= b.ended_ns <= pull.ended_ns for b in layers)


def test_what_ended_last_was_waited_for() -> None:
    """Of two that run side by side the later one counts; what came after neither does not."""
    first, fast, slow = bar("a", 0, 10), bar("b", 10, 15), bar("c", 10, 30)
    last, after = bar("d", 30, 40), bar("e", 30, 90)
    assert {first, slow, last} == critical([first, fast, slow, last, after], 40)


BARS = st.lists(
    st.tuples(st.integers(0, 100), st.integers(1, 50)).map(lambda b: bar("x", b[0], b[0] + b[1])),
    max_size=20,
)


@given(BARS)
def test_the_path_never_overlaps_itself(bars: list[Bar]) -> None:
    """At any moment at most one piece of work is what is waited for."""
    path = sorted(critical(bars, 1_000), key=lambda b: b.began_ns)
    assert all(a.ended_ns <= b.began_ns for a, b in itertools.pairwise(path))


def test_a_trace_names_nodes_and_pods(falls: list[Waterfall]) -> None:
    """Complete events in microseconds, a process a node, a thread a pod."""
    events = json.loads(json.dumps(perfetto(falls)))["traceEvents"]
    names = {e["args"]["name"] for e in events if e["ph"] == "M" and e["name"] == "process_name"}
    assert {f.node or "no node" for f in falls} == names
    spans = [e for e in events if e["ph"] == "X"]
    assert sum(len(f.bars) for f in falls) == len(spans)
    assert all(e["dur"] >= 0 for e in spans)


def test_slices_of_one_thread_nest(falls: list[Waterfall]) -> None:
    """What overlaps without being a part of the other is on a thread of its own."""
    spans = [e for e in perfetto(falls)["traceEvents"] if e["ph"] == "X"]
    threads: dict[tuple[int, int], list[tuple[int, int]]] = {}
    for span in spans:
        began_ns, took_ns = round(span["ts"] * 1000), round(span["dur"] * 1000)
        times = threads.setdefault((span["pid"], span["tid"]), [])
        times.append((began_ns, began_ns + took_ns))
    for times in threads.values():
        for (a, b), (c, d) in combinations(sorted(times), 2):
            assert b <= c or d <= b or (a, b) == (c, d) or a == c, (a, b, c, d)
    assert len(threads) > len([fall for fall in falls if fall.bars])


def test_a_page_shows_every_pod(falls: list[Waterfall]) -> None:
    """A chart for each pod that began to start, a bar for each piece of work, nothing from elsewhere."""
    page = html_page(falls)
    assert len([fall for fall in falls if fall.bars]) == page.count("<svg ")
    assert len(falls) == page.count("<h2>")
    assert sum(len(f.bars) for f in falls) == page.count("<rect ")
    assert "src=" not in page


def test_data_has_times_and_marks(falls: list[Waterfall]) -> None:
    """A script gets nanoseconds and what is critical."""
    data = as_data(falls[0])
    assert {"name", "detail", "kind", "began_ns", "took_ns", "critical"} == set(data["bars"][0])
