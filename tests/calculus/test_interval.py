"""Intervals hold every value of a function on random boxes, in both precisions."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mvopt.calculus import interval
from mvopt.calculus.interval import Interval

ONE = {
    "abs": (-4, 4),
    "acos": (-1, 1),
    "acosh": (1, 9),
    "asin": (-1, 1),
    "asinh": (-20, 20),
    "atan": (-20, 20),
    "atanh": (-0.999, 0.999),
    "cbrt": (-9, 9),
    "cos": (-30, 30),
    "cosh": (-9, 9),
    "erf": (-4, 4),
    "erfc": (-4, 4),
    "exp": (-20, 20),
    "exp2": (-20, 20),
    "expm1": (-3, 3),
    "log": (1e-3, 20),
    "log1p": (-0.99, 20),
    "logistic": (-9, 9),
    "rsqrt": (1e-3, 20),
    "sin": (-30, 30),
    "sinh": (-9, 9),
    "sqrt": (0, 20),
    "tan": (-5, 5),
    "tanh": (-5, 5),
}
TWO = {
    "add": (lambda a, b: a + b),
    "sub": (lambda a, b: a - b),
    "mul": (lambda a, b: a * b),
    "div": (lambda a, b: a / b),
    "max": (lambda a, b: interval.max(a, b) if isinstance(a, Interval) else jnp.maximum(a, b)),
    "min": (lambda a, b: interval.min(a, b) if isinstance(a, Interval) else jnp.minimum(a, b)),
}
BOXES, POINTS = 400, 200


def holds(found, values):
    """Whether no value is outside; an interval that is NaN promises nothing."""
    return not ((values < found.lo) | (found.hi < values)).any()


def boxes(rng, low, high, dtype):
    """Ends (BOXES,) of wide and narrow intervals, and points (POINTS, BOXES) within."""
    middle = rng.uniform(low, high, BOXES)
    radius = (high - low) * 10 ** rng.uniform(-8, 0, BOXES)
    lo = np.clip(middle - radius, low, high).astype(dtype)
    hi = np.maximum(np.clip(middle + radius, low, high).astype(dtype), lo)
    share = rng.random((POINTS, BOXES))
    share[0], share[1] = 0, 1
    points = (lo + share * (hi - lo)).astype(dtype)
    return Interval(jnp.asarray(lo), jnp.asarray(hi)), jnp.clip(points, lo, hi)


@pytest.mark.parametrize("name", ONE)
def test_functions_stay_inside(name, dtype):
    """The values are float64's: those of float32 may be a unit outside of what is true."""
    x, points = boxes(np.random.default_rng(len(name)), *ONE[name], dtype)
    found = getattr(interval, name)(x)
    one = getattr(jax.lax, name)
    values = one(points.astype(jnp.float64))
    assert holds(found, values)
    assert jnp.isfinite(found.width).mean() > (0.5 if name == "tan" else 0.99)
    narrow = x.width == 0
    ends = one(x.lo.astype(jnp.float64))
    assert (found.width[narrow] <= 200 * jnp.finfo(dtype).eps * (1 + jnp.abs(ends[narrow]))).all()


@pytest.mark.parametrize("name", TWO)
def test_arithmetic_stays_inside(name, dtype):
    rng = np.random.default_rng(len(name))
    (x, a), (y, b) = (boxes(rng, -3, 5, dtype) for _ in range(2))
    found = TWO[name](x, y)
    values = TWO[name](a.astype(jnp.float64), b.astype(jnp.float64))
    assert holds(found, values)


@pytest.mark.parametrize("power", [-3, -2, 0, 1, 2, 3, 7])
def test_powers_stay_inside(power, dtype):
    x, points = boxes(np.random.default_rng(0), -3, 5, dtype)
    found, values = interval.integer_pow(x, power), points.astype(jnp.float64) ** power
    assert holds(found, values)


def test_sums_stay_inside_and_zeros_are_exact():
    rng = np.random.default_rng(0)
    terms = jnp.asarray(
        rng.normal(size=(5000, 3)) * 10.0 ** rng.integers(-6, 6, (5000, 3)), jnp.float32
    )
    found = Interval.point(terms).sum(0)
    exact = np.sum(np.asarray(terms, np.float64), axis=0)
    assert found.contains(exact).all()
    nothing = Interval.point(jnp.zeros(3)).sum(0) + Interval.point(jnp.zeros(()))
    assert nothing.lo == nothing.hi == 0


def test_what_is_not_defined_is_nan_and_stays_so():
    across = Interval(jnp.asarray(-1.0), jnp.asarray(1.0))
    for found in (
        interval.log(across),
        interval.sqrt(across),
        1 / across,
        interval.tan(2 * across),
    ):
        for follows in (found, 0 * found, interval.sin(found), interval.max(found, across)):
            assert jnp.isnan(follows.lo)
            assert jnp.isnan(follows.hi)


def test_what_overflows_has_a_value_without_a_bound():
    huge = interval.exp(Interval.point(jnp.asarray(1e4)))
    assert jnp.isfinite(huge.lo)
    assert huge.hi == jnp.inf
    assert (huge * Interval.point(jnp.zeros(()))).hi == 0


def test_an_unsound_rule_would_be_found():
    x, points = boxes(np.random.default_rng(3), *ONE["sin"], np.float64)
    forgotten = Interval(
        jnp.minimum(jnp.sin(x.lo), jnp.sin(x.hi)), jnp.maximum(jnp.sin(x.lo), jnp.sin(x.hi))
    )
    assert not forgotten.contains(jnp.sin(points)).all()
