import pickle
from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from benchmarks.problems import recovery
from benchmarks.problems.formulas import by_numpy
from benchmarks.problems.model_draws import DRAWS
from mvopt.regression import models
from mvopt.regression.models import NAMED, polynomial

PROBLEMS = 12  # of each model; benchmarks/workloads/recovery.py has a thousand
SPARE = 8  # points that are NaN and masked, beside those of the longest problem
# What the class `Model` does, not the formula: a few models are enough.
FEW = ("linear", "gaussian_offset", "first_order_compartment")


@pytest.fixture(params=list(NAMED))
def model(request):
    return NAMED[request.param]


@pytest.fixture(params=FEW)
def one_of_few(request):
    return NAMED[request.param]


@cache
def problems(model):
    rng = np.random.default_rng(5)
    return [recovery.make(model, rng, noise=0.02) for _ in range(PROBLEMS)]


def length(model):
    return SPARE + max(len(problem.y) for problem in problems(model))


def unusual(model):
    """Variants of the first problem, each (x, y, mask): the first four hold the same points."""
    x, y, mask, _ = (part[0] for part in recovery.padded(problems(model)[:1], length(model)))
    fewer = mask.copy()
    fewer[[0, 5]] = False
    ruined_x, ruined_y = x.copy(), y.copy()
    ruined_x[..., ~fewer] = np.nan
    ruined_y[~fewer] = np.inf
    everything, nothing = np.ones_like(mask), np.zeros_like(mask)
    return [
        (x, y, fewer),
        (ruined_x, ruined_y, fewer),
        (ruined_x, ruined_y, everything),
        (x[..., ::-1], y[::-1], fewer[::-1]),
        (x, 0 * y + 3, mask),
        (x, 0 * y, mask),
        (x, y * np.nan, mask),
        (x, y, nothing),
        (x[..., :1] + 0 * x, y, mask),
    ]


@cache
def guessed(model):
    """Guesses for all problems and unusual variants, made in one batch: one compilation."""
    x, y, mask, _ = recovery.padded(problems(model), length(model))
    others = [np.stack(parts) for parts in zip(*unusual(model), strict=True)]
    batch = [np.concatenate(pair) for pair in zip((x, y, mask), others, strict=True)]
    starts = np.asarray(jax.jit(jax.vmap(model.guess))(*batch))
    return starts[:PROBLEMS], starts[PROBLEMS:]


def few_points(model, seed):
    x, truth = DRAWS[model.name](np.random.default_rng(seed), 1.0, 1.0)
    return x[..., :8], np.array(truth, float)


def test_fits_from_the_guess_reach_the_global_optimum(model):
    starts, _ = guessed(model)
    assert np.all(np.isfinite(starts))
    reached = 0
    for problem, start in zip(problems(model), starts, strict=True):
        best = recovery.fit_by_scipy(model, problem, problem.truth)[1]
        rounding = np.sum((1e-10 * problem.y) ** 2)
        reached += recovery.fit_by_scipy(model, problem, start)[1] <= 1.001 * best + rounding
    assert reached >= PROBLEMS - 1


def test_masked_points_and_the_order_of_points_do_not_count(model):
    fewer, ruined, all_ruined, backwards, *_ = guessed(model)[1]
    np.testing.assert_array_equal(ruined, fewer)
    np.testing.assert_array_equal(all_ruined, fewer)
    np.testing.assert_allclose(backwards, fewer, rtol=1e-6)


def test_degenerate_data_give_some_start(model):
    starts, others = guessed(model)
    assert others.shape == (9, len(model.names))
    assert np.all(np.isfinite(starts))


def test_guess_of_a_batch_equals_that_of_one(one_of_few):
    x, y, mask, _ = recovery.padded(problems(one_of_few)[:1], length(one_of_few))
    start = one_of_few.guess(x[0], y[0], mask[0])
    np.testing.assert_allclose(start, guessed(one_of_few)[0][0], rtol=1e-6)


def test_function_and_its_derivatives_agree_with_the_formula(model):
    x, truth = map(np.stack, zip(*(few_points(model, k) for k in range(5)), strict=True))

    def both(x, params):
        return model(x, params), jax.jacfwd(model, argnums=1)(x, params)

    values, slopes = jax.jit(jax.vmap(both))(x, truth)
    for row, params, value, slope in zip(x, truth, values, slopes, strict=True):
        expected = by_numpy(model, row, params) + np.zeros(8)
        np.testing.assert_allclose(value, expected, rtol=0, atol=1e-11 * np.abs(expected).max())
        steps = 1e-30 * np.abs(params) + 1e-40
        moved = [by_numpy(model, row, params + 1j * step).imag for step in np.diag(steps)]
        for column, part, step in zip(slope.T, moved, steps, strict=True):
            expected = part / step + np.zeros(8)
            tolerance = 1e-9 * np.abs(expected).max()
            np.testing.assert_allclose(column, expected, rtol=0, atol=tolerance)


def test_parameters_as_array_sequence_and_mapping_agree(one_of_few):
    model = one_of_few
    x, truth = few_points(model, 1)
    expected = model(x, jnp.asarray(truth))
    np.testing.assert_array_equal(model(x, [jnp.asarray(value) for value in truth]), expected)
    by_name = dict(zip(model.names, jnp.asarray(truth), strict=True))
    np.testing.assert_array_equal(model(x, by_name), expected)
    if model.num_x > 1:
        np.testing.assert_array_equal(model(tuple(x), jnp.asarray(truth)), expected)


def test_wrong_parameters_are_named(one_of_few):
    x, truth = few_points(one_of_few, 1)
    with pytest.raises(ValueError, match=one_of_few.names[0]):
        one_of_few(x, jnp.zeros(len(truth) + 1))
    with pytest.raises(ValueError, match="nonsense"):
        one_of_few(x, {"nonsense": 1.0})


def test_guess_of_integers_and_without_a_mask():
    x = np.arange(1, 9)
    guess = models.linear.guess(x, 3 * x + 1)
    assert jnp.issubdtype(guess.dtype, jnp.floating)
    np.testing.assert_allclose(guess, [3, 1], rtol=1e-4)


def test_float32_stays_float32_and_its_derivatives_finite_far_from_the_optimum(model):
    x, truth = few_points(model, 8)
    x[..., 0] = 0
    x = jnp.asarray(np.abs(x), jnp.float32)
    params = jnp.asarray(np.outer([0.3, 3.0], truth), jnp.float32)
    if model.name == "power_law":
        params = jnp.abs(params)  # a negative power of 0 is infinite by definition

    def both(params):
        return model(x, params), jax.jacfwd(model, argnums=1)(x, params)

    values, slopes = jax.jit(jax.vmap(both))(params)
    assert values.dtype == slopes.dtype == jnp.float32
    assert jnp.all(jnp.isfinite(values))
    assert jnp.all(jnp.isfinite(slopes))


def test_a_guess_from_float32_is_float32(model):
    shape = (model.num_x, 12) if model.num_x > 1 else (12,)
    x, y = jax.ShapeDtypeStruct(shape, jnp.float32), jax.ShapeDtypeStruct((12,), jnp.float32)
    assert jax.eval_shape(model.guess, x, y).dtype == jnp.float32


def test_equal_by_name_and_function(model):
    same = pickle.loads(pickle.dumps(model))
    assert same == model
    assert hash(same) == hash(model)
    assert [other.name for other in NAMED.values() if other == model] == [model.name]


def test_a_model_is_a_static_argument(one_of_few):
    same = pickle.loads(pickle.dumps(one_of_few))
    called = jax.jit(lambda model, x, params: model(x, params), static_argnums=0)
    x, truth = few_points(one_of_few, 1)
    expected = one_of_few(x, jnp.asarray(truth))
    np.testing.assert_allclose(called(same, x, jnp.asarray(truth)), expected, rtol=1e-10)


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
    problem = recovery.Problem(x, y, published)
    found, _ = recovery.fit_by_scipy(model, problem, np.asarray(model.guess(x, y), float))
    digits = [len(value.split(".")[1]) for value in estimates.split()]
    # One unit of the last digit: R stops a little before the optimum.
    assert np.all(np.abs(found - published) <= 10.0 ** -np.array(digits))
