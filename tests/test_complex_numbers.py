"""Complex unknowns, equations and residuals are their real and imaginary parts."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mvopt import BFGS, Status, least_squares, minimize, quadratic_program, root

POINT = 1 + 2j


def distance(z):
    return jnp.sum(jnp.abs(z - POINT) ** 2)


def test_roots_of_unity_and_of_a_system(dtype):
    starts = np.array([1.1, -0.4 + 0.9j, -0.4 - 0.9j], jnp.result_type(dtype, jnp.complex64))
    cube = root(lambda z: z**3 - 1, starts, in_axes=0)
    assert (cube.status == Status.CONVERGED).all()
    assert cube.params.dtype == starts.dtype
    wanted = np.exp(2j * np.pi * np.array([0, 1, -1]) / 3)
    np.testing.assert_allclose(cube.params, wanted, rtol=8 * np.finfo(dtype).eps)
    pair = root(lambda z: jnp.stack([z[0] ** 2 + z[1] - 1j, z[0] - z[1] + 2]), [1 + 1j, 0])
    assert pair.status == Status.CONVERGED
    a, b = pair.params
    np.testing.assert_allclose([a**2 + b, a - b], [1j, -2], atol=1e-14)


def test_an_imaginary_part_is_not_lost():
    """Each of these was CONVERGED where its real part alone is zero or least."""
    for fn in (lambda p: 1j * (p - 2), lambda p: (p - 3) + 1j * (p - 2)):
        with pytest.raises(ValueError, match="2 numbers for 1 unknowns"):
            root(fn, 0.5)
    found = least_squares(lambda p: (p - 3) + 1j * (p - 2), 0.5)
    assert found.status == Status.CONVERGED
    np.testing.assert_allclose([found.params, found.value], [2.5, 0.25], rtol=1e-12)
    both = minimize(
        lambda x: jnp.sum(x**2), np.ones(3), equality=lambda x: x[0] + 1j * x[1] - POINT
    )
    assert both.status == Status.CONVERGED
    np.testing.assert_allclose(both.params, [1, 2, 0], atol=1e-9)
    np.testing.assert_allclose(both.multipliers.equality, 2 + 4j, rtol=1e-9)


@pytest.mark.parametrize("solver", [None, BFGS()], ids=["default", "BFGS"])
def test_minima_over_complex_unknowns(solver):
    found = minimize(distance, np.zeros(2, complex), solver=solver)
    assert found.status == Status.CONVERGED
    np.testing.assert_allclose(found.params, [POINT, POINT], atol=1e-8)
    real = minimize(distance, np.zeros(2, complex), solver=solver, bounds=(0, 1.5))
    np.testing.assert_allclose(real.params, 1 + 1.5j, atol=1e-8)
    each = minimize(distance, np.zeros(2, complex), solver=solver, bounds=(-1 - 1j, 0.5 + 3j))
    np.testing.assert_allclose(each.params, 0.5 + 2j, atol=1e-8)


def test_derivatives_by_complex_arguments():
    def size(c):
        return jnp.abs(root(lambda z, c: z**2 - c, 1 + 1j, (c,)).params) ** 2

    at = 3 + 1j
    np.testing.assert_allclose(
        jax.grad(size)(at), jax.grad(lambda c: jnp.abs(jnp.sqrt(c)) ** 2)(at), rtol=1e-12
    )


def test_what_has_no_order_is_refused():
    with pytest.raises(ValueError, match="complex number"):
        minimize(lambda p: 1j * jnp.sum(p**2), [1.0, 2.0])
    with pytest.raises(ValueError, match="inequality is complex"):
        minimize(lambda x: jnp.sum(x**2), np.ones(2), inequality=lambda x: x[0] + 1j * x[1])
    with pytest.raises(ValueError, match="complex"):
        quadratic_program(1j * np.eye(2), np.ones(2))
    with pytest.raises(TypeError, match="bounds are complex"):
        minimize(lambda x: jnp.sum(x**2), np.ones(2), bounds=(0, 1 + 1j))
    with pytest.raises(ValueError, match="above its upper"):
        minimize(distance, np.zeros(2, complex), bounds=(1j, 1))
