"""What a recording says about any moment: the states of all objects, and when nothing moved.

Works on the data of ``expected.json`` and on what the watcher saw alike.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise, zip_longest
from typing import Any

from kubesim.conformance.recording import Recording

TOLERANCE_MS = 150
REST_MS = 2 * TOLERANCE_MS + 20
GENERATED = re.compile(r"-p\d+$")
ABSENT_FROM_STATES = ("kind", "name", "node", "uid", "created", "readySince")

State = dict[str, Any]
States = dict[tuple[str, str], State]


class History:
    """The states of all objects over time.

    Args:
        data: A recording, or what was seen of a case.
        recording: The case, which says which pods are alike.
    """

    def __init__(self, data: Mapping[str, Any], recording: Recording) -> None:
        self._data = data
        self._alike = alike(recording)
        self._case = recording.name
        self._revisions = any(
            kind == "ControllerRevision" for kind, _name in _names(recording.expected)
        )
        self.partial = not isinstance(recording.expected["initial"], list)

    def at(self, ms: float) -> States:
        """The states at a moment: everything up to then has happened."""
        states: States = {}
        initial = self._data["initial"]
        for item in initial if isinstance(initial, list) else ():
            states[item["kind"], item["name"]] = dict(item)
        for at_ms, kind, name, what, changes in self._data["timeline"]:
            if at_ms > ms:
                break
            if what == "GONE":
                states.pop((kind, name), None)
                continue
            state = states.setdefault((kind, name), {})
            state.update(changes)
            for key in [key for key, value in state.items() if value is None]:
                del state[key]
        return states

    def described(self, states: Iterable[tuple[tuple[str, str], State]]) -> dict[str, Any]:
        """States in a form in which two may be compared: those who are alike are counted."""
        described: dict[str, Any] = {}
        alike_ones: dict[str, Counter[str]] = {}
        for (kind, name), state in states:
            if kind == "ControllerRevision" and not self._revisions:
                continue
            if (kind, name) in PUBLISHED or (self._case, kind, name) in BY_CHANCE:
                continue
            shown = {k: v for k, v in state.items() if k not in ABSENT_FROM_STATES}
            if not self._revisions:
                shown = {k: v for k, v in shown.items() if k not in _REVISION_FIELDS}
            whose = self.group(kind, name)
            if whose is None:
                described[f"{kind} {name}"] = shown
            else:
                counted = alike_ones.setdefault(f"{kind} {whose}", Counter())
                counted[json.dumps(shown, sort_keys=True)] += 1
        return described | {group: dict(counted) for group, counted in alike_ones.items()}

    def group(self, kind: str, name: str) -> str | None:
        """Those that this object cannot be told apart from; ``None`` when it has a name of its own."""
        if kind != "Pod":
            return None
        if GENERATED.search(name):
            return GENERATED.sub("-p*", name)
        return self._alike.get(name.partition("#")[0])


PUBLISHED = frozenset(
    {("ConfigMap", "kube-root-ca.crt"), ("ConfigMap", "openshift-service-ca.crt")}
)
"""What controllers that are not simulated put into every namespace."""
BY_CHANCE = frozenset({("pdb-two-budgets", "PodDisruptionBudget", "p2")})
"""Objects whose state tells only at which moment of the setup they were created: a controller does not
look at the second of two budgets over the same pods again."""
_REVISION_FIELDS = ("currentRevision", "updateRevision", "rev")


def alike(recording: Recording) -> dict[str, str]:
    """Pods made by hand that differ in nothing but their name and node: a name for each such group."""
    groups: dict[str, list[str]] = {}
    for action in (*recording.setup, *recording.actions):
        obj = action.data.get("object")
        if action.op != "create" or not isinstance(obj, Mapping) or obj.get("kind") != "Pod":
            continue
        spec = {key: value for key, value in obj["spec"].items() if key != "nodeName"}
        bare = [
            {k: v for k, v in obj["metadata"].items() if k != "name"},
            spec,
            "nodeName" in obj["spec"],
        ]
        groups.setdefault(json.dumps(bare, sort_keys=True), []).append(obj["metadata"]["name"])
    return {
        name: "/".join(sorted(names))
        for names in groups.values()
        if len(names) > 1
        for name in names
    }


def moments_of_rest(expected: Mapping[str, Any], *, until_ms: float) -> list[float]:
    """Moments at which nothing had changed for a while, and did not for another."""
    by_chance = overtaken(expected)
    times = sorted(
        {0, *(line[0] for line in expected["timeline"])}
        | {call[key] for call in expected["apiCalls"] for key in ("ms", "done_ms")}
    )
    return [
        (before + after) / 2
        for before, after in pairwise(times)
        if after - before >= REST_MS
        and after <= until_ms
        and not any(since < after and before < until for since, until in by_chance)
    ]


def overtaken(expected: Mapping[str, Any]) -> list[tuple[float, float]]:
    """Spells in which a Job speaks of fewer ended pods than there are, by milliseconds.

    Two kinds have two watches, so their order within some milliseconds means nothing: whether a sync
    still saw a pod that ended just then is chance, and so is what the Job says until its next sync.
    """
    counts: dict[str, Counter[str]] = {}
    ended, ended_ms = 0, float("-inf")
    spells: list[tuple[float, float]] = []
    since_ms: float | None = None
    for at_ms, kind, name, _what, changes in expected["timeline"]:
        if kind == "Pod" and changes.get("phase") in ("Succeeded", "Failed"):
            ended, ended_ms = ended + 1, at_ms
        if kind != "Job":
            continue
        counted = counts.setdefault(name, Counter())
        uncounted = changes.get("uncountedTerminatedPods", {})
        counted["uncounted"] = sum((uncounted or {}).values())
        for key in ("succeeded", "failed"):
            counted[key] = changes.get(key, counted[key]) or 0
        behind = sum(sum(one.values()) for one in counts.values()) < ended
        if since_ms is not None and not behind:
            spells.append((since_ms, at_ms))
            since_ms = None
        elif since_ms is None and uncounted and behind and at_ms - ended_ms <= SIMULTANEOUS_MS:
            since_ms = at_ms
    return spells


SIMULTANEOUS_MS = 10


def first_coincidence(expected: Mapping[str, Any]) -> float:
    """When two pods first became ready at nearly the same time; infinite if that never happened."""
    times = sorted(ready_times(expected))
    for before, after in pairwise(times):
        if after - before <= COINCIDENCE_MS:
            return before
    return float("inf")


COINCIDENCE_MS = 100


def ready_times(data: Mapping[str, Any]) -> list[float]:
    """When pods became ready."""
    if "podReady" in data:
        return [line[0] for line in data["podReady"]]
    return list(data.get("podReadyOffsetsMs", ()))


def spec_sequence(data: Mapping[str, Any]) -> list[list[Any]]:
    """The sizes that ReplicaSets were told to have, at every change; as recordings have it."""
    if "rsSpecSequence" in data:
        return [list(line) for line in data["rsSpecSequence"]]
    sizes = {
        item["name"]: item["spec"] for item in data["initial"] if item["kind"] == "ReplicaSet"
    }
    sequence: list[list[Any]] = [[0, dict(sizes)]]
    for at_ms, kind, name, what, changes in data["timeline"]:
        if kind != "ReplicaSet":
            continue
        if what == "GONE":
            sizes.pop(name, None)
        elif "spec" in changes:
            sizes[name] = changes["spec"]
        if sizes != sequence[-1][1]:
            sequence.append([at_ms, dict(sizes)])
    return sequence


def without_blinks(sequence: Sequence[list[Any]]) -> list[list[Any]]:
    """The sequence without sizes that only say which of two ReplicaSets vanished first."""
    return [
        line
        for line, after in zip_longest(sequence, sequence[1:])
        if after is None
        or after[0] - line[0] > BLINK_MS
        or not after[1].keys() < line[1].keys()
        or line is sequence[0]
    ]


BLINK_MS = 10


def per_second(times: Sequence[float]) -> dict[int, int]:
    """How many of these moments, in milliseconds, lie in each second."""
    return dict(Counter(int(ms // 1000) for ms in times))


def _names(expected: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    for item in expected["final"]:
        if "kind" in item:
            yield item["kind"], item["name"]
    for _ms, kind, name, *_rest in expected["timeline"]:
        yield kind, name
