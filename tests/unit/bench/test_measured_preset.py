"""The preset that is made of recorded container starts, simulated and held against the recording."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from kubesim.bench.calibrating import load_samples
from kubesim.bench.calibrating.fitting import Fit, duration, fit, fit_remainder, quantiles
from kubesim.bench.calibrating.presets import preset_numbers
from kubesim.bench.calibrating.samples import recorded_path
from kubesim.bench.node import HELD_OUT, PHASES, PRESET, simulate
from kubesim.calibration import load_preset
from kubesim.calibration.number import DurationNumber


@pytest.fixture(scope="module")
def simulated() -> dict[str, list[float]]:
    """A pod after the other through a whole node, and each image pulled again and again."""
    return simulate(PRESET, pods=2_000, pulls=1_000)


@pytest.mark.parametrize("phase", [*PHASES, *HELD_OUT])
def test_a_recorded_phase_is_reproduced(phase: str, simulated: dict[str, list[float]]) -> None:
    """Median and 99th percentile are within 10 % of what was recorded, fitted to it or not."""
    recorded = load_samples(recorded_path("2026-11")).ms[phase]
    wanted = np.percentile(recorded, (50, 99))
    got = np.percentile(simulated[phase], (50, 99))
    assert list(wanted) == pytest.approx(list(got), rel=0.10)


def test_nothing_is_fitted_to_what_is_held_out() -> None:
    """Without the pulls of five layers the preset has the same numbers."""
    samples = load_samples(recorded_path("2026-11"))
    numbers = preset_numbers(samples)
    for phase in HELD_OUT:
        del samples.ms[phase]
    assert numbers == preset_numbers(samples)


def test_a_kill_after_the_grace_period_takes_the_grace_period_and_the_kill() -> None:
    """Six containers that ignored SIGTERM for one second were gone after 1,036 ms."""
    numbers = preset_numbers(load_samples(recorded_path("2026-11")))
    kill = DurationNumber.model_validate(numbers["containerd.kill_container"])
    assert 1_036 == pytest.approx(1_000 + kill.value / 1e6, rel=0.01)


def test_the_shipped_preset_comes_from_the_shipped_samples() -> None:
    """Fitting them again gives every number again, to what an optimiser's version may change."""
    shipped = load_preset(PRESET)
    numbers = preset_numbers(load_samples(recorded_path("2026-11")))
    for path, number in numbers.items():
        section: Any = shipped
        for part in path.split("."):
            section = section[part] if isinstance(section, dict) else getattr(section, part)
        fitted = type(section).model_validate(number)
        assert section.value == pytest.approx(fitted.value, rel=0.01), path
        assert number["source"] == section.source


@pytest.mark.parametrize(
    ("family", "draw"),
    [
        ("lognormal", lambda z: np.exp(3 + 0.4 * z)),
        ("shifted lognormal", lambda z: 20 + np.exp(1 + 0.8 * z)),
        ("normal", lambda z: 100 + 5 * z),
    ],
)
def test_a_family_is_recognised(family: str, draw: object) -> None:
    """Samples at even steps of a family's quantiles are taken for that family, with their quantiles."""
    from scipy import stats

    values = draw(stats.norm.ppf((np.arange(400) + 0.5) / 400))  # type: ignore[operator]
    found = fit(values)
    assert family == found.family
    assert list(np.percentile(values, (50, 99))) == pytest.approx(
        list(quantiles(found, np.asarray((0.5, 0.99)))), rel=0.05
    )


def test_a_gamma_is_written_as_its_quantiles() -> None:
    """Its median is the value, as a preset wants it."""
    from scipy import stats

    values = stats.gamma(2.0, scale=10).ppf((np.arange(400) + 0.5) / 400)
    found = fit(values)
    assert "gamma" == found.family
    number = DurationNumber.model_validate(
        {"value": f"{round(found.median_ms * 1000)}us", "spread": found.spread}
        | {"source": "a gamma by itself", "measured": "2026-11", "grade": "A"}
    )
    assert 16_783_000 == pytest.approx(number.distribution.median_ns, rel=0.01)


def test_two_heaps_stay_as_they_were_measured() -> None:
    """What no family fits keeps its own quantiles."""
    values = [5.0 + i / 100 for i in range(100)] + [30.0 + i / 10 for i in range(100)]
    found = fit(values)
    assert "measured quantiles" == found.family
    assert [0.0, "5000us"] == found.spread["quantiles"][0]
    assert [100.0, "39900us"] == found.spread["quantiles"][-1]


def test_a_remainder_completes_the_sum() -> None:
    """The base and the remainder together have the sum's median and 99th percentile."""
    from scipy import stats

    base = Fit(family="", median_ms=40, spread={"sigma": 0.1}, ks=0, p=1, aic=0, n=1)
    z = stats.norm.ppf((np.arange(1000) + 0.5) / 1000)
    shuffled = z[(np.arange(1000) * 617) % 1000]
    total = 40 * np.exp(0.1 * z) + 5 + 10 * np.exp(0.5 * shuffled)
    found = fit_remainder(total, base)
    assert 15 == pytest.approx(found.median_ms, rel=0.05)
    assert math.isinf(found.aic)


def test_a_remainder_of_nothing_is_still_a_number() -> None:
    """On a busy machine the whole can be faster than its part; the preset loads all the same."""
    base = Fit(family="", median_ms=80, spread={"sigma": 0.3}, ks=0, p=1, aic=0, n=1)
    found = fit_remainder([50.0 + i for i in range(10)], base)
    number = DurationNumber.model_validate(
        {"value": duration(found.median_ms), "spread": found.spread}
        | {"source": "a busy machine", "measured": "2026-11", "grade": "A"}
    )
    assert 5_000_000 > number.value
