"""The Moré-Garbow-Hillstrom problems are the published ones, at their starts and minima."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from benchmarks.problems import mgh, problem

NAMES = tuple(mgh.BY_NAME)
# ‖f(x₀)‖ for the standard start times 1, 10 and 100 as MINPACK's test drivers lmdrv and hybdrv
# print it (Argonne National Laboratory, 1980), with 7 digits.
INITIAL_NORMS = {
    "rosenbrock": (4.919350, 1340.063, 143000.1),
    "helical_valley": (50.0, 102.9563, 991.2618),
    "powell_singular": (14.66288, 1270.984, 126887.9),
    "freudenstein_roth": (20.01250, 12432.83, 11426450.0),
    "powell_badly_scaled": (1.065487, 1.0),
    "bard": (6.456136, 36.14185, 384.1147),
    "kowalik_osborne": (0.07289151, 2.979370, 29.95906),
    "meyer": (41153.47, 4168217.0),
    "watson_6": (5.477226, 6433.126, 674256.0),
    "watson_9": (5.477226, 12088.13, 1269109.0),
    "watson_12": (5.477226, 19220.76, 2018918.0),
    "box_3d": (32.11158,),
    "jennrich_sampson": (64.58565,),
    "brown_dennis": (2815.438, 555073.4, 61211250.0),
    "chebyquad_8": (0.1965139,),
    "chebyquad_9": (0.1699499,),
    "chebyquad_10": (0.1837478,),
    "brown_almost_linear": (16.53022, 9765624.0, 9.765625e16),
    "osborne_1": (0.9375640,),
    "osborne_2": (1.446865,),
    "discrete_boundary_value": (0.02808058, 0.5255526, 106.5739),
    "discrete_integral_equation": (0.2518270, 6.116833, 1269.309),
    "trigonometric": (0.08411753, 20.30519, 93.36937),
    "broyden_tridiagonal": (4.582576, 639.1009, 63337.58),
    "broyden_banded": (18.97367, 17130.92, 15949860.0),
    "linear_full_rank": (5.0,),
    "linear_rank_1": (291.5219,),
    "linear_rank_1_zeros": (126.0397,),
}
# Where the drivers have none: f(x₀) by hand or from the formula in exact arithmetic.
INITIAL_VALUES = {
    "brown_badly_scaled": (1 - 1e6) ** 2 + (1 - 2e-6) ** 2 + 1,
    "beale": 14.203125,
    "wood": 19192.0,
    "extended_rosenbrock": 5 * 24.2,
    "extended_powell_singular": 3 * 215.0,
    "penalty_1_4": (30 - 0.25) ** 2 + 1e-5 * 14,
    "penalty_1_10": (385 - 0.25) ** 2 + 1e-5 * 285,
    "variably_dimensioned": 3.85 + 38.5**2 + 38.5**4,
}
# Minimisers: exact, or the final approximate solutions that MINPACK's lmdrv prints.
MINIMISERS = {
    "rosenbrock": (1, 1),
    "freudenstein_roth": (5, 4),
    "brown_badly_scaled": (1e6, 2e-6),
    "beale": (3, 0.5),
    "jennrich_sampson": (0.25782521, 0.25782521),
    "helical_valley": (1, 0, 0),
    "bard": (0.08241058, 1.133037, 2.343695),
    "gulf": (50, 25, 1.5),
    "box_3d": (1, 10, 1),
    "powell_singular": (0,) * 4,
    "wood": (1,) * 4,
    "kowalik_osborne": (0.1928078, 0.1912627, 0.1230528, 0.1360532),
    "brown_dennis": (-11.59444, 13.20363, -0.4034395, 0.2367788),
    "osborne_1": (0.3754100, 1.935847, -1.464687, 0.01286753, 0.02212270),
    "biggs_exp6": (1, 10, 1, 5, 4, 3),
    "osborne_2": (
        *(1.309977, 0.4315525, 0.6336613, 0.5994286, 0.7541798, 0.9043001),
        *(1.365799, 4.823732, 2.398685, 4.568876, 5.675342),
    ),
    "watson_6": (-0.01572496, 1.012435, -0.2329917, 1.260431, -1.513730, 0.9929973),
    "extended_rosenbrock": (1,) * 10,
    "extended_powell_singular": (0,) * 12,
    "variably_dimensioned": (1,) * 10,
    "brown_almost_linear": (1,) * 10,
    "linear_full_rank": (-1,) * 5,
    "linear_rank_1": (1 / 7, 0, 0, 0, 0),
    "linear_rank_1_zeros": (1, 3 / 34, 0, 0, 1),
    "chebyquad_8": (
        *(0.04315366, 0.1930916, 0.2663286, 0.4999993),
        *(0.5000007, 0.7336714, 0.8069084, 0.9568463),
    ),
    "chebyquad_9": (
        *(0.04420535, 0.1994907, 0.2356191, 0.4160469, 0.5),
        *(0.5839531, 0.7643809, 0.8005093, 0.9557947),
    ),
}
# The minima of the paper, to its 6 digits: one of those that are listed.
PUBLISHED = {
    "freudenstein_roth": 48.9842,
    "jennrich_sampson": 124.362,
    "bard": 8.21487e-3,
    "gaussian": 1.12793e-8,
    "meyer": 87.9458,
    "kowalik_osborne": 3.07505e-4,
    "brown_dennis": 85822.2,
    "osborne_1": 5.46489e-5,
    "biggs_exp6": 5.65565e-3,
    "osborne_2": 4.01377e-2,
    "watson_6": 2.28767e-3,
    "watson_9": 1.39976e-6,
    "watson_12": 4.72238e-10,
    "penalty_1_4": 2.24997e-5,
    "penalty_1_10": 7.08765e-5,
    "penalty_2_4": 9.37629e-6,
    "penalty_2_10": 2.93660e-4,
    "trigonometric": 2.79506e-5,
    "chebyquad_8": 3.51687e-3,
    "chebyquad_10": 6.50395e-3,
}
# The paper's n and m, where they are not a formula of n.
SIZES = {
    **dict.fromkeys((1, 2, 3), (2, 2)),
    **dict.fromkeys((4, 5), (2, 3)),
    **dict.fromkeys((8, 9), (3, 15)),
    **dict.fromkeys((32, 33, 34), (5, 10)),
    **dict(zip((6, 7, 10, 11, 12), ((2, 10), (3, 3), (3, 16), (3, 99), (3, 10)), strict=True)),
    **dict(zip((13, 14, 15, 16), ((4, 4), (4, 6), (4, 11), (4, 20)), strict=True)),
    **dict(zip((17, 18, 19), ((5, 33), (6, 13), (11, 65)), strict=True)),
}


@pytest.fixture(scope="module")
def first_order():
    """Residual, objective and gradient of a problem at a point, compiled once a problem."""
    programs = {}

    def evaluate(name, x):
        if name not in programs:
            given = mgh.BY_NAME[name]
            value = jax.value_and_grad(given.objective)
            programs[name] = jax.jit(lambda x: (given.residual(x), *value(x)))
        return programs[name](x)

    return evaluate


@pytest.mark.parametrize("name", INITIAL_NORMS)
def test_starts_have_the_norms_that_minpack_prints(name, first_order):
    for factor, norm in zip((1, 10, 100), INITIAL_NORMS[name], strict=False):
        start = jnp.array(mgh.BY_NAME[name].start_times(factor))
        assert np.linalg.norm(first_order(name, start)[0]) == pytest.approx(norm, rel=1e-6)


@pytest.mark.parametrize("name", INITIAL_VALUES)
def test_starts_have_the_values_of_the_formula(name, first_order):
    value = first_order(name, jnp.array(mgh.BY_NAME[name].start))[1]
    assert value == pytest.approx(INITIAL_VALUES[name], rel=1e-12)


@pytest.mark.parametrize("name", MINIMISERS)
def test_known_minimisers_have_the_lowest_value(name, first_order):
    value = first_order(name, jnp.array(MINIMISERS[name], jnp.float64))[1]
    assert value == pytest.approx(mgh.BY_NAME[name].minima[0], rel=1e-6, abs=1e-12)


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_minima_are_listed(name):
    last_digit = 1.5e-5 * PUBLISHED[name]
    assert np.min(np.abs(np.array(mgh.BY_NAME[name].minima) - PUBLISHED[name])) < last_digit


@pytest.mark.parametrize("name", NAMES)
def test_float64_at_the_start(name, first_order):
    given = mgh.BY_NAME[name]
    residual, value, gradient = first_order(name, jnp.array(given.start))
    assert {a.dtype for a in (residual, value, gradient)} == {jnp.dtype("float64")}
    np.testing.assert_allclose(value, np.sum(np.square(residual)), rtol=1e-14)
    assert value > given.minima[0]
    assert np.all(np.isfinite(gradient))
    assert np.any(gradient != 0)


@pytest.mark.parametrize("name", NAMES)
def test_float32_in_float32_out(name):
    given = mgh.BY_NAME[name]
    x = jax.ShapeDtypeStruct((given.num_variables,), jnp.float32)
    for function in (given.residual, given.objective, jax.grad(given.objective)):
        assert jax.eval_shape(function, x).dtype == jnp.float32


@pytest.mark.parametrize("name", NAMES)
def test_sizes_and_minima(name):
    given = mgh.BY_NAME[name]
    n = given.num_variables
    x = jax.ShapeDtypeStruct((n,), jnp.float64)
    (m,) = jax.eval_shape(given.residual, x).shape
    square = {20: (n, 31), 23: (n, n + 1), 24: (n, 2 * n), 25: (n, n + 2)}
    assert (n, m) == {**SIZES, **square}.get(mgh.NUMBERS[name], (n, n))
    assert list(given.minima) == sorted(given.minima)


def test_all_35_problems_stand_in_the_papers_order():
    assert sorted(set(mgh.NUMBERS.values())) == list(range(1, 36))
    assert list(mgh.NUMBERS.values()) == sorted(mgh.NUMBERS.values())
    assert all(mgh.BY_NAME[name].minima[0] == 0 for name in mgh.SQUARE)


@pytest.mark.parametrize("name", ["helical_valley", "gulf"])
def test_second_derivatives_match_differences_of_the_gradient(name, first_order):
    given = mgh.BY_NAME[name]
    x = np.array(given.start)
    hessian = jax.jit(jax.hessian(given.objective))(x)
    for column, step in zip(np.asarray(hessian).T, 1e-6 * np.eye(x.size), strict=True):
        difference = first_order(name, x + step)[2] - first_order(name, x - step)[2]
        np.testing.assert_allclose(difference / 2e-6, column, rtol=1e-6, atol=1e-5)


def test_helical_valley_turns_as_published():
    residual = mgh.BY_NAME["helical_valley"].residual
    for a, b, turns in [(1, 0, 0), (1, 1, 0.125), (0, 1, 0.25), (-1, 0.0, 0.5), (-1, -1, 0.625)]:
        assert residual(jnp.array([a, b, 0.0]))[0] == pytest.approx(-100 * turns, abs=1e-12)
    assert residual(jnp.array([-1.0, -0.0, 0.0]))[0] == pytest.approx(-50)
    assert residual(jnp.array([1.0, -1.0, 0.0]))[0] == pytest.approx(12.5)


def test_a_start_at_the_origin_becomes_its_factor():
    assert mgh.BY_NAME["watson_6"].start_times(10) == (10.0,) * 6
    assert mgh.BY_NAME["watson_6"].start_times(1) == (0.0,) * 6
    assert mgh.BY_NAME["rosenbrock"].start_times(10) == (-12.0, 10.0)


def test_a_moved_problem_has_the_same_values():
    given = mgh.BY_NAME["wood"]
    shift, scale = problem.standard_move(4)
    far = replace(given, start=given.start_times(10))
    moved = problem.moved(far, shift, scale)
    start = jnp.array(moved.start)
    np.testing.assert_allclose(start, scale * np.array(far.start) + shift)
    for function in ("objective", "residual"):
        expected = getattr(given, function)(jnp.array(far.start))
        np.testing.assert_allclose(getattr(moved, function)(start), expected, rtol=1e-12)
    assert moved.minima == given.minima
    assert moved.objective(start.astype(jnp.float32)).dtype == jnp.float32
