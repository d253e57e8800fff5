"""One number and where it is from.

``{value, spread, source, measured, grade}``: the value is a median where there is a spread. The
grades are those of the project's fact sheet:

* **A** source code or raw data, read at a stated revision
* **B** peer-reviewed paper
* **C** a vendor's documentation or a maintainer's statement
* **D** a blog or a benchmark whose method cannot be checked
* **K** general knowledge, not verified: an assumption, and called one
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from kubesim.api.duration import parse_duration
from kubesim.api.quantity import Quantity
from kubesim.sim.distribution import (
    Constant,
    Distribution,
    Lognormal,
    Normal,
    Quantiles,
    ShiftedLognormal,
    Uniform,
)

Grade = Literal["A", "B", "C", "D", "K"]


def _duration(value: object) -> object:
    return parse_duration(value) if isinstance(value, str) else value


def _quantity(value: object) -> object:
    return Quantity(value).value() if isinstance(value, str) else value


DurationNs = Annotated[int, BeforeValidator(_duration), Field(ge=0)]
"""A duration, written as Go writes it (``1.5s``, ``300ms``); nanoseconds in memory."""

Bytes = Annotated[int, BeforeValidator(_quantity), Field(ge=0)]
"""An amount of data, written as a Kubernetes quantity (``64Mi``); bytes in memory."""


class CalibrationModel(BaseModel):
    """The base of everything in ``models/``: frozen, with no unknown names."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


class Sourced(CalibrationModel):
    """What every number carries.

    Attributes:
        source: Where the value is from, precisely enough to find it again.
        measured: When it was measured or published, as ``YYYY`` or ``YYYY-MM``.
        grade: How far it can be trusted.
        note: What a reader should know before using it.
    """

    source: str = Field(min_length=8)
    measured: str = Field(pattern=r"^\d{4}(-\d{2})?$")
    grade: Grade
    note: str = ""


class Spread(CalibrationModel):
    """How a duration spreads around its median: one of five forms.

    Attributes:
        p99: Lognormal through the median and this 99th percentile.
        sigma: Lognormal with this standard deviation of the logarithm.
        shift: With ``sigma``: what it takes at least; only what is above it is lognormal.
        sd: Normal with this standard deviation.
        uniform: Every value of this range as likely as the other (the median is then its middle).
        quantiles: Percentages and durations, from 0 to 100 through 50, with straight lines between
            them: what was measured where no other form fits.
    """

    p99: DurationNs | None = None
    sigma: float | None = Field(default=None, ge=0, le=3)
    shift: DurationNs | None = None
    sd: DurationNs | None = None
    uniform: tuple[DurationNs, DurationNs] | None = None
    quantiles: tuple[tuple[float, DurationNs], ...] | None = None

    @model_validator(mode="after")
    def _one_form(self) -> Spread:
        forms = (self.p99, self.sigma, self.sd, self.uniform, self.quantiles)
        if sum(form is not None for form in forms) != 1:
            raise ValueError("give exactly one of p99, sigma, sd, uniform, quantiles")
        if self.shift is not None and self.sigma is None:
            raise ValueError("a shift needs a sigma")
        if self.quantiles is not None:
            _check_quantiles(self.quantiles)
        return self

    def around(self, median_ns: int) -> Distribution:
        """The distribution with this spread and that median."""
        if self.uniform is not None:
            return Uniform(*self.uniform)
        if self.quantiles is not None:
            return Quantiles(self.quantiles)
        if self.sd is not None:
            return Normal(median_ns, self.sd)
        if self.p99 is not None:
            return Lognormal.from_quantiles(median_ns, self.p99)
        assert self.sigma is not None
        if self.shift is not None:
            return ShiftedLognormal(median_ns, self.shift, self.sigma)
        return Lognormal(median_ns, self.sigma)


def _check_quantiles(points: tuple[tuple[float, int], ...]) -> None:
    percents = [percent for percent, _ in points]
    if percents != sorted(set(percents)) or percents[:1] != [0.0] or percents[-1:] != [100.0]:
        raise ValueError("the percentages must rise from 0 to 100")
    latencies = [latency for _, latency in points]
    if latencies != sorted(latencies):
        raise ValueError("a higher quantile must not be smaller")


class DurationNumber(Sourced):
    """How long something takes."""

    value: DurationNs
    spread: Spread | Literal["none"]

    @model_validator(mode="after")
    def _consistent(self) -> DurationNumber:
        if isinstance(self.spread, Spread):
            if self.spread.p99 is not None and self.spread.p99 < self.value:
                raise ValueError("the 99th percentile is below the median")
            if (
                self.spread.uniform is not None
                and self.spread.uniform[0] >= self.spread.uniform[1]
            ):
                raise ValueError("the range is empty")
            if self.spread.shift is not None and self.spread.shift >= self.value:
                raise ValueError("the shift is not below the median")
            if self.spread.quantiles is not None and (
                dict(self.spread.quantiles).get(50.0) != self.value
            ):
                raise ValueError("the quantile of 50 must be there and be the value")
        return self

    @property
    def distribution(self) -> Distribution:
        """What components draw from."""
        return Constant(self.value) if self.spread == "none" else self.spread.around(self.value)


class BytesNumber(Sourced):
    """How much memory or data."""

    value: Bytes


class RateNumber(Sourced):
    """Bytes a second."""

    value: Bytes = Field(gt=0)


class CountNumber(Sourced):
    """A whole number, such as fuel per microsecond."""

    value: int = Field(gt=0)
