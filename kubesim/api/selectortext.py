"""Selectors as one line of text, as a scale subresource and a log have them.

A scale carries its selector as ``app=web,tier in (a,b)``. Reading that is a small grammar; so is
writing it. Also here: the text that Go prints for a selector inside an error.

Mirrors: staging/src/k8s.io/apimachinery/pkg/labels/selector.go (Parse, String),
apimachinery/pkg/apis/meta/v1 (LabelSelector.String).
Departs: names and values are not checked against their formats here; the objects that carry them were.
"""

from __future__ import annotations

import re

from kubesim.api.frozenmap import FrozenMap
from kubesim.api.metav1 import LabelSelector, LabelSelectorRequirement

_TOKEN = re.compile(r"\s*(==|!=|[=!(),]|[^\s=!(),<>]+|[<>])")


class SelectorError(ValueError):
    """A text is not a selector."""


def selector_text(selector: LabelSelector) -> str:
    """The selector on one line, its requirements in the order of their labels."""
    parts = [(key, f"{key}={value}") for key, value in selector.match_labels.items()]
    for item in selector.match_expressions:
        values = ",".join(sorted(item.values))
        text = {
            "In": f"{item.key} in ({values})",
            "NotIn": f"{item.key} notin ({values})",
            "Exists": item.key,
            "DoesNotExist": f"!{item.key}",
        }[item.operator]
        parts.append((item.key, text))
    return ",".join(text for _, text in sorted(parts))


def parse_selector(text: str) -> LabelSelector:
    """Read a selector from one line.

    Raises:
        SelectorError: If it is not one.
    """
    tokens = _tokens(text)
    labels: dict[str, str] = {}
    expressions: list[LabelSelectorRequirement] = []
    position = 0
    while position < len(tokens):
        position, requirement = _requirement(tokens, position)
        if isinstance(requirement, tuple):
            labels[requirement[0]] = requirement[1]
        else:
            expressions.append(requirement)
        if position < len(tokens):
            if tokens[position] != "," or position + 1 == len(tokens):
                raise SelectorError(
                    f"found '{tokens[position]}', expected: ',' or 'end of string'"
                )
            position += 1
    return LabelSelector(match_labels=FrozenMap(labels), match_expressions=tuple(expressions))


def _tokens(text: str) -> list[str]:
    tokens: list[str] = []
    position = 0
    stripped = text.rstrip()
    while position < len(stripped):
        match = _TOKEN.match(stripped, position)
        if match is None:
            raise SelectorError(f"unable to parse requirement: {stripped[position:]!r}")
        tokens.append(match.group(1))
        position = match.end()
    return tokens


def _requirement(
    tokens: list[str], position: int
) -> tuple[int, tuple[str, str] | LabelSelectorRequirement]:
    """One requirement and where it ends; equality as a pair."""
    if tokens[position] == "!":
        key = _word(tokens, position + 1)
        return position + 2, LabelSelectorRequirement(key=key, operator="DoesNotExist")
    key = _word(tokens, position)
    operator = tokens[position + 1] if position + 1 < len(tokens) else ","
    match operator:
        case ",":
            return position + 1, LabelSelectorRequirement(key=key, operator="Exists")
        case "=" | "==":
            end, value = _value(tokens, position + 2)
            return end, (key, value)
        case "!=":
            end, value = _value(tokens, position + 2)
            return end, LabelSelectorRequirement(key=key, operator="NotIn", values=(value,))
        case "in" | "notin":
            end, values = _values(tokens, position + 2)
            kind = "In" if operator == "in" else "NotIn"
            return end, LabelSelectorRequirement.model_validate(
                {"key": key, "operator": kind, "values": values}
            )
        case _:
            wanted = "in, notin, =, ==, !=, gt, lt"
            raise SelectorError(f"found '{operator}', expected: {wanted}")


def _word(tokens: list[str], position: int) -> str:
    if position >= len(tokens) or re.fullmatch(r"==|!=|[=!(),<>]", tokens[position]):
        found = tokens[position] if position < len(tokens) else ""
        raise SelectorError(f"found '{found}', expected: identifier")
    return tokens[position]


def _value(tokens: list[str], position: int) -> tuple[int, str]:
    """The value after an equals sign: nothing is a value, too."""
    if position >= len(tokens) or tokens[position] == ",":
        return position, ""
    return position + 1, _word(tokens, position)


def _values(tokens: list[str], position: int) -> tuple[int, tuple[str, ...]]:
    if position >= len(tokens) or tokens[position] != "(":
        raise SelectorError("found '', expected: '('")
    values: list[str] = []
    position += 1
    while position < len(tokens) and tokens[position] != ")":
        if tokens[position] != ",":
            values.append(_word(tokens, position))
        position += 1
    if position >= len(tokens):
        raise SelectorError("found '', expected: ',' or ')'")
    return position + 1, tuple(sorted(values))


def go_selector(selector: LabelSelector | None) -> str:
    """The text that Go prints for a pointer to a ``LabelSelector``."""
    if selector is None:
        return "nil"
    labels = "".join(f"{key}: {value}," for key, value in sorted(selector.match_labels.items()))
    expressions = "".join(
        "LabelSelectorRequirement{"
        f"Key:{item.key},Operator:{item.operator},Values:[{' '.join(item.values)}],"
        "},"
        for item in selector.match_expressions
    )
    return (
        f"&LabelSelector{{MatchLabels:map[string]string{{{labels}}},"
        f"MatchExpressions:[]LabelSelectorRequirement{{{expressions}}},}}"
    )
