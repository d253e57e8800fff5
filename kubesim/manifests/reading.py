"""Reading YAML as Kubernetes reads it, fast, and knowing where everything stood.

Text comes in, plain data goes out, one ``Document`` for each YAML document. The data is what
Kubernetes would see after its own conversion of YAML to JSON: ``yes`` is a boolean and ``0644`` an
octal number as in YAML 1.1, but a date stays text and ``1:30`` is no sexagesimal number; keys are
texts; a key that stands twice in a mapping is an error.

A file with thousands of pods is read in one pass over the parser's events. Positions cost as much
as that again, so they are computed when the first error has to be shown, and not otherwise.

Mirrors: sigs.k8s.io/yaml (YAMLToJSONStrict) and its YAML library's resolve.go.
Departs: a bare ``y`` or ``n`` is text, where kubectl reads a boolean; ``dump`` quotes it.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from kubesim.api.fielderrors import KeyPath, format_path
from kubesim.errors import InputError, Problem

__all__ = ["Document", "Source", "read_paths", "read_text", "resolve"]

SUFFIXES = (".yaml", ".yml", ".json")


class Source:
    """A text and the name under which the user knows it.

    Attributes:
        name: The file's name as the user gave it; ``None`` when there is no file.
        text: The content.
    """

    def __init__(self, text: str, name: str | None = None) -> None:
        self.name = name
        self.text = text
        self._nodes: dict[tuple[int, int], yaml.Node] = {}

    def node(self, span: tuple[int, int]) -> yaml.Node:
        """The node tree of the document at ``span``; slow, and only for showing errors."""
        if span not in self._nodes:
            node = yaml.compose(self.text[slice(*span)], yaml.CSafeLoader)
            assert node is not None, span
            self._nodes[span] = node
        return self._nodes[span]


@dataclass(frozen=True, slots=True)
class Document:
    """One YAML document, or one item of a ``List``.

    Attributes:
        data: The plain data.
        source: The text it came from.
        index: Its number in the text, from 0; empty documents count.
        line: The line where it begins, from 1.
        span: From where to where in the text the YAML document goes, in characters.
        first_line: The line where ``span`` begins, from 1.
        prefix: Where in the YAML document it is, when it is an item of a ``List``.
    """

    data: Any
    source: Source = field(repr=False)
    index: int = 0
    line: int = 1
    span: tuple[int, int] = field(default=(0, 0), repr=False)
    first_line: int = field(default=1, repr=False)
    prefix: KeyPath = ()

    def item(self, data: Any, path: KeyPath) -> Document:
        """A part of this document as a document."""
        line, _ = self.locate(path)
        return replace(self, data=data, line=line, prefix=(*self.prefix, *path))

    def locate(self, path: KeyPath, *, key: bool = False) -> tuple[int, int]:
        """Line and column, from 1, of what is at ``path``.

        Args:
            path: Where to look. What is not there stands where its nearest parent stands.
            key: Whether the place of the key is wanted, not that of its value.
        """
        root = self.source.node(self.span)
        mark = _find_mark(root, (*self.prefix, *path), key=key)
        return mark.line + self.first_line, mark.column + 1

    def problem(
        self, message: str, path: KeyPath = (), *, suggestion: str = "", key: bool = False
    ) -> Problem:
        """A problem with what is at ``path``; positions are looked up now."""
        line, column = self.locate(path, key=key)
        return Problem(
            message=message,
            file=self.source.name,
            line=line,
            column=column,
            path=format_path(path),
            suggestion=suggestion,
        )


def read_paths(paths: Iterable[str | Path]) -> list[Document]:
    """The documents of files and folders, in order.

    A folder stands for the ``.yaml``, ``.yml`` and ``.json`` files in it, sorted by name.

    Raises:
        InputError: With the problems of all files, if one is missing or is not YAML.
    """
    documents: list[Document] = []
    problems: list[Problem] = []
    for path in paths:
        for file in _files(Path(path), problems):
            try:
                text = file.read_text(encoding="utf-8-sig")
                documents.extend(read_text(text, str(file)))
            except InputError as error:
                problems.extend(error.problems)
            except UnicodeDecodeError:
                problems.append(Problem(message="not a text file in UTF-8", file=str(file)))
            except OSError as error:
                reason = error.strerror or str(error)
                problems.append(Problem(message=f"cannot be read: {reason}", file=str(file)))
    if problems:
        raise InputError(problems)
    return documents


def _files(path: Path, problems: list[Problem]) -> list[Path]:
    if path.is_dir():
        files = sorted(item for item in path.iterdir() if item.suffix in SUFFIXES)
        if not files:
            problems.append(Problem(message="no .yaml, .yml or .json file in it", file=str(path)))
        return files
    if not path.exists():
        problems.append(Problem(message="no such file or folder", file=str(path)))
        return []
    return [path]


def read_text(text: str, name: str | None = None) -> list[Document]:
    """The documents of a text, without the empty ones.

    Args:
        text: YAML or JSON, possibly of many documents.
        name: The name of the file, for messages.

    Raises:
        InputError: If it is not YAML, or has a key twice in one mapping.
    """
    source = Source(text, name)
    if text.lstrip().startswith("{"):
        document = _json_document(source)
        if document is not None:
            return [document]
    try:
        documents = list(_Reader(source).documents())
    except yaml.YAMLError as error:
        raise InputError(_syntax_problem(error, name)) from None
    except RecursionError:
        raise InputError(Problem(message="nested too deeply", file=name)) from None
    return documents


def _json_document(source: Source) -> Document | None:
    """A text that is one JSON object; ``None`` when it is not, and YAML's reader shall say why.

    JSON is not quite YAML: it has keys of any length and characters in two halves.
    """
    try:
        data = json.loads(source.text, object_pairs_hook=_distinct, parse_constant=_refuse)
    except ValueError:
        return None
    line = source.text[: source.text.index("{")].count("\n") + 1
    return Document(data, source, line=line, span=(0, len(source.text)))


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    data = dict(pairs)
    if len(data) != len(pairs):
        raise ValueError("a key twice")
    return data


def _refuse(constant: str) -> None:
    raise ValueError(constant)  # NaN and Infinity are JavaScript's, not JSON's


def _syntax_problem(error: yaml.YAMLError, name: str | None) -> Problem:
    if not isinstance(error, yaml.MarkedYAMLError):
        return Problem(message=f"not valid YAML: {str(error).splitlines()[0]}", file=name)
    mark = error.problem_mark or error.context_mark
    message = error.problem or error.context or "syntax error"
    if (
        "nesting depth" in message
    ):  # libyaml of PyYAML 6.0.4 on; before, Python's stack was the limit
        message = "nested too deeply"
    line, column = (mark.line + 1, mark.column + 1) if mark else (0, 0)
    suggestion = ""
    if "cannot start any token" in message:
        suggestion = "YAML is indented with spaces, not with tabs"
    return Problem(
        message=f"not valid YAML: {message}",
        file=name,
        line=line,
        column=column,
        suggestion=suggestion,
    )


class _Reader:
    """Builds plain data from the parser's events; one for each text."""

    def __init__(self, source: Source) -> None:
        self._source = source
        # Any, because the parser's stubs do not tell one kind of event from another.
        self._events: Iterator[Any] = iter(yaml.parse(source.text, yaml.CSafeLoader))
        self._anchors: dict[str, Any] = {}

    def documents(self) -> Iterator[Document]:
        index = -1
        for event in self._events:
            if type(event) is yaml.DocumentStartEvent:
                index += 1
                self._anchors.clear()
                first = next(self._events)
                data = self._value(first)
                end = next(self._events)
                if data is not None:
                    mark = first.start_mark
                    span = (mark.index - mark.column, end.start_mark.index)
                    line = mark.line + 1
                    yield Document(data, self._source, index, line, span, line)

    def _value(self, event: Any) -> Any:
        kind = type(event)
        if kind is yaml.ScalarEvent:
            value = _scalar(event)
        elif kind is yaml.MappingStartEvent:
            value = self._mapping()
        elif kind is yaml.SequenceStartEvent:
            value = self._sequence()
        else:
            assert kind is yaml.AliasEvent, kind
            if event.anchor not in self._anchors:
                raise yaml.MarkedYAMLError(
                    problem=f"unknown anchor {event.anchor!r}", problem_mark=event.start_mark
                )
            return self._anchors[event.anchor]
        if event.anchor is not None:
            self._anchors[event.anchor] = value
        return value

    def _sequence(self) -> list[Any]:
        values = []
        for event in self._events:
            if type(event) is yaml.SequenceEndEvent:
                break
            values.append(self._value(event))
        return values

    def _mapping(self) -> dict[str, Any]:
        mapping: dict[str, Any] = {}
        merged: list[dict[str, Any]] = []
        for event in self._events:
            kind = type(event)
            if kind is yaml.MappingEndEvent:
                break
            if kind is yaml.ScalarEvent and event.implicit[0] and event.value == "<<":
                merged.extend(self._merge(event))
                continue
            key = event.value if kind is yaml.ScalarEvent and _is_text(event) else self._key(event)
            if key in mapping:
                raise yaml.MarkedYAMLError(
                    problem=f'key "{key}" already set in map', problem_mark=event.start_mark
                )
            mapping[key] = self._value(next(self._events))
        for other in merged:
            for key, value in other.items():
                mapping.setdefault(key, value)
        return mapping

    def _merge(self, event: Any) -> list[dict[str, Any]]:
        value = self._value(next(self._events))
        others = value if isinstance(value, list) else [value]
        if not all(isinstance(other, dict) for other in others):
            raise yaml.MarkedYAMLError(
                problem="map merge requires map or sequence of maps as the value",
                problem_mark=event.start_mark,
            )
        return others

    def _key(self, event: Any) -> str:
        """A key that is not plain text, as JSON would have it."""
        key = self._value(event)
        if isinstance(key, bool):
            return "true" if key else "false"
        if isinstance(key, str | int | float):
            return str(key)
        raise yaml.MarkedYAMLError(
            problem="a key must be text, a number or a boolean", problem_mark=event.start_mark
        )


def _is_text(event: Any) -> bool:
    return not event.implicit[0] or type(resolve(event.value)) is str


def _scalar(event: Any) -> Any:
    if event.implicit[0]:
        return resolve(event.value)
    if event.implicit[1] or event.tag in _TEXT_TAGS:
        return event.value
    value = resolve(event.value)
    if event.tag == "tag:yaml.org,2002:float" and type(value) is int:
        return value
    if event.tag in _TAG_TYPES and type(value) is _TAG_TYPES[event.tag]:
        return value
    raise yaml.MarkedYAMLError(
        problem=f"cannot read {event.value!r} as {event.tag}", problem_mark=event.start_mark
    )


_TEXT_TAGS = {"!", "tag:yaml.org,2002:str", "tag:yaml.org,2002:binary"}
_TAG_TYPES: dict[str | None, type] = {
    "tag:yaml.org,2002:int": int,
    "tag:yaml.org,2002:float": float,
    "tag:yaml.org,2002:bool": bool,
    "tag:yaml.org,2002:null": type(None),
}

_FIRST = frozenset("0123456789+-.yYnNtTfFoO~")
_WORDS: dict[str, Any] = {
    "": None,
    **dict.fromkeys(("~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"), True),
    **dict.fromkeys(("no", "No", "NO", "false", "False", "FALSE"), False),
    **dict.fromkeys(("off", "Off", "OFF"), False),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), math.nan),
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"), math.inf),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), -math.inf),
}
_INTEGER = re.compile(r"[-+]?(?:0[xX][0-9a-fA-F]+|0[bB][01]+|0[oO]?[0-7]+|0|[1-9][0-9]*)")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")


@lru_cache(maxsize=2**16)
def resolve(text: str) -> Any:
    """What a plain scalar means: null, a boolean, a number, or the text itself."""
    if text and text[0] not in _FIRST:
        return text
    if text in _WORDS:
        return _WORDS[text]
    plain = text.replace("_", "")
    if _INTEGER.fullmatch(plain):
        return _integer(plain)
    if _FLOAT.fullmatch(plain):
        number = float(plain)
        if math.isinf(number):
            return text
        # JSON has one kind of number: 3.0 travels as 3.
        return int(number) if number.is_integer() and abs(number) < 1e21 else number
    return text


def _integer(text: str) -> int:
    digits = text.lstrip("+-")
    if len(digits) > 1 and digits[0] == "0" and digits[1].isdigit():
        text = text.replace("0", "0o", 1)
    return int(text, 0)


def _find_mark(root: yaml.Node, path: KeyPath, *, key: bool) -> yaml.Mark:
    node, mark = root, root.start_mark
    for depth, part in enumerate(path):
        found = _child(node, part)
        if found is None:
            break
        key_node, node = found
        wants_key = key and depth == len(path) - 1
        mark = key_node.start_mark if wants_key or _is_empty(node) else node.start_mark
    return mark


def _is_empty(node: yaml.Node) -> bool:
    return isinstance(node, yaml.ScalarNode) and node.start_mark.index == node.end_mark.index


def _child(node: yaml.Node, part: str | int) -> tuple[yaml.Node, yaml.Node] | None:
    """Key and value of an entry; an item of a sequence is its own key."""
    if isinstance(node, yaml.SequenceNode) and isinstance(part, int):
        return (node.value[part], node.value[part]) if part < len(node.value) else None
    if not isinstance(node, yaml.MappingNode):
        return None
    for key_node, value in node.value:
        if isinstance(key_node, yaml.ScalarNode) and _key_text(key_node) == part:
            return key_node, value
    for key_node, value in node.value:
        if isinstance(key_node, yaml.ScalarNode) and key_node.value == "<<":
            others = value.value if isinstance(value, yaml.SequenceNode) else [value]
            for other in others:
                if found := _child(other, part):
                    return found
    return None


def _key_text(node: yaml.ScalarNode) -> str:
    value = resolve(node.value) if node.style is None else node.value
    if isinstance(value, bool):
        return "true" if value else "false"
    return node.value if value is None else str(value)
