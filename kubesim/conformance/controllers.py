"""``kubesim conformance controllers``: recorded timelines against the production controllers."""

from __future__ import annotations

from pathlib import Path

from kubesim.conformance.judge import Verdict, judge
from kubesim.conformance.playing import CaseStopped, Played
from kubesim.conformance.recording import load_recording


def judge_controllers(folder: Path) -> Verdict:
    """Play the recorded case in a folder and compare what was seen with the recording.

    Raises:
        InputError: If there is no such case in it.
    """
    recording = load_recording(folder)
    try:
        observed = Played(recording).play()
    except CaseStopped as stopped:
        verdict = Verdict(recording.name)
        verdict.same("the case", "played to its end", str(stopped))
        return verdict
    return judge(recording, observed)
