"""Judging expectations: compiled once, looked at when it matters, explained when they fail."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import cel

from kubesim.errors import InputError, Problem
from kubesim.manifests import Document, closest
from kubesim.scenario.format import Expectation, ScenarioSpec
from kubesim.scenario.view import VARIABLES, View
from kubesim.sim.time import human
from kubesim.telemetry import ExpectationResult

_COMPARISONS = ("<=", ">=", "==", "!=", "<", ">")
_LONGEST_ACTUAL = 300
# The variable that a macro binds, as in ``pods.filter(p, p.ready)``.
_BOUND = re.compile(r"\.(?:all|exists|exists_one|map|filter)\(\s*(\w+)\s*,")


@dataclass(slots=True)
class Judge:
    """One expectation and what is known of it so far."""

    expectation: Expectation
    program: Any
    names: tuple[str, ...]
    decided: ExpectationResult | None = field(default=None)

    def look(self, view: View, now_ns: int) -> None:
        """Look in the middle of a run: ``by`` may come true, ``never`` may be violated."""
        expectation = self.expectation
        if self.decided is not None or (expectation.never is None and expectation.by is None):
            return
        holds, actual = self._evaluate(view)
        if expectation.never is not None and holds:
            self.decided = self._result(passed=False, actual=actual, at_ns=now_ns)
        elif expectation.by is not None:
            if holds and now_ns <= expectation.by:
                self.decided = self._result(passed=True, actual=actual, at_ns=now_ns)
            elif now_ns >= expectation.by:
                self.decided = self._result(passed=False, actual=actual, at_ns=now_ns)

    def finish(self, view: View, now_ns: int) -> ExpectationResult:
        """The verdict at the end of the run."""
        self.look(view, now_ns)
        if self.decided is None:
            holds, actual = self._evaluate(view)
            wanted = self.expectation.never is None and self.expectation.by is None
            passed = holds if wanted else self.expectation.never is not None
            self.decided = self._result(passed=passed, actual=actual, at_ns=now_ns)
        return self.decided

    def _evaluate(self, view: View) -> tuple[bool, str]:
        values = view.values(self.names)
        holds, actual = evaluate(self.program, values)
        if actual == "false":
            actual = explain(self.expectation.source, values) or actual
        return holds, actual

    def _result(self, *, passed: bool, actual: str, at_ns: int) -> ExpectationResult:
        expectation = self.expectation
        if expectation.never is not None:
            expected = f"never: {expectation.never}"
        elif expectation.by is not None:
            expected = f"by {human(expectation.by)}: {expectation.expr}"
        else:
            expected = str(expectation.expr)
        looked_at = " and ".join(self.names) or "run"
        return ExpectationResult(
            name=expectation.name,
            passed=passed,
            expression=expectation.source,
            expected=expected,
            actual=actual,
            at_ns=at_ns,
            hint="" if passed else f"look at {looked_at} at {human(at_ns)} of virtual time",
        )


def compile_expectations(spec: ScenarioSpec, document: Document) -> list[Judge]:
    """A judge for each expectation.

    Raises:
        InputError: With every expression that is not CEL or names what there is not.
    """
    judges: list[Judge] = []
    problems: list[Problem] = []
    for index, expectation in enumerate(spec.expectations):
        key = "expr" if expectation.expr is not None else "never"
        path = ("spec", "expectations", index, key)
        try:
            program = cel.compile(expectation.source)
        except ValueError as error:
            problems.append(document.problem(_first_line(str(error)), path))
            continue
        bound = set(_BOUND.findall(expectation.source))
        names = tuple(sorted(set(program.references()["variables"]) - bound))
        unknown = [name for name in names if name not in VARIABLES]
        for name in unknown:
            near = closest(name, list(VARIABLES))
            hint = f'did you mean "{near}"?' if near else f"there are: {', '.join(VARIABLES)}"
            problems.append(document.problem(f'unknown variable "{name}"', path, suggestion=hint))
        judges.append(Judge(expectation, program, names))
    if problems:
        raise InputError(problems)
    return judges


def evaluate(program: Any, values: dict[str, Any]) -> tuple[bool, str]:
    """Whether a program is true over ``values``, and what it gave."""
    try:
        result = program.execute(values)
    except (KeyError, ValueError, TypeError, RuntimeError) as error:
        return False, f"could not be evaluated: {error}"
    if not isinstance(result, bool):
        return False, f"is not true or false but {_shown(result)}"
    return result, str(result).lower()


def explain(source: str, values: dict[str, Any]) -> str:
    """What the decisive part of an expression was: the first false conjunct's left side."""
    for conjunct in _split(source, ("&&",)):
        holds, _ = evaluate(cel.compile(conjunct), values)
        if holds:
            continue
        sides = _split(conjunct, _COMPARISONS)
        if len(sides) != 2:
            return f"{conjunct.strip()} is false"
        try:
            left = cel.compile(sides[0]).execute(values)
        except (KeyError, ValueError, TypeError, RuntimeError) as error:
            return f"{sides[0].strip()}: {error}"
        return f"{sides[0].strip()} = {_shown(left)}"
    return ""


def _split(source: str, separators: tuple[str, ...]) -> list[str]:
    """Split at separators that stand outside of brackets and strings."""
    parts, depth, quote, start, i = [], 0, "", 0, 0
    while i < len(source):
        character = source[i]
        if quote:
            i += character == "\\"
            quote = "" if character == quote else quote
        elif character in "\"'":
            quote = character
        elif character in "([{":
            depth += 1
        elif character in ")]}":
            depth -= 1
        elif depth == 0:
            separator = next((s for s in separators if source.startswith(s, i)), None)
            if separator is not None:
                parts.append(source[start:i])
                i += len(separator)
                start = i
                continue
        i += 1
    parts.append(source[start:])
    return parts


def _shown(value: Any) -> str:
    if isinstance(value, timedelta):
        return human(round(value.total_seconds() * 1e6) * 1000)
    text = f'"{value}"' if isinstance(value, str) else str(value)
    return text if len(text) <= _LONGEST_ACTUAL else f"{text[:_LONGEST_ACTUAL]}..."


def _first_line(text: str) -> str:
    return text.partition("\n")[0]
