"""Parts that several descriptions have: identity, conditions, Events, small tables."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from kubesim.api.corev1 import NodeCondition, PodCondition
from kubesim.api.metav1 import KubeObject, controller_of
from kubesim.tui import clock
from kubesim.tui.ink import FIELD_WIDTH, Line, Span, Tone, field, fit, heading, printable, wrap
from kubesim.tui.scene import Happening
from kubesim.tui.tables import event_tone

GOOD_WHEN_FALSE = ("Pressure", "Unavailable", "Failure")


def identity_lines(obj: KubeObject, wall_ns: int, width: int) -> list[Line]:
    """Name, namespace, age, owner, labels."""
    lines: list[Line] = [field("Name", [(obj.name, "bold")])]
    if obj.namespace:
        lines.append(field("Namespace", obj.namespace))
    created = obj.metadata.creation_timestamp
    if created is not None:
        lines.append(field("Age", clock.age(wall_ns - created)))
    owner = controller_of(obj)
    if owner is not None:
        lines.append(field("Controlled By", f"{owner.kind}/{owner.name}"))
    labels = [f"{name}={value}" for name, value in obj.metadata.labels.items()]
    return lines + listed("Labels", labels, width)


def listed(name: str, values: Iterable[str], width: int) -> list[Line]:
    """A field with several values: side by side, in as many lines as they need."""
    head = FIELD_WIDTH
    rows = [""]
    for value in values:
        text = fit(value, width - head).rstrip() if len(value) > width - head else value
        if not rows[-1]:
            rows[-1] = text
        elif len(rows[-1]) + len(text) + 2 <= width - head:
            rows[-1] += f"  {text}"
        else:
            rows.append(text)
    if not rows[0]:
        return []
    rest: list[Line] = [((" " * head, "text"), (printable(row), "text")) for row in rows[1:]]
    return [field(name, rows[0]), *rest]


def condition_lines(
    conditions: Sequence[PodCondition] | Sequence[NodeCondition], width: int
) -> list[Line]:
    """The conditions of an object: type, status, and why."""
    if not conditions:
        return []
    name_width = max(len(condition.type) for condition in conditions)
    lines: list[Line] = [heading("Conditions")]
    for condition in conditions:
        bad = any(word in condition.type for word in GOOD_WHEN_FALSE)
        good = condition.status == ("False" if bad else "True")
        head: Line = (
            ("  ", "text"),
            (condition.type.ljust(name_width), "text"),
            ("  ", "text"),
            (condition.status.ljust(7), "ok" if good else "warn"),
            (f"  {condition.reason or ''}", "dim"),
        )
        lines.append(head)
        if condition.message and not good:
            lines += [
                (("    ", "text"), *line) for line in wrap(condition.message, width - 4, "dim")
            ]
    return lines


def event_lines(happenings: Sequence[Happening], width: int) -> list[Line]:
    """The Events about an object, as ``kubectl describe`` ends with."""
    if not happenings:
        return [heading("Events", "none yet")]
    reasons = max(len(item.reason) for item in happenings)
    lines: list[Line] = [heading("Events")]
    for item in happenings:
        tone = event_tone(item.type)
        head: Line = (
            (f"  {clock.stamp(item.at_ns)}  ", "dim"),
            (item.reason.ljust(reasons), tone),
            ("  ", "text"),
        )
        room = width - 18 - reasons
        first, *rest = wrap(item.message, room, "text" if tone == "ok" else tone)
        lines.append((*head, *first))
        lines += [((" " * (18 + reasons), "text"), *line) for line in rest]
    return lines


def small_table(head: Sequence[str], rows: Sequence[Sequence[Span]]) -> list[Line]:
    """A few rows under a heading line; columns as wide as their texts."""
    widths = [
        max([len(title), *(len(row[index][0]) for row in rows)])
        for index, title in enumerate(head)
    ]
    faint: Tone = "dim"
    titles = "  ".join(fit(title, width) for title, width in zip(head, widths, strict=True))
    lines: list[Line] = [((f"  {titles}", faint),)]
    for row in rows:
        spans: list[Span] = [("  ", "text")]
        for (text, tone), width in zip(row, widths, strict=True):
            spans += [(fit(text, width), tone), ("  ", "text")]
        lines.append(tuple(spans))
    return lines
