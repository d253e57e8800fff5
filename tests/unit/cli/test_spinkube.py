"""``validate --strictness`` and ``run --recommend``."""

from __future__ import annotations

import pytest

from kubesim.cli.options import OutputFormat
from kubesim.cli.running import run_command
from kubesim.cli.validating import validate_command
from kubesim.errors import InputError
from kubesim.share import share_path

ARTICLE = str(share_path("scenarios") / "seed-manifests" / "manifests")


@pytest.mark.parametrize(("strictness", "count"), [(None, 14), ("strict", 14), ("warn", 5)])
def test_validate_refuses_the_article(strictness: str | None, count: int) -> None:
    """Strictly, which is the default, everything is a problem; with warnings what is refused."""
    with pytest.raises(InputError) as refused:
        validate_command([ARTICLE], strictness=strictness)  # type: ignore[arg-type]
    assert count == len(refused.value.problems)


def test_validate_reads_the_article_leniently(capsys: pytest.CaptureFixture[str]) -> None:
    """Leniently the article is valid, and standard error has every conversion."""
    assert 0 == validate_command([ARTICLE], strictness="lenient")
    shown = capsys.readouterr()
    assert "3 SpinApps valid" in shown.out
    for number in (1, 3, 4, 5, 6, 7, 9, 10, 11, 18):
        assert f"(W{number})" in shown.err


def test_executor_elsewhere_is_not_a_mistake(capsys: pytest.CaptureFixture[str]) -> None:
    """When no executor is among the files, the cluster may have it: a remark, not a problem."""
    walkthrough = share_path("scenarios") / "spinkube-walkthrough"
    assert 0 == validate_command([str(walkthrough / "later" / "refused.yaml")])
    assert "it must be in the cluster already" in capsys.readouterr().err


def test_run_recommends(capsys: pytest.CaptureFixture[str]) -> None:
    """``--recommend`` adds the recommendations to the report."""
    code = run_command(
        "mixed-pool", seed=None, until="30s", preset=None, output=OutputFormat.TEXT, out=None,
        table_format=None, sources=False, recommend=True,
    )  # fmt: skip
    assert code in (0, 1)
    shown = capsys.readouterr().out
    assert "Which runtime for which workload" in shown
    assert "Deployment/greeter" in shown
