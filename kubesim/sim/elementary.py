"""Logarithm and exponential from IEEE arithmetic alone.

The C library's ``log`` and ``exp`` may differ in the last bit from one platform to the next, and a
last bit is enough to move an event by a nanosecond and to change a digest. Addition, multiplication,
division and ``sqrt`` are exact by IEEE 754 everywhere, so whatever is built from them in a fixed
order is too. Both functions are good to about one unit in the last place, which a test holds
against ``math``.
"""

from __future__ import annotations

import math

_LN2_HIGH = 6.93147180369123816490e-01  # ln 2 in two parts: the high one has trailing zero bits,
_LN2_LOW = 1.90821492927058770002e-10  # so that multiplying it by a small integer is exact
_SQRT_HALF = 0.7071067811865476


def log(x: float) -> float:
    """Natural logarithm of a positive, finite, normal ``x``."""
    assert 0.0 < x < math.inf, x
    mantissa, exponent = math.frexp(x)
    if mantissa < _SQRT_HALF:
        mantissa *= 2.0
        exponent -= 1
    # ln m = 2 artanh(s), s = (m - 1) / (m + 1), |s| < 0.172: ten terms are enough for 53 bits.
    s = (mantissa - 1.0) / (mantissa + 1.0)
    z = s * s
    series = 0.0
    for k in (21, 19, 17, 15, 13, 11, 9, 7, 5, 3):
        series = series * z + 1.0 / k
    return exponent * _LN2_HIGH + (2.0 * s + (2.0 * s * z * series + exponent * _LN2_LOW))


def exp(x: float) -> float:
    """``e`` to the power of ``x``, for ``|x|`` up to 700."""
    assert -700.0 <= x <= 700.0, x
    k = math.floor(x / (_LN2_HIGH + _LN2_LOW) + 0.5)
    r = (x - k * _LN2_HIGH) - k * _LN2_LOW
    total = 1.0
    for n in range(16, 0, -1):  # Taylor by Horner; |r| <= 0.347, so r**17/17! is below 1e-22
        total = 1.0 + total * r / n
    return math.ldexp(total, k)


# Wichura's AS 241 (Applied Statistics 37, 1988), algorithm PPND16: relative error about 1e-16.
_CENTRAL_NUM = (
    2.5090809287301226727e3, 3.3430575583588128105e4, 6.7265770927008700853e4,
    4.5921953931549871457e4, 1.3731693765509461125e4, 1.9715909503065514427e3,
    1.3314166789178437745e2, 3.3871328727963666080e0,
)  # fmt: skip
_CENTRAL_DEN = (
    5.2264952788528545610e3, 2.8729085735721942674e4, 3.9307895800092710610e4,
    2.1213794301586595867e4, 5.3941960214247511077e3, 6.8718700749205790830e2,
    4.2313330701600911252e1, 1.0,
)  # fmt: skip
_MIDDLE_NUM = (
    7.74545014278341407640e-4, 2.27238449892691845833e-2, 2.41780725177450611770e-1,
    1.27045825245236838258e0, 3.64784832476320460504e0, 5.76949722146069140550e0,
    4.63033784615654529590e0, 1.42343711074968357734e0,
)  # fmt: skip
_MIDDLE_DEN = (
    1.05075007164441684324e-9, 5.47593808499534494600e-4, 1.51986665636164571966e-2,
    1.48103976427480074590e-1, 6.89767334985100004550e-1, 1.67638483018380384940e0,
    2.05319162663775882187e0, 1.0,
)  # fmt: skip
_TAIL_NUM = (
    2.01033439929228813265e-7, 2.71155556874348757815e-5, 1.24266094738807843860e-3,
    2.65321895265761230930e-2, 2.96560571828504891230e-1, 1.78482653991729133580e0,
    5.46378491116411436990e0, 6.65790464350110377720e0,
)  # fmt: skip
_TAIL_DEN = (
    2.04426310338993978564e-15, 1.42151175831644588870e-7, 1.84631831751005468180e-5,
    7.86869131145613259100e-4, 1.48753612908506148525e-2, 1.36929880922735805310e-1,
    5.99832206555887937690e-1, 1.0,
)  # fmt: skip


def normal_quantile(p: float) -> float:
    """The standard normal quantile of a probability strictly between 0 and 1."""
    assert 0.0 < p < 1.0, p
    q = p - 0.5
    if abs(q) <= 0.425:
        r = 0.180625 - q * q
        return q * _horner(_CENTRAL_NUM, r) / _horner(_CENTRAL_DEN, r)
    r = math.sqrt(-log(p if q < 0.0 else 1.0 - p))
    if r <= 5.0:
        value = _horner(_MIDDLE_NUM, r - 1.6) / _horner(_MIDDLE_DEN, r - 1.6)
    else:
        value = _horner(_TAIL_NUM, r - 5.0) / _horner(_TAIL_DEN, r - 5.0)
    return -value if q < 0.0 else value


def _horner(coefficients: tuple[float, ...], x: float) -> float:
    total = 0.0
    for coefficient in coefficients:
        total = total * x + coefficient
    return total
