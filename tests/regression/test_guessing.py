"""Guesses for expressions and functions, and what is found out about their parameters."""

import pickle
from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import least_squares

from mvopt.regression import models
from mvopt.regression.expression import parse
from mvopt.regression.guessing import guess_for
from mvopt.regression.separable import linear_indices
from mvopt.regression.symmetries import measures

U = np.linspace(0.0, 1.0, 40)


def log_uniform(rng, low, high):
    return np.exp(rng.uniform(np.log(low), np.log(high)))


def height(rng):
    return rng.choice([-1, 1]) * log_uniform(rng, 0.3, 3)


# Formula, its NumPy twin, and parameters for x from `low` over a span, in units of y.
FORMULAS = {
    "a*exp(-b*x) + c": (
        lambda x, a, b, c: a * np.exp(-b * x) + c,
        lambda rng, low, span, unit: (
            height(rng) * unit * np.exp((rate := log_uniform(rng, 0.7, 10)) * low / span),
            rate / span,
            height(rng) * unit,
        ),
    ),
    "A/(1 + exp((m - x)/s))": (
        lambda x, a, m, s: a / (1 + np.exp((m - x) / s)),
        lambda rng, low, span, unit: (
            height(rng) * unit,
            low + span * rng.uniform(0.2, 0.8),
            span * rng.choice([-1, 1]) * log_uniform(rng, 0.03, 0.2),
        ),
    ),
    "a*sin(w*x + p)": (
        lambda x, a, w, p: a * np.sin(w * x + p),
        lambda rng, low, span, unit: (
            height(rng) * unit,
            rng.uniform(4, 60) / span,
            rng.uniform(-3, 3),
        ),
    ),
}


@cache
def guessed(text):
    """Data in random units and their guesses; one compilation."""
    function, draw = FORMULAS[text]
    rng = np.random.default_rng(6)
    x, y, truth = [], [], []
    for _ in range(12):
        span, unit = rng.choice([1e-3, 1, 1e3]), rng.choice([1e-6, 1, 1e6])
        low = span * rng.uniform(-2, 2)
        truth.append(np.array(draw(rng, low, span, unit)))
        x.append(low + span * U)
        clean = function(x[-1], *truth[-1])
        y.append(clean + 0.02 * np.ptp(clean) * rng.normal(size=U.size))
    starts = jax.jit(jax.vmap(models.expression(text).guess))(np.array(x), np.array(y))
    return x, y, truth, np.asarray(starts)


def bottom(function, x, y, start):
    scale = np.ptp(y)
    residual = lambda params: (function(x, *params) - y) / scale
    with np.errstate(all="ignore"):
        return least_squares(residual, start, x_scale="jac", max_nfev=1000, ftol=1e-11).cost


@pytest.mark.parametrize("text", list(FORMULAS))
def test_fits_from_the_guess_reach_the_best_optimum(text):
    function = FORMULAS[text][0]
    for x, y, truth, start in zip(*guessed(text), strict=True):
        assert bottom(function, x, y, start) <= 1.001 * bottom(function, x, y, truth)


MEASURES = {
    # Of each nonlinear parameter: power of x, power of y, a location, a frequency.
    "a*exp(-b*x) + c": [(-1, 0, False, False)],
    "A/(1 + exp((m - x)/s))": [(1, 0, True, False), (1, 0, False, False)],
    "a*sin(w*x + p)": [(-1, 0, False, True), (0, 0, False, False)],
    "Vm*x/(K + x)": [(1, 0, False, False)],
    "a*x**b": [(0, 0, False, False)],
    "a*exp(-b*x**2)": [(-2, 0, False, False)],
    "sqrt(a**2 + (b*x)**2)": [(0, 1, False, False), (-1, 1, False, False)],
    "a*exp(-b*x)*log(1 + x)": [(None, 0, False, False)],
}


@pytest.mark.parametrize("text", list(MEASURES))
def test_what_the_parameters_measure(text):
    model = parse(text, ("x",))
    size = len(model.names)
    found = measures(model, U, size, linear_indices(model, U, size)).each
    shown = [
        (m.powers and m.powers[0], m.height, m.place is not None, m.oscillating) for m in found
    ]
    assert shown == MEASURES[text]


def test_two_variables_have_units_of_their_own():
    model = parse("a*exp(-b*x0)/(1 + x1/k)", ("x0", "x1"))
    x = np.stack([U, U**2])
    found = measures(model, x, 3, linear_indices(model, x, 3)).each
    assert [m.powers for m in found] == [(-1, 0), (0, 1)]


def test_linear_parameters_are_solved_within_bounds():
    x, y = U, 2 - 3 * U + 0.1 * U**2
    model = models.expression("a + b*x", lower={"b": -2}, upper={"a": 1})
    design = np.stack([np.ones_like(x), x], axis=1)
    residual = lambda params: design @ params - y
    expected = least_squares(residual, [0, 0], bounds=([-np.inf, -2], [1, np.inf])).x
    np.testing.assert_allclose(model.guess(x, y), expected, rtol=1e-3, atol=1e-3)
    free = np.linalg.lstsq(design, y, rcond=None)[0]
    np.testing.assert_allclose(models.expression("a + b*x").guess(x, y), free, rtol=1e-10)


@pytest.mark.parametrize(
    ("lower", "upper"),
    [({"c": 1.0}, {"b": -2.0}), ({"b": 3.0}, {"b": 1e6})],
)
def test_bounds_are_respected(lower, upper):
    model = models.expression("a*exp(-b*x) + c", lower=lower, upper=upper)
    start = dict(zip(model.names, model.guess(U, np.exp(-U)), strict=True))
    assert np.isfinite(list(start.values())).all()
    for name, value in start.items():
        assert lower.get(name, -np.inf) <= value <= upper.get(name, np.inf)


def test_masked_points_and_degenerate_data():
    model = models.expression("a*exp(-b*x) + c")
    y = 3 * np.exp(-4 * U) + 1
    mask = np.arange(U.size) != 5
    rows = [np.where(mask, y, 1e9), np.where(mask, y, np.nan), 0 * y, np.nan * y]
    starts = np.asarray(jax.vmap(model.guess, (None, 0, None))(U, np.array(rows), mask))
    np.testing.assert_array_equal(starts[0], starts[1])
    np.testing.assert_allclose(starts[0], [3, 4, 1], rtol=1e-3)
    assert np.isfinite(starts).all()


def decay(x, params):
    return params[0] * jnp.exp(-params[1] * x)


decay.names = ("a", "b")


def test_a_function_with_names():
    start = guess_for(decay, jnp.asarray(U, jnp.float32), 2 * jnp.exp(-3 * U).astype(jnp.float32))
    assert start.dtype == jnp.float32
    np.testing.assert_allclose(start, [2, 3], rtol=1e-2)


def test_a_model_of_an_expression_is_static_and_joins_others():
    model = models.expression(" a*exp(-b*x)", lower={"b": 0})
    same = pickle.loads(pickle.dumps(model))
    assert same == model
    assert hash(same) == hash(model)
    assert model != models.expression("a*exp(-b*x)")
    assert model.formula == "a*exp(-b*x)"
    assert (model + models.linear).names == ("a", "b", "slope", "intercept")
    np.testing.assert_allclose(model(U, {"a": 2, "b": 3}), 2 * np.exp(-3 * U), rtol=1e-12)


def test_what_is_no_model():
    with pytest.raises(ValueError, match="no parameter"):
        models.expression("2*x")
    with pytest.raises(ValueError, match=r"lower names \['q'\]"):
        models.expression("a*x", lower={"q": 1})
    with pytest.raises(ValueError, match="bounds of a"):
        models.expression("a*x", lower={"a": 2}, upper={"a": 1})
