"""Presets: what is shipped, and how one extends another."""

from __future__ import annotations

from pathlib import Path

import pytest

from kubesim.calibration import load_preset
from kubesim.calibration.preset import preset_names
from kubesim.errors import InputError


@pytest.mark.parametrize("name", preset_names())
def test_a_shipped_preset_loads_under_its_name(name: str) -> None:
    """The file's name is the preset's, and every number has a source."""
    assert name == load_preset(name).name


def test_a_number_is_taken_over_or_replaced_whole() -> None:
    """What the CI did not measure is seed's, what it did has the CI's value and source."""
    seed, measured = load_preset("seed"), load_preset("runwasi-ci-2025")
    assert seed.containerd == measured.containerd
    assert seed.runtimes["runc"].overhead == measured.runtimes["runc"].overhead
    assert 47_000_000 == measured.runtimes["runc"].start.value
    assert "84.8 tasks/s" in measured.runtimes["runc"].start.source


def test_the_conservative_preset_is_never_faster() -> None:
    """Each duration that it gives itself is at least as long as seed's, unless seed's is no start."""
    seed, slow = load_preset("seed"), load_preset("conservative")
    for section in ("apiserver", "kubelet", "registry"):
        for name in type(getattr(seed, section)).model_fields:
            ours, theirs = (
                getattr(getattr(slow, section), name),
                getattr(getattr(seed, section), name),
            )
            slower = (
                ours.value <= theirs.value if name == "bandwidth" else ours.value >= theirs.value
            )
            assert slower, (section, name)


def test_an_unknown_base_is_an_error_with_a_place(tmp_path: Path) -> None:
    """What is extended has to be there."""
    file = tmp_path / "mine.yaml"
    file.write_text("apiVersion: kubesim.dev/v1alpha1\nkind: Preset\nname: mine\nextends: sead\n")
    with pytest.raises(InputError) as caught:
        load_preset(str(file))
    assert (4, 10) == (caught.value.problems[0].line, caught.value.problems[0].column)
    assert "seed" in caught.value.problems[0].suggestion


def test_an_incomplete_number_is_an_error_in_the_extending_file(tmp_path: Path) -> None:
    """A number without a source is refused, and the place is the file that gives it."""
    file = tmp_path / "mine.yaml"
    file.write_text(
        "apiVersion: kubesim.dev/v1alpha1\nkind: Preset\nname: mine\nextends: seed\n"
        "description: x\nregistry:\n  bandwidth:\n    value: 7M\n    grade: K\n"
    )
    with pytest.raises(InputError) as caught:
        load_preset(str(file))
    assert {str(file)} == {problem.file for problem in caught.value.problems}
    assert {8} == {problem.line for problem in caught.value.problems}
