"""Brackets: the published counts of Chandrupatla (1997), and what has no root."""

import itertools

import jax.numpy as jnp
import numpy as np
import pytest

from benchmarks.problems import roots
from mvopt import Bisection, Chandrupatla, Status, root

# His eps_m and eps_a.
PUBLISHED = Chandrupatla(xtol=4 * roots.CHANDRUPATLA_EPS_M, atol=roots.CHANDRUPATLA_EPS_A)
CASES = [
    (function, list(cases))
    for function, cases in itertools.groupby(roots.CHANDRUPATLA, key=lambda case: case.function)
]


@pytest.mark.parametrize(("function", "cases"), CASES, ids=[f.__name__ for f, _ in CASES])
def test_published_counts_in_one_batch(function, cases):
    bounds = (np.array([c.lower for c in cases]), np.array([c.upper for c in cases]))
    start = np.zeros(len(cases))
    found = root(function, start, solver=PUBLISHED, bounds=bounds, in_axes=0)
    np.testing.assert_array_equal(found.num_steps, [c.evaluations for c in cases])
    assert (found.status == Status.CONVERGED).all()
    exact = root(function, start, solver=Chandrupatla(), bounds=bounds, in_axes=0)
    assert (exact.status == Status.CONVERGED).all()
    if function is not roots.flat_root:  # it underflows to zero far from its root
        np.testing.assert_allclose(exact.params, cases[0].root, rtol=1e-15, atol=1e-16)


def test_shape_of_x():
    found = root(roots.cubic, [0.0], solver=PUBLISHED, bounds=(2.0, 3.0))
    assert found.params.shape == (1,)
    assert found.num_steps == 7


HOPELESS = [
    (lambda x: x**2 + 1, (-1.0, 2.0), Status.BAD_INPUT),
    (jnp.sin, (3.0, np.inf), Status.BAD_INPUT),
    (lambda x: 1 / (x - 1), (0.0, 3.5), Status.STALLED),
    (lambda x: jnp.where(x < 1, -1.0, 1.0), (0.0, 3.5), Status.STALLED),
    (jnp.log, (-1.0, 3.0), Status.NONFINITE),
]


@pytest.mark.parametrize(("function", "bounds", "status"), HOPELESS, ids=[0, 1, 2, 3, 4])
@pytest.mark.parametrize("solver", [Chandrupatla(), Bisection()], ids=["chandrupatla", "bisection"])
def test_what_has_no_root(function, bounds, status, solver):
    assert root(function, 1.0, solver=solver, bounds=bounds).status == status


def test_float32():
    found = root(roots.cubic, np.float32(0), solver=Chandrupatla(), bounds=(2.0, 3.0))
    assert found.params.dtype == np.float32
    assert found.status == Status.CONVERGED
    np.testing.assert_allclose(found.params, 2.0945515, rtol=2e-7)
