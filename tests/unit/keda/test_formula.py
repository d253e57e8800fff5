"""Formulas over triggers: what they say, and what is refused."""

import pytest

from kubesim.controlplane.autoscaling.keda.formula import Formula, FormulaError

VALUES = {"a": 3.0, "b": 2.0}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("(a + b) / 2", 2.5),
        ("a - b - 1", 0.0),
        ("-a + 10", 7.0),
        ("2 ** 3 ** 0", 2.0),
        ("a * b + 2 ^ 3 % 3", 8.0),
        ("a > 2 ? a + b : 1", 5.0),
        ("!(a > 1) || b == 3 ? 1 : 2.5", 2.5),
        ("max(a, b) + min([a, b])", 5.0),
        ("sum([a, b]) + mean([a, b]) + median([1, a, b])", 9.5),
        ("count([a, b], {# > 1}) > 1 ? 5 : 0", 5.0),
        ("all([a, b], # > 2) ? 1 : 0", 0.0),
        ("len(filter([a, b], # >= 3)) + sum(map([a, b], # * 2))", 11.0),
        ("floor(2.7) + ceil(2.1) + round(2.5) + abs(-1)", 9.0),
    ],
)
def test_formulas_have_values(text, expected):
    """Arithmetic, conditions and functions over lists."""
    assert expected == Formula(text, tuple(VALUES)).value(VALUES)


def test_a_trigger_that_fails_is_nil():
    """``??`` takes the next one; where all fail there is no value."""
    formula = Formula("a ?? b", ("a", "b"))

    assert formula.value({"a": None, "b": 2.0}) == 2.0
    assert formula.value({"a": None, "b": None}) is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a +", "unexpected end"),
        ("c + 1", "unknown name c"),
        ("sqrt(a)", "function sqrt is not simulated"),
        ("a ; b", "cannot be understood"),
        ("(a", "unexpected end"),
        ("a b", "unexpected token"),
        ("a > 1", "non-float result"),
        ("a / 0", "division by zero"),
        ("a && b ? 1 : 0", "neither true nor false"),
    ],
)
def test_formulas_are_refused(text, message):
    """With what is wrong, when it is read or when it has no number."""
    with pytest.raises(FormulaError, match=message):
        Formula(text, tuple(VALUES)).value(VALUES)
