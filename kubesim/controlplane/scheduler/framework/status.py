"""What a plugin answers: a code, the reasons, and who said so.

A refusal is a value. ``None`` stands for success, so that the common case costs nothing;
everything else is a ``Status``, and the constants which a plugin returns again and again are built
once.

Mirrors: staging/src/k8s.io/kube-scheduler/framework/interface.go (Code, Status).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum

MAX_NODE_SCORE = 100
MIN_NODE_SCORE = 0


class Code(Enum):
    """The kinds of answers, by their upstream names."""

    SUCCESS = "Success"
    ERROR = "Error"
    UNSCHEDULABLE = "Unschedulable"
    UNSCHEDULABLE_AND_UNRESOLVABLE = "UnschedulableAndUnresolvable"
    WAIT = "Wait"
    SKIP = "Skip"
    PENDING = "Pending"


@dataclass(frozen=True, slots=True)
class Status:
    """Anything but success.

    Attributes:
        code: The kind of answer.
        reasons: What users read, one reason each.
        plugin: The plugin that answered.
    """

    code: Code
    reasons: tuple[str, ...] = ()
    plugin: str = ""

    @classmethod
    def unschedulable(cls, *reasons: str, plugin: str = "") -> Status:
        """Not here and not now, but evicting other pods may help."""
        return cls(Code.UNSCHEDULABLE, reasons, plugin)

    @classmethod
    def unresolvable(cls, *reasons: str, plugin: str = "") -> Status:
        """Not here, and evicting other pods does not change that."""
        return cls(Code.UNSCHEDULABLE_AND_UNRESOLVABLE, reasons, plugin)

    @classmethod
    def error(cls, *reasons: str, plugin: str = "") -> Status:
        """Something broke; never the answer for an expected refusal."""
        return cls(Code.ERROR, reasons, plugin)

    @property
    def message(self) -> str:
        """The reasons in one line."""
        return ", ".join(self.reasons)

    @property
    def rejected(self) -> bool:
        """Whether the pod was turned down (as opposed to an error, a wait, a skip)."""
        return self.code in _REJECTIONS

    def by(self, plugin: str) -> Status:
        """The same status in the name of a plugin."""
        return self if self.plugin else replace(self, plugin=plugin)


_REJECTIONS = (Code.UNSCHEDULABLE, Code.UNSCHEDULABLE_AND_UNRESOLVABLE, Code.PENDING)

SKIP = Status(Code.SKIP)
"""The plugin has nothing to do for this pod: its next extension point is not called."""
