"""check_kkt against conditions worked out by hand, and the helper for two-sided constraints."""

import jax.numpy as jnp
import numpy as np
import pytest

from mvopt import Multipliers, Solution, Status, between, check_kkt, minimize


def objective(x, a):
    return a * x[0] ** 2 + x[1] ** 2


def line(x, a):
    return x[0] + x[1] - 1 + 0 * a


def half_plane(x, a):
    return 0.25 - x[0] + 0 * a


def at(params, **multipliers):
    rest = [jnp.zeros(())] * 5
    return Solution(jnp.asarray(params), *rest, multipliers=Multipliers(**multipliers))


BOTH = {"equality": line, "inequality": half_plane}


def test_each_residual_is_what_it_says():
    # ∇f = (2a x, 2y), ∇c = (1, 1), ∇d = (−1, 0).
    point = at([0.25, 0.75], equality=jnp.array(1.5), inequality=jnp.array(1.0))
    good = check_kkt(objective, point, (1.0,), **BOTH)
    assert good.residual < 1e-15
    point = at([0.25, 0.85], equality=jnp.array(1.5), inequality=jnp.array(1.0))
    np.testing.assert_allclose(check_kkt(objective, point, (1.0,), **BOTH)[:2], [0.2, 0.1])
    point = at([0.15, 0.85], equality=jnp.array(1.7), inequality=jnp.array(-1.4))
    found = check_kkt(objective, point, (1.0,), **BOTH)
    np.testing.assert_allclose(found[:4], [2.8, 0, 0.14, 1.4], atol=1e-15)


def test_bounds_and_batches():
    lower, upper = jnp.array([[2.0, 0.0]]), jnp.array([[0.0, 2.0]])
    point = at([[1.0, -1.0]], lower=lower, upper=upper)
    bounds = jnp.array([1.0, -3.0]), jnp.array([5.0, -1.0])
    found = check_kkt(objective, point, (1.0,), bounds=bounds, in_axes=(0, None))
    assert found.stationarity.shape == (1,)
    np.testing.assert_allclose(found.residual, 0, atol=1e-15)


def test_multipliers_that_do_not_fit_are_named():
    with pytest.raises(ValueError, match="0 multipliers for 1 constraints"):
        check_kkt(objective, at([0.0, 1.0]), (1.0,), equality=line)


def test_between_bounds_a_function_on_both_sides():
    kept = between(lambda x: x[0] * x[1], 1.0, 2.0)
    found = minimize(lambda x: (x[0] - 3) ** 2 + (x[1] - 3) ** 2, [1.0, 1.0], inequality=kept)
    assert found.status == Status.CONVERGED
    np.testing.assert_allclose(found.params, 2**0.5, rtol=1e-7)
    assert found.multipliers.inequality["upper"] > 1
    assert found.multipliers.inequality["lower"] < 1e-8
    assert set(between(jnp.sum, upper=1.0)(jnp.ones(2))) == {"upper"}
    with pytest.raises(ValueError, match="lower or an upper"):
        between(jnp.sum)
    with pytest.raises(ValueError, match="must be finite"):
        between(jnp.sum, -np.inf, 1.0)
