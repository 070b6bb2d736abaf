"""What counts as a proof."""

import jax.numpy as jnp

from mvopt.families.program import Program, Scaling
from mvopt.families.proof import Judge

NONE = jnp.full(2, jnp.inf)


def judge(q, A, b):
    """Of: minimise q·x subject to A x = b."""
    q, A, b = (jnp.array(each, jnp.float64) for each in (q, A, b))
    program = Program(jnp.zeros((2, 2)), q, A, b, jnp.zeros((0, 2)), jnp.zeros(0), NONE, NONE)
    return Judge.of(program, jnp.zeros(2), Scaling.of(program), jnp.asarray(1e-9))


def test_a_fall_by_rounding_alone_is_no_ray():
    # x is one; a way along y falls by what x changes in rounding.
    one = judge([1, 0], [[1, 0]], [1])
    assert one.unbounded(jnp.array([-1e-13, 1]))[0] > one.proof()
    assert one.unbounded(jnp.array([0.0, 1]))[0] > one.proof()
    free = judge([1, 0], [[0, 1]], [1])
    assert free.unbounded(jnp.array([-1, 1e-13]))[0] <= free.proof()
