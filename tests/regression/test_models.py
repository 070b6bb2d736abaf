import pickle
from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from model_draws import DRAWS
from scipy.optimize import least_squares

from mvopt.regression import models
from mvopt.regression.models import NAMED, polynomial

NUMPY_NAMES = {"exp": np.exp}
PADDED = 48  # points, the spare ones NaN and masked


@pytest.fixture(params=list(NAMED))
def model(request):
    return NAMED[request.param]


def by_numpy(model, x, params):
    """The model by its printed formula, in float64: independent of its JAX function."""
    coordinates = zip(model.x_names, np.atleast_2d(x), strict=True)
    values = dict(zip(model.names, params, strict=True)) | dict(coordinates) | NUMPY_NAMES
    return eval(model.formula, {"__builtins__": {}}, values)


def problem(model, rng, noise=0.02):
    sx, sy = rng.choice([1e-6, 1, 1e6]), rng.choice([1e-9, 1, 1e9])
    x, truth = DRAWS[model.name](rng, sx, sy)
    truth = np.array(truth, float)
    clean = by_numpy(model, x, truth)
    return x, clean + noise * np.ptp(clean) * rng.normal(size=clean.shape), truth


def padded(x, y):
    """The data with spare points of NaN, and the mask that leaves those out."""
    spare = PADDED - len(y)
    wide = [(0, 0)] * (x.ndim - 1) + [(0, spare)]
    x, y = np.pad(x, wide, constant_values=np.nan), np.pad(y, (0, spare), constant_values=np.nan)
    return x, y, ~np.isnan(y)


@cache
def guessed(model):
    """A hundred problems and their guesses, made in one batch."""
    rng = np.random.default_rng(5)
    problems = [problem(model, rng) for _ in range(100)]
    batch = [np.stack(parts) for parts in zip(*(padded(x, y) for x, y, _ in problems), strict=True)]
    return problems, np.asarray(jax.jit(jax.vmap(model.guess))(*batch), float)


def few_points(model, seed):
    x, truth = DRAWS[model.name](np.random.default_rng(seed), 1.0, 1.0)
    return x[..., :8], np.array(truth, float)


def judged(model, x, y, start):
    """Parameters and relative cost by SciPy, with the exact Jacobian by complex steps."""
    scale = np.abs(y).max()

    def residual(params):
        return (by_numpy(model, x, params) - y) / scale

    def jacobian(params):
        steps = 1e-30 * np.where(params == 0, 1, np.abs(params))
        moved = [residual(params + 1j * row) for row in np.diag(steps)]
        return np.stack([part.imag for part in moved], axis=-1) / steps

    # Trial steps may overflow; the method then takes shorter ones.
    with np.errstate(all="ignore"):
        result = least_squares(
            residual,
            start,
            jacobian,
            x_scale="jac",
            xtol=1e-12,
            ftol=1e-10,
            gtol=None,
            max_nfev=500,
        )
    return result.x, result.cost


def test_fits_from_the_guess_reach_the_global_optimum(model):
    problems, starts = guessed(model)
    assert np.all(np.isfinite(starts))
    reached = 0
    for (x, y, truth), start in zip(problems, starts, strict=True):
        reached += judged(model, x, y, start)[1] <= 1.001 * judged(model, x, y, truth)[1] + 1e-20
    assert reached >= 99


def test_guess_of_a_batch_equals_that_of_one(model):
    problems, starts = guessed(model)
    for (x, y, _), start in zip(problems[:5], starts, strict=False):
        np.testing.assert_allclose(model.guess(*padded(x, y)), start, rtol=5e-3)


def test_function_agrees_with_the_formula(model):
    for seed in range(5):
        x, truth = few_points(model, seed)
        expected = by_numpy(model, x, truth)
        tolerance = 2e-5 * np.abs(expected).max()
        np.testing.assert_allclose(model(x, jnp.asarray(truth)), expected, rtol=0, atol=tolerance)


def test_parameters_as_array_sequence_and_mapping_agree(model):
    x, truth = few_points(model, 1)
    expected = model(x, jnp.asarray(truth))
    np.testing.assert_array_equal(model(x, [jnp.asarray(value) for value in truth]), expected)
    by_name = dict(zip(model.names, jnp.asarray(truth), strict=True))
    np.testing.assert_array_equal(model(x, by_name), expected)
    if model.num_x > 1:
        np.testing.assert_array_equal(model(tuple(x), jnp.asarray(truth)), expected)


def test_wrong_parameters_are_named(model):
    x, truth = few_points(model, 1)
    with pytest.raises(ValueError, match=model.names[0]):
        model(x, jnp.zeros(len(truth) + 1))
    with pytest.raises(ValueError, match="nonsense"):
        model(x, {"nonsense": 1.0})


def test_masked_points_do_not_count(model):
    (x, y, _), *_ = guessed(model)[0]
    x, y, mask = padded(x, y)
    mask[[0, 5]] = False
    ruined_x, ruined_y = x.copy(), y.copy()
    ruined_x[..., ~mask] = np.nan
    ruined_y[~mask] = np.inf
    expected = model.guess(x, y, mask)
    np.testing.assert_array_equal(model.guess(ruined_x, ruined_y, mask), expected)
    np.testing.assert_array_equal(model.guess(ruined_x, ruined_y, np.ones(PADDED, bool)), expected)


def test_guess_does_not_depend_on_the_order_of_the_points(model):
    (x, y, _), *_ = guessed(model)[0]
    x, y, mask = padded(x, y)
    expected = model.guess(x, y, mask)
    reversed_order = model.guess(x[..., ::-1], y[::-1], mask[::-1])
    np.testing.assert_allclose(reversed_order, expected, rtol=5e-3)


def test_float32_stays_float32(model):
    (x, y, truth), *_ = guessed(model)[0]
    x, y, mask = padded(x, y)
    x, y = jnp.asarray(x, jnp.float32), jnp.asarray(y, jnp.float32)
    assert model.guess(x, y, mask).dtype == jnp.float32
    assert model(x, jnp.asarray(truth, jnp.float32)).dtype == jnp.float32


def test_degenerate_data_give_some_start(model):
    (x, y, truth), *_ = guessed(model)[0]
    x, y, mask = padded(x, y)
    same_x = x[..., :1] + 0 * x
    nothing = np.zeros(PADDED, bool)
    for degenerate in (
        (x, 0 * y + 3, mask),
        (x, 0 * y, mask),
        (x, y * np.nan, mask),
        (x, y, nothing),
        (same_x, y, mask),
    ):
        assert model.guess(*degenerate).shape == truth.shape


def test_guess_of_integers_and_without_a_mask():
    x = np.arange(1, 9)
    guess = models.linear.guess(x, 3 * x + 1)
    assert jnp.issubdtype(guess.dtype, jnp.floating)
    np.testing.assert_allclose(guess, [3, 1], rtol=1e-4)


def test_derivatives_are_finite_far_from_the_optimum(model):
    x, truth = few_points(model, 8)
    x[..., 0] = 0
    x = jnp.asarray(np.abs(x), jnp.float32)
    derivative = jax.jit(jax.jacfwd(model, argnums=1))
    for factor in (0.3, 3.0):
        params = factor * jnp.asarray(truth, jnp.float32)
        if model.name == "power_law":
            params = jnp.abs(params)  # a negative power of 0 is infinite by definition
        assert jnp.all(jnp.isfinite(derivative(x, params)))


def test_equal_by_name_and_function(model):
    same = pickle.loads(pickle.dumps(model))
    assert same == model
    assert hash(same) == hash(model)
    assert [other.name for other in NAMED.values() if other == model] == [model.name]
    called = jax.jit(lambda model, x, params: model(x, params), static_argnums=0)
    x, truth = few_points(model, 1)
    expected = model(x, jnp.asarray(truth))
    np.testing.assert_allclose(called(same, x, jnp.asarray(truth)), expected, rtol=1e-4)


def test_every_model_is_exported_and_described(model):
    assert getattr(models, model.name) is model
    assert model.name in models.__all__
    assert len(model.meanings) == len(model.names)
    assert len(model.x_names) == model.num_x
    assert model.source


def test_equal_rates_of_the_compartment_are_no_singularity():
    x = np.stack([np.ones(4), np.array([0.0, 0.5, 2.0, 10.0])])
    rate, time = np.exp(-0.5), x[1]
    expected = rate**2 * time * np.exp(-rate * time)
    for gap in (0.0, 1e-6, -1e-6):
        params = jnp.array([-0.5, -0.5 + gap, 0.0])
        value = models.first_order_compartment(x, params)
        np.testing.assert_allclose(value, expected, rtol=1e-5, atol=1e-7)
        assert jnp.all(jnp.isfinite(jax.jacfwd(models.first_order_compartment, 1)(x, params)))


@pytest.mark.parametrize("degree", [0, 1, 4, 6])
def test_guess_of_a_polynomial_is_the_least_squares_solution(degree):
    rng = np.random.default_rng(degree)
    x = rng.uniform(-1, 2, 30)
    y = rng.normal(size=30)
    model = polynomial(degree)
    assert polynomial(degree) is model
    assert model.names == tuple(f"c{power}" for power in range(degree + 1))
    expected = np.polynomial.polynomial.polyfit(x, y, degree)
    np.testing.assert_allclose(model.guess(x, y), expected, rtol=1e-3, atol=1e-3)
    values = np.polynomial.polynomial.polyval(x, expected)
    np.testing.assert_allclose(model(x, expected), values, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(by_numpy(model, x, expected) + 0 * x, values, rtol=1e-12)


def test_polynomials_of_different_degree_differ():
    assert polynomial(2) != polynomial(3)
    with pytest.raises(ValueError, match="degree"):
        polynomial(-1)


DNASE_CONC = np.repeat(0.04882812 * 2.0 ** np.array([0, 2, 3, 4, 5, 6, 7, 8]), 2)
DNASE_DENSITY = (
    "0.017 0.018 0.121 0.124 0.206 0.215 0.377 0.374 0.614 0.609 1.019 1.001 1.334 1.364 1.73 1.71"
)
PUROMYCIN_CONC = "0.02 0.02 0.06 0.06 0.11 0.11 0.22 0.22 0.56 0.56 1.1 1.1"
PUROMYCIN_RATE = "76 47 97 107 123 139 159 152 191 201 207 200"
THEOPH_TIME = "0 0.25 0.57 1.12 2.02 3.82 5.1 7.03 9.05 12.12 24.37"
THEOPH_CONC = "0.74 2.84 6.57 10.5 9.66 8.58 8.36 7.47 6.89 5.94 3.28"
INDOMETH_TIME = "0.25 0.5 0.75 1 1.25 2 3 4 5 6 8"
INDOMETH_CONC = "1.5 0.94 0.78 0.48 0.37 0.19 0.12 0.11 0.08 0.07 0.05"
CHICK_TIME = "0 2 4 6 8 10 12 14 16 18 20 21"
CHICK_WEIGHT = "42 51 59 64 76 93 106 125 149 171 199 205"


def numbers(text):
    return np.array(text.split(), float)


# Data of R's package datasets (DNase run 1, Puromycin treated, Loblolly 329, Theoph 1, Indometh 1,
# ChickWeight 1), with the estimates and the residual standard error of R's nls, as in the
# examples of its self-starting models (Pinheiro and Bates, 2000).
PUBLISHED = {
    "logistic3": (np.log(DNASE_CONC), DNASE_DENSITY, "2.34518 1.48309 1.04146", 0.01919),
    "gompertz": (np.log(DNASE_CONC), DNASE_DENSITY, "4.6033 2.2713 0.7165", 0.02684),
    "michaelis_menten": (numbers(PUROMYCIN_CONC), PUROMYCIN_RATE, "212.7 0.06412", 10.93),
    "asymptotic": (
        numbers("3 5 10 15 20 25"),
        "3.93 9.34 26.08 37.79 48.31 56.43",
        "94.1282 -8.2508 -3.2176",
        0.7493,
    ),
    "first_order_compartment": (
        np.stack([np.full(11, 4.02), numbers(THEOPH_TIME)]),
        THEOPH_CONC,
        "-2.9196 0.5752 -3.9159",
        0.732,
    ),
    "biexponential": (
        numbers(INDOMETH_TIME),
        INDOMETH_CONC,
        "2.0293 0.5794 0.1916 -1.7878",
        0.04103,
    ),
    "logistic4": (numbers(CHICK_TIME), CHICK_WEIGHT, "27.453 348.971 19.391 6.673", 2.351),
}


@pytest.mark.parametrize("name", list(PUBLISHED))
def test_published_estimates_of_r(name):
    model = NAMED[name]
    x, y, estimates, error = PUBLISHED[name]
    y, published = numbers(y), numbers(estimates)
    residual = y - np.asarray(model(x, jnp.asarray(published)), float)
    freedom = len(y) - len(published)
    np.testing.assert_allclose(np.sqrt(residual @ residual / freedom), error, rtol=6e-4)
    found, _ = judged(model, x, y, np.asarray(model.guess(x, y), float))
    digits = [len(value.split(".")[1]) for value in estimates.split()]
    # One unit of the last digit: R stops a little before the optimum.
    assert np.all(np.abs(found - published) <= 10.0 ** -np.array(digits))
