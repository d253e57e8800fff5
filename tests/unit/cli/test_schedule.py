"""``kubesim schedule`` as its users meet it."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from kubesim.cli import main as cli

CASES = Path(__file__).parents[2] / "golden" / "scheduler" / "cases"
NODES = """apiVersion: v1
kind: List
items:
- apiVersion: v1
  kind: Node
  metadata: {name: n1, labels: {kubernetes.io/hostname: n1}}
  status: {capacity: {cpu: "2", memory: 4Gi, pods: "10"}}
- apiVersion: v1
  kind: Node
  metadata: {name: n2, labels: {kubernetes.io/hostname: n2}}
  status: {capacity: {cpu: "4", memory: 8Gi, pods: "10"}}
"""
POD = """apiVersion: v1
kind: Pod
metadata: {{name: {name}}}
spec:
  containers:
  - name: c
    image: app:1
    resources: {{requests: {{cpu: "{cpu}"}}}}
---
"""
Schedule = Callable[..., tuple[int, str, str]]


@pytest.fixture
def schedule(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Schedule:
    """Calls ``kubesim schedule`` in this process: exit code, output, errors."""

    def call(*args: str, stdin: str = "") -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["kubesim", "schedule", *args])
        monkeypatch.setattr(sys, "stdin", io.StringIO(stdin))
        with pytest.raises(SystemExit) as ended:
            cli.main()
        captured = capsys.readouterr()
        return int(ended.value.code or 0), captured.out, captured.err

    return call


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """A folder with two nodes and two pods that fit."""
    (tmp_path / "nodes.yaml").write_text(NODES)
    pods = POD.format(name="a", cpu="1") + POD.format(name="b", cpu="1")
    (tmp_path / "pods.yaml").write_text(pods)
    return tmp_path


def test_pods_of_a_folder_are_placed(schedule: Schedule, files: Path) -> None:
    """Everything placed: exit 0, a table and a summary."""
    code, out, _ = schedule("-f", str(files))
    assert 0 == code
    assert "default/a  bound  n2" in out
    assert "2 pods: 2 bound; 1 nodes in use" in out or "2 pods: 2 bound; 2 nodes in use" in out


def test_files_and_standard_input_mix(schedule: Schedule, files: Path) -> None:
    """``-`` stands for standard input, and ``-f`` can be repeated."""
    pods = POD.format(name="late", cpu="1")
    code, out, _ = schedule("-f", str(files / "nodes.yaml"), "-f", "-", "-o", "json", stdin=pods)
    assert (0, {"default/late"}) == (code, set(json.loads(out)["final"]))


def test_an_unplaced_pod_is_exit_1(schedule: Schedule, files: Path) -> None:
    """What does not fit is told with the words of the pod's condition."""
    pods = POD.format(name="big", cpu="9")
    code, out, _ = schedule("-f", str(files), "-f", "-", stdin=pods)
    assert 1 == code
    assert "1 not placed: 0/2 nodes are available: 2 Insufficient cpu." in out


TIGHT = (POD.format(name="small-1", cpu="1") + POD.format(name="small-2", cpu="1")) + POD.format(
    name="large", cpu="4"
)


def test_the_largest_go_first_if_that_places_more(schedule: Schedule, files: Path) -> None:
    """Two small pods spread over both nodes leave no room for a large one that came first."""
    (files / "pods.yaml").unlink()
    code, out, _ = schedule("-f", str(files), "-f", "-", stdin=TIGHT)
    assert 0 == code
    assert "the largest pods went first" in out


def test_the_order_of_the_files_can_be_asked_for(schedule: Schedule, files: Path) -> None:
    """Then the large pod stays out, as it does in a cluster to which it comes last."""
    (files / "pods.yaml").unlink()
    code, out, _ = schedule("-f", str(files), "-f", "-", "--order", "given", stdin=TIGHT)
    assert (1, True) == (code, "1 not placed" in out)


def test_pods_that_arrived_keep_their_turn(schedule: Schedule, files: Path) -> None:
    """A dump says when its pods came; the first stays first."""
    (files / "pods.yaml").unlink()
    metadata = '{name: large, uid: u, creationTimestamp: "2026-01-01T00:00:00Z"}'
    dump = TIGHT.replace("{name: large}", metadata)
    code, _, _ = schedule("-f", str(files), "-f", "-", stdin=dump)
    assert 1 == code


def test_json_has_the_format_of_the_recordings(schedule: Schedule, files: Path) -> None:
    """Final states and order of binding; attempts when they are asked for."""
    _, out, _ = schedule("-f", str(files), "-o", "json")
    plain = json.loads(out)
    _, out, _ = schedule("-f", str(files), "-o", "json", "--explain")
    explained = json.loads(out)
    assert {"state": "bound", "node": "n2"} == plain["final"]["default/a"]
    assert ["default/a", "n2"] == plain["bindOrder"][0]
    assert plain["bindOrder"] == explained["bindOrder"]
    assert ["n1", "n2"] == explained["attempts"][0]["feasible"]
    assert "attempts" not in plain


def test_explain_prints_the_tree(schedule: Schedule, files: Path) -> None:
    """Who refused what, and the scores of the best nodes."""
    pods = POD.format(name="wide", cpu="3")
    args = ("-f", str(files), "-f", "-", "--explain", "--order", "given")
    _, out, _ = schedule(*args, stdin=pods)
    assert "default/a -> n2 (2 of 2 nodes fit)" in out
    assert "Insufficient cpu: 1 node (n1)" in out


def test_a_configuration_is_heeded(schedule: Schedule, files: Path) -> None:
    """A profile of one's own changes the choice."""
    config = files.parent / "config.yaml"
    config.write_text(
        """apiVersion: kubescheduler.config.k8s.io/v1
kind: KubeSchedulerConfiguration
profiles:
- pluginConfig:
  - name: NodeResourcesFit
    args: {scoringStrategy: {type: MostAllocated}}
"""
    )
    _, out, _ = schedule("-f", str(files), "--config", str(config), "-o", "json")
    assert "n1" == json.loads(out)["final"]["default/a"]["node"]


def test_a_wrong_configuration_has_a_place(schedule: Schedule, files: Path) -> None:
    """A plugin that does not exist is the user's mistake: exit 2, with file and line."""
    config = files.parent / "wrong.yaml"
    config.write_text(
        """apiVersion: kubescheduler.config.k8s.io/v1
kind: KubeSchedulerConfiguration
profiles:
- plugins: {filter: {enabled: [{name: Nope}]}}
"""
    )
    code, _, err = schedule("-f", str(files), "--config", str(config))
    assert 2 == code
    assert "wrong.yaml:4" in err
    assert 'plugin "Nope" does not exist' in err


@pytest.mark.parametrize("args", [(), ("-f", "nodes.yaml", "--case", "x")])
def test_one_way_in(schedule: Schedule, args: tuple[str, ...]) -> None:
    """Files, a case or a replay: exactly one of them."""
    code, _, err = schedule(*args)
    assert (2, True) == (code, "give one of" in err)


def test_the_same_pod_twice_is_a_mistake(schedule: Schedule, files: Path) -> None:
    """Two pods of one name are refused, with the place of the second."""
    again = POD.format(name="a", cpu="1")
    code, _, err = schedule("-f", str(files), "-f", "-", stdin=again)
    assert 2 == code
    assert '<stdin>:3:18: metadata.name: Pod "a" already exists' in err


def test_what_admission_refuses_is_told(schedule: Schedule, files: Path) -> None:
    """A pod that the API server would refuse is not placed, with the reason."""
    pods = POD.format(name="odd", cpu="1").replace("spec:", "spec:\n  runtimeClassName: nope")
    code, out, _ = schedule("-f", str(files), "-f", "-", "-o", "json", stdin=pods)
    assert 1 == code
    assert 'RuntimeClass "nope" not found' in json.loads(out)["rejectedAtAdmission"]["default/odd"]


def test_a_dump_with_states_is_taken_up(schedule: Schedule, files: Path) -> None:
    """Bound pods of a ``kubectl get -o yaml`` dump stay where they are and take their room."""
    dump = """apiVersion: v1
kind: List
items:
- apiVersion: v1
  kind: Pod
  metadata: {name: old, namespace: default, uid: u1, creationTimestamp: "2026-01-01T00:00:00Z"}
  spec:
    nodeName: n2
    containers: [{name: c, image: "app:1", resources: {requests: {cpu: "4"}}}]
  status: {phase: Running}
"""
    _, out, _ = schedule("-f", str(files), "-f", "-", "-o", "json", stdin=dump)
    nodes = {key: state["node"] for key, state in json.loads(out)["final"].items()}
    assert {"default/old": "n2", "default/a": "n1", "default/b": "n1"} == nodes


def test_a_case_is_played_from_end_to_end(schedule: Schedule) -> None:
    """``--case`` gives the recorded final states, of workloads too."""
    folder = CASES / "42-statefulset"
    code, out, _ = schedule("--case", str(folder), "-o", "json", "--explain")
    recorded = json.loads((folder / "expected.json").read_text())
    actual = json.loads(out)
    assert 0 == code
    assert recorded["bindOrder"] == actual["bindOrder"]
    assert [a["selected"] for a in recorded["attempts"]] == [
        a["selected"] for a in actual["attempts"]
    ]


def test_a_recording_is_replayed(schedule: Schedule) -> None:
    """``--replay`` judges every attempt, and exits 0 when all are equal."""
    code, out, _ = schedule("--replay", str(CASES / "22-preemption-basic"))
    assert 0 == code
    assert "attempts equal" in out


def test_a_folder_without_a_case_is_a_mistake(schedule: Schedule, tmp_path: Path) -> None:
    """A folder without ``input.yaml`` is bad input."""
    code, _, err = schedule("--case", str(tmp_path))
    assert (2, True) == (code, "input.yaml" in err)
