"""`minimize`: batches, bounds, derivatives, continuation, and what is refused."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mvopt import BFGS, LBFGS, Status, TrustRegionNewton, minimize

START = np.array([-1.2, 1.0])
SOLVERS = {
    "default": None,
    "products": TrustRegionNewton(hessian="products"),
    "BFGS": BFGS(),
    "LBFGS": LBFGS(),
}
every_solver = pytest.mark.parametrize("name", SOLVERS)


def rosenbrock(x):
    return jnp.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)


def pulled(x, target):
    """Its minimum solves 2 w (x − target) + 4 x³ = 0, entry by entry."""
    return jnp.sum((x - target) ** 2 * jnp.array([1.0, 10.0])) + jnp.sum(x**4)


@every_solver
def test_batch_is_the_same_as_one_at_a_time_and_nan_stays_in_its_lane(name):
    starts = np.random.default_rng(0).normal(size=(7, 2))
    starts[3] = np.nan
    batch = minimize(rosenbrock, starts, solver=SOLVERS[name], in_axes=0)
    expected = [Status.CONVERGED] * 7
    expected[3] = Status.NONFINITE
    np.testing.assert_array_equal(batch.status, expected)
    for i in (0, 6):
        one = minimize(rosenbrock, starts[i], solver=SOLVERS[name])
        np.testing.assert_allclose(one.params, batch.params[i], rtol=1e-12)
        assert one.num_steps == batch.num_steps[i]
        np.testing.assert_allclose(one.params, 1, atol=1e-7)


@every_solver
def test_bounds_that_bind_and_bounds_that_do_not(name):
    solve = partial(minimize, rosenbrock, START, solver=SOLVERS[name])
    corner = solve(bounds=([-2, -2], [0.5, 2.0]))
    assert corner.status == Status.CONVERGED
    np.testing.assert_allclose(corner.params, [0.5, 0.25], atol=1e-7)
    inside = solve(bounds=(np.full(2, -50.0), np.full(2, 50.0)))
    assert inside.status == Status.CONVERGED
    np.testing.assert_allclose(inside.params, 1, atol=1e-6)


def test_every_problem_of_a_batch_may_have_its_own_bounds():
    lower = np.array([[-2.0, -2.0], [-2.0, 1.5]])
    upper = np.array([[0.5, 2.0], [3.0, 2.0]])
    starts = np.broadcast_to(START, (2, 2))
    found = minimize(rosenbrock, starts, bounds=(lower, upper), in_axes=0)
    np.testing.assert_array_equal(found.status, Status.CONVERGED)
    np.testing.assert_allclose(found.params[0], [0.5, 0.25], atol=1e-7)
    np.testing.assert_allclose(found.params[1, 1], 1.5)
    assert found.value[1] < 4.95


@pytest.mark.parametrize("start_axes", [0, {"a": 0, "b": None}])
def test_bounds_of_a_mapping_are_for_each_problem_where_they_have_an_axis_more(start_axes):
    def distance(p, target):
        return (p["a"] - target) ** 2 + jnp.sum((p["b"] - target) ** 2)

    start = {"a": np.zeros(3), "b": np.zeros((3, 2) if start_axes == 0 else 2)}
    lower = {"a": np.array([-9.0, 2.0, -9.0]), "b": np.array([-9.0, 1.5])}
    upper = {"a": np.array(9.0), "b": np.array([[0.5, 9.0], [9.0, 9.0], [9.0, 2.0]])}
    found = minimize(distance, start, (np.ones(3),), bounds=(lower, upper), in_axes=(start_axes, 0))
    np.testing.assert_array_equal(found.status, Status.CONVERGED)
    np.testing.assert_allclose(found.params["a"], [1, 2, 1], atol=1e-9)
    np.testing.assert_allclose(found.params["b"], [[0.5, 1.5], [1, 1.5], [1, 1.5]], atol=1e-9)


# The rule is linear, and JAX transposes it: either direction is enough for a solver.
@pytest.mark.parametrize(
    ("name", "transform"),
    [
        *(("default", jax.jacfwd), ("products", jax.jacrev)),
        *(("BFGS", jax.jacrev), ("LBFGS", jax.jacfwd)),
    ],
)
def test_derivative_by_the_arguments(name, transform):
    def params(target):
        return minimize(pulled, START, (target,), solver=SOLVERS[name]).params

    target = jnp.array([1.0, 2.0])
    x, weight = params(target), np.array([1.0, 10.0])
    expected = np.diag(2 * weight / (2 * weight + 12 * np.asarray(x) ** 2))
    np.testing.assert_allclose(transform(params)(target), expected, atol=1e-7)


def test_derivative_of_the_value_and_of_a_batch():
    targets = np.array([[1.0, 2.0], [0.5, -1.0], [3.0, 0.0]])
    starts = np.zeros((3, 2))

    def total(targets):
        return minimize(pulled, starts, (targets,), in_axes=0).value.sum()

    found = jax.grad(total)(targets)
    x = minimize(pulled, starts, (targets,), in_axes=0).params
    np.testing.assert_allclose(found, -2 * (x - targets) * np.array([1.0, 10.0]), atol=1e-9)


def test_vmap_and_jit_of_the_entry_point():
    targets = jnp.array([[1.0, 2.0], [0.5, -1.0]])
    one = lambda target: minimize(pulled, START, (target,), solver=BFGS()).params
    mapped = jax.jit(jax.vmap(one))(targets)
    for row, target in zip(mapped, targets, strict=True):
        np.testing.assert_allclose(row, one(target), atol=1e-8)


# BFGS does as a batch, below.
@pytest.mark.parametrize("name", ["default", "products", "LBFGS"])
def test_a_run_goes_on_from_where_it_stopped(name):
    solve = partial(minimize, rosenbrock, START, solver=SOLVERS[name])
    half = solve(max_steps=10, keep_state=True)
    assert half.status == Status.MAX_STEPS
    rest = solve(max_steps=5, state=half.state)
    whole = solve(max_steps=15)
    np.testing.assert_allclose(rest.params, whole.params, rtol=1e-12)


def test_a_batch_goes_on_from_where_it_stopped():
    starts = np.random.default_rng(1).normal(size=(5, 2))
    solve = partial(minimize, rosenbrock, starts, solver=BFGS(), in_axes=0)
    half = solve(max_steps=10, keep_state=True)
    rest, whole = solve(max_steps=300, state=half.state), solve(max_steps=310)
    np.testing.assert_array_equal(rest.params, whole.params)


def test_the_trace_holds_params_and_value_after_each_step():
    found = minimize(rosenbrock, START, trace=40)
    steps = int(found.num_steps)
    assert found.trace.shape == (40, 3)
    np.testing.assert_allclose(found.trace[0], [*START, rosenbrock(START)], rtol=1e-14)
    np.testing.assert_array_equal(found.trace[steps - 1, :2], found.params)
    assert np.isnan(found.trace[steps:]).all()
    assert (np.diff(found.trace[:steps, 2]) <= 0).all()


def test_what_the_function_returns_beside_its_value():
    def with_aux(x):
        return rosenbrock(x), {"sum": x.sum()}

    found = minimize(with_aux, START, has_aux=True)
    np.testing.assert_allclose(found.aux["sum"], 2)
    many = minimize(with_aux, np.stack([START, START]), has_aux=True, in_axes=0)
    np.testing.assert_allclose(many.aux["sum"], [2, 2])


@every_solver
def test_params_may_be_any_pytree(name):
    def fn(p):
        return (p["a"] - 1) ** 2 + jnp.sum((p["b"] - p["a"]) ** 4 + (p["b"] - 1) ** 2)

    found = minimize(fn, {"a": 0.0, "b": np.array([[3.0], [4.0]])}, solver=SOLVERS[name])
    assert found.status == Status.CONVERGED
    np.testing.assert_allclose(found.params["b"], [[1.0], [1.0]], atol=1e-5)


@every_solver
def test_a_region_where_the_function_is_not_a_number_is_backed_away_from(name):
    """log of a negative number: the minimum of x − log x is at one."""
    fn = lambda x: jnp.sum(x - jnp.log(x))
    found = minimize(fn, np.array([1e-3, 30.0]), solver=SOLVERS[name])
    assert found.status == Status.CONVERGED
    np.testing.assert_allclose(found.params, 1, atol=1e-6)


@every_solver
def test_a_function_without_a_lower_bound(name):
    found = minimize(lambda x: -jnp.sum(x**2), np.array([1.0, 2.0]), solver=SOLVERS[name])
    assert found.status == Status.UNBOUNDED


@every_solver
def test_a_start_that_is_the_minimum(name):
    found = minimize(rosenbrock, np.ones(2), solver=SOLVERS[name])
    assert found.status == Status.CONVERGED
    assert found.num_steps <= 2


@pytest.mark.parametrize("name", ["default", "LBFGS"])
def test_an_interval_that_does_not_hold_zero(name):
    """The minimum is inside of it, or at one of its ends."""
    targets = np.array([100.0, 99.3, 98.0, 103.0])
    solve = partial(minimize, lambda x, target: (x - target) ** 2, 100.5, (targets,))
    found = solve(solver=SOLVERS[name], bounds=(99.0, 101.0), in_axes=(None, 0))
    np.testing.assert_allclose(found.params, [100, 99.3, 99, 101], rtol=1e-9)
    assert (found.status == Status.CONVERGED).all()


@pytest.mark.parametrize("name", ["default", "LBFGS"])
def test_a_corner_where_one_parameter_does_not_matter_gives_no_nan(name):
    solve = partial(minimize, lambda x: -x[0], np.array([1.0, 0.0]), solver=SOLVERS[name])
    found = solve(bounds=(-np.ones(2), np.ones(2)))
    np.testing.assert_array_equal(found.params, [1, 0])
    assert found.value == -1
    assert found.status in (Status.CONVERGED, Status.STALLED)


def test_linear_functions_are_solved_as_a_linear_program_whatever_their_scale():
    """x + 2 y + 3 z where x + y = 2 s and y + z = s; then with x + y ≥ 3 s, which cannot be."""
    scales = 10.0 ** np.arange(-6, 10, 3)
    starts = np.random.default_rng(0).normal(size=(2 * len(scales), 3))
    sides = np.stack([np.concatenate([scales] * 2), np.concatenate([scales, 3 * scales])], axis=1)

    def equality(x, side):
        return {"first": x[0] + x[1] - 2 * side[0], "second": x[1] + x[2] - side[0]}

    found = minimize(
        lambda x, side: x @ jnp.array([1.0, 2, 3]), starts, (sides,), bounds=(0.0, np.inf),
        equality=equality, inequality=lambda x, side: x[0] + x[1] - side[1], in_axes=(0, 0),
    )  # fmt: skip
    wanted = [Status.CONVERGED] * len(scales) + [Status.INFEASIBLE] * len(scales)
    np.testing.assert_array_equal(found.status, wanted)
    solved = found.params[: len(scales)] / scales[:, None]
    np.testing.assert_allclose(solved, [[1, 1, 0]] * len(scales), atol=1e-8)
    # With their multipliers the constraints add up to 0 ≥ 1.
    proof = jax.tree.map(lambda each: np.asarray(each[len(scales) :]), found.multipliers)
    first, second = proof.equality["first"], proof.equality["second"]
    both, low = first + proof.inequality, proof.lower
    np.testing.assert_allclose([both, both + second, second], -low.T, rtol=1e-9)
    total = scales * (2 * first + second + 3 * proof.inequality)
    np.testing.assert_allclose(total, 1, rtol=1e-9)


def test_a_start_at_infinity_takes_one_step_and_is_no_success():
    starts = np.array([[np.inf, 1.0], [1e200, 1.0], START])
    found = minimize(rosenbrock, starts, solver=BFGS(), in_axes=0)
    expected = [Status.NONFINITE, Status.NONFINITE, Status.CONVERGED]
    np.testing.assert_array_equal(found.status, expected)
    np.testing.assert_array_equal(found.num_steps[:2], 1)


def test_a_problem_that_runs_out_of_steps_loses_no_other():
    starts = np.stack([np.ones(2), START, np.array([1.0, 1.1])])
    long = minimize(rosenbrock, starts, solver=BFGS(), in_axes=0)
    budget = int(long.num_steps[1]) - 1
    short = minimize(rosenbrock, starts, solver=BFGS(), max_steps=budget, in_axes=0)
    statuses = [Status.CONVERGED, Status.MAX_STEPS, Status.CONVERGED]
    np.testing.assert_array_equal(short.status, statuses)
    assert (long.status == Status.CONVERGED).all()
    assert short.value[1] < rosenbrock(START)
    np.testing.assert_array_equal(short.params[::2], long.params[::2])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: minimize(lambda x: x, START), "must return one number"),
        (lambda: minimize(rosenbrock, START, bounds=([1, 1], [0, 0])), "lower bound is above"),
        (lambda: minimize(rosenbrock, START, bounds=([1, 1, 1], 2)), "do not fit"),
        (lambda: TrustRegionNewton(hessian="sparse"), "is not known"),
        (lambda: LBFGS(memory=0), "at least one"),
    ],
    ids=["not a number", "crossing bounds", "shape of bounds", "hessian", "memory"],
)
def test_errors_say_what_to_do(call, message):
    with pytest.raises(ValueError, match=message):
        call()
