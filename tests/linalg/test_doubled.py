"""Error-free transformations, against exact rational arithmetic."""

from fractions import Fraction

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mvopt.iteration.lanes import over_lanes
from mvopt.linalg.doubled import Doubled, split, total, two_product, two_sum

# Whether the compiler leaves the arithmetic alone shows only where it optimises.
pytestmark = pytest.mark.usefixtures("fully_optimized")


def numbers(dtype, seed):
    """Of many magnitudes, with the mantissas at which a splitting has to carry."""
    rng = np.random.default_rng(seed)
    some = rng.normal(size=400) * 10.0 ** rng.integers(-4, 5, 400)
    eps = float(np.finfo(dtype).eps)
    ends = [1, -1, 1 + eps, 2 - eps, 2 - eps**0.5, 1 + eps**0.5, 0, 1.5, -(2 - 2 * eps), 3]
    return np.concatenate([rng.permutation(ends * 10), some]).astype(dtype)


def exactly(array):
    return [Fraction(float(entry)) for entry in np.ravel(array)]


def sums(a, b):
    return [x + y for x, y in zip(exactly(a), exactly(b), strict=True)]


def products(a, b):
    return [x * y for x, y in zip(exactly(a), exactly(b), strict=True)]


@pytest.mark.parametrize(("operation", "exact"), [(two_sum, sums), (two_product, products)])
def test_nothing_is_lost(operation, exact, dtype):
    a, b = numbers(dtype, 0), numbers(dtype, 1)
    expected = exact(a, b)
    for mapped in (jax.jit(operation), jax.jit(jax.vmap(operation))):
        found = mapped(a, b)
        assert found.high.dtype == found.low.dtype == dtype
        assert sums(found.high, found.low) == expected
        assert np.all(np.abs(found.low) <= 0.75 * np.spacing(np.abs(found.high)))


def test_the_products_of_halves_are_exact(dtype):
    """So that it makes no difference where the compiler contracts one with a sum."""
    a, b = numbers(dtype, 2), numbers(dtype, 3)
    (a_high, a_low), (b_high, b_low) = (map(np.asarray, jax.jit(split)(each)) for each in (a, b))
    assert sums(a_high, a_low) == exactly(a)
    for left in (a_high, a_low):
        for right in (b_high, b_low):
            assert exactly(left * right) == products(left, right)


@pytest.mark.parametrize("size", [1, 2, 3, 25, 64])
def test_a_sum_that_cancels(size, dtype):
    rng = np.random.default_rng(size)
    terms = (rng.normal(size=(size, 3)) * 10.0 ** rng.integers(0, 6, (size, 3))).astype(dtype)
    terms[size // 2] -= terms.sum(axis=0, dtype=dtype)
    expected = [sum(exactly(column)) for column in terms.T]
    zero = np.zeros_like(terms)
    eps = float(np.finfo(dtype).eps)
    plain = jax.jit(total)(Doubled(terms, zero))
    lanes = jax.jit(over_lanes(total))(Doubled(terms, zero))
    for found in (plain, lanes):
        errors = [x - y for x, y in zip(sums(*found), expected, strict=True)]
        bound = 8 * size * eps**2 * np.abs(terms).sum(axis=0)
        assert np.all(np.abs(np.array(errors, float)) <= bound)


def test_adding_a_number_keeps_what_it_has_no_room_for(dtype):
    small = jnp.asarray(float(jnp.finfo(dtype).eps) / 8, dtype)
    found = jax.jit(lambda x: Doubled(jnp.ones_like(x), jnp.zeros_like(x)).plus(x).plus(-1.0))(
        small
    )
    assert found.rounded() == small
