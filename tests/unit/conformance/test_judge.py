"""The judge of recorded cases: it finds what differs, and nothing passes that compares nothing."""

from __future__ import annotations

from typing import Any

from kubesim.conformance import history
from kubesim.conformance.judge import Verdict, exact_until_ms, judge
from kubesim.conformance.recording import KubeletScript, Recording

SEEN: dict[str, Any] = {
    "apiCalls": [{"ms": 0, "done_ms": 4, "op": "scale", "target": "rs", "code": 200}],
    "initial": [{"kind": "ReplicaSet", "name": "rs", "spec": 1, "replicas": 1}],
    "timeline": [
        [4, "ReplicaSet", "rs", "CHG", {"spec": 2}],
        [8, "Pod", "rs-p2", "NEW", {"phase": "Pending"}],
        [1010, "Pod", "rs-p2", "CHG", {"phase": "Running", "ready": True}],
        [1012, "ReplicaSet", "rs", "CHG", {"replicas": 2}],
    ],
    "podCreated": [[8, "rs-p2"]],
    "podReady": [[1010, "rs-p2"]],
    "podDeleteRequested": [],
    "podGone": [],
    "rsSpecSequence": [[0, {"rs": 1}], [4, {"rs": 2}]],
    "final": [{"kind": "ReplicaSet", "name": "rs", "spec": 2, "replicas": 2}],
    "eventCounts": [],
}


def recording(name: str = "rs-up", **changes: Any) -> Recording:
    return Recording(
        name=name,
        kubelet=KubeletScript(values={}),
        setup=(),
        actions=(),
        watch={},
        expected={**SEEN, **changes},
    )


def test_the_same_is_equal() -> None:
    """A case that was seen as it was recorded has no differences, and counts what it compared."""
    verdict = judge(recording(), SEEN)
    assert [] == verdict.differences
    assert verdict.compared > 10
    assert verdict.passed


def test_nothing_compared_does_not_pass() -> None:
    """A verdict over no items at all is not a pass."""
    assert not Verdict("empty").passed


def test_a_moment_may_be_off_by_150_ms() -> None:
    """A pod that is ready 149 ms late is equal, one that is 151 ms late is not."""
    for late_ms, differences in ((149, 0), (151, 1)):
        verdict = judge(recording(), {**SEEN, "podReady": [[1010 + late_ms, "rs-p2"]]})
        assert differences == len(verdict.differences)


def test_a_state_at_rest_counts() -> None:
    """A field that differs while nothing moves is found though the end is the same."""
    timeline = [*SEEN["timeline"]]
    timeline[0] = [4, "ReplicaSet", "rs", "CHG", {"spec": 2, "readyReplicas": 7}]
    timeline.append([1012, "ReplicaSet", "rs", "CHG", {"readyReplicas": None}])
    verdict = judge(recording(), {**SEEN, "timeline": timeline})
    assert ["at 509 ms ReplicaSet rs: want {}, got {'readyReplicas': 7}"] == verdict.differences


def test_a_missing_object_is_found() -> None:
    """An object that should be there at the end, and is not, differs."""
    verdict = judge(recording(), {**SEEN, "final": []})
    assert 1 == len(verdict.differences)


def test_rollouts_are_exact_up_to_the_first_coincidence() -> None:
    """Sizes set after two pods became ready together are not compared, but in a staggered case."""
    sizes = [[0, {"a": 2, "b": 1}], [2000, {"a": 1, "b": 1}]]
    together = {"podReady": [[1000, "b-p1"], [1050, "b-p2"]], "rsSpecSequence": sizes}
    assert 1000 == exact_until_ms(recording("dep-rolling", **together))
    assert float("inf") == exact_until_ms(recording("dep-rolling-staggered", **together))


def test_a_job_that_missed_a_pod_by_milliseconds_is_not_asked_until_its_next_sync() -> None:
    """What one sync still saw of pods that ended at the same time is chance; a second's delay is not."""
    job = {"active": 1, "uncountedTerminatedPods": {"succeeded": 1}}
    after = [2000, "Job", "j", "CHG", {"succeeded": 2, "uncountedTerminatedPods": None}]
    for second_ms, spells in ((1003, [(1006, 2000)]), (500, [])):
        timeline = [
            [400, "Pod", "j-p1", "CHG", {"phase": "Succeeded"}],
            [second_ms, "Pod", "j-p2", "CHG", {"phase": "Succeeded"}],
            [1006, "Job", "j", "CHG", job],
            after,
        ]
        assert spells == history.overtaken({"timeline": timeline})
