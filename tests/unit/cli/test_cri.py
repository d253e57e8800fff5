"""``kubesim cri``: a pod's CRI calls."""

from __future__ import annotations

import json
import sys
from itertools import pairwise

import pytest

from kubesim.cli import main as cli


def kubesim(monkeypatch: pytest.MonkeyPatch, *args: str) -> int | str | None:
    """Call the command line; gives its exit code."""
    monkeypatch.setattr(sys, "argv", ["kubesim", *args])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    return ended.value.code


def test_the_calls_of_a_pod(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """By their v1 names and services, in order, with times that do not overlap for one container."""
    code = kubesim(monkeypatch, "cri", "report", "--scenario", "mixed-pool", "-o", "json")
    answer = json.loads(capsys.readouterr().out)
    calls = answer["calls"]

    assert 0 == code
    assert "default/report" == answer["pod"]
    assert [
        ("RuntimeService", "RunPodSandbox"), ("RuntimeService", "PodSandboxStatus"),
        ("ImageService", "ImageStatus"), ("ImageService", "PullImage"),
        ("ImageService", "ImageStatus"), ("ImageService", "ImageStatus"),
        ("RuntimeService", "CreateContainer"), ("RuntimeService", "StartContainer"),
        ("RuntimeService", "StopPodSandbox"),
    ] == [(call["service"], call["method"]) for call in calls]  # fmt: skip
    assert all(a["ended_ns"] <= b["began_ns"] for a, b in pairwise(calls))
    assert {""} == {call["error"] for call in calls}


def test_as_text(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """One line a call."""
    kubesim(monkeypatch, "cri", "report", "--scenario", "mixed-pool", "--at", "30s")
    text = capsys.readouterr().out

    assert "RuntimeService/StartContainer" in text
    assert "default/report on wasm-" in text


def test_a_pod_that_there_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit code 2, as for every mistake."""
    assert 2 == kubesim(monkeypatch, "cri", "nobody", "--scenario", "mixed-pool")
