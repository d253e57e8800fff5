"""``kubesim conformance scheduler``: recorded scheduling decisions against the production scheduler.

Compared: of every attempt the feasible nodes, the rejections, the raw and total scores and the node
selected, each attempt decided in the recorded state (one item an attempt); and of the case played from
end to end, the state, the node and the message of every pod (one item a pod).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kubesim.cluster.schedulercase import play_case
from kubesim.conformance.judge import Verdict
from kubesim.controlplane.scheduler.recorded import load_case
from kubesim.controlplane.scheduler.replay import replay
from kubesim.errors import InputError, Problem

ATTEMPT_FIELDS = ("feasible", "rejected", "rawScores", "scores", "selected")
FINAL_FIELDS = ("state", "node", "message")


def judge_scheduler(folder: Path) -> Verdict:
    """Decide a recorded case again and compare.

    Raises:
        InputError: If there is no such case in the folder.
    """
    for file in ("input.yaml", "meta.yaml", "expected.json"):
        if not (folder / file).is_file():
            message = f"expected a folder with input.yaml, meta.yaml and expected.json, no {file}"
            raise InputError(Problem(message=message, file=str(folder)))
    case = load_case(folder)
    verdict = Verdict(case.name)
    recorded, attempts = case.expected["attempts"], replay(case)
    verdict.same("number of attempts", len(recorded), len(attempts))
    for index, (want, got) in enumerate(zip(recorded, attempts, strict=False)):
        verdict.same(f"attempt {index} of {want['pod']}", *_comparable(want, got))
    final = play_case(case).final()
    for pod, want in case.expected["final"].items():
        seen = final.get(pod, {})
        wanted, got = ({k: one.get(k) for k in FINAL_FIELDS} for one in (want, seen))
        verdict.same(f"at the end {pod}", wanted, got)
    return verdict


def _comparable(
    want: Mapping[str, Any], got: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The fields of an attempt that are compared; recordings have raw scores of some plugins only."""
    wanted = {name: want.get(name) or None for name in ATTEMPT_FIELDS}
    seen = {name: got.get(name) or None for name in ATTEMPT_FIELDS}
    for one in (wanted, seen):
        if one["scores"]:
            one["scores"] = {node: score.get("total") for node, score in one["scores"].items()}
    if wanted["rawScores"] and seen["rawScores"]:
        raw = seen["rawScores"].items()
        seen["rawScores"] = {plugin: s for plugin, s in raw if plugin in wanted["rawScores"]}
    return wanted, seen
