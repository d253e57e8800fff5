"""``kubesim conformance controllers``: recorded timelines against the production controllers."""

from __future__ import annotations

from pathlib import Path

from kubesim.conformance.judge import Verdict, judge
from kubesim.conformance.playing import CaseStopped, Played
from kubesim.conformance.recording import Recording, load_recording

TOKENS_APART = 3  # 150 ms of 20 tokens a second: nearer ones could not be told apart
MOST_SPENT = 48


def judge_controllers(folder: Path) -> Verdict:
    """Play the recorded case in a folder and compare what was seen with the recording.

    How full the bucket of the ReplicaSet controller's client was at time 0 is not recorded: the case
    before had used it too. A case that is not equal with a full one is played with emptier ones; what
    differs is said of the full one, unless a case is equal with another.

    Raises:
        InputError: If there is no such case in it.
    """
    recording = load_recording(folder)
    first = _judged(recording, spent=0)
    if first.passed or "rsSpecSequence" not in recording.expected:
        return first
    for spent in range(TOKENS_APART, MOST_SPENT + 1, TOKENS_APART):
        verdict = _judged(recording, spent=spent)
        if verdict.passed:
            verdict.note = f"with {spent} tokens of the ReplicaSet controller spent before"
            return verdict
    return first


def _judged(recording: Recording, *, spent: int) -> Verdict:
    try:
        observed = Played(recording, spent=spent).play()
    except CaseStopped as stopped:
        verdict = Verdict(recording.name)
        verdict.same("the case", "played to its end", str(stopped))
        return verdict
    return judge(recording, observed)
