"""Plugins that users bring: loading, mistakes, and what they change."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import wasmtime

from kubesim.cluster.admitting import admitted
from kubesim.cluster.plugins import SchedulerSetup, set_up
from kubesim.controlplane.scheduler import pluginloading
from kubesim.controlplane.scheduler.config import KubeSchedulerConfiguration
from kubesim.controlplane.scheduler.oneshot import OneShot, Outcome
from kubesim.controlplane.scheduler.testing import node, pod
from kubesim.controlplane.scheduler.userplugin import NodePlugin
from kubesim.errors import InputError
from kubesim.share import share_path

GUESTS = share_path("scenarios") / "scheduler-plugins" / "plugins"
EVENS = """
from kubesim.controlplane.scheduler.userplugin import NodePlugin

class Evens(NodePlugin):
    def filter(self, state, pod, node):
        if int(node.name[1:]) % 2:
            return "node(s) were odd"

class Last(NodePlugin):
    def score(self, state, pod, node):
        return int(node.name[1:])

    def normalize(self, state, pod, scores):
        best = max(scores.values())
        return {name: 100 * score // best for name, score in scores.items()}

class Books(NodePlugin):
    def __init__(self, args, handle):
        super().__init__(args, handle)
        self.taken = set()

    def filter(self, state, pod, node):
        return "node(s) were taken" if node.name in self.taken else None

    def reserve(self, state, pod, node_name):
        self.taken.add(node_name)

class Broken(NodePlugin):
    def filter(self, state, pod, node):
        return 1 / 0

class TooGood(NodePlugin):
    def score(self, state, pod, node):
        return 101

class Odd:
    pass
"""


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A file of plugins."""
    file = tmp_path / "mine.py"
    file.write_text(EVENS)
    return file


def setup(plugins: dict[str, str], config: dict[str, Any] | None = None) -> SchedulerSetup:
    """Plugins, ready."""
    given = KubeSchedulerConfiguration.model_validate(config or {})
    return set_up(given, plugins)


def placed(ready: SchedulerSetup, pods: int = 1) -> Outcome:
    """Pods on four nodes."""
    objects = [node(f"n{i}") for i in range(4)] + [pod(f"p{i}") for i in range(pods)]
    run = OneShot(admitted(objects).objects, config=ready.config, registry=ready.registry)
    return run.run()


def test_a_python_filter_and_score_change_the_choice(source: Path) -> None:
    """Only even nodes are left, and the last of them is the best."""
    ready = setup({"Evens": f"{source}:Evens", "Last": f"{source}:Last"})
    assert "n2" == placed(ready).final["default/p0"]["node"]


def test_reserve_keeps_books(source: Path) -> None:
    """What a plugin notes at Reserve it knows for the next pod."""
    outcome = placed(setup({"Books": f"{source}:Books"}), pods=5)
    states = [state["state"] for state in outcome.final.values()]
    assert ["bound"] * 4 + ["pending"] == states
    assert "4 node(s) were taken" in outcome.final["default/p4"]["message"]


def test_a_guest_changes_the_choice() -> None:
    """A Wasm score of weight 1 outweighs equal nodes."""
    nodes = [node("n0"), node("n1", labels={"cents-per-hour": "5"})]
    ready = setup({"Thrift": str(GUESTS / "thrift.wasm")})
    nodes[0] = node("n0", labels={"cents-per-hour": "90"})
    run = OneShot(
        admitted([*nodes, pod("p")]).objects, config=ready.config, registry=ready.registry
    )
    assert "n1" == run.run().final["default/p"]["node"]


def test_a_guest_can_be_named_by_its_url() -> None:
    """A configuration written for kube-scheduler-wasm-extension works as it is."""
    config = {
        "profiles": [
            {
                "plugins": {"filter": {"enabled": [{"name": "wasm"}]}},
                "pluginConfig": [
                    {"name": "wasm", "args": {"guestURL": f"file://{GUESTS}/stage.wasm"}}
                ],
            }
        ]
    }
    ready = setup({}, config)
    nodes = [node("n0", labels={"stage": "beta"})]
    run = OneShot(
        admitted([*nodes, pod("p")]).objects, config=ready.config, registry=ready.registry
    )
    assert "were of another stage" in run.run().final["default/p"]["message"]


def test_a_guest_reads_its_arguments() -> None:
    """``guestConfig`` is handed over as it is, other arguments as JSON."""
    wat = """(module
      (import "k8s.io/scheduler" "get_config" (func $ask (param i32 i32) (result i32)))
      (import "k8s.io/scheduler" "result.status_reason" (func $say (param i32 i32)))
      (memory (export "memory") 1)
      (func (export "filter") (result i32)
        (call $say (i32.const 0) (call $ask (i32.const 0) (i32.const 999))) (i32.const 2)))"""
    told = []
    for args in ({"guestConfig": "as it is"}, {"depth": 3}):
        config = {"profiles": [{"pluginConfig": [{"name": "Echo", "args": args}]}]}
        ready = _with_wat(wat, config)
        told.append(placed(ready).final["default/p0"]["message"])
    assert "4 as it is" in told[0]
    assert f"4 {json.dumps({'depth': 3})}" in told[1]


def _with_wat(wat: str, config: dict[str, Any]) -> SchedulerSetup:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "echo.wasm"
        file.write_bytes(bytes(wasmtime.wat2wasm(wat)))
        return setup({"Echo": str(file)}, config)


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("nowhere.py:Evens", "no such file"),
        ("{source}:Evnes", "there is no class Evnes"),
        ("{source}:Odd", "inherits from neither NodePlugin nor Plugin"),
        ("no.such.module:Evens", "No module named"),
        ("Evens", "expected module:Class or file.py:Class"),
        ("nowhere.wasm", "cannot be read"),
        ("{source}.wasm", "is not a valid WebAssembly module"),
    ],
)
def test_what_cannot_be_loaded_is_said(source: Path, target: str, message: str) -> None:
    """Every mistake is bad input, with the plugin's name."""
    source.with_name("mine.py.wasm").write_text("no wasm")
    with pytest.raises(InputError, match=message) as raised:
        setup({"Mine": target.format(source=source)})
    assert 'plugin "Mine"' in str(raised.value)


def test_a_syntax_error_has_a_place(tmp_path: Path) -> None:
    """File and line of a plugin that does not parse."""
    file = tmp_path / "bad.py"
    file.write_text("class A:\n    def\n")
    with pytest.raises(InputError) as raised:
        setup({"A": f"{file}:A"})
    assert (str(file), 2) == (raised.value.problems[0].file, raised.value.problems[0].line)


def test_an_exception_in_a_plugin_has_a_place(source: Path) -> None:
    """What a plugin raises is its author's to repair: file and line are those of the plugin."""
    with pytest.raises(InputError, match="ZeroDivisionError") as raised:
        placed(setup({"Broken": f"{source}:Broken"}))
    assert str(source) == raised.value.problems[0].file
    assert 0 < raised.value.problems[0].line


def test_a_score_out_of_range_is_refused(source: Path) -> None:
    """With upstream's words."""
    with pytest.raises(InputError, match="returns an invalid score 101"):
        placed(setup({"TooGood": f"{source}:TooGood"}))


class Installed(NodePlugin):
    """A plugin that some package brought along."""

    def filter(self, state: Any, pod: Any, node: Any) -> str | None:
        """Refuses everything."""
        return "node(s) were not installed"


def test_installed_plugins_are_found_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that nobody gave is looked for among the entry points."""

    class Entry:
        name = "FromAPackage"

        def load(self) -> type[NodePlugin]:
            return Installed

    monkeypatch.setattr(pluginloading, "entry_points", lambda group: [Entry()])
    config = {"profiles": [{"plugins": {"filter": {"enabled": [{"name": "FromAPackage"}]}}}]}
    outcome = placed(setup({}, config))
    assert "4 node(s) were not installed" in outcome.final["default/p0"]["message"]


def test_a_profile_decides_where_a_plugin_is_called(source: Path) -> None:
    """A plugin that a profile disables everywhere is not switched on."""
    config = {"profiles": [{"plugins": {"multiPoint": {"disabled": [{"name": "Evens"}]}}}]}
    ready = setup({"Evens": f"{source}:Evens"}, config)
    nodes = {state["node"] for state in placed(ready, 4).final.values()}
    assert {"n0", "n1", "n2", "n3"} == nodes
