"""Levenberg–Marquardt on published problems: NIST StRD and Moré, Garbow, Hillstrom (1981)."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from benchmarks.problems import nist
from mvopt import LevenbergMarquardt, Status, least_squares
from mvopt.families.linearization import Evaluation, LeastSquaresProblem
from mvopt.families.stopping import AUTO

HARD = ["MGH10", "BoxBOD", "MGH17", "Eckerle4", "Bennett5", "Lanczos3", "Nelson", "Hahn1"]
RESIDUALS = {
    model: (lambda b, x, y, model=model: model(x, b) - y)
    for model in {nist.MODELS[name] for name in HARD}
}


# One problem is another program than a batch; the shortest of them are enough.
ALSO_ONE_AT_A_TIME = ["MGH10", "BoxBOD", "MGH17", "Eckerle4"]


def rosenbrock(x):
    return jnp.array([10 * (x[1] - x[0] ** 2), 1 - x[0]])


def powell_singular(x):
    return jnp.array(
        [
            x[0] + 10 * x[1],
            5**0.5 * (x[2] - x[3]),
            (x[1] - 2 * x[2]) ** 2,
            10**0.5 * (x[0] - x[3]) ** 2,
        ]
    )


def brown_badly_scaled(x):
    return jnp.array([x[0] - 1e6, x[1] - 2e-6, x[0] * x[1] - 2])


def freudenstein_roth(x):
    return jnp.array(
        [
            -13 + x[0] + ((5 - x[1]) * x[1] - 2) * x[1],
            -29 + x[0] + ((x[1] + 1) * x[1] - 14) * x[1],
        ]
    )


def in_units(x, units, size):
    """Rosenbrock's function of x·units, the residual multiplied by size."""
    return size * rosenbrock(x * units)


def decay(b, x, y):
    return b[0] * jnp.exp(-b[1] * x) + b[2] - y


def logarithm(x):
    return jnp.log(x) + 3


def cube(x, target):
    return x**3 - target


def assert_ended(status, value, rss):
    """Converged, or stalled where the sum of squares has no better digit to offer (Lanczos3)."""
    done = abs(2 * value / rss - 1) < 1e-9
    assert status == Status.CONVERGED or (status == Status.STALLED and done)


@pytest.mark.parametrize("name", HARD)
def test_nist_from_both_starts_in_a_batch_and_one_at_a_time(name):
    problem = nist.load(name)
    residual, args = RESIDUALS[problem.model], (problem.x, problem.y)
    batch = least_squares(residual, problem.starts, args, in_axes=(0, None, None))
    for i, start in enumerate(problem.starts):
        assert nist.worst_lre(batch.params[i], problem.certified) >= 6
        np.testing.assert_allclose(2 * batch.value[i], problem.rss, rtol=1e-5)
        assert_ended(batch.status[i], batch.value[i], problem.rss)
        assert batch.num_steps[i] < 1000
        if name in ALSO_ONE_AT_A_TIME:
            single = least_squares(residual, start, args)
            assert nist.worst_lre(single.params, problem.certified) >= 6
            assert_ended(single.status, single.value, problem.rss)
            # A narrow valley magnifies the last bit of a sum: the number of steps differs.
            assert single.num_steps < 1000


@pytest.mark.parametrize(
    ("residual", "start", "solution", "value", "status"),
    [
        (rosenbrock, [-1.2, 1.0], [1, 1], 0, Status.CONVERGED),
        (brown_badly_scaled, [1.0, 1.0], [1e6, 2e-6], 0, Status.CONVERGED),
        # Its Jacobian is singular at the local minimum: whether it is to rounding where the method
        # ends is chance.
        (freudenstein_roth, [0.5, -2.0], [11.412779, -0.896805], 48.984253 / 2, Status.SINGULAR),
    ],
    ids=["rosenbrock", "brown", "freudenstein and roth"],
)
def test_classic_problems(residual, start, solution, value, status):
    found = least_squares(residual, start)
    assert found.status in (Status.CONVERGED, status)
    np.testing.assert_allclose(found.params, solution, rtol=1e-6)
    np.testing.assert_allclose(found.value, value, rtol=1e-7, atol=1e-15)
    assert found.num_steps < 100


def test_a_singular_jacobian_at_the_solution_is_reached_all_the_same():
    found = least_squares(powell_singular, [3.0, -1.0, 0.0, 1.0])
    assert found.status in (Status.CONVERGED, Status.SINGULAR)
    np.testing.assert_allclose(found.params, 0, atol=1e-4)
    assert found.value <= 1e-15
    assert found.num_steps < 200


@pytest.mark.parametrize("size", [1e-9, 1.0, 1e9])
@pytest.mark.parametrize(
    "units", [(1.0, 1.0), (1e15, 1e15), (1e-15, 1e-15), (1e15, 1e-15)], ids=str
)
def test_the_units_of_params_and_residual_do_not_matter(units, size):
    start = np.array([-1.2, 1.0])
    plain = least_squares(in_units, start, (np.ones(2), 1.0))
    found = least_squares(in_units, start / np.array(units), (np.array(units), size))
    assert found.status == plain.status == Status.CONVERGED
    assert found.num_steps == plain.num_steps
    np.testing.assert_allclose(found.params * np.array(units), plain.params, rtol=1e-12)


def test_a_trial_where_the_residual_is_nan_is_backed_away_from():
    """The Gauss–Newton step from 1 leads to −2, where the logarithm is not defined."""
    found = least_squares(logarithm, 1.0)
    assert found.status == Status.CONVERGED
    assert found.params.shape == ()
    np.testing.assert_allclose(found.params, np.exp(-3), rtol=1e-12)


def test_a_root_that_float32_cannot_meet_exactly_is_no_failure():
    found = least_squares(cube, np.float32(1.0), (np.float32(1e4),))
    assert found.params.dtype == jnp.float32
    assert found.status == Status.CONVERGED
    np.testing.assert_allclose(found.params, 1e4 ** (1 / 3), rtol=1e-6)


@pytest.mark.parametrize("start", [np.nan, np.inf, -1.0])
def test_a_start_where_nothing_is_finite_says_so(start):
    found = least_squares(logarithm, start)
    assert found.status == Status.NONFINITE
    assert found.num_steps == 1
    np.testing.assert_array_equal(found.params, start)


@pytest.mark.parametrize("budget", [1, 2, 5])
def test_the_budget_is_exact_and_progress_is_kept(budget):
    found = least_squares(rosenbrock, [-1.2, 1.0], max_steps=budget)
    assert found.status == Status.MAX_STEPS
    assert found.num_steps == found.num_evaluations == budget
    assert found.value <= 24.2 / 2
    np.testing.assert_allclose(2 * found.value, jnp.sum(rosenbrock(found.params) ** 2), rtol=1e-12)


def test_the_reported_optimality_is_the_gradient():
    found = least_squares(freudenstein_roth, [0.5, -2.0], max_steps=4)
    step = 1e-6
    gradient = [
        (
            jnp.sum(freudenstein_roth(found.params + e) ** 2)
            - jnp.sum(freudenstein_roth(found.params - e) ** 2)
        )
        / (4 * step)
        for e in step * np.eye(2)
    ]
    np.testing.assert_allclose(found.optimality, np.abs(gradient).max(), rtol=1e-6)


@pytest.fixture(scope="module")
def noisy_decays():
    rng = np.random.default_rng(2)
    x = np.linspace(0, 4, 20)
    truth = rng.uniform([1, 0.3, -1], [5, 2, 1], (64, 3))
    clean = truth[:, :1] * np.exp(-truth[:, 1:2] * x) + truth[:, 2:]
    return (
        truth * rng.uniform(0.6, 1.6, truth.shape),
        x,
        clean + 0.05 * rng.normal(size=clean.shape),
    )


def test_float32_ends_at_its_floor_and_not_out_of_steps(noisy_decays):
    starts, x, y = noisy_decays
    args = {"in_axes": (0, None, 0)}
    best = least_squares(decay, starts, (x, y), **args)
    assert (best.status == Status.CONVERGED).all()
    rough = [np.asarray(part, np.float32) for part in (starts, x, y)]
    for tolerance in (AUTO, 1e-12):
        solver = LevenbergMarquardt(gtol=tolerance, xtol=tolerance)
        found = least_squares(decay, rough[0], tuple(rough[1:]), solver=solver, **args)
        assert found.params.dtype == jnp.float32
        if np.isnan(tolerance):
            assert (found.status == Status.CONVERGED).all()
        else:
            assert set(np.asarray(found.status)) <= {Status.CONVERGED, Status.STALLED}
        assert (found.num_steps < 100).all()
        assert (found.value <= 1.001 * best.value).all()


@pytest.mark.parametrize("name", ["MGH17", "Eckerle4", "BoxBOD"])
def test_float32_never_calls_a_bad_fit_converged(name):
    problem = nist.load(name)
    rough = [np.asarray(part, np.float32) for part in (problem.starts, problem.x, problem.y)]
    found = least_squares(
        RESIDUALS[problem.model], rough[0], tuple(rough[1:]), in_axes=(0, None, None)
    )
    assert Status.MAX_STEPS not in found.status
    for status, params in zip(found.status, np.asarray(found.params, float), strict=True):
        rss = np.sum(np.asarray(problem.model(problem.x, params) - problem.y) ** 2)
        assert status != Status.CONVERGED or rss <= 1.01 * problem.rss


def test_loose_tolerances_end_sooner(noisy_decays):
    starts, x, y = noisy_decays
    steps = []
    for tolerance in (1e-2, 1e-5, 1e-9):
        solver = LevenbergMarquardt(gtol=tolerance, xtol=1e-14)
        found = least_squares(decay, starts, (x, y), solver=solver, in_axes=(0, None, 0))
        assert (found.status == Status.CONVERGED).all()
        steps.append(int(found.num_steps.sum()))
    assert steps[0] < steps[1] < steps[2]


def identity(params):
    return params


@jax.jit
def first_step(solver, start, state, rows):
    value = 0.5 * start @ start
    return solver.step(LeastSquaresProblem(identity), state, Evaluation(value, start, rows))


@pytest.mark.parametrize("length", [2e-19, 1e-22])
def test_a_column_that_has_all_but_vanished_leaves_a_step_in_the_others(length):
    """Once on a GPU its scale, the largest length so far, overflowed over the present one."""
    solver = LevenbergMarquardt(radius=1e-5)
    problem = LeastSquaresProblem(identity)
    start = jnp.array([3.0, 1.0, 2.0], jnp.float32)
    # The first and the last column are the same, so that the step comes from a QR.
    rows = jnp.array([[1, 0, 0], [0, length, 0], [1, 0, 0]], jnp.float32)

    state = solver.init(problem, start, solver.blank(start))
    state = state._replace(scale=jnp.array([1.0, 1e3, 1.0], jnp.float32))
    state = first_step(solver, start, state, rows)
    assert state.status == Status.RUNNING
    assert jnp.isfinite(state.trial).all()
    assert state.trial[0] < start[0]
    np.testing.assert_allclose(state.trial[1], start[1])


def test_a_trial_that_is_not_a_number_ends_the_search():
    solver = LevenbergMarquardt()
    problem = LeastSquaresProblem(identity)
    start = jnp.array([3.0, 1.0])
    step = jax.jit(lambda state: solver.step(problem, state, solver.evaluate(problem, state)))
    state = step(solver.init(problem, start, solver.blank(start)))
    state = step(state._replace(trial=jnp.full(2, jnp.nan), length=jnp.asarray(jnp.nan)))
    assert state.status == Status.STALLED
    np.testing.assert_array_equal(state.params, start)


GROWTH = (
    *(4, 4, 4, 6, 6, 13, 22, 22, 26, 28, 38, 48, 55, 65, 65, 92, 112, 134, 171, 210, 267, 307, 353),
    *(436, 669, 669, 818, 1029, 1219, 1405, 1617, 1791, 2032, 2032, 2182, 2298, 2389),
)


def test_columns_that_are_rounding_alone_hold_no_other_back():
    """At the start two columns of three are 1e-16; the third can move, as MINPACK moves it."""
    x, y = np.arange(36.0, 73.0), np.array(GROWTH, float)
    residual = lambda p: p[0] * jnp.exp(-p[1] * x) + p[2] - y
    flat = least_squares(residual, np.ones(3))
    assert flat.status != Status.CONVERGED
    np.testing.assert_allclose(flat.params[2], np.mean(y), rtol=1e-6)
    near = least_squares(residual, np.array([1.0, -0.1, 1.0]))
    assert near.status == Status.CONVERGED
    np.testing.assert_allclose(2 * near.value, 569924.6, rtol=1e-7)


def turned_peak(p, x, y):
    """Widths p₃ and p₄ along axes turned by p₅: of a round peak the angle is nothing."""
    u, v = x - p[1], y - p[2]
    along, across = jnp.cos(p[5]) * u + jnp.sin(p[5]) * v, jnp.cos(p[5]) * v - jnp.sin(p[5]) * u
    return p[0] * jnp.exp(-0.5 * ((along / p[3]) ** 2 + (across / p[4]) ** 2)) + p[6]


@pytest.mark.parametrize("angle", [0.0, 0.3])
def test_a_parameter_that_the_start_does_not_see(angle):
    """Its column is 1e-15 there, and scaled to length one it sent the angle to 1e16."""
    x, y = np.meshgrid(np.arange(20.0), np.arange(20.0))
    true = np.array([10, 10, 10, 1.8, 4, 0.7, 1])
    noise = np.random.default_rng(0).normal(0, 0.01, x.shape)
    z = np.asarray(turned_peak(true, x, y)) + noise
    residual = lambda p: (turned_peak(p, x, y) - z).ravel()
    found = least_squares(residual, np.array([8, 9.5, 11, 3, 3, angle, 0]))
    assert found.status == Status.CONVERGED
    again = least_squares(residual, found.params)
    np.testing.assert_allclose(again.value, found.value, rtol=1e-12)
    np.testing.assert_allclose(np.sort(np.abs(found.params[3:5])), [1.8, 4], rtol=1e-2)
    assert 2 * found.value < np.sum(noise**2)
