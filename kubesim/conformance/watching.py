"""The watcher: what happened in a case, in the form of a recording.

One watch a kind, and the Events; every change becomes a line of the timeline. ``observed()`` has the
keys of ``expected.json``, so that the judge compares like with like.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from kubesim.api.corev1 import Pod
from kubesim.api.metav1 import KubeObject
from kubesim.conformance.aliases import NAMESPACE, Aliases
from kubesim.conformance.fields import KINDS, shown
from kubesim.controlplane.client import Client
from kubesim.controlplane.client.eventcorrelator import COMBINED
from kubesim.facts import EventRecorded
from kubesim.sim import Fact, Sim
from kubesim.sim.time import MILLISECOND

Fields = dict[str, Any]
SOURCES = {"kube-scheduler": "default-scheduler"}
"""Components that sign their Events with another name."""


class Watcher:
    """Watches the namespace of a case.

    Args:
        sim: The run.
        client: Its connection to the API server.
        aliases: The names to use.

    Attributes:
        last_change_ns: When something was last seen to change.
    """

    def __init__(self, sim: Sim, *, client: Client, aliases: Aliases) -> None:
        self.last_change_ns = sim.now
        self._sim = sim
        self._aliases = aliases
        self._began_ns: int | None = None
        self._now: dict[str, tuple[KubeObject, Fields]] = {}
        self._initial: list[Fields] = []
        self._timeline: list[list[Any]] = []
        self._events: Counter[tuple[str, ...]] = Counter()
        self._combined: dict[tuple[str, ...], tuple[int, str]] = {}
        self._pods: dict[str, list[list[Any]]] = {
            name: []
            for name in ("podCreated", "podBound", "podReady", "podDeleteRequested", "podGone")
        }
        for kind in KINDS:
            client.informer(kind).add_handler(self._changed)
        sim.journal.subscribe(self._fact)

    def begin(self) -> None:
        """Time 0 is now."""
        self._began_ns = self._sim.now
        self._initial = self._states(message=False)

    def ms(self) -> int:
        """Milliseconds since time 0."""
        assert self._began_ns is not None
        return (self._sim.now - self._began_ns) // MILLISECOND

    def observed(self) -> dict[str, Any]:
        """Everything seen, with the keys of a recording."""
        return {
            "initial": self._initial,
            "timeline": self._timeline,
            **self._pods,
            "final": self._states(message=True),
            "eventCounts": self._event_counts(),
        }

    def pod(self, alias: str) -> Pod | None:
        """The pod of that alias as it was last seen."""
        uid = self._aliases.uid_of(alias)
        found = self._now.get(uid) if uid is not None else None
        return found[0] if found is not None and isinstance(found[0], Pod) else None

    def _states(self, *, message: bool) -> list[Fields]:
        states = []
        for obj, fields in self._now.values():
            alias = self._aliases.of(obj)
            state = {"kind": obj.kind, "name": alias, **fields}
            if "conditions" in state:
                state["conditions"] = [
                    {**condition, "message": self._aliases.text(condition["message"])}
                    for condition in state["conditions"]
                ]
            states.append(state if message else _brief(state))
        return sorted(states, key=lambda state: (state["kind"], state["name"]))

    def _changed(self, old: KubeObject | None, new: KubeObject | None) -> None:
        obj = new or old
        assert obj is not None
        if obj.namespace != NAMESPACE:
            return
        alias = self._aliases.of(obj)
        before = self._now.get(obj.uid)
        if new is None:
            self._now.pop(obj.uid, None)
            self._note(obj, alias, "GONE", {})
            self._note_pod(obj, alias, before[1] if before else {}, None)
            return
        fields = shown(new, self._aliases)
        self._now[obj.uid] = (new, fields)
        was = {} if before is None else before[1]
        changes = _changes(_brief(was), _brief(fields))
        if before is None or changes:
            self._note(obj, alias, "NEW" if before is None else "CHG", changes)
        self._note_pod(obj, alias, None if before is None else was, fields)

    def _note(self, obj: KubeObject, alias: str, what: str, changes: Fields) -> None:
        self.last_change_ns = self._sim.now
        if self._began_ns is not None:
            self._timeline.append([self.ms(), obj.kind, alias, what, changes])

    def _note_pod(
        self, obj: KubeObject, alias: str, was: Fields | None, now: Fields | None
    ) -> None:
        if self._began_ns is None or not isinstance(obj, Pod):
            return
        seen: dict[str, bool] = {
            "podCreated": was is None,
            "podBound": bool(now and now.get("node") and not (was or {}).get("node")),
            "podReady": bool(now and now.get("ready") and not (was or {}).get("ready")),
            "podDeleteRequested": bool(
                now and now.get("deleting") and not (was or {}).get("deleting")
            ),
            "podGone": now is None,
        }
        for name, happened in seen.items():
            if happened:
                node = [obj.spec.node_name] if name == "podBound" else []
                self._pods[name].append([self.ms(), alias, *node])

    def _fact(self, at_ns: int, fact: Fact) -> None:  # noqa: ARG002  # a subscriber's signature
        if not isinstance(fact, EventRecorded) or fact.namespace != NAMESPACE:
            return
        about = (fact.component, fact.kind, fact.type, fact.reason)
        said = fact.message
        if said.startswith(COMBINED):
            # One Event whose message is the last of those that it stands for.
            before, _ = self._combined.get((*about, fact.name), (0, ""))
            self._combined[*about, fact.name] = (before + 1, said)
            return
        self._events[*about, said] += 1

    def _event_counts(self) -> list[Fields]:
        # Names become aliases now: an Event may be seen before the object that it speaks of.
        counts: Counter[tuple[str, ...]] = Counter()
        combined = [((*key[:-1], said), n) for key, (n, said) in self._combined.items()]
        for (source, *rest, message), count in (*self._events.items(), *combined):
            named = SOURCES.get(source, source)
            counts[named, *rest, self._aliases.text(message)] += count
        names = ("source", "kind", "type", "reason", "message")
        return [
            {**dict(zip(names, key, strict=True)), "count": count}
            for key, count in sorted(counts.items())
        ]


def _brief(fields: Mapping[str, Any]) -> Fields:
    """The fields with conditions as ``{type: status/reason}``, as a timeline has them."""
    brief = dict(fields)
    if "conditions" in brief:
        brief["conditions"] = {
            condition["type"]: f"{condition['status']}/{condition['reason']}"
            for condition in brief["conditions"]
        }
    return brief


def _changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> Fields:
    changed = {key: value for key, value in after.items() if before.get(key, ...) != value}
    return changed | {key: None for key in before if key not in after}
