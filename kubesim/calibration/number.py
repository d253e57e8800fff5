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
from kubesim.sim.distribution import Constant, Distribution, Lognormal, Uniform

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
    """How a duration spreads around its median: one of three forms.

    Attributes:
        p99: Lognormal through the median and this 99th percentile.
        sigma: Lognormal with this standard deviation of the logarithm.
        uniform: Every value of this range as likely as the other (the median is then its middle).
    """

    p99: DurationNs | None = None
    sigma: float | None = Field(default=None, ge=0, le=3)
    uniform: tuple[DurationNs, DurationNs] | None = None

    @model_validator(mode="after")
    def _one_form(self) -> Spread:
        given = [self.p99 is not None, self.sigma is not None, self.uniform is not None]
        if sum(given) != 1:
            raise ValueError("give exactly one of p99, sigma, uniform")
        return self


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
        return self

    @property
    def distribution(self) -> Distribution:
        """What components draw from."""
        spread = self.spread
        if spread == "none":
            return Constant(self.value)
        if spread.uniform is not None:
            return Uniform(*spread.uniform)
        if spread.p99 is not None:
            return Lognormal.from_quantiles(self.value, spread.p99)
        assert spread.sigma is not None
        return Lognormal(self.value, spread.sigma)


class BytesNumber(Sourced):
    """How much memory or data."""

    value: Bytes


class RateNumber(Sourced):
    """Bytes a second."""

    value: Bytes = Field(gt=0)


class CountNumber(Sourced):
    """A whole number, such as fuel per microsecond."""

    value: int = Field(gt=0)
