"""Quantities: ``500m``, ``128Mi``, ``1.5``, ``1e3``, held exactly.

A quantity is a whole number of nano-units (10^-9) in memory, so sums and comparisons are integer
arithmetic and never round. Parsing follows the API server to the letter: the same suffixes, what
is finer than a nano-unit is rounded away from zero, binary quantities are capped at 2^63-1. The
text that the user wrote is kept, so it is written out again unchanged; a computed quantity is
written in the canonical form (``1536Mi``, not ``1.5Gi``).

Equal texts give the same object: a cluster has thousands of ``100m`` but needs to parse one.

Mirrors: staging/src/k8s.io/apimachinery/pkg/api/resource/{quantity,suffix}.go.
Departs: quantities that were read keep their text, where upstream rewrites ``1000m`` as ``1``.
"""

from __future__ import annotations

import math
import re
from functools import lru_cache, total_ordering
from typing import Any, Literal

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, core_schema
from typing_extensions import override

__all__ = ["Format", "Quantity", "QuantityError"]

Format = Literal["DecimalSI", "BinarySI", "DecimalExponent"]

NANO = 10**9
_MAX_BINARY_NANOS = (2**63 - 1) * NANO

_PATTERN = r"^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$"
_FORMAT_WRONG = f"quantities must match the regular expression '{_PATTERN}'"
_NUMERIC_WRONG = "unable to parse numeric part of quantity"
_SUFFIX_WRONG = "unable to parse quantity's suffix"

_SPLIT = re.compile(r"([+-]?)([0-9]*)(?:\.([0-9]*))?([eEinumkKMGTP]*[-+]?[0-9]*)", re.ASCII)
_EXPONENT = re.compile(r"[eE]([+-]?[0-9]+)", re.ASCII)

_DECIMAL = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_BINARY = {"Ki": 10, "Mi": 20, "Gi": 30, "Ti": 40, "Pi": 50, "Ei": 60}
_DECIMAL_SUFFIX = {exponent: suffix for suffix, exponent in _DECIMAL.items()}
_BINARY_SUFFIX = {exponent: suffix for suffix, exponent in _BINARY.items()}
# An exponent past this one is a typing mistake; without a bound, `1e999999999` would fill memory.
_MAX_EXPONENT = 1000


class QuantityError(ValueError):
    """A text is not a quantity; ``suggestion`` says what it was probably meant to be."""

    def __init__(self, message: str, suggestion: str = "") -> None:
        super().__init__(message)
        self.suggestion = suggestion


@total_ordering
class Quantity:
    """An exact amount of a resource, such as ``Quantity("250m")``.

    Attributes:
        nanos: The amount in units of 10^-9.
        format: The family of suffixes that the canonical text uses.
    """

    __slots__ = ("_text", "format", "nanos")

    nanos: int
    format: Format
    _text: str | None

    def __new__(cls, text: str | float) -> Quantity:  # noqa: PYI034  # the cached one
        """Parses ``text``; equal texts give the same object.

        Raises:
            QuantityError: If it is not a quantity.
        """
        return _parse(text if isinstance(text, str) else _number_text(text))

    @classmethod
    def of_nanos(cls, nanos: int, format: Format = "DecimalSI") -> Quantity:  # noqa: A002
        """The quantity of so many 10^-9 units."""
        return _make(nanos, format, None)

    @classmethod
    def of_millis(cls, millis: int, format: Format = "DecimalSI") -> Quantity:  # noqa: A002
        """The quantity of so many thousandths, such as ``250`` for ``250m``."""
        return _make(millis * 10**6, format, None)

    @classmethod
    def of_value(cls, value: int, format: Format = "DecimalSI") -> Quantity:  # noqa: A002
        """The quantity of so many whole units."""
        return _make(value * NANO, format, None)

    def value(self) -> int:
        """Whole units, rounded up (away from zero)."""
        return _divide_away_from_zero(self.nanos, NANO)

    def milli_value(self) -> int:
        """Thousandths, rounded up (away from zero)."""
        return _divide_away_from_zero(self.nanos, 10**6)

    def canonical(self) -> str:
        """The shortest exact text: no fraction, and the largest suffix that fits."""
        return _canonical(self.nanos, self.format)

    def __add__(self, other: Quantity) -> Quantity:
        if not isinstance(other, Quantity):
            return NotImplemented
        return _make(self.nanos + other.nanos, self.format if self.nanos else other.format, None)

    def __sub__(self, other: Quantity) -> Quantity:
        if not isinstance(other, Quantity):
            return NotImplemented
        return _make(self.nanos - other.nanos, self.format if self.nanos else other.format, None)

    def __neg__(self) -> Quantity:
        return _make(-self.nanos, self.format, None)

    def __bool__(self) -> bool:
        return self.nanos != 0

    @override
    def __eq__(self, other: object) -> bool:
        return isinstance(other, Quantity) and self.nanos == other.nanos

    def __lt__(self, other: Quantity) -> bool:
        return self.nanos < other.nanos

    @override
    def __hash__(self) -> int:
        return hash(self.nanos)

    @override
    def __str__(self) -> str:
        if self._text is None:
            _set(self, "_text", self.canonical())
        assert self._text is not None
        return self._text

    @override
    def __repr__(self) -> str:
        return f"Quantity({str(self)!r})"

    @override
    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"a Quantity does not change: {name} = {value!r}")

    @override
    def __reduce__(self) -> tuple[Any, ...]:
        return _make, (self.nanos, self.format, self._text)

    @classmethod
    def __get_pydantic_core_schema__(
        cls, _source: Any, _handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(
            _validate, serialization=core_schema.to_string_ser_schema(when_used="always")
        )

    @classmethod
    def __get_pydantic_json_schema__(
        cls, _schema: CoreSchema, _handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return {"anyOf": [{"type": "string"}, {"type": "number"}]}


_set = object.__setattr__


def _make(nanos: int, format: Format, text: str | None) -> Quantity:  # noqa: A002
    quantity = object.__new__(Quantity)
    _set(quantity, "nanos", nanos)
    _set(quantity, "format", format)
    _set(quantity, "_text", text)
    return quantity


def _validate(value: object) -> Quantity:
    if isinstance(value, Quantity):
        return value
    if isinstance(value, str):
        return _parse(value)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return _parse(_number_text(value))
    raise QuantityError(_FORMAT_WRONG)


def _number_text(value: float) -> str:
    """The shortest text of a YAML number, as it would travel in JSON."""
    if not math.isfinite(value):
        raise QuantityError(_FORMAT_WRONG)
    return repr(int(value)) if value == int(value) else repr(value)


@lru_cache(maxsize=2**16)
def _parse(text: str) -> Quantity:
    match = _SPLIT.fullmatch(text.strip())
    if match is None or not text.strip():
        raise QuantityError(_FORMAT_WRONG, _suggest(text))
    sign, whole, fraction, suffix = match.group(1), match.group(2), match.group(3), match.group(4)
    if not whole and not fraction:
        raise QuantityError(_NUMERIC_WRONG, _suggest(text))
    mantissa, places = int(whole + (fraction or "")), len(fraction or "")

    if (power := _DECIMAL.get(suffix)) is not None:
        nanos, family = _scale_decimal(mantissa, power - places), "DecimalSI"
    elif (power := _BINARY.get(suffix)) is not None:
        nanos, family = _scale_decimal(mantissa << power, -places), "BinarySI"
        nanos = min(nanos, _MAX_BINARY_NANOS)
    elif (exponent := _EXPONENT.fullmatch(suffix)) and abs(int(exponent[1])) <= _MAX_EXPONENT:
        nanos, family = _scale_decimal(mantissa, int(exponent[1]) - places), "DecimalExponent"
    else:
        raise QuantityError(_SUFFIX_WRONG, _suggest(text))
    if family == "BinarySI" and 0 < nanos < NANO:
        family = "DecimalSI"
    return _make(-nanos if sign == "-" else nanos, family, text.strip())  # type: ignore[arg-type]


def _scale_decimal(mantissa: int, power: int) -> int:
    """``mantissa * 10^power`` in nano-units, rounded up."""
    power += 9
    return int(mantissa * 10**power) if power >= 0 else -(-mantissa // 10**-power)


def _divide_away_from_zero(amount: int, unit: int) -> int:
    return -(-amount // unit) if amount >= 0 else amount // unit


def _canonical(nanos: int, family: Format) -> str:
    if nanos == 0:
        return "0"
    if family == "BinarySI" and abs(nanos) >= 1024 * NANO and nanos % NANO == 0:
        mantissa, exponent = nanos // NANO, 0
        while mantissa % 1024 == 0 and exponent < 60:
            mantissa, exponent = mantissa // 1024, exponent + 10
        return f"{mantissa}{_BINARY_SUFFIX.get(exponent, '')}"
    mantissa, exponent = nanos, -9
    while mantissa % 1000 == 0 and exponent < 18:
        mantissa, exponent = mantissa // 1000, exponent + 3
    if family == "DecimalExponent":
        return f"{mantissa}e{exponent}" if exponent else f"{mantissa}"
    return f"{mantissa}{_DECIMAL_SUFFIX[exponent]}"


_LOOSE = re.compile(r"([+-]?[0-9]+(?:[.,][0-9]+)?)\s*([A-Za-z]*)")
_MEANT = {
    "k": ("k", "Ki"),
    "m": ("M", "Mi"),
    "g": ("G", "Gi"),
    "t": ("T", "Ti"),
    "p": ("P", "Pi"),
    "e": ("E", "Ei"),
}
_MILLI_WORDS = {"mcpu", "millicpu", "millicore", "millicores", "mcore", "mcores"}
_UNIT_WORDS = {"cpu", "cpus", "core", "cores", "b", "byte", "bytes"}


def _suggest(text: str) -> str:
    """What a wrong quantity was probably meant to be, as a sentence; empty if nobody can tell."""
    match = _LOOSE.fullmatch(text.strip())
    if match is None:
        return ""
    number, unit = match.group(1).replace(",", "."), match.group(2)
    meant = " or ".join(f'"{number}{suffix}"' for suffix in _meant_suffixes(unit))
    return f"did you mean {meant}?" if meant else ""


def _meant_suffixes(unit: str) -> tuple[str, ...]:
    if unit in _DECIMAL or unit in _BINARY:
        return (unit,)
    lowered = unit.lower()
    if lowered in _MILLI_WORDS:
        return ("m",)
    if lowered in _UNIT_WORDS:
        return ("",)
    stem = lowered.removesuffix("bytes").removesuffix("byte").removesuffix("b")
    if stem.endswith("i"):
        return _MEANT.get(stem[:-1], ())[1:]
    return _MEANT.get(stem, ())
