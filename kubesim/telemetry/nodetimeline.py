"""What became of the nodes while a run was on, as one timeline: a pure function of the journal.

From the pods that fit nowhere to the decision, the instances, their nodes, the shims, and the pods that
found their place; and back, when nodes are given up. Things of the same kind that happen within a few
seconds are one line.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from kubesim import facts
from kubesim.sim import Journal
from kubesim.sim.time import SECOND

TOGETHER_NS = 5 * SECOND
SHOWN_NAMES = 4
AUTOSCALERS = ("cluster-autoscaler", "karpenter")
SAID = (
    "TriggeredScaleUp", "NotTriggerScaleUp", "ScaleUpFailed", "ScaleUpTimedOut", "Nominated",
    "ScaleDown", "ScaleDownEmpty", "ScaleDownFailed", "DisruptionTerminating", "SpotInterrupted",
    "FailedDraining", "Evicted", "Disrupted",
)  # fmt: skip
INSTANCES: dict[type, str] = {
    facts.InstanceLaunched: "instance asked for",
    facts.InstanceRefused: "instance refused",
    facts.InstanceStarted: "instance runs: billed from here",
    facts.NodeRegistered: "node registered",
    facts.NodeBecameReady: "node Ready",
    facts.ShimInstalled: "shim installed",
    facts.InstanceInterruptionNoticed: "the cloud wants it back",
    facts.InstanceTerminated: "instance gone",
}


@dataclass(slots=True)
class Line:
    """Things of one kind.

    Attributes:
        began_ns: When the first happened.
        ended_ns: When the last happened.
        what: What happened.
        detail: What was said.
        names: To whom.
    """

    began_ns: int
    ended_ns: int
    what: str
    detail: str
    names: list[str] = field(default_factory=list)

    @property
    def whom(self) -> str:
        """To whom, shortened."""
        names = list(dict.fromkeys(self.names))
        if len(names) <= SHOWN_NAMES:
            return ", ".join(names)
        return f"{', '.join(names[: SHOWN_NAMES - 1])} and {len(names) - SHOWN_NAMES + 1} more"


def node_timeline(journal: Journal) -> list[Line]:
    """The timeline; empty for a run in which no node came or went."""
    lines: list[Line] = []
    recent: dict[tuple[str, str], Line] = {}
    came = False
    for at_ns, what, detail, name in _moments(journal):
        came = came or what == INSTANCES[facts.InstanceLaunched]
        line = recent.get((what, detail))
        if line is not None and at_ns - line.ended_ns <= TOGETHER_NS:
            line.ended_ns = at_ns
            line.names.append(name)
            continue
        line = recent[what, detail] = Line(at_ns, at_ns, what, detail, [name])
        lines.append(line)
    return lines if came else []


def _moments(journal: Journal) -> Iterator[tuple[int, str, str, str]]:
    """When, what, what was said, and to whom."""
    waiting: set[str] = set()  # pods that fit nowhere, until they are ready
    for at_ns, fact in journal:
        what = INSTANCES.get(type(fact))
        if what is not None:
            name = getattr(fact, "node", "") or getattr(fact, "pool", "")
            yield at_ns, what, getattr(fact, "handler", ""), name
        elif isinstance(fact, facts.StartupPhaseEnded):
            if fact.phase == "status" and f"{fact.namespace}/{fact.name}" in waiting:
                waiting.discard(f"{fact.namespace}/{fact.name}")
                yield at_ns, "pod ready", "", fact.name
        elif isinstance(fact, facts.EventRecorded):
            key = f"{fact.namespace}/{fact.name}"
            if fact.component in AUTOSCALERS:
                if fact.reason in SAID:
                    yield at_ns, fact.reason, _general(fact.message, fact.name), fact.name
            elif fact.reason == "FailedScheduling" and key not in waiting:
                waiting.add(key)
                yield at_ns, "pod fits nowhere", "", fact.name


def _general(message: str, name: str) -> str:
    """A message without the name of whom it is about, so that equal ones meet."""
    return message.replace(name, "...") if name else message
