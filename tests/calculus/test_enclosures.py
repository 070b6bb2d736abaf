"""Guaranteed bounds of random compositions against the values of many points in their boxes.

The benchmark `taylor` does the same with all functions; here a few, for compilation is what costs.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from benchmarks.problems import compositions
from benchmarks.workloads import enclosures
from mvopt import UnsupportedError, range_bound, taylor
from mvopt.calculus import interval
from mvopt.calculus.interval import Interval

ORDER, POINTS = 1, 20_000


@pytest.fixture
def of(monkeypatch):
    """Compositions of a few functions only."""

    def choose(unary, binary):
        jax.clear_caches()
        for table, names in (("UNARY", unary), ("BINARY", binary)):
            whole = getattr(compositions, table)
            monkeypatch.setattr(compositions, table, {name: whole[name] for name in names})

    return choose


@pytest.mark.parametrize(("dtype", "number"), [("float64", 36), ("float32", 60)])
def test_no_point_is_outside(of, dtype, number):
    of(["tan", "exp", "select"], ["multiply", "maximum"])
    cases = compositions.draw(5, number, 3, dtype)
    tried = [enclosures.attempt(case, ORDER, POINTS) for case in cases]
    assert sum(each.outside for each in tried) == 0
    loose = [each for each in tried if each.plain > 1.01 * each.sampled]
    assert len(loose) > 10
    assert np.mean([each.width < each.plain for each in loose]) >= 0.95
    powers = [enclosures.exponent(each, dtype) for each in tried]
    assert np.median([p for p in powers if p is not None]) > ORDER + 0.9


def test_an_unsound_rule_is_found(of, monkeypatch):
    sound = interval.exp

    def a_little_too_low(x):
        found = sound(x)
        return Interval(found.lo, found.hi * (1 - 1e-3))

    of(["exp"], ["multiply"])
    monkeypatch.setattr(interval, "exp", a_little_too_low)
    cases = compositions.draw(5, 24, 2, "float64")
    assert sum(enclosures.attempt(case, ORDER, POINTS).outside for case in cases) > 0
    jax.clear_caches()


def test_choices_loops_and_truths():
    def fn(x):
        low = jax.lax.cond(x[0] > 1, jnp.sin, jnp.cos, x[0])
        loop = jax.lax.fori_loop(0, 40, lambda _, y: y - 0.02 * y * y * x[1], 1.0)
        inside = (x[0] > 0) & ~(x[1] > 5) | jnp.isfinite(x[0])
        rows = jnp.cumprod(jnp.clip(x, 0.0, 1.5)) + jnp.maximum(0.7, x)
        return jnp.stack([low, loop, jnp.where(inside, jnp.log2(1 + x[0]), x[1]), *rows])

    lower, upper = jnp.array([0.2, 0.5]), jnp.array([0.9, 1.7])
    found = range_bound(fn, lower, upper)
    x = jax.random.uniform(jax.random.key(1), (5000, 2), minval=lower, maxval=upper)
    values = jax.jit(jax.vmap(fn))(x)
    assert (values >= found.lower).all()
    assert (values <= found.upper).all()
    assert (found.upper - found.lower <= 1.1 * (values.max(0) - values.min(0))).all()


def test_a_switch_that_depends_on_the_variables_is_named():
    fn = lambda x: jax.lax.switch(x.astype(int), [jnp.sin, jnp.cos, jnp.tan], x)
    with pytest.raises(UnsupportedError, match="convert_element_type"):
        range_bound(fn, 0.0, 1.0)
    # The numbers are those of the branch that is taken there.
    np.testing.assert_allclose(taylor(fn, 1.5, 1).coefficients, [np.cos(1.5), -np.sin(1.5)])
