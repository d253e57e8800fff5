"""Formulas over several triggers: the part of the expression language that numbers need.

Numbers, names of triggers, arithmetic, comparisons, ``&&``, ``||``, ``!``, ``a ? b : c``, ``a ?? b``,
lists, and functions, some of which take a condition on an element (``#``)::

    trig_one + 2 * max(trig_two, 1)
    count([trig_one, trig_two], {# > 1}) > 1 ? 5 : 0

Mirrors: github.com/expr-lang/expr, as kedacore/keda@8b4f083 pkg/scaling/modifiers/formula.go uses it.
Departs: texts, maps, ranges, ``let``, pipes and the functions that need them are refused when the object
is admitted.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Collection, Mapping
from functools import cache
from statistics import median
from typing import Any

Scope = Mapping[str, Any]
Node = Callable[[Scope], Any]

ELEMENT = "#"


class FormulaError(ValueError):
    """A formula that cannot be understood, or has no value."""


_WORD = re.compile(
    r"\s*(?:(?P<number>\d+(?:\.\d*)?(?:[eE][-+]?\d+)?|\.\d+)|(?P<name>[A-Za-z_]\w*)"
    r"|(?P<sign>\?\?|\|\||&&|\*\*|==|!=|<=|>=|[-+*/%^<>!?:(),\[\]{}#]))"
)
_OR, _AND, _COMPARE, _SUM, _NOT, _PRODUCT, _MINUS, _POWER, _ELSE = (
    10,
    15,
    20,
    30,
    50,
    60,
    90,
    100,
    500,
)
_BINARY = {
    "||": _OR, "or": _OR, "&&": _AND, "and": _AND, "==": _COMPARE, "!=": _COMPARE, "<": _COMPARE,
    ">": _COMPARE, "<=": _COMPARE, ">=": _COMPARE, "+": _SUM, "-": _SUM, "*": _PRODUCT,
    "/": _PRODUCT, "%": _PRODUCT, "**": _POWER, "^": _POWER, "??": _ELSE,
}  # fmt: skip
_RIGHT = ("**", "^")
_CONSTANTS = {"true": True, "false": False, "nil": None}


def _round(value: float) -> float:
    return math.copysign(math.floor(abs(value) + 0.5), value)


def _mean(values: list[float]) -> float:
    return sum(values) / len(values)


_PLAIN: dict[str, Callable[[float], float]] = {
    "abs": abs, "ceil": lambda x: float(math.ceil(x)), "floor": lambda x: float(math.floor(x)),
    "round": _round, "int": math.trunc, "float": float,
}  # fmt: skip
_OF_LISTS: dict[str, Callable[[list[float]], float]] = {
    "max": max, "min": min, "sum": sum, "mean": _mean, "median": median, "len": len,
}  # fmt: skip
_WITH_CONDITION: dict[str, Callable[[list[Any], list[bool]], Any]] = {
    "count": lambda _, fits: sum(fits),
    "all": lambda _, fits: all(fits),
    "any": lambda _, fits: any(fits),
    "none": lambda _, fits: not any(fits),
    "one": lambda _, fits: sum(fits) == 1,
    "filter": lambda items, fits: [item for item, fit in zip(items, fits, strict=True) if fit],
}


class Formula:
    """A formula that was understood.

    Args:
        text: The formula.
        names: The triggers that it may name.

    Raises:
        FormulaError: If it cannot be understood.
    """

    def __init__(self, text: str, names: Collection[str]) -> None:
        self._node = _Parser(text, names).parse()

    def value(self, values: Mapping[str, float | None]) -> float | None:
        """Its value; ``None`` where a formula with ``??`` has none.

        Args:
            values: The triggers' values by their names.

        Raises:
            FormulaError: If there is no number.
        """
        try:
            found = self._node(values)
        except (TypeError, ZeroDivisionError, OverflowError, ValueError, KeyError) as error:
            raise FormulaError(f"error trying to run custom formula: {error}") from error
        if found is None:
            return None
        if isinstance(found, bool) or not isinstance(found, int | float):
            raise FormulaError(f"formula returned non-float result ({found})")
        return float(found)


@cache
def compiled(text: str, names: tuple[str, ...]) -> Formula:
    """The same, remembered."""
    return Formula(text, names)


class _Parser:
    """Precedence climbing over the words of one formula."""

    def __init__(self, text: str, names: Collection[str]) -> None:
        self._names = names
        self._words = list(_words(text))
        self._at = 0

    def parse(self) -> Node:
        node = self._expression()
        if self._at < len(self._words):
            raise FormulaError(f'unexpected token "{self._peek()}"')
        return node

    def _peek(self) -> str:
        return self._words[self._at] if self._at < len(self._words) else ""

    def _next(self) -> str:
        word = self._peek()
        if not word:
            raise FormulaError("unexpected end of the formula")
        self._at += 1
        return word

    def _expect(self, word: str) -> None:
        if (found := self._next()) != word:
            raise FormulaError(f'expected "{word}", found "{found}"')

    def _expression(self) -> Node:
        node = self._binary(0)
        if self._peek() != "?":
            return node
        self._next()
        then = self._expression()
        self._expect(":")
        other = self._expression()
        return lambda scope: then(scope) if _bool(node(scope)) else other(scope)

    def _binary(self, least: int) -> Node:
        left = self._unary()
        while (strength := _BINARY.get(self._peek(), -1)) >= least >= 0:
            sign = self._next()
            right = self._binary(strength if sign in _RIGHT else strength + 1)
            left = _combined(sign, left, right)
        return left

    def _unary(self) -> Node:
        word = self._next()
        if word in ("-", "+"):
            inner = self._binary(_MINUS)
            return (lambda scope: -_number(inner(scope))) if word == "-" else inner
        if word in ("!", "not"):
            inner = self._binary(_NOT)
            return lambda scope: not _bool(inner(scope))
        return self._primary(word)

    def _primary(self, word: str) -> Node:
        if word == "(":
            inner = self._expression()
            self._expect(")")
            return inner
        if word == "[":
            items = self._list("]")
            return lambda scope: [item(scope) for item in items]
        if word[0].isdigit() or word[0] == ".":
            literal = int(word) if word.isdigit() else float(word)
            return lambda _: literal
        if word in _CONSTANTS:
            constant = _CONSTANTS[word]
            return lambda _: constant
        if self._peek() == "(":
            return self._call(word)
        if word != ELEMENT and word not in self._names:
            raise FormulaError(f"unknown name {word}")
        return lambda scope: scope[word]

    def _list(self, end: str) -> list[Node]:
        items: list[Node] = []
        while self._peek() != end:
            items.append(self._expression())
            if self._peek() != end:
                self._expect(",")
        self._next()
        return items

    def _call(self, name: str) -> Node:
        self._next()
        if name in _PLAIN:
            function, (argument,) = _PLAIN[name], self._arguments(name, 1)
            return lambda scope: function(_number(argument(scope)))
        if name in _OF_LISTS:
            reduce, arguments = _OF_LISTS[name], self._list(")")
            return lambda scope: reduce(_numbers([item(scope) for item in arguments]))
        if name in _WITH_CONDITION or name == "map":
            return self._with_condition(name)
        raise FormulaError(f"the function {name} is not simulated")

    def _arguments(self, name: str, count: int) -> list[Node]:
        found = self._list(")")
        if len(found) != count:
            raise FormulaError(f"{name} takes {count} argument")
        return found

    def _with_condition(self, name: str) -> Node:
        items = self._expression()
        if name != "map" and self._peek() == ")":  # without a condition the elements are bools
            self._next()
            choose = _WITH_CONDITION[name]
            return lambda scope: choose(items(scope), [_bool(item) for item in items(scope)])
        self._expect(",")
        braces = self._peek() == "{"
        if braces:
            self._next()
        each = self._expression()
        if braces:
            self._expect("}")
        self._expect(")")

        def results(scope: Scope) -> tuple[list[Any], list[Any]]:
            found = items(scope)
            return found, [each({**scope, ELEMENT: item}) for item in found]

        if name == "map":
            return lambda scope: results(scope)[1]
        pick = _WITH_CONDITION[name]

        def condition(scope: Scope) -> Any:
            found, fits = results(scope)
            return pick(found, [_bool(fit) for fit in fits])

        return condition


def _words(text: str) -> list[str]:
    found: list[str] = []
    at, text = 0, text.rstrip()
    while at < len(text):
        match = _WORD.match(text, at)
        if match is None:
            raise FormulaError(f'"{text[at:].strip()[:16]}" cannot be understood')
        found.append(match[match.lastgroup or 0])
        at = match.end()
    return found


def _combined(sign: str, left: Node, right: Node) -> Node:
    if sign == "??":

        def either(scope: Scope) -> Any:
            found = left(scope)
            return right(scope) if found is None else found

        return either
    if sign in ("||", "or"):
        return lambda scope: _bool(left(scope)) or _bool(right(scope))
    if sign in ("&&", "and"):
        return lambda scope: _bool(left(scope)) and _bool(right(scope))
    if sign in ("==", "!="):
        return lambda scope: (left(scope) == right(scope)) == (sign == "==")
    work = _ARITHMETIC[sign]
    return lambda scope: work(_number(left(scope)), _number(right(scope)))


_ARITHMETIC: dict[str, Callable[[float, float], Any]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": lambda a, b: _divided(float(a), float(b)),
    "%": math.fmod,
    "**": lambda a, b: float(a) ** b,
    "^": lambda a, b: float(a) ** b,
    "<": lambda a, b: a < b,
    ">": lambda a, b: a > b,
    "<=": lambda a, b: a <= b,
    ">=": lambda a, b: a >= b,
}


def _divided(left: float, right: float) -> float:
    """As floating point has it; a metric that is not finite is no metric."""
    if right == 0:
        raise ZeroDivisionError("division by zero")
    return left / right


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{'nil' if value is None else value} is not a number")
    return value


def _numbers(values: list[Any]) -> list[float]:
    """The arguments of a function that takes a list, or several numbers."""
    flat: list[float] = []
    for value in values:
        flat += [_number(item) for item in value] if isinstance(value, list) else [_number(value)]
    return flat


def _bool(value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError(f"{value} is neither true nor false")
    return value
