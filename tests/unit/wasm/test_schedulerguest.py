"""Scheduler guests: what they export, what they ask, what they answer, how they break."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
import wasmtime

from kubesim.api.corev1 import Node, Pod
from kubesim.share import share_path
from kubesim.wasm.errors import WasmError
from kubesim.wasm.kubeproto import encoded, encoded_list
from kubesim.wasm.nativescheduler import SchedulerGuest
from kubesim.wasm.schedulerguest import UNRESOLVABLE, Call, GuestError

PLUGINS = share_path("scenarios") / "scheduler-plugins" / "plugins"


def node(name: str, **labels: str) -> Node:
    """A node with labels."""
    return Node.model_validate({"metadata": {"name": name, "labels": labels}})


def pod(**labels: str) -> Pod:
    """A pod with labels."""
    return Pod.model_validate({"metadata": {"name": "p", "labels": labels}})


class Nodes:
    """A cluster of a few nodes."""

    def __init__(self, *nodes: Node) -> None:
        self.nodes = {node.name: encoded(node) for node in nodes}

    def node(self, name: str) -> bytes:
        """One node."""
        return self.nodes.get(name, b"")

    def node_list(self) -> bytes:
        """All nodes."""
        return encoded_list(list(self.nodes.values()))

    def image_states(self, name: str) -> Mapping[str, Mapping[str, int]]:
        """The images of one node."""
        return {"a:1": {"Size": 7, "NumNodes": 1}} if name in self.nodes else {}


def guest(text: str, **more: Any) -> SchedulerGuest:
    """A guest from WebAssembly text."""
    return SchedulerGuest(wasmtime.wat2wasm(text), cached=False, **more)


def shipped(name: str) -> SchedulerGuest:
    """A guest of the scenario."""
    return SchedulerGuest((PLUGINS / f"{name}.wasm").read_bytes(), cached=False)


def test_a_filter_reads_pod_and_node() -> None:
    """The guest in C decodes labels of both and refuses with a reason."""
    stage = shipped("stage")
    cluster = Nodes(node("plain"), node("beta", stage="beta", other="x" * 300))
    verdicts = []
    for name, labels in (("plain", {}), ("beta", {}), ("beta", {"stage": "beta"})):
        call = Call(cluster=cluster, pod=encoded(pod(**labels)), node_name=name)
        verdicts.append((stage.call("filter", call), call.reason))
    assert [(0, ""), (UNRESOLVABLE, "node(s) were of another stage"), (0, "")] == verdicts


def test_a_score_is_in_the_upper_half() -> None:
    """Code and score come in one number."""
    thrift = shipped("thrift")
    cluster = Nodes(node("a", **{"cents-per-hour": "30"}), node("b", **{"cents-per-hour": "400"}))
    raw = [thrift.call("score", Call(cluster=cluster, node_name=name)) for name in "ab"]
    assert [(70, 0), (0, 0)] == [(value >> 32, value & 0xFFFFFFFF) for value in raw]


def test_only_exported_points_are_there() -> None:
    """What a guest exports says where it is called."""
    assert {"filter"} == shipped("stage").points
    assert {"score"} == shipped("thrift").points


ECHO = """(module
  (import "k8s.io/scheduler" "{name}" (func $ask (param i32 i32) (result i32)))
  (import "k8s.io/scheduler" "result.status_reason" (func $say (param i32 i32)))
  (memory (export "memory") 1)
  (func (export "filter") (result i32)
    (call $say (i32.const 0) (call $ask (i32.const 0) (i32.const {limit})))
    (i32.const 2)))"""


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("currentNodeName", "n1"),
        ("get_config", '{"a":1}'),
        ("filteredNodeList", '["n1","n2"]'),
        ("nodeToStatusMap", '{"n1":2}'),
        ("nodeScoreList", '{"n1":50}'),
    ],
)
def test_what_a_guest_can_ask_for(name: str, expected: str) -> None:
    """Names are text, lists and maps are JSON."""
    echo = guest(ECHO.format(name=name, limit=4096), config='{"a":1}')
    call = Call(
        cluster=Nodes(),
        node_name="n1",
        filtered=["n1", "n2"],
        statuses={"n1": 2},
        scores={"n1": 50},
    )
    assert (2, expected) == (echo.call("filter", call), call.reason)


def test_a_buffer_that_is_too_small_stays_as_it_is() -> None:
    """The right size is the answer, and nothing was written."""
    echo = guest(ECHO.format(name="currentNodeName", limit=1))
    call = Call(cluster=Nodes(), node_name="n1")
    echo.call("filter", call)
    assert "\0\0" == call.reason


def test_names_events_and_scores_go_to_the_host() -> None:
    """Node names end with NUL, events are pairs of numbers, scores are JSON."""
    text = """(module
      (import "k8s.io/scheduler" "result.node_names" (func $names (param i32 i32)))
      (import "k8s.io/scheduler" "result.cluster_events" (func $events (param i32 i32)))
      (import "k8s.io/scheduler" "result.normalized_score_list" (func $scores (param i32 i32)))
      (memory (export "memory") 1)
      (data (i32.const 0) "n1\\00n2\\00")
      (data (i32.const 16) "\\01\\00\\00\\00\\03\\00\\00\\00")
      (data (i32.const 32) "{\\22n1\\22:7}")
      (func (export "prefilter") (result i32)
        (call $names (i32.const 0) (i32.const 6)) (i32.const 0))
      (func (export "enqueue") (call $events (i32.const 16) (i32.const 8)))
      (func (export "score") (result i64) (i64.const 0))
      (func (export "normalizescore") (result i32)
        (call $scores (i32.const 32) (i32.const 8)) (i32.const 0)))"""
    setter, call = guest(text), Call(cluster=Nodes())
    for point in ("prefilter", "enqueue", "normalizescore"):
        setter.call(point, call)
    assert (("n1", "n2"), ((1, 3),), {"n1": 7}) == (call.node_names, call.events, call.normalized)


def test_what_a_guest_remembers_lasts() -> None:
    """An instance stays from call to call."""
    counter = guest("""(module (memory (export "memory") 1) (global $n (mut i32) (i32.const 0))
      (func (export "filter") (result i32)
        (global.set $n (i32.add (global.get $n) (i32.const 1))) (global.get $n)))""")
    assert [1, 2, 3] == [counter.call("filter", Call(cluster=Nodes())) for _ in range(3)]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("(unreachable)", "unreachable"),
        ("(loop (br 0)) (i32.const 0)", "fuel"),
        ("(call $say (i32.const 65530) (i32.const 100)) (i32.const 0)", "out of memory"),
    ],
)
def test_a_guest_that_breaks_is_replaced(body: str, message: str) -> None:
    """A trap, an endless loop, a wild address end the call; the next one meets a fresh guest."""
    broken = guest(f"""(module
      (import "k8s.io/scheduler" "result.status_reason" (func $say (param i32 i32)))
      (memory (export "memory") 1) (global $calls (mut i32) (i32.const 0))
      (func (export "filter") (result i32) {body})
      (func (export "reserve") (result i32)
        (global.set $calls (i32.add (global.get $calls) (i32.const 1))) (global.get $calls)))""")
    call = Call(cluster=Nodes())
    assert 1 == broken.call("reserve", call)
    with pytest.raises(GuestError, match=message):
        broken.call("filter", call)
    assert 1 == broken.call("reserve", call)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('(module (memory (export "memory") 1))', "must be exported"),
        (
            '(module (memory (export "memory") 1) (func (export "filter")))',
            r"wrong signature for func\[filter\]. should be \(\) -> \(i32\)",
        ),
        (
            '(module (import "env" "x" (func)) (func (export "filter") (result i32) i32.const 0))',
            "imports env.x, which nothing here provides",
        ),
        (
            """(module (memory (export "memory") 1)
                 (func (export "filter") (result i32) i32.const 0)
                 (func (export "prescore") (result i32) i32.const 0))""",
            "prescore is exported without score",
        ),
    ],
)
def test_what_is_no_plugin_is_refused(text: str, message: str) -> None:
    """Modules that are no plugins are the user's mistake, said when they are loaded."""
    with pytest.raises(WasmError, match=message):
        guest(text)


def test_what_is_no_module_is_refused() -> None:
    """Bytes that are no WebAssembly are the user's mistake."""
    with pytest.raises(WasmError, match="is not a valid WebAssembly module"):
        SchedulerGuest(b"no wasm", cached=False)


def test_a_main_that_exits_leaves_a_plugin() -> None:
    """A Go program's ``_start`` may end with exit code 0; its functions are called afterwards."""
    module = """(module
      (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
      (memory (export "memory") 1)
      (func (export "_start") (call $exit (i32.const {code})))
      (func (export "filter") (result i32) (i32.const 5)))"""
    assert 5 == guest(module.format(code=0)).call("filter", Call(cluster=Nodes()))
    with pytest.raises(GuestError, match="exit code 3"):
        guest(module.format(code=3)).call("filter", Call(cluster=Nodes()))
