"""All keys in one table: what the app binds, the footer hints at and the help lists.

The letters are k9s' own where k9s has the command; those that move time are a tape deck's.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Key:
    """One command.

    Attributes:
        keys: Textual's names of the keys, with commas.
        action: The app's action.
        shown: How the keys are written.
        does: What it does, in the help.
        group: Under which title.
    """

    keys: str
    action: str
    shown: str
    does: str
    group: str


TIME, LOOK, MOVE = "Time", "Look", "Move"

KEYS = (
    Key("space", "play_pause", "space", "play or pause", TIME),
    Key("n,full_stop", "seek", "n .", "step to the next thing that happens", TIME),
    Key("s", "ahead(1)", "s", "step one second ahead", TIME),
    Key("S", "ahead(10)", "S", "step ten seconds ahead", TIME),
    Key("plus,equals_sign,right_square_bracket", "faster", "+ ]", "play faster", TIME),
    Key("minus,left_square_bracket", "slower", "- [", "play slower", TIME),
    Key("e", "to_end", "e", "run to the end", TIME),
    Key("v", "verdict", "v", "the verdict and the digest, at the end", TIME),
    Key("colon", "command", ":", "a command, see below", LOOK),
    Key("slash", "filter", "/", "filter: a regular expression, ! inverts", LOOK),
    Key("enter", "describe", "enter", "describe what is selected", LOOK),
    Key("d", "describe", "d", "describe what is selected", LOOK),
    Key("l", "logs", "l", "the log of the selected pod", LOOK),
    Key("y", "yaml", "y", "the selected object as YAML", LOOK),
    Key("t", "tiles", "t", "show or hide the node tiles", LOOK),
    Key("0", "namespace(0)", "0", "all namespaces", LOOK),
    *(
        Key(str(number), f"namespace({number})", "1-9", "one namespace, by its number", LOOK)
        for number in range(1, 10)
    ),
    Key("escape", "leave", "esc", "back", MOVE),
    Key("question_mark,f1", "help", "?", "this help", MOVE),
    Key("q", "quit", "q ^c", "quit", MOVE),
)

# Bound by the table and the pages themselves.
MOVES = (
    ("j k ↓ ↑", "one line down or up"),
    ("^d ^u", "half a page down or up (also page keys)"),
    ("← →", "a page sideways, where it is wider than the screen"),
    ("g G", "to the top or the bottom (also home, end)"),
)

COMMANDS = (
    ("pods [NAMESPACE]", "also nodes, svc, deploy, rs, events, ns, any kind"),
    ("to 1m30s", "run until then and pause"),
    ("speed 20", "virtual seconds a second, or max"),
    ("verdict, help, q", "as the keys v, ?, q"),
)


@dataclass(frozen=True, slots=True)
class Hint:
    """One entry of the footer; the lowest ranks stay when there is little room."""

    keys: str
    does: str
    rank: int


HINTS = (
    Hint("space", "play/pause", 0),
    Hint("n", "next", 2),
    Hint("s", "+1s", 3),
    Hint("+/-", "speed", 1),
    Hint("e", "end", 4),
    Hint(":", "command", 6),
    Hint("/", "filter", 9),
    Hint("enter", "describe", 8),
    Hint("l", "logs", 7),
    Hint("y", "yaml", 11),
    Hint("t", "tiles", 12),
    Hint("esc", "back", 10),
    Hint("?", "help", 5),
    Hint("q", "quit", 5),
)
