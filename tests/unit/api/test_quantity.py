"""Quantities: exact, kept as written, canonical when computed."""

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from kubesim.api.quantity import NANO, Quantity, QuantityError


@pytest.mark.parametrize(
    ("text", "nanos"),
    [
        ("0", 0),
        ("1", NANO),
        ("+1", NANO),
        ("-3", -3 * NANO),
        ("100m", NANO // 10),
        ("1.5", 3 * NANO // 2),
        (".5", NANO // 2),
        ("5.", 5 * NANO),
        ("1n", 1),
        ("1u", 1000),
        ("2k", 2000 * NANO),
        ("1M", 10**6 * NANO),
        ("1G", 10**9 * NANO),
        ("1T", 10**12 * NANO),
        ("1P", 10**15 * NANO),
        ("1E", 10**18 * NANO),
        ("1Ki", 2**10 * NANO),
        ("128Mi", 128 * 2**20 * NANO),
        ("1.5Gi", 3 * 2**29 * NANO),
        ("1Ti", 2**40 * NANO),
        ("1Pi", 2**50 * NANO),
        ("1Ei", 2**60 * NANO),
        ("1e3", 1000 * NANO),
        ("1E3", 1000 * NANO),
        ("5e-3", 5 * 10**6),
        (" 7 ", 7 * NANO),
    ],
)
def test_every_form_of_a_quantity_is_exact(text: str, nanos: int) -> None:
    """All suffixes, signs and exponents give the exact number of nano-units."""
    assert nanos == Quantity(text).nanos


def test_what_is_finer_than_a_nano_unit_is_rounded_away_from_zero() -> None:
    """A tenth of a nano-unit is a whole one, on both sides of zero."""
    assert 1 == Quantity("0.1n").nanos
    assert -1 == Quantity("-0.1n").nanos


def test_binary_quantities_are_capped_and_decimal_ones_are_not() -> None:
    """The largest binary quantity is 2^63-1; decimal ones go on."""
    assert 2**63 - 1 == Quantity("9Ei").value()
    assert 10**19 == Quantity("10E").value()


@pytest.mark.parametrize(
    ("text", "value", "millis"),
    [
        ("1", 1, 1000),
        ("1500m", 2, 1500),
        ("0.1m", 1, 1),
        ("-1500m", -2, -1500),
        ("1Ki", 1024, 1024000),
    ],
)
def test_whole_and_milli_values_are_rounded_up(text: str, value: int, millis: int) -> None:
    """``value`` and ``milli_value`` never lose what was asked for."""
    assert (value, millis) == (Quantity(text).value(), Quantity(text).milli_value())


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("1000m", "1"),
        ("1.5", "1500m"),
        ("1.5Gi", "1536Mi"),
        ("16384Mi", "16Gi"),
        ("1023Ki", "1023Ki"),
        ("0.5Ki", "512"),
        ("0.5Mi", "512Ki"),
        ("100", "100"),
        ("1000", "1k"),
        ("12e6", "12e6"),
        ("0.1Ki", "102400m"),
        ("0", "0"),
        ("0Mi", "0"),
        ("-1500Mi", "-1500Mi"),
    ],
)
def test_the_canonical_text_is_that_of_upstream(text: str, canonical: str) -> None:
    """No fraction, and the largest suffix that fits."""
    assert canonical == Quantity(text).canonical()


def test_a_read_quantity_keeps_its_text() -> None:
    """What was written is written again, canonical or not."""
    assert "1000m" == str(Quantity("1000m"))


def test_equality_and_order_are_by_amount() -> None:
    """Texts do not matter for comparisons and hashes."""
    assert Quantity("1") == Quantity("1000m")
    assert hash(Quantity("1")) == hash(Quantity("1000m"))
    assert Quantity("999m") < Quantity("1") <= Quantity("1.0")
    assert Quantity("1") != 1


def test_sums_keep_the_format_of_the_first_that_is_not_zero() -> None:
    """A sum is written with the suffixes of its first addend, unless that is zero."""
    assert "1536Mi" == str(Quantity("1Gi") + Quantity("512Mi"))
    assert "2Ki" == str(Quantity("0") + Quantity("2Ki"))
    assert "-500m" == str(Quantity("0.5") - Quantity("1"))
    assert "-1" == str(-Quantity("1"))


def test_equal_texts_are_one_object() -> None:
    """Parsing the same text again costs a look-up and no memory."""
    assert Quantity("250m") is Quantity("250m")


def test_a_quantity_does_not_change() -> None:
    """Setting an attribute is refused."""
    with pytest.raises(AttributeError, match="does not change"):
        Quantity("1").nanos = 2


def test_a_quantity_survives_a_pickle() -> None:
    """Text, amount and format come back in another process."""
    copy = pickle.loads(pickle.dumps(Quantity("1.5Gi")))

    assert ("1.5Gi", Quantity("1.5Gi")) == (str(copy), copy)


@pytest.mark.parametrize(("number", "text"), [(1, "1"), (0.1, "0.1"), (2.0, "2"), (0.5, "0.5")])
def test_numbers_are_taken_exactly(number: float, text: str) -> None:
    """A YAML number means the decimal that was written, not the nearest binary fraction."""
    assert text == str(TypeAdapter(Quantity).validate_python(number))
    assert Quantity("100m") == Quantity(0.1)


@pytest.mark.parametrize(
    ("text", "suggestion"),
    [
        ("128MB", 'did you mean "128M" or "128Mi"?'),
        ("2gb", 'did you mean "2G" or "2Gi"?'),
        ("1,5", 'did you mean "1.5"?'),
        ("1 Gi", 'did you mean "1Gi"?'),
        ("100mi", 'did you mean "100Mi"?'),
        ("10K", 'did you mean "10k" or "10Ki"?'),
        ("100mcpu", 'did you mean "100m"?'),
        ("2 cores", 'did you mean "2"?'),
        ("12GiB", 'did you mean "12Gi"?'),
        ("much", ""),
        ("", ""),
        ("1..2", ""),
    ],
)
def test_a_wrong_quantity_gets_a_suggestion(text: str, suggestion: str) -> None:
    """Common mistakes are recognized, others are not guessed at."""
    with pytest.raises(QuantityError) as caught:
        Quantity(text)

    assert suggestion == caught.value.suggestion


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("abc", "quantities must match the regular expression"),
        (".", "unable to parse numeric part of quantity"),
        ("1KiMi", "unable to parse quantity's suffix"),
        ("1e9999999999", "unable to parse quantity's suffix"),
    ],
)
def test_a_wrong_quantity_is_refused_as_upstream_does(text: str, message: str) -> None:
    """The three messages are those of the API server."""
    with pytest.raises(QuantityError, match=message):
        Quantity(text)


@given(st.integers(-(2**70), 2**70), st.sampled_from(["DecimalSI", "BinarySI", "DecimalExponent"]))
def test_canonical_texts_parse_back(nanos: int, family: str) -> None:
    """The canonical text of any amount means that amount, up to the cap of binary ones."""
    quantity = Quantity.of_nanos(nanos, family)

    again = Quantity(quantity.canonical())

    cap = (2**63 - 1) * NANO
    expected = nanos if family != "BinarySI" else max(-cap, min(cap, nanos))
    assert expected == again.nanos
