"""``kubesim conformance controllers``: recorded timelines against the production controllers."""

from __future__ import annotations

from pathlib import Path

from kubesim.conformance.conditions import ALONE, RECORDED
from kubesim.conformance.judge import Verdict, judge
from kubesim.conformance.playing import CaseStopped, Played
from kubesim.conformance.recording import load_recording


def judge_controllers(folder: Path) -> Verdict:
    """Play the recorded case in a folder and compare what was seen with the recording.

    Raises:
        InputError: If there is no such case in it.
    """
    recording = load_recording(folder)
    conditions = RECORDED.get(recording.name, ALONE)
    try:
        observed = Played(recording, conditions).play()
    except CaseStopped as stopped:
        verdict = Verdict(recording.name)
        verdict.same("the case", "played to its end", str(stopped))
        return verdict
    verdict = judge(recording, observed)
    verdict.note = conditions.note()
    return verdict
