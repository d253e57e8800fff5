"""A recorded case of the controllers: what was done to a cluster, and what was seen.

``case.yaml`` says how the fake kubelet behaves, what was set up before, and what was done when;
``expected.json`` says what came of it. Only the shape is checked here; the objects are decoded as
any manifest is.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kubesim.errors import InputError, Problem
from kubesim.manifests import Document, read_paths

OPERATIONS = (
    "create", "patch", "scale", "delete", "evict", "podstatus", "quiet", "node", "nodedelete",
    "nsdelete",
)  # fmt: skip
DEFAULT_IDLE_S = 2.5
DEFAULT_MAX_S = 60.0
DEFAULT_SETUP_QUIET_S = 2.5
DEFAULT_SETUP_MAX_S = 60.0
KUBELET_KEYS = frozenset(
    {"ready_s", "delete_s", "finish_s", "exit_code", "terminal_phase_on_delete", "start", "bind"}
)
MATCH_KEYS = frozenset({"seq", "image", "index", "alias"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """For which pods the fake kubelet behaves differently, and how."""

    match: Mapping[str, Any]
    values: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class KubeletScript:
    """How the fake kubelet behaves.

    Attributes:
        values: For every pod.
        setup: For pods that are bound while the case is set up.
        rules: Exceptions; the first that matches counts.
    """

    values: Mapping[str, Any]
    setup: Mapping[str, Any] = field(default_factory=dict)
    rules: tuple[Rule, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """One thing that was done.

    Attributes:
        op: What.
        at_s: When, in seconds since the first action.
        data: Its other fields.
    """

    op: str
    at_s: float
    data: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """One case.

    Attributes:
        name: The folder's name.
        kubelet: The fake kubelet's behaviour.
        setup: What was done before time 0.
        actions: What was done from time 0 on.
        watch: How long it was watched: ``idle_s``, ``min_s``, ``max_s``, ``setup_quiet``, ``setup_max``.
        expected: What was seen.
    """

    name: str
    kubelet: KubeletScript
    setup: tuple[Action, ...]
    actions: tuple[Action, ...]
    watch: Mapping[str, float]
    expected: Mapping[str, Any]


def load_recording(folder: Path) -> Recording:
    """Read a case.

    Raises:
        InputError: If the folder has no case in it, or one that does not make sense.
    """
    for file in ("case.yaml", "expected.json"):
        if not (folder / file).is_file():
            message = f"expected a folder with case.yaml and expected.json, there is no {file}"
            raise InputError(Problem(message=message, file=str(folder)))
    documents = read_paths([folder / "case.yaml"])
    if len(documents) != 1:
        message = f"expected one document, found {len(documents)}"
        raise InputError(Problem(message=message, file=str(folder / "case.yaml")))
    document = documents[0]
    data = document.data
    if not isinstance(data, Mapping) or not isinstance(data.get("actions"), list):
        raise InputError(document.problem("expected a case: a mapping with a list of actions", ()))
    return Recording(
        name=folder.name,
        kubelet=_kubelet(document, data.get("kubelet") or {}),
        setup=_actions(document, "setup"),
        actions=_actions(document, "actions"),
        watch={
            "idle_s": float(data.get("idle_s", DEFAULT_IDLE_S)),
            "min_s": float(data.get("min_s", 0)),
            "max_s": float(data.get("max_s", DEFAULT_MAX_S)),
            "setup_quiet": float(data.get("setup_quiet", DEFAULT_SETUP_QUIET_S)),
            "setup_max": float(data.get("setup_max", DEFAULT_SETUP_MAX_S)),
        },
        expected=_expected(folder / "expected.json"),
    )


def _expected(path: Path) -> Mapping[str, Any]:
    try:
        expected = json.loads(path.read_text())
    except json.JSONDecodeError as error:
        message = f"not JSON: {error.msg}"
        problem = Problem(message=message, file=str(path), line=error.lineno, column=error.colno)
        raise InputError(problem) from None
    missing = [key for key in ("initial", "final", "timeline", "apiCalls") if key not in expected]
    if missing:
        message = f"not a recording of controllers: there is no {', '.join(missing)}"
        raise InputError(Problem(message=message, file=str(path)))
    return expected  # type: ignore[no-any-return]


def _kubelet(document: Document, data: Mapping[str, Any]) -> KubeletScript:
    known = KUBELET_KEYS | {"setup", "rules"}
    _refuse_unknown(document, data, known, ("kubelet",))
    setup = data.get("setup") or {}
    _refuse_unknown(document, setup, KUBELET_KEYS, ("kubelet", "setup"))
    rules = []
    for index, item in enumerate(data.get("rules") or ()):
        path = ("kubelet", "rules", index)
        match, values = item.get("match") or {}, item.get("set") or {}
        _refuse_unknown(document, match, MATCH_KEYS, (*path, "match"))
        _refuse_unknown(document, values, KUBELET_KEYS, (*path, "set"))
        rules.append(Rule(match=match, values=values))
    values = {key: value for key, value in data.items() if key in KUBELET_KEYS}
    return KubeletScript(values=values, setup=setup, rules=tuple(rules))


def _actions(document: Document, key: str) -> tuple[Action, ...]:
    actions = []
    for index, item in enumerate(document.data.get(key) or ()):
        op = item.get("op") if isinstance(item, Mapping) else None
        if op not in OPERATIONS:
            message = f"unknown operation {op!r}; there are: {', '.join(OPERATIONS)}"
            raise InputError(document.problem(message, (key, index)))
        rest = {name: value for name, value in item.items() if name not in ("op", "at")}
        actions.append(Action(op=op, at_s=float(item.get("at", 0)), data=rest))
    return tuple(actions)


def _refuse_unknown(
    document: Document, data: Mapping[str, Any], known: frozenset[str], path: Sequence[str | int]
) -> None:
    for key in data:
        if key not in known:
            message = f'the fake kubelet knows no "{key}"; it knows: {", ".join(sorted(known))}'
            raise InputError(document.problem(message, (*path, key)))
