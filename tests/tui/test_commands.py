"""What is typed after the colon."""

from __future__ import annotations

import pytest

from kubesim.sim.time import SECOND
from kubesim.tui.commands import Act, RunTo, SetSpeed, Show, Unknown, understand
from kubesim.tui.transport import MAX_SPEED
from kubesim.tui.views import NODES, PODS, SERVICES


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("pods", Show(PODS, None)),
        ("po kube-system", Show(PODS, "kube-system")),
        ("svc all", Show(SERVICES, "")),
        ("NODES", Show(NODES, None)),
        ("to 1m30s", RunTo(90 * SECOND)),
        ("speed 20x", SetSpeed(20.0)),
        ("speed max", SetSpeed(MAX_SPEED)),
        ("q", Act("quit")),
        ("help", Act("help")),
        ("  ", None),
    ],
)
def test_commands_are_understood(text: str, expected: object) -> None:
    """Views by k9s' names, times, speeds and actions."""
    assert expected == understand(text)


@pytest.mark.parametrize(
    "text", ["to", "to soon", "speed", "speed 0", "speed -1", "speed nan", "pods a b", "flavours"]
)
def test_what_is_not_understood_says_why(text: str) -> None:
    """A refusal is a value with a message."""
    command = understand(text)

    assert isinstance(command, Unknown)
    assert command.message


def test_a_typo_gets_a_suggestion() -> None:
    """A word that is nearly one of ours is recognised."""
    command = understand("deploymnets")

    assert isinstance(command, Unknown)
    assert "deployments" in command.message
