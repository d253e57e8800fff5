"""What becomes of an Event before it is written: many similar ones become one, too many are dropped.

Ten different messages about one object for one reason are written under one Event from then on, as
"(combined from similar events)"; and an object about which 25 Events were written gets one more every
five minutes.

Mirrors: staging/src/k8s.io/client-go/tools/record/events_cache.go.
Departs: nothing is forgotten for want of memory (upstream keeps 4096 keys); of the messages that are
remembered the oldest is forgotten first, upstream any.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from kubesim.sim.time import MINUTE

MAX_SIMILAR = 10
SIMILAR_FOR_NS = 10 * MINUTE
BURST = 25
REFILL_NS = 5 * MINUTE
COMBINED = "(combined from similar events): "


class Subject(NamedTuple):
    """The object that an Event is about."""

    kind: str
    namespace: str
    name: str
    uid: str


@dataclass(slots=True)
class _Similar:
    last_ns: int
    messages: dict[str, None] = field(default_factory=dict)


class EventCorrelator:
    """Remembers what one component has said."""

    def __init__(self) -> None:
        self._similar: dict[tuple[Subject, str, str], _Similar] = {}
        self._full_again_ns: dict[tuple[Subject, str], int] = {}

    def correlate(
        self, subject: Subject, event_type: str, reason: str, message: str, *, now_ns: int
    ) -> str | None:
        """The message to write; ``None`` when the Event is to be dropped."""
        key = (subject, event_type, reason)
        similar = self._similar.get(key)
        if similar is None or now_ns - similar.last_ns > SIMILAR_FOR_NS:
            similar = self._similar[key] = _Similar(now_ns)
        similar.last_ns = now_ns
        similar.messages[message] = None
        if len(similar.messages) >= MAX_SIMILAR:
            similar.messages.pop(next(iter(similar.messages)))
            message = COMBINED + message
        return message if self._admitted((subject, event_type), now_ns) else None

    def _admitted(self, kept_to: tuple[Subject, str], now_ns: int) -> bool:
        full_again_ns = max(now_ns, self._full_again_ns.get(kept_to, 0))
        if full_again_ns - now_ns > (BURST - 1) * REFILL_NS:
            return False
        self._full_again_ns[kept_to] = full_again_ns + REFILL_NS
        return True
