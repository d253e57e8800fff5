"""What is typed after ``:``, understood. Pure: text in, a value out."""

from __future__ import annotations

import math
from dataclasses import dataclass

from kubesim.api.duration import parse_duration
from kubesim.manifests import closest
from kubesim.tui.transport import MAX_SPEED
from kubesim.tui.views import View, find_view, view_words

ALL_NAMESPACES = ("all", "*")
VERBS = ("to", "speed", "verdict", "help", "quit")


@dataclass(frozen=True, slots=True)
class Show:
    """Look at a view; ``namespace`` is ``None`` when it stays."""

    view: View
    namespace: str | None


@dataclass(frozen=True, slots=True)
class RunTo:
    """Run until an instant and pause."""

    at_ns: int


@dataclass(frozen=True, slots=True)
class SetSpeed:
    """Play at a speed."""

    speed: float


@dataclass(frozen=True, slots=True)
class Act:
    """One of the app's actions."""

    action: str


@dataclass(frozen=True, slots=True)
class Unknown:
    """Not understood, and why."""

    message: str


Command = Show | RunTo | SetSpeed | Act | Unknown

_ACTIONS = {
    "q": "quit", "q!": "quit", "quit": "quit", "exit": "quit", "h": "help", "help": "help",
    "?": "help", "verdict": "verdict", "end": "to_end", "play": "play_pause", "pause": "play_pause",
}  # fmt: skip


def understand(text: str) -> Command | None:
    """The command that a text is; ``None`` for an empty one."""
    words = text.split()
    if not words:
        return None
    verb, arguments = words[0].lower(), words[1:]
    if verb in _ACTIONS and not arguments:
        return Act(_ACTIONS[verb])
    if verb in _VERBS:
        return _VERBS[verb](arguments)
    return _show(verb, arguments)


def _show(verb: str, arguments: list[str]) -> Command:
    view = find_view(verb)
    if view is None:
        near = closest(verb, [*view_words(), *VERBS])
        hint = f', did you mean "{near}"?' if near else ""
        return Unknown(f'no command or kind "{verb}"{hint}')
    if len(arguments) > 1:
        return Unknown(f'"{verb}" takes a namespace and no more')
    return Show(view, _namespace(arguments[0]) if arguments else None)


def _namespace(word: str) -> str:
    return "" if word in ALL_NAMESPACES else word


def _run_to(arguments: list[str]) -> Command:
    try:
        (text,) = arguments
        at_ns = parse_duration(text)
    except ValueError:
        return Unknown('"to" takes a time since the beginning, such as 1m30s')
    return RunTo(at_ns)


def _set_speed(arguments: list[str]) -> Command:
    try:
        (text,) = arguments
        speed = MAX_SPEED if text == "max" else float(text.removesuffix("x"))
    except ValueError:
        return Unknown('"speed" takes a number, such as 20, or max')
    if math.isnan(speed) or speed <= 0:
        return Unknown("a speed is greater than 0")
    return SetSpeed(speed)


_VERBS = {"to": _run_to, "speed": _set_speed}
