"""The autoscaler against Kubernetes' own test cases."""

from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from kubesim.cli.main import app
from kubesim.conformance.hpa import judge_files
from kubesim.errors import InputError

GOLDEN = Path(__file__).parents[1] / "golden" / "hpa"
FILES = sorted(GOLDEN.glob("*.yaml"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_recorded_case_is_equal(path: Path):
    """Replica counts, statuses, conditions, events and histories are those of the original."""
    (verdict,) = judge_files([path])

    assert [] == [(item.name, item.differences) for item in verdict.lists if item.differences]


def test_all_cases_are_judged():
    """Every list of every file is counted: nothing is passed over in silence."""
    totals = {item.name: item.total for verdict in judge_files([GOLDEN]) for item in verdict.lists}

    written = {
        name: len(cases)
        for path in FILES
        for name, cases in yaml.safe_load(path.read_text()).items()
        if isinstance(cases, list)
    }
    assert written == totals
    assert 288 == sum(totals.values())


def test_a_changed_expectation_is_found(tmp_path: Path):
    """A file with one wrong expectation is reported with that case, and exit code 1."""
    text = (GOLDEN / "behaviors.yaml").read_text()
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text(text.replace("expected: {replicas: 7,", "expected: {replicas: 8,", 1))

    result = CliRunner().invoke(app, ["conformance", "hpa", str(wrong)])

    assert 1 == result.exit_code
    assert "76/77 equal" in result.stdout
    assert "replicas: expected 8, is 7" in result.stdout


def test_a_changed_input_changes_the_answer(tmp_path: Path):
    """The answers come from the inputs: other usage gives another count."""
    document = yaml.safe_load((GOLDEN / "replica_calculator.yaml").read_text())
    case = next(c for c in document["replica_cases"] if c["name"] == "TestReplicaCalcScaleUp")
    for pod in case["pods"]:
        pod["metric"]["usage_m"] = {"container1": 600, "container2": 600}
    path = tmp_path / "other.yaml"
    path.write_text(yaml.safe_dump({"format": document["format"], "replica_cases": [case]}))

    (verdict,) = judge_files([path])

    (difference,) = verdict.lists[0].differences
    assert {"replicas": 6, "utilization": 60, "value": 1200} == difference.actual


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("format: other/1\n", "its format is"),
        ("a: [", "it is not YAML"),
        ("format: hpa-behaviors/1\nsurprises: [{}]\n", "no list of cases is called"),
        ("format: hpa-behaviors/1\npolicy_limits: [{name: x}]\n", 'case "x" cannot be read'),
    ],
)
def test_what_is_not_a_file_of_cases_is_refused(tmp_path: Path, text: str, message: str):
    """Other input is an error of the user's, which names the file."""
    path = tmp_path / "bad.yaml"
    path.write_text(text)

    with pytest.raises(InputError, match=message) as caught:
        judge_files([path])

    assert str(path) in str(caught.value)
