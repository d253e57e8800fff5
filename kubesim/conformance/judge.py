"""The judge: what was seen of a case against what was recorded.

Compared, each a counted item:

- every API call in order: operation, target, code, and of a refusal its reason, message and details;
- the state of every object at time 0, at every moment of rest (nothing changed within 170 ms on both
  sides; so a change may come 150 ms early or late) and at the end, there with the conditions in
  their order and their messages;
- the sizes of ReplicaSets in the order in which they were set, each within 150 ms;
- when each pod was created, ready, asked to go and gone, within 150 ms: by name if it has one of its
  own, otherwise the k-th of those that are alike; and for StatefulSets the order of these steps;
- Events: source, kind, type, reason, message and count; of the scheduler's without the count;
- of cases too large for lists: how many pods in every second (the first exactly, the others by one
  more or less), when the k-th came, and how many at the end.

Not compared: the node of a pod (the scheduler of the recordings had 16 hands), the order of what
happened at once, which of several pods that are alike, times of Events, the words of FailedScheduling
(which nodes there were beside those of a case is not recorded; the scheduler's own cases have them).

Nor is what a Job says from a sync that missed a pod by milliseconds until its next one: two kinds have
two watches, and their order within 10 ms means nothing.

In a rollout during which two pods became ready within 100 ms, the sizes depend on how many of them one
sync saw. There everything is compared up to that moment, then the end, and the invariants of the
rollout for every size in between. The recordings' README names the kinds of cases that are exact
nevertheless.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from kubesim.conformance import history
from kubesim.conformance.history import TOLERANCE_MS, History
from kubesim.conformance.invariants import broken
from kubesim.conformance.recording import Recording

EXACT_KINDS = re.compile(r"staggered|surge[01]-|surge[01]$|minready|recreate|progress-deadline")
POD_LISTS = ("podCreated", "podReady", "podDeleteRequested", "podGone")
SHOWN_CHARACTERS = 400


@dataclass(slots=True)
class Verdict:
    """What the comparison of one case came to.

    Attributes:
        name: The case.
        compared: How many items were compared.
        differences: What differs.
        note: Under which assumption, if any.
    """

    name: str
    compared: int = 0
    differences: list[str] = field(default_factory=list)
    note: str = ""

    @property
    def equal(self) -> int:
        """How many items are equal."""
        return self.compared - len(self.differences)

    @property
    def passed(self) -> bool:
        """Whether all are, and there were any."""
        return self.compared > 0 and not self.differences

    def same(self, what: str, want: Any, got: Any) -> None:
        """Compare one item."""
        self.compared += 1
        if want != got:
            wanted, seen = _where_they_differ(want, got)
            self.differences.append(f"{what}: want {_short(wanted)}, got {_short(seen)}")

    def near(self, what: str, want_ms: float, got_ms: float | None) -> None:
        """Compare one moment."""
        self.compared += 1
        off_ms = float("inf") if got_ms is None else got_ms - want_ms
        if abs(off_ms) > TOLERANCE_MS:
            got = "never" if got_ms is None else f"{got_ms:g} ms"
            self.differences.append(f"{what}: want {want_ms:g} ms, got {got}")


def judge(recording: Recording, observed: Mapping[str, Any]) -> Verdict:
    """Compare what was seen of a case with its recording."""
    verdict = Verdict(recording.name)
    expected = recording.expected
    until_ms = exact_until_ms(recording)
    is_exact = until_ms == float("inf")
    _calls(verdict, expected, observed)
    _states(verdict, recording, observed, until_ms)
    _final(verdict, recording, observed)
    if "rsSpecSequence" in expected:
        _sizes(verdict, recording, observed, until_ms)
    for name in POD_LISTS:
        if name in expected:
            _pods(verdict, recording, observed, name, until_ms)
        elif f"{name}PerSecond" in expected and is_exact:
            _many(verdict, expected, observed, name)
    _order_of_steps(verdict, expected, observed)
    _events(verdict, recording, observed, is_exact=is_exact)
    return verdict


def exact_until_ms(recording: Recording) -> float:
    """Up to which moment a recording is deterministic; infinite if it is all along."""
    if EXACT_KINDS.search(recording.name):
        return float("inf")
    first_ms = history.first_coincidence(recording.expected)
    sequence = history.spec_sequence(recording.expected) if _has_sizes(recording) else []
    acted_ms = [call["done_ms"] for call in recording.expected["apiCalls"]]
    for at_ms, sizes in sequence:
        # A size that a user or a namespace's end set is no consequence of what became ready.
        by_user = any(0 <= at_ms - done_ms <= TOLERANCE_MS for done_ms in acted_ms)
        if at_ms > first_ms and len(sizes) > 1 and not by_user:
            return first_ms
    return float("inf")


def _has_sizes(recording: Recording) -> bool:
    return "rsSpecSequence" in recording.expected


def _calls(verdict: Verdict, expected: Mapping[str, Any], observed: Mapping[str, Any]) -> None:
    verdict.same("API calls", len(expected["apiCalls"]), len(observed["apiCalls"]))
    for want, got in zip(expected["apiCalls"], observed["apiCalls"], strict=False):
        names: tuple[str, ...] = ("op", "target", "code")
        if want["code"] >= 400:
            names += ("reason", "message", "details")
        what = f"call {want['op']} {want['target']} at {want['ms']} ms"
        verdict.same(what, *({k: call.get(k) for k in names} for call in (want, got)))


def _states(
    verdict: Verdict, recording: Recording, observed: Mapping[str, Any], until_ms: float
) -> None:
    wanted, seen = History(recording.expected, recording), History(observed, recording)
    moments = history.moments_of_rest(recording.expected, until_ms=until_ms)
    is_large = any(key.endswith("PerSecond") for key in recording.expected)
    for moment in [-1.0, *moments]:
        when = "at time 0" if moment < 0 else f"at {moment:.0f} ms"
        want, got = (one.described(one.at(moment).items()) for one in (wanted, seen))
        if is_large:
            got = {name: state for name, state in got.items() if not name.startswith("Pod ")}
        if wanted.partial:
            # Only what changed is recorded.
            got = {
                name: {key: got.get(name, {}).get(key) for key in state}
                for name, state in want.items()
            }
        for name in sorted(want.keys() | got.keys()):
            verdict.same(f"{when} {name}", want.get(name), got.get(name))


def _final(verdict: Verdict, recording: Recording, observed: Mapping[str, Any]) -> None:
    one = History(recording.expected, recording)
    want, got = (
        one.described(((i["kind"], i["name"]), i) for i in data["final"] if "kind" in i)
        for data in (recording.expected, observed)
    )
    pods = next((i["pods"] for i in recording.expected["final"] if "pods" in i), None)
    if pods is not None:
        seen = sum(item["kind"] == "Pod" for item in observed["final"])
        verdict.same("pods at the end", pods, seen)
        got = {name: state for name, state in got.items() if not name.startswith("Pod ")}
    for name in sorted(want.keys() | got.keys()):
        verdict.same(f"at the end {name}", want.get(name), got.get(name))
    spreads = [_spread(data["final"]) for data in (recording.expected, observed)]
    if any("bind" in rule.values for rule in recording.kubelet.rules):
        verdict.same("pods left on a node", *spreads)


def _spread(final: Sequence[Mapping[str, Any]]) -> list[int]:
    """How many pods the nodes have, whichever they are."""
    return sorted(Counter(i.get("node") for i in final if i.get("kind") == "Pod").values())


def _sizes(
    verdict: Verdict, recording: Recording, observed: Mapping[str, Any], until_ms: float
) -> None:
    want, got = (
        history.without_blinks(history.spec_sequence(data))
        for data in (recording.expected, observed)
    )
    orphaned_ms = _when_gone(recording.expected, "Deployment")
    exact = [line for line in want if line[0] <= min(until_ms, orphaned_ms)]
    if len(exact) == len(want):
        verdict.same("number of sizes", len(want), len(got))
    for index, (at_ms, sizes) in enumerate(exact):
        seen = got[index] if index < len(got) else [None, None]
        verdict.same(f"size {index}", sizes, seen[1])
        verdict.near(f"size {index} {_short(sizes)}", at_ms, seen[0])
    verdict.same("last sizes", want[-1][1], got[-1][1])
    if until_ms < float("inf"):
        for rule, problems in broken(recording, observed).items():
            verdict.compared += 1
            verdict.differences += [f"{rule}: {problems[0]}"] if problems else []


def _when_gone(expected: Mapping[str, Any], kind: str) -> float:
    """When the first of a kind was gone; its dependents follow in any order."""
    gone = (line[0] for line in expected["timeline"] if line[1] == kind and line[3] == "GONE")
    return min(gone, default=float("inf"))


def _pods(
    verdict: Verdict,
    recording: Recording,
    observed: Mapping[str, Any],
    name: str,
    until_ms: float,
) -> None:
    one = History(recording.expected, recording)
    want, got = (_by_pod(one, data[name]) for data in (recording.expected, observed))
    is_exact = until_ms == float("inf")
    for pod in sorted(want.keys() | got.keys()):
        wanted = [ms for ms in want.get(pod, ()) if ms <= until_ms]
        seen = got.get(pod, [])
        if is_exact:
            verdict.same(f"{name} {pod}: how many", len(wanted), len(seen))
        for index, at_ms in enumerate(wanted):
            seen_ms = seen[index] if index < len(seen) else None
            verdict.near(f"{name} {pod} {index + 1}", at_ms, seen_ms)


def _by_pod(one: History, lines: Sequence[Sequence[Any]]) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {}
    for at_ms, name, *_node in lines:
        found.setdefault(one.group("Pod", name) or name, []).append(at_ms)
    return found


def _many(
    verdict: Verdict, expected: Mapping[str, Any], observed: Mapping[str, Any], name: str
) -> None:
    want_ms, got_ms = expected[f"{name}OffsetsMs"], sorted(line[0] for line in observed[name])
    if name == "podReady":
        # The fake kubelet of the recording was late when many pods were bound at once.
        bound = (expected["podBoundOffsetsMs"], sorted(line[0] for line in observed["podBound"]))
        want_ms, got_ms = (
            [ready - at for ready, at in zip(readies, boundaries, strict=False)]
            for readies, boundaries in zip((want_ms, got_ms), bound, strict=True)
        )
        verdict.same("podReady: how many", len(want_ms), len(got_ms))
        for index, after_ms in enumerate(want_ms):
            seen = got_ms[index] if index < len(got_ms) else None
            verdict.near(f"podReady {index + 1} after it was bound", after_ms, seen)
        return
    want, got = history.per_second(want_ms), history.per_second(got_ms)
    verdict.same(f"{name}: how many", len(want_ms), len(got_ms))
    first = min(want)
    verdict.same(f"{name} in second {first}", want[first], got.get(first, 0))
    for second in sorted(want)[1:-1]:
        seen = got.get(second, 0)
        is_near = abs(seen - want[second]) <= 1
        verdict.same(f"{name} in second {second}", want[second], want[second] if is_near else seen)
    for index, at_ms in enumerate(want_ms):
        verdict.near(f"{name} {index + 1}", at_ms, got_ms[index] if index < len(got_ms) else None)


def _order_of_steps(
    verdict: Verdict, expected: Mapping[str, Any], observed: Mapping[str, Any]
) -> None:
    """What a StatefulSet that acts in order did, one after the other."""
    if not any(item.get("kind") == "StatefulSet" for item in expected["final"]):
        return
    want, got = (_steps(data) for data in (expected, observed))
    seen_ms = {step: ms for ms, step in reversed(got)}
    for (before_ms, before), (after_ms, after) in pairwise(want):
        if after_ms - before_ms > SIMULTANEOUS_MS:
            both = before in seen_ms and after in seen_ms
            in_order = both and seen_ms[before] < seen_ms[after]
            verdict.same(f"{' '.join(before)} before {' '.join(after)}", True, in_order)


SIMULTANEOUS_MS = 10
Step = tuple[str, str]


def _steps(data: Mapping[str, Any]) -> list[tuple[float, Step]]:
    lines = [(ms, (what, pod)) for what in POD_LISTS for ms, pod in data.get(what, ())]
    return sorted(line for line in lines if not history.GENERATED.search(line[1][1]))


def _events(
    verdict: Verdict, recording: Recording, observed: Mapping[str, Any], *, is_exact: bool
) -> None:
    expected, groups = recording.expected, history.alike(recording)
    is_large = any("rsN" in event["message"] for event in expected["eventCounts"])
    want, got = (
        _counts(data["eventCounts"], groups, is_large=is_large, is_exact=is_exact)
        for data in (expected, observed)
    )
    for key in sorted(want.keys() | got.keys()):
        verdict.same(f"event {' '.join(key)}", want.get(key, 0), got.get(key, 0))


BY_CHANCE = ("NoPods", "MultiplePodDisruptionBudgets")
"""Events that tell whether a budget of the setup was there before its pods, or another budget."""
SAID_AGAIN = ("SawCompletedJob",)
"""Events of a sync that may find out only when it writes that it was not up to date."""


def _counts(
    events: Sequence[Mapping[str, Any]],
    groups: Mapping[str, str],
    *,
    is_large: bool,
    is_exact: bool,
) -> dict[tuple[str, ...], int]:
    counts: Counter[tuple[str, ...]] = Counter()
    for event in events:
        if event["reason"] in BY_CHANCE:
            continue
        says_why = event["reason"] != "FailedScheduling" and is_exact
        message = _without_chance(event["message"], is_large=is_large) if says_why else ""
        message = " ".join(groups.get(word, word) for word in message.split())
        key = (event["source"], event["kind"], event["type"], event["reason"], message)
        counts[key] += event["count"]
    once = {key: 1 for key in counts if key[0] == "default-scheduler" or key[3] in SAID_AGAIN}
    return dict(counts) | once if is_exact else dict.fromkeys(counts, 1)


def _without_chance(message: str, *, is_large: bool) -> str:
    message = re.sub(r"-p(\d+|\*)", "-p*", message)
    message = re.sub(r" to [a-z]N?\d*$", " to <node>", message)
    message = re.sub(r" on node \S+", " on node <node>", message)
    if not is_large:
        return message
    return re.sub(r"\d+", "N", message)


def _where_they_differ(want: Any, got: Any) -> tuple[Any, Any]:
    """Of two objects only the fields that differ."""
    if not isinstance(want, dict) or not isinstance(got, dict):
        return want, got
    keys = [key for key in want.keys() | got.keys() if want.get(key, ...) != got.get(key, ...)]
    return tuple({k: one[k] for k in sorted(keys) if k in one} for one in (want, got))  # type: ignore[return-value]


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else repr(value)
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]}…"
