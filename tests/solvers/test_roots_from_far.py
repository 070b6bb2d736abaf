"""From multiples of the published starts, as Moré, Garbow and Hillstrom (1981) tried theirs.

What is called a root is one, and what is no root is no worse than the start.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from benchmarks.judging import residual_share
from benchmarks.problems import roots
from mvopt import Bisection, Broyden, Chandrupatla, FixedPoint, NewtonRaphson, Status, root

# These have no root.
PARABOLAS = roots.System(
    "parabolas", lambda x: jnp.stack([x[0] ** 2 + x[1] ** 2 + 1, x[0] - x[1]]), (3.0, 2.0), ()
)
EXPONENTIALS = roots.System(
    "exponentials", lambda x: jnp.stack([jnp.exp(x[0]) + 0.5, x[0] + x[1]]), (3.0, 2.0), ()
)


def rates(x):
    """Five rates of a reaction, with exponentials of squares that overflow not far away."""
    a, b, c, d, e = x
    mixed = 1 / (0.6 / (44.44 * b) + 0.4 / (65.43 * d))
    growth = jnp.exp(1.107 * jnp.stack([e, a]) ** 2)
    return jnp.stack([a - 26.664 * c / b, c - mixed, e - 1 + a, b - growth[0], d - growth[1]])


RATES = roots.System("rates", rates, (0.81, 1.03, 62.89, 2.09, 0.19), ())
SYSTEMS = [*roots.SYSTEMS, PARABOLAS, EXPONENTIALS, RATES]


@pytest.mark.parametrize("n", [2, 3, 5])
@pytest.mark.parametrize("solver", [NewtonRaphson(), Broyden(), FixedPoint()], ids=type)
def test_a_root_is_one_and_what_is_none_is_no_worse_than_the_start(solver, n):
    systems = [system for system in SYSTEMS if len(system.start) == n]
    function = lambda x, which: lax.select_n(which, *(each.residual(x) for each in systems))
    published = np.array([system.start for system in systems])
    starts = np.concatenate([published * factor for factor in (1, 10, 100)])
    which = np.tile(np.arange(len(systems)), 3)
    found = root(function, starts, (which,), solver=solver, in_axes=(0, 0))
    before = np.asarray(jax.vmap(function)(starts, which))
    jacobians = np.asarray(jax.vmap(jax.jacfwd(function))(published, np.arange(len(systems))))
    for k, value in enumerate(np.asarray(found.value)):
        system = systems[which[k]]
        share = residual_share(value, jacobians[which[k]], published[which[k]])
        assert found.status[k] != Status.CONVERGED or share < 1e-8, (system.name, starts[k])
        started = np.isfinite(before[k]).all()
        assert not started or np.linalg.norm(value) <= np.linalg.norm(before[k]), system.name


def test_overflowing_powers_are_no_root():
    """Its terms are 1e157 where the search has gone, and the residual, 2e141, is nothing beside."""
    system = next(s for s in roots.SYSTEMS if s.name == "unknown_exponent")
    near = root(system.residual, np.array([1.0, 0.0, 1.0]))
    assert near.status == Status.CONVERGED
    np.testing.assert_allclose(near.params, [1, 3, 2], rtol=1e-12)
    far = root(system.residual, np.array([10.0, 0.0, 10.0]))
    assert far.status != Status.CONVERGED
    assert far.optimality < 23.2


@pytest.mark.parametrize("solver", [Chandrupatla(), Bisection()], ids=type)
def test_a_jump_in_a_bracket_is_no_root(solver):
    """On one side of it |f| is small beside the ends."""
    found = root(lambda x: jnp.where(x < 0.3, -1.0, 0.05), 0.5, bounds=(0.0, 1.0), solver=solver)
    assert found.status == Status.STALLED


def test_a_small_value_of_a_polynomial_is_no_root():
    """Far from all roots f was below the rounding of what x had been: 3e-14 where x is 1e-4."""
    roots_of = np.array([0.00763234, 0.00611438, -0.00013337, -0.00325731])
    found = root(lambda x: jnp.prod(x - roots_of), 5983.83418651, solver=FixedPoint())
    nearest = np.min(np.abs(found.params / roots_of - 1))
    assert found.status != Status.CONVERGED or nearest < 1e-6
