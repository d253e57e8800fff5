"""What pydantic finds wrong, in the words of Kubernetes, with a place and a suggestion.

A reader of a manifest does not know pydantic and should not need to. Here its errors become
problems: ``unknown field "spec.replica" (did you mean "replicas"?)``, ``Required value``,
``expected integer, got string "three"``. The wording is that of the API server where it has one.

Departs: for a value of the wrong type the API server reports the Go type and an offset; this says
which type was expected, where the value stands, and what it is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from kubesim.api.fielderrors import KeyPath, format_path
from kubesim.errors import Problem
from kubesim.manifests.reading import Document

__all__ = ["closest", "problems_of", "type_at"]

_EXPECTED = {
    "string_type": "string",
    "int_type": "integer",
    "int_parsing": "integer",
    "int_from_float": "integer",
    "float_type": "number",
    "float_parsing": "number",
    "bool_type": "boolean",
    "bool_parsing": "boolean",
    "tuple_type": "list",
    "list_type": "list",
    "dict_type": "object",
    "model_type": "object",
    "model_attributes_type": "object",
    "dataclass_type": "object",
}
_BOUND_ERRORS = {
    "greater_than_equal": ("ge", "must be greater than or equal to {}"),
    "less_than_equal": ("le", "must be less than or equal to {}"),
    "greater_than": ("gt", "must be greater than {}"),
    "less_than": ("lt", "must be less than {}"),
}


def problems_of(
    error: ValidationError, document: Document, model: type[BaseModel]
) -> list[Problem]:
    """The problems that ``error`` reports about ``document``, in the order of the text.

    Args:
        error: What pydantic raised.
        document: What was validated.
        model: The class it was validated against.
    """
    problems = [_problem(details, document, model) for details in error.errors(include_url=False)]
    return sorted(problems, key=lambda problem: (problem.line, problem.column))


def _problem(details: ErrorDetails, document: Document, model: type[BaseModel]) -> Problem:
    path = _data_path(details["loc"], document.data)
    kind = details["type"]
    if kind == "extra_forbidden":
        known = _field_names(type_at(model, path[:-1]))
        line, column = document.locate(path, key=True)
        return Problem(
            message=f'unknown field "{format_path(path)}"',
            file=document.source.name,
            line=line,
            column=column,
            suggestion=_did_you_mean(str(path[-1]), known),
        )
    message, suggestion = _explain(kind, details)
    return document.problem(message, path, suggestion=suggestion)


def _explain(kind: str, details: ErrorDetails) -> tuple[str, str]:
    """Message and suggestion of an error that is not about an unknown field."""
    value, context = details["input"], details.get("ctx", {})
    if kind == "missing":
        return "Required value", ""
    if kind in _EXPECTED:
        return _wrong_type(_EXPECTED[kind], value)
    if kind == "literal_error":
        return _unsupported(value, context["expected"])
    if kind in _BOUND_ERRORS:
        key, template = _BOUND_ERRORS[kind]
        return f"Invalid value: {show(value)}: {template.format(context[key])}", ""
    if kind == "value_error":
        cause = context["error"]
        return f"Invalid value: {show(value)}: {cause}", getattr(cause, "suggestion", "")
    text = details["msg"]
    return f"Invalid value: {show(value)}: {text[:1].lower()}{text[1:]}", ""


def _wrong_type(expected: str, value: Any) -> tuple[str, str]:
    if value is None:
        return "Required value", ""
    suggestion = ""
    if expected == "string" and isinstance(value, bool | int | float):
        suggestion = "put the value in quotes to make it a string"
    elif expected == "list" and isinstance(value, Mapping):
        suggestion = 'begin each item with "- "'
    elif _reads_as(expected, value):
        suggestion = "leave out the quotes"
    return f"expected {expected}, got {describe(value)}", suggestion


def _reads_as(expected: str, value: Any) -> bool:
    """Whether the text, without quotes, would be what was expected."""
    if not isinstance(value, str):
        return False
    if expected == "boolean":
        return value.lower() in ("true", "false")
    return expected in ("integer", "number") and value.removeprefix("-").isdecimal()


_BOOLEAN_WORDS = {False: ("off", "no", "false"), True: ("on", "yes", "true")}


def _unsupported(value: Any, expected: str) -> tuple[str, str]:
    # pydantic lists the choices as 'A', 'B' or 'C'
    choices = [part.strip(" '") for part in expected.replace(" or ", ", ").split(",")]
    supported = ", ".join(f'"{choice}"' for choice in sorted(choices))
    message = f"Unsupported value: {show(value)}: supported values: {supported}"
    for choice in choices if isinstance(value, bool) else ():
        if choice.lower() in _BOOLEAN_WORDS[value]:
            return message, f'put it in quotes, "{choice}": without them it is a boolean'
    return message, _did_you_mean(str(value), choices)


def describe(value: Any) -> str:
    """A value with its type as a reader of YAML knows it: ``string "three"``."""
    if isinstance(value, Mapping):
        return "object"
    if isinstance(value, list | tuple):
        return "list"
    names = {bool: "boolean ", int: "number ", float: "number ", str: "string "}
    return names.get(type(value), "") + show(value)


def show(value: Any) -> str:
    """A value as it would stand in JSON, shortened."""
    match value:
        case bool() | None:
            return {True: "true", False: "false", None: "null"}[value]
        case str():
            return f'"{value}"' if len(value) <= 80 else f'"{value[:77]}..."'
        case Mapping():
            return "object"
        case list() | tuple():
            return "list"
        case _:
            return str(value)


def closest(word: str, choices: Sequence[str]) -> str | None:
    """The choice that ``word`` probably was meant to be; capital letters make no difference."""
    by_lower = {choice.lower(): choice for choice in choices}
    found = get_close_matches(word.lower(), by_lower, n=1, cutoff=0.6)
    return by_lower[found[0]] if found else None


def _did_you_mean(word: str, choices: Sequence[str]) -> str:
    found = closest(word, choices)
    return f'did you mean "{found}"?' if found else ""


def _data_path(location: tuple[str | int, ...], data: Any) -> KeyPath:
    """The part of a pydantic location which is a place in the data.

    A location also names the members of unions and the like; those are left out.
    """
    path: list[str | int] = []
    for position, part in enumerate(location):
        is_last = position == len(location) - 1
        if isinstance(data, Mapping):
            if part in data:
                path.append(part)
                data = data[part]
            elif is_last and isinstance(part, str) and part != "[key]":
                path.append(part)
        elif isinstance(data, Sequence) and isinstance(part, int) and part < len(data):
            path.append(part)
            data = data[part]
    return tuple(path)


def type_at(model: Any, path: KeyPath) -> Any:
    """The declared type at ``path`` in a model; ``None`` where the declarations end."""
    here: Any = _unwrap(model)
    for part in path:
        origin = get_origin(here) or here
        if isinstance(origin, type) and issubclass(origin, BaseModel):
            named = (
                info.annotation
                for name, info in origin.model_fields.items()
                if part == (info.validation_alias or info.alias or name)
            )
            here = next(named, None)
        elif isinstance(origin, type) and issubclass(origin, Mapping):
            here = (get_args(here) or (None, None))[1]
        elif isinstance(origin, type) and issubclass(origin, Sequence) and origin is not str:
            here = (get_args(here) or (None,))[0]
        else:
            return None
        here = _unwrap(here)
    return here


def _unwrap(annotation: Any) -> Any:
    """The type inside ``Annotated`` and ``| None``."""
    while True:
        origin = get_origin(annotation)
        if origin is Annotated:
            annotation = get_args(annotation)[0]
        elif origin in (Union, UnionType):
            members = [item for item in get_args(annotation) if item is not type(None)]
            if len(members) != 1:
                return annotation
            annotation = members[0]
        elif origin is Literal:
            return str
        else:
            return annotation


def _field_names(model: Any) -> list[str]:
    if isinstance(model, type) and issubclass(model, BaseModel):
        return [str(info.alias or name) for name, info in model.model_fields.items()]
    return []
