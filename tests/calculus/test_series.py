"""Power series of functions against their published coefficients, as numbers and as intervals."""

from fractions import Fraction
from math import comb, factorial, sqrt

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mvopt.calculus.interval import Interval
from mvopt.calculus.monomials import monomials
from mvopt.calculus.propagate import propagate
from mvopt.calculus.series import SeriesRules
from mvopt.calculus.values import UnsupportedError

ORDER = 14


def bernoulli(n):
    numbers = [Fraction(1)]
    for m in range(1, n + 1):
        numbers.append(-sum(comb(m + 1, k) * numbers[k] for k in range(m)) / (m + 1))
    return [float(number) for number in numbers]


B = bernoulli(ORDER + 1)


def odd(of):
    """Coefficients that are `of(k)` at the odd degrees 2 k + 1 and zero at the even ones."""
    return [of(n // 2) if n % 2 else 0.0 for n in range(ORDER + 1)]


def even(of):
    return [0.0 if n % 2 else of(n // 2) for n in range(ORDER + 1)]


def tangent(k):
    power = 4.0 ** (k + 1)
    return (-1) ** k * power * (power - 1) * B[2 * k + 2] / factorial(2 * k + 2)


def central(k):
    return comb(2 * k, k) / 4.0**k


def binomial(a):
    found = [1.0]
    for k in range(ORDER):
        found.append(found[-1] * (a - k) / (k + 1))
    return found


# Function, expansion point, coefficients (Abramowitz and Stegun 1964, chapters 3, 4 and 7).
SERIES = {
    "exp": (jnp.exp, 0.0, [1 / factorial(k) for k in range(ORDER + 1)]),
    "exp2": (jnp.exp2, 0.0, [np.log(2) ** k / factorial(k) for k in range(ORDER + 1)]),
    "expm1": (jnp.expm1, 0.0, [0.0, *(1 / factorial(k) for k in range(1, ORDER + 1))]),
    "log": (jnp.log, 1.0, [0.0, *((-1) ** (k + 1) / k for k in range(1, ORDER + 1))]),
    "log1p": (jnp.log1p, 0.0, [0.0, *((-1) ** (k + 1) / k for k in range(1, ORDER + 1))]),
    "sin": (jnp.sin, 0.0, odd(lambda k: (-1) ** k / factorial(2 * k + 1))),
    "cos": (jnp.cos, 0.0, even(lambda k: (-1) ** k / factorial(2 * k))),
    "tan": (jnp.tan, 0.0, odd(tangent)),
    "tanh": (jnp.tanh, 0.0, odd(lambda k: (-1) ** k * tangent(k))),
    "sinh": (jnp.sinh, 0.0, odd(lambda k: 1 / factorial(2 * k + 1))),
    "cosh": (jnp.cosh, 0.0, even(lambda k: 1 / factorial(2 * k))),
    "asin": (jnp.arcsin, 0.0, odd(lambda k: central(k) / (2 * k + 1))),
    "asinh": (jnp.arcsinh, 0.0, odd(lambda k: (-1) ** k * central(k) / (2 * k + 1))),
    "atan": (jnp.arctan, 0.0, odd(lambda k: (-1) ** k / (2 * k + 1))),
    "atanh": (jnp.arctanh, 0.0, odd(lambda k: 1 / (2 * k + 1))),
    "erf": (
        jax.scipy.special.erf,
        0.0,
        odd(lambda k: 2 / sqrt(np.pi) * (-1) ** k / (factorial(k) * (2 * k + 1))),
    ),
    "sqrt": (jnp.sqrt, 1.0, binomial(0.5)),
    "rsqrt": (jax.lax.rsqrt, 1.0, binomial(-0.5)),
    "cbrt": (jnp.cbrt, 1.0, binomial(1 / 3)),
    "power": (lambda x: (1 + x) ** 1.7, 0.0, binomial(1.7)),
    "reciprocal": (lambda x: 1 / (1 - x), 0.0, [1.0] * (ORDER + 1)),
    "cube": (lambda x: (1 + x) ** -3, 0.0, binomial(-3)),
    "logistic": (
        jax.nn.sigmoid,
        0.0,
        [0.5, *odd(lambda k: (-1) ** k * tangent(k) / 4 ** (k + 1))[1:]],
    ),
    "absolute": (
        lambda x: jnp.abs(jnp.exp(x) - 3),
        0.0,
        [2.0, *(-1 / factorial(k) for k in range(1, ORDER + 1))],
    ),
    "Bessel": (
        # By its integral, which equal steps find to rounding.
        lambda x: jnp.mean(jnp.cos(x * jnp.sin(jnp.pi * (jnp.arange(32) + 0.5) / 32))),
        0.0,
        even(lambda k: (-1) ** k / (4**k * factorial(k) ** 2)),
    ),
}


def expanded(fn, at, order, enclose=False):
    """The coefficients of a function of one number."""
    rules = SeriesRules(monomials(1, order))

    @jax.jit
    def run(at):
        x = jnp.stack([at, *(jnp.full_like(at, float(k == 1)) for k in range(1, order + 1))])[
            :, None
        ]
        x = Interval.point(x) if enclose else x
        return propagate(lambda x: fn(x[0]), rules, x, enclose)[0]

    return run(jnp.asarray(at))


@pytest.mark.parametrize("name", SERIES)
def test_coefficients_are_the_published_ones(name):
    fn, at, expected = SERIES[name]
    found = expanded(fn, at, ORDER)
    expected = np.array(expected)
    np.testing.assert_allclose(found[expected != 0], expected[expected != 0], rtol=1e-12)
    assert (np.abs(found[expected == 0]) <= 1e-17).all()


# One of each kind of recurrence.
@pytest.mark.parametrize(
    "name", ["exp", "log1p", "tan", "asin", "erf", "power", "cube", "absolute"]
)
def test_intervals_hold_the_coefficients_and_are_narrow(name):
    fn, at, expected = SERIES[name]
    found = expanded(fn, at, ORDER, enclose=True)
    # The published numbers are rounded themselves.
    slack = 4e-16 * np.abs(expected) + 1e-300
    assert (found.lo <= expected + slack).all()
    assert (found.hi >= expected - slack).all()
    assert (found.width <= 1e-9 * np.maximum(np.abs(expected), 1e-3)).all()


def test_several_variables():
    """exp(x) sin(y) at the origin: the products of the two series."""
    table = monomials(2, 6)
    x = np.zeros((table.size, 2))
    x[table.place[1, 0], 0] = x[table.place[0, 1], 1] = 1
    fn = lambda v: jnp.exp(v[0]) * jnp.sin(v[1])
    (found,) = propagate(fn, SeriesRules(table), jnp.asarray(x), enclose=False)
    expected = [SERIES["exp"][2][a] * SERIES["sin"][2][b] for a, b in table.powers]
    np.testing.assert_allclose(found, expected, rtol=1e-14, atol=1e-17)


def test_arrays_loops_and_choices():
    weights = jnp.asarray(np.random.default_rng(0).normal(size=(3, 3)))

    def fn(x):
        state = jnp.stack([x, 2 * x, jnp.sin(x)])
        state, _ = jax.lax.scan(lambda s, w: (jnp.tanh(weights @ s) * w, None), state, weights)
        chosen = jnp.where(state > 0, state**2, -state)
        return jnp.max(chosen) + jnp.sum(chosen) + jnp.cumsum(chosen)[1] + chosen @ chosen

    slopes = [fn]
    for _ in range(3):
        slopes.append(jax.jacfwd(slopes[-1]))
    values = jax.jit(lambda x: [slope(x) for slope in slopes])(0.3)
    expected = [value / factorial(k) for k, value in enumerate(values)]
    np.testing.assert_allclose(expanded(fn, 0.3, 3), expected, rtol=1e-12)


def test_an_operation_without_a_rule_is_named():
    with pytest.raises(UnsupportedError, match="lgamma"):
        expanded(jax.scipy.special.gammaln, 1.5, 2)


def test_too_many_coefficients():
    with pytest.raises(ValueError, match="lower the order"):
        monomials(100, 4)
