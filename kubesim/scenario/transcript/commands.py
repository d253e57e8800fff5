"""The commands that a timeline may have, taken apart: those of kubectl that only look.

Mirrors: staging/src/k8s.io/kubectl/pkg/cmd/{get,describe,logs,events}, as far as said here.
Departs: ``-o`` is ``wide`` or ``custom-columns=`` only; no ``-w``, no ``--field-selector``; ``top``,
``explain`` and ``exec`` are missing, and what changes the cluster has steps of its own.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

from kubesim.api.metav1 import LabelSelector
from kubesim.api.scheme import SCHEME, Resource
from kubesim.api.selectortext import parse_selector
from kubesim.errors import Problem
from kubesim.manifests import Document
from kubesim.scenario.format import Step

VERBS = ("get", "describe", "logs", "events")
FLAGS = {
    "-n": "namespace", "--namespace": "namespace", "-l": "selector", "--selector": "selector",
    "-o": "output", "--output": "output", "--tail": "tail", "-c": "container",
    "--types": "types", "--for": "about",
}  # fmt: skip
CUSTOM = "custom-columns="
LOGS_OF_SELECTED = 10
"""How many lines of each pod ``kubectl logs -l`` prints; of one pod all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """One command of kubectl.

    Attributes:
        text: As it was typed, after ``kubectl``.
        verb: ``get``, ``describe``, ``logs`` or ``events``.
        resource: The kind it is about; ``None`` for events.
        name: Of which object; all of the kind, when empty.
        namespace: Where; everywhere, when empty.
        selector: Which of them.
        wide: ``-o wide``.
        custom: Heads and paths of ``-o custom-columns``.
        types: Which types of events; all, when empty.
        tail: How many lines of a log at most; ``None`` for all.
        container: Whose log, when the pod has several.
    """

    text: str
    verb: str
    resource: Resource | None
    name: str = ""
    namespace: str = "default"
    selector: LabelSelector | None = None
    wide: bool = False
    custom: tuple[tuple[str, str], ...] = ()
    types: tuple[str, ...] = ()
    tail: int | None = None
    container: str = ""


def parse_command(text: str) -> Command:
    """Take a command apart.

    Raises:
        ValueError: It is none that is simulated; the message says why.
    """
    words = shlex.split(text)
    if words[:1] == ["kubectl"]:
        words = words[1:]
    if not words or words[0] not in VERBS:
        raise ValueError(
            f"expected one of {', '.join(VERBS)}; what changes things has its own step"
        )
    plain, flags = _flags(words[1:])
    everywhere = "everywhere" in flags
    selector = parse_selector(flags["selector"]) if "selector" in flags else None
    output = flags.get("output", "")
    custom = _custom(output.removeprefix(CUSTOM)) if output.startswith(CUSTOM) else ()
    if output not in ("", "wide") and not custom:
        raise ValueError("of the output formats only wide and custom-columns= are simulated")
    if words[0] == "events":
        plain = ["events", *([flags["about"]] if "about" in flags else [])]
    resource, name = _what(words[0], plain, selector)
    tail = flags.get("tail", str(LOGS_OF_SELECTED) if selector is not None else "-1")
    if not tail.removeprefix("-").isdecimal():
        raise ValueError(f'--tail: "{tail}" is no number')
    return Command(
        text=" ".join(words),
        verb=words[0],
        resource=resource,
        name=name,
        namespace="" if everywhere else flags.get("namespace", "default"),
        selector=selector,
        wide=output == "wide",
        custom=custom,
        types=tuple(kind for kind in flags.get("types", "").split(",") if kind),
        tail=None if int(tail) < 0 else int(tail),
        container=flags.get("container", ""),
    )


def _flags(words: list[str]) -> tuple[list[str], dict[str, str]]:
    """What is no flag, and the flags by what they mean."""
    plain: list[str] = []
    flags: dict[str, str] = {}
    rest = list(words)
    while rest:
        word = rest.pop(0)
        name, is_joined, value = word.partition("=")
        if word in ("-A", "--all-namespaces"):
            flags["everywhere"] = ""
        elif name in FLAGS:
            if not is_joined:
                if not rest:
                    raise ValueError(f"flag needs an argument: {name}")
                value = rest.pop(0)
            flags[FLAGS[name]] = value
        elif word.startswith("-"):
            raise ValueError(f"unknown flag: {word}")
        else:
            plain.append(word)
    return plain, flags


def _what(
    verb: str, plain: list[str], selector: LabelSelector | None
) -> tuple[Resource | None, str]:
    """The kind and the name that a command is about."""
    pods = SCHEME.find_name("pods")
    if verb == "events":
        kind, _, name = (plain[1] if len(plain) > 1 else "").partition("/")
        return _kind(kind) if kind else None, name
    if verb == "logs":
        if not plain and selector is not None:
            return pods, ""
        if len(plain) != 1:
            raise ValueError("logs wants a pod, a TYPE/NAME or a selector")
        kind, _, name = plain[0].rpartition("/")
        return _kind(kind) if kind else pods, name
    if not plain:
        raise ValueError(f"{verb} wants a kind")
    kind, _, name = plain[0].partition("/")
    if name and len(plain) == 1:
        return _kind(kind), name
    if len(plain) > 2 or name:
        raise ValueError("one object at a time is simulated")
    return _kind(kind), plain[1] if len(plain) == 2 else ""


def _custom(text: str) -> tuple[tuple[str, str], ...]:
    """Heads and paths of custom columns, such as ``NODE:.spec.nodeName``."""
    columns = [column.partition(":") for column in text.split(",")]
    if not all(head and path.startswith(".") for head, _, path in columns):
        raise ValueError("custom columns are written HEAD:.path,HEAD:.path")
    return tuple((head, path) for head, _, path in columns)


def _kind(name: str) -> Resource | None:
    if name.lower() in ("events", "event", "ev"):
        return None
    found = SCHEME.find_name(name)
    if found is None:
        raise ValueError(f'the server doesn\'t have a resource type "{name}"')
    return found


def parse_url(text: str) -> tuple[str, str, str]:
    """The authority, path and query that a ``curl`` asks; a Service's name is a host here.

    Raises:
        ValueError: It is no http URL.
    """
    parts = urlsplit(text if "://" in text else f"http://{text}")
    if parts.scheme != "http" or not parts.hostname:
        raise ValueError(f'"{text}" is no http URL of a Service, such as http://web/hello')
    return parts.netloc, parts.path or "/", parts.query


def typed_problems(
    step: Step, document: Document, where: tuple[str | int, ...]
) -> Iterator[Problem]:
    """What is wrong with what a step types."""
    for name, text, parse in (
        ("kubectl", step.kubectl, parse_command),
        ("curl", step.curl, parse_url),
    ):
        if text is not None:
            try:
                parse(text)
            except ValueError as error:
                yield document.problem(f"{name} {text}: {error}", (*where, name))
