"""``kubesim conformance``: exit codes and what is said."""

from __future__ import annotations

from pathlib import Path

import pytest

from kubesim.cli.conforming import conformance_command
from kubesim.cli.options import OutputFormat
from kubesim.errors import InputError

SCHEDULER_CASES = Path(__file__).parents[2] / "golden/scheduler/cases"


def test_an_equal_case_exits_with_0(capsys: pytest.CaptureFixture[str]) -> None:
    """A recorded case of the scheduler is judged equal, and the number of items is said."""
    case = SCHEDULER_CASES / "01-fit-least-allocated"
    assert 0 == conformance_command("scheduler", [case], output=OutputFormat.TEXT)
    assert "1 of 1 cases equal" in capsys.readouterr().out


@pytest.mark.parametrize("what", ["scheduler", "controllers"])
def test_a_folder_without_a_case_is_bad_input(what: str, tmp_path: Path) -> None:
    """A folder that has no case in it is the user's mistake, not an equal case."""
    with pytest.raises(InputError, match="expected a folder with"):
        conformance_command(what, [tmp_path], output=OutputFormat.TEXT)


def test_an_unknown_subject_is_bad_input() -> None:
    """What cannot be judged is refused with a list of what can."""
    with pytest.raises(InputError, match="controllers, hpa, scheduler"):
        conformance_command("kubelet", [SCHEDULER_CASES], output=OutputFormat.TEXT)
