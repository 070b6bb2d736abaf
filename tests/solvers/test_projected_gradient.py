"""Projections are the nearest points, and the projected gradient finds minima over their sets."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mvopt import ProjectedGradient, Status, minimize, projections

RNG = np.random.default_rng(0)
MATRIX = np.vstack([RNG.normal(size=(2, 6)), np.ones(6)])
MATRIX = np.vstack([MATRIX, 2 * MATRIX[0]])  # depends on the first row
SETS = {
    "box": projections.Box(-0.5, np.array([0.5, 1, 2, 0.1, 0.2, 0.3])),
    "simplex": projections.Simplex(2.0),
    "ball": projections.Ball(0.7, np.ones(6)),
    "affine": projections.Affine(MATRIX, MATRIX @ np.arange(6.0)),
}


@pytest.mark.parametrize("name", SETS)
def test_no_point_of_the_set_is_nearer(name):
    project = SETS[name]
    x = jnp.asarray(RNG.normal(size=6) * 3)
    nearest = project(x)
    np.testing.assert_allclose(project(nearest), nearest, atol=1e-12)
    others = jax.vmap(project)(nearest + RNG.normal(size=(200, 6)))
    # For a convex set the angle at the nearest point to any other is not acute.
    assert ((others - nearest) @ (x - nearest)).max() < 1e-10


def test_special_points():
    np.testing.assert_allclose(SETS["simplex"](jnp.full(6, 5.0)), 1 / 3)
    np.testing.assert_allclose(MATRIX @ SETS["affine"](jnp.zeros(6)), MATRIX @ np.arange(6.0))
    assert SETS["ball"](jnp.ones(6, jnp.float32)).dtype == jnp.float32


CENTER, CURVATURE = RNG.normal(size=2000), RNG.uniform(0.1, 100, 2000)


def bowl(x, center):
    return 0.5 * jnp.sum(CURVATURE * (x - center) ** 2)


def test_many_variables_on_a_simplex():
    found = minimize(bowl, np.zeros(2000), (CENTER,), solver=ProjectedGradient(SETS["simplex"]))
    assert found.status == Status.CONVERGED
    np.testing.assert_allclose(found.params.sum(), 2, rtol=1e-12)
    # Where a variable is positive the slope is the same, elsewhere it is larger.
    slope = CURVATURE * (found.params - CENTER)
    held = found.params == 0
    level = slope[~held].mean()
    np.testing.assert_allclose(slope[~held], level, rtol=1e-6)
    assert slope[held].min() > level


def test_bounds_without_a_projection():
    start, bounds = np.zeros(2000), (-0.5, 0.5)
    found = minimize(bowl, start, (CENTER,), solver=ProjectedGradient(), bounds=bounds)
    assert found.status == Status.CONVERGED
    np.testing.assert_allclose(found.params, np.clip(CENTER, -0.5, 0.5), atol=1e-7)
    solver = ProjectedGradient(SETS["simplex"])
    with pytest.raises(ValueError, match="not both"):
        minimize(bowl, start, (CENTER,), solver=solver, bounds=bounds)


def test_a_batch_and_derivatives():
    solver, start = ProjectedGradient(projections.Simplex(1.0)), np.full(3, 1 / 3)

    def distance(x, target):
        return 0.5 * jnp.sum((x - target) ** 2)

    targets = RNG.normal(size=(20, 3))
    found = minimize(distance, start, (targets,), solver=solver, in_axes=(None, 0))
    assert (found.status == Status.CONVERGED).all()
    np.testing.assert_allclose(found.params, jax.vmap(projections.Simplex(1.0))(targets), atol=1e-7)
    jacobian = jax.jacrev(lambda t: minimize(distance, start, (t,), solver=solver).params)
    wanted = jax.jacfwd(projections.Simplex(1.0))(targets[0])
    np.testing.assert_allclose(jacobian(targets[0]), wanted, atol=1e-8)


FAR = np.array([3.0, 4.0])


def nearest_to_far(projection):
    solver = ProjectedGradient(projection)
    return minimize(lambda x: jnp.sum((x - FAR) ** 2), np.zeros(2), solver=solver)


@pytest.mark.parametrize(
    ("set_of", "at"),
    [
        (projections.Ball, 1.0),
        (lambda center: projections.Ball(1.0, center), np.array([0.5, -0.5])),
        (lambda b: projections.Affine(np.array([[1.0, 2.0]]), b), np.array([3.0])),
        (lambda A: projections.Affine(A, np.array([3.0])), np.array([[1.0, 2.0]])),
        (lambda upper: projections.Box(0.0, upper), np.array([1.0, 9.0])),
        (projections.Simplex, 2.0),
        (lambda r: lambda x: x * jnp.minimum(1.0, r / jnp.linalg.norm(x)), 1.0),
    ],
)
def test_derivatives_with_respect_to_the_set(set_of, at):
    """The solution is the projection of (3, 4), and so are its derivatives, in both modes."""
    wanted = jax.jacfwd(lambda number: set_of(number)(FAR))(at)
    assert np.abs(wanted).max() > 0.1
    for derivative in (jax.jacfwd, jax.jacrev):
        found = derivative(lambda number: nearest_to_far(set_of(number)).params)(at)
        np.testing.assert_allclose(found, wanted, atol=1e-7)
    np.testing.assert_allclose(nearest_to_far(set_of(at)).params, set_of(at)(FAR), atol=1e-7)


def test_a_function_of_ones_own_and_a_batch_of_radii():
    found = nearest_to_far(lambda x: jnp.maximum(x, 0))
    assert found.status == Status.CONVERGED
    np.testing.assert_allclose(found.params, FAR, atol=1e-7)
    solutions = jax.vmap(lambda radius: nearest_to_far(projections.Ball(radius)).params)
    np.testing.assert_allclose(solutions(jnp.array([1.0, 2])), [[0.6, 0.8], [1.2, 1.6]], atol=1e-7)


@pytest.mark.parametrize("unit", [1e-12, 1e12])
def test_the_unit_of_the_objective_does_not_matter(unit):
    found = minimize(
        lambda x: unit * jnp.sum((x - FAR) ** 2),
        np.zeros(2),
        bounds=(0.0, 3.5),
        solver=ProjectedGradient(),
    )
    assert found.status == Status.CONVERGED
    np.testing.assert_allclose(found.params, [3, 3.5], atol=1e-6)
