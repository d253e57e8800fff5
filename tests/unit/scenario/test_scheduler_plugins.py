"""A scenario's own scheduler: configuration, plugins, and what becomes of mistakes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from kubesim.errors import InputError
from kubesim.scenario import Scenario
from kubesim.scenario.asking import Question
from kubesim.telemetry import Run


def test_the_shipped_scenario_holds(shipped: Callable[[str], Run]) -> None:
    """Two guests and a Python class place pods as its expectations say."""
    run = shipped("scheduler-plugins")
    assert [] == [result.name for result in run.expectations if not result.passed]


def test_plugins_are_seen_in_why() -> None:
    """A refusal by a guest, one by a class, and the points of a guest."""
    scenario = Scenario.load("scheduler-plugins")
    refused = Question(scenario, "red-9").answer()["attempt"]["refused"]
    assert [("Stage", ["beta-0"]), ("TeamLimit", ["cheap-0", "cheap-1", "dear-0", "dear-1"])] == [
        (group["plugin"], group["nodes"]) for group in refused
    ]
    scores = Question(scenario, "thrifty-0").answer()["attempt"]["scores"]
    assert 800 == scores[0]["plugins"]["Thrift"]


def test_plugins_belong_to_the_digest(write_scenario: Callable[..., Path]) -> None:
    """A plugin that changed makes another scenario."""
    scheduler = "scheduler: {plugins: {Mine: mine.py:Mine}}"
    path = write_scenario(scheduler)
    digests = []
    for limit in (1, 2):
        path.with_name("mine.py").write_text(
            "from kubesim.controlplane.scheduler.userplugin import NodePlugin\n"
            f"class Mine(NodePlugin):\n    limit = {limit}\n"
        )
        digests.append(Scenario.load(path).digest)
    assert digests[0] != digests[1]


@pytest.mark.parametrize(
    ("scheduler", "message"),
    [
        ("{config: nowhere.yaml}", "no file"),
        ("{plugins: {Mine: nowhere.py:Mine}}", "no such file"),
        ("{plugins: {Mine: nowhere.wasm}}", "cannot be read"),
        ("{config: config.yaml}", 'plugin "Unknown" does not exist'),
    ],
)
def test_mistakes_have_a_place(
    write_scenario: Callable[..., Path], scheduler: str, message: str
) -> None:
    """A missing file or plugin is bad input, with the line in the scenario."""
    path = write_scenario(f"scheduler: {scheduler}")
    path.with_name("config.yaml").write_text(
        "apiVersion: kubescheduler.config.k8s.io/v1\n"
        "kind: KubeSchedulerConfiguration\n"
        "profiles: [{plugins: {filter: {enabled: [{name: Unknown}]}}}]\n"
    )
    with pytest.raises(InputError, match=message) as raised:
        Scenario.load(path)
    problem = raised.value.problems[0]
    assert (str(path), True) == (problem.file, problem.line > 0)
