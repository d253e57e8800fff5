"""Logarithm, exponential and normal quantile from IEEE arithmetic alone."""

import math
from statistics import NormalDist

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubesim.sim.elementary import exp, log, normal_quantile


def ulps(expected: float, actual: float) -> float:
    return abs(expected - actual) / math.ulp(expected)


@given(st.floats(min_value=1e-300, max_value=1e300))
def test_log_is_good_to_two_units_in_the_last_place(x: float) -> None:
    """The logarithm agrees with the C library's in all but the last bit or so."""
    expected = math.log(x)

    assert abs(expected - log(x)) <= 2 * math.ulp(max(abs(expected), 2.0**-52)) or (
        ulps(expected, log(x)) <= 2
    )


@given(st.floats(min_value=-700, max_value=700))
def test_exp_is_good_to_four_units_in_the_last_place(x: float) -> None:
    """The exponential agrees with the C library's."""
    assert ulps(math.exp(x), exp(x)) <= 4


@given(st.floats(min_value=1e-15, max_value=1 - 1e-12))
def test_normal_quantile_agrees_with_the_standard_library(p: float) -> None:
    """The quantile is that of the normal distribution, to 13 digits."""
    expected = NormalDist().inv_cdf(p)

    assert expected == pytest.approx(normal_quantile(p), rel=1e-12, abs=1e-14)


def test_the_round_values_are_exact() -> None:
    """What has an exact answer gets it."""
    assert (0.0, 1.0, 0.0) == (log(1.0), exp(0.0), normal_quantile(0.5))


@given(st.floats(min_value=1e-12, max_value=0.5))
def test_the_quantile_is_odd_around_one_half(p: float) -> None:
    """Both tails are the same tail, as far as 1 - p can be written."""
    if 1.0 - (1.0 - p) == p:
        assert -normal_quantile(p) == normal_quantile(1.0 - p)


@pytest.mark.parametrize("x", [0.0, -1.0, math.inf, math.nan])
def test_log_refuses_what_has_no_logarithm(x: float) -> None:
    """Zero, negative and infinite arguments are bugs of the caller."""
    with pytest.raises(AssertionError):
        log(x)
