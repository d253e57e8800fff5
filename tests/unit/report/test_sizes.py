"""The table of recommended sizes."""

from __future__ import annotations

from pathlib import Path

from vpa_harness import autoscaler, deployment, load, minutes

from kubesim.report.text import text

LARGE = {"requests": {"cpu": "800m", "memory": "1Gi"}}


def test_sizes_are_shown_beside_what_was_asked_for(tmp_path: Path) -> None:
    """Asked for, now, target, and a range without an upper bound that says nothing."""
    live = load(tmp_path, deployment(**LARGE), autoscaler(mode="Off"), hours=0.1)
    lines = text(minutes(live, 6).finish()).splitlines()
    (row,) = (line.split() for line in lines if "default/web" in line and "Off" in line)
    assert row[1:8] == ["Off", "main", "2", "800m", "1024Mi", "800m", "1024Mi"]
    assert row[8:10] == ["126m", "250Mi"]
    assert any(
        "At their targets the pods ask for -1348m cpu and -1548Mi memory" in line for line in lines
    )


def test_a_cluster_without_autoscalers_has_no_such_table(tmp_path: Path) -> None:
    """Nothing is said where nobody recommends."""
    live = load(tmp_path, deployment(**LARGE), hours=0.1)
    assert "Recommended sizes" not in text(minutes(live, 1).finish())
