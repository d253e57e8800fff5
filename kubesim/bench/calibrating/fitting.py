"""The form of a spread: which family fits some durations best, and how well.

Lognormal, shifted lognormal, gamma and normal are fitted by maximum likelihood and compared by
Akaike's criterion. The best one is taken if Kolmogorov and Smirnov do not object and if it keeps the
median and the 99th percentile to within 5 %; otherwise the measured quantiles stand for themselves.
Parameters were estimated from the samples that they are tested on, so p is on the kind side.

What is known only in sum (a sandbox with a network, when one without was measured too) is fitted so
that the sum has the quantiles that were measured.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kubesim.errors import InputError

Array = NDArray[np.float64]

GOOD_ENOUGH = 0.05
PROBABLE = 0.05
GRID = (0.0, 1.0, 5.0, 10.0, 25.0, 50.0, 75.0, 90.0, 95.0, 98.0, 99.0, 100.0)
_STRATA = 4_000
_STEPS = (1, 1_597, 2_531, 3_119)  # through the strata in as many orders, far from each other
_US_PER_MS = 1_000
_NS_PER_MS = 1_000_000
_MOST_SIGMA = 3.0  # what a preset takes
_LEAST_MS = 0.002  # above a shift: more than rounding takes away


@dataclass(frozen=True, kw_only=True)
class Fit:
    """A spread around a median.

    Attributes:
        family: Its name.
        median_ms: The median.
        spread: As a preset writes it.
        ks: Kolmogorov and Smirnov's largest distance to what was measured.
        p: The probability of a larger one if the samples were drawn from it.
        aic: Akaike's criterion; infinite where no likelihood was looked at.
        n: How many samples there were.
    """

    family: str
    median_ms: float
    spread: dict[str, Any]
    ks: float
    p: float
    aic: float
    n: int

    @property
    def note(self) -> str:
        """How well it fits, in a line."""
        return f"n = {self.n}, {self.family}, KS {self.ks:.3f} (p = {self.p:.2g})"


def stats() -> Any:
    """Scipy's statistics, which are an extra.

    Raises:
        InputError: If scipy is not installed.
    """
    try:
        from scipy import stats as scipy_stats  # noqa: PLC0415 - an extra
    except ImportError:
        raise InputError("fitting needs scipy: pip install 'kubesim[calibrate]'") from None
    return scipy_stats


def duration(ms: float) -> str:
    """As a preset writes it: whole microseconds, and nanoseconds below one millisecond."""
    return f"{round(ms * _US_PER_MS)}us" if ms >= 1.0 else f"{round(ms * _NS_PER_MS)}ns"


def fit(samples: Sequence[float]) -> Fit:
    """The form that fits best."""
    values: Array = np.sort(np.asarray(samples, dtype=np.float64))
    candidates = sorted(
        (each(values) for each in (_lognormal, _shifted, _gamma, _normal)),
        key=lambda found: found.aic,
    )
    for found in candidates:
        if found.p >= PROBABLE and _keeps_quantiles(found, values):
            return found
    return measured_quantiles(values)


def fit_remainder(total: Sequence[float], base: Fit) -> Fit:
    """What has to be added to ``base``, independently, for the sum to be as ``total`` was.

    A shifted lognormal, by the least squares of the sum's relative error at many quantiles.
    """
    from scipy import optimize  # noqa: PLC0415 - an extra

    values: Array = np.sort(np.asarray(total, dtype=np.float64))
    strata: Array = (np.arange(_STRATA) + 0.5) / _STRATA
    # The same strata in another order, far from the first: independent, and always the same.
    normal = stats().norm.ppf(strata[(np.arange(_STRATA) * 1597) % _STRATA])
    below = quantiles(base, strata)
    percents: Array = np.asarray((5, 10, 25, 50, 50, 75, 90, 99, 99, 99), dtype=np.float64)
    wanted = np.percentile(values, percents)

    def summed(parameters: Array) -> Array:
        shift, above, sigma = np.exp(parameters)
        return np.asarray(below + shift + above * np.exp(sigma * normal))

    def error(parameters: Array) -> float:
        got = np.percentile(summed(parameters), percents)
        return float(np.sum((got / wanted - 1.0) ** 2)) + 1e-4 * float(parameters[2] ** 2)

    middle = max(0.1, float(np.median(values)) - base.median_ms)
    start = np.log([middle / 2, middle / 2, 0.5])
    options = {"maxiter": 4_000, "xatol": 1e-6, "fatol": 1e-10}
    found = optimize.minimize(error, start, method="Nelder-Mead", options=options)
    shift, above, sigma = (float(each) for each in np.exp(found.x))
    above, sigma = max(above, _LEAST_MS), min(sigma, _MOST_SIGMA)
    ks = stats().ks_2samp(values, summed(np.asarray(found.x)))
    return Fit(
        family="shifted lognormal, of the sum",
        median_ms=shift + above,
        spread={"sigma": round(sigma, 4), "shift": duration(shift)},
        ks=float(ks.statistic),
        p=float(ks.pvalue),
        aic=math.inf,
        n=len(values),
    )


def fit_sum(parts: Sequence[Fit]) -> Fit:
    """The quantiles of a sum of independent durations."""
    strata: Array = (np.arange(_STRATA) + 0.5) / _STRATA
    total = np.zeros(_STRATA)
    for part, step in zip(parts, _STEPS, strict=False):
        total += quantiles(part, strata[(np.arange(_STRATA) * step) % _STRATA])
    found = measured_quantiles(np.sort(total))
    return replace(found, family="quantiles of a sum", n=min(part.n for part in parts))


def quantiles(found: Fit, probabilities: Array) -> Array:
    """Quantiles of a fit, in milliseconds."""
    spread = found.spread
    if "quantiles" in spread:
        percents = [percent for percent, _ in spread["quantiles"]]
        values = [_ms(value) for _, value in spread["quantiles"]]
        return np.interp(probabilities * 100, percents, values)
    normal = stats().norm.ppf(probabilities)
    if "sd" in spread:
        return np.asarray(np.maximum(0.0, found.median_ms + _ms(spread["sd"]) * normal))
    shift = _ms(spread["shift"]) if "shift" in spread else 0.0
    return np.asarray(shift + (found.median_ms - shift) * np.exp(spread["sigma"] * normal))


def measured_quantiles(values: Array) -> Fit:
    """The samples' own quantiles."""
    points = {percent: float(np.percentile(values, percent)) for percent in GRID}
    found = Fit(
        family="measured quantiles",
        median_ms=points[50.0],
        spread={"quantiles": [[percent, duration(ms)] for percent, ms in points.items()]},
        ks=0.0,
        p=1.0,
        aic=math.inf,
        n=len(values),
    )
    return _tested(found, values, lambda x: np.interp(x, list(points.values()), GRID) / 100.0)


def _keeps_quantiles(found: Fit, values: Array) -> bool:
    wanted = np.percentile(values, (50, 99))
    got = quantiles(found, np.asarray((0.5, 0.99)))
    return bool(np.all(np.abs(got / wanted - 1.0) <= GOOD_ENOUGH))


def _lognormal(values: Array, shift: float = 0.0, name: str = "lognormal") -> Fit:
    logs = np.log(values - shift)
    mu, sigma = float(logs.mean()), float(logs.std())
    frozen = stats().lognorm(sigma, loc=shift, scale=math.exp(mu))
    spread: dict[str, Any] = {"sigma": round(sigma, 4)}
    if shift:
        spread["shift"] = duration(shift)
    parameters = 3 if shift else 2
    found = _fit(
        name, shift + math.exp(mu), spread, aic=_aic(frozen, values, parameters), values=values
    )
    return _tested(found, values, frozen.cdf)


def _shifted(values: Array) -> Fit:
    """The shift is looked for on a grid below the smallest sample: the likelihood has no maximum."""
    least = float(values[0])
    shifts = [least * part / 100.0 for part in (*range(5, 95, 5), 95, 96, 97, 98)]
    return min(
        (_lognormal(values, shift, "shifted lognormal") for shift in shifts),
        key=lambda found: found.aic,
    )


def _gamma(values: Array) -> Fit:
    """Written as its quantiles: a gamma has no inverse that gives the same bits everywhere."""
    shape, _, scale = stats().gamma.fit(values, floc=0)
    frozen = stats().gamma(shape, scale=scale)
    inner = (0.1, *GRID[1:-1], 99.9)
    points = [[percent, duration(float(frozen.ppf(percent / 100.0)))] for percent in inner]
    least, most = (float(frozen.ppf(p)) for p in (0.0001, 0.9999))
    spread = {"quantiles": [[0.0, duration(least)], *points, [100.0, duration(most)]]}
    median = float(frozen.ppf(0.5))
    found = _fit("gamma", median, spread, aic=_aic(frozen, values, 2), values=values)
    return _tested(found, values, frozen.cdf)


def _normal(values: Array) -> Fit:
    mean, sd = float(values.mean()), float(values.std())
    frozen = stats().norm(mean, sd or 1e-9)
    found = _fit("normal", mean, {"sd": duration(sd)}, aic=_aic(frozen, values, 2), values=values)
    return _tested(found, values, frozen.cdf)


def _fit(
    family: str, median_ms: float, spread: dict[str, Any], *, aic: float, values: Array
) -> Fit:
    return Fit(
        family=family, median_ms=median_ms, spread=spread, ks=1.0, p=0.0, aic=aic, n=len(values)
    )


def _aic(frozen: Any, values: Array, parameters: int) -> float:
    return float(2 * parameters - 2 * np.sum(frozen.logpdf(values)))


def _tested(found: Fit, values: Array, cdf: Callable[[Array], Array]) -> Fit:
    result = stats().kstest(values, cdf)
    return Fit(**{**found.__dict__, "ks": float(result.statistic), "p": float(result.pvalue)})


def _ms(text: str) -> float:
    per_ms = _US_PER_MS if text.endswith("us") else _NS_PER_MS
    return int(text[:-2]) / per_ms
