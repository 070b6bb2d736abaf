"""Functions of pytrees as functions of one vector, and boxes as two of them."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from mvopt import _tree
from mvopt._types import Array
from mvopt.calculus.derivatives import direction, real_output

FlatFunction = Callable[[Array], list[Array]]


def flattened(fn: Callable[..., Any], at: Any, args: tuple) -> tuple[FlatFunction, Array, Any]:
    """`fn` from a vector to a list of arrays, `at` as one, and the structure of what it returns."""
    flat, unravel = _tree.ravel(at)
    of_flat = lambda flat: real_output(fn(unravel(flat), *args))
    structure = jax.tree.structure(jax.eval_shape(of_flat, flat))
    return lambda flat: jax.tree.leaves(of_flat(flat)), flat, structure


def corners(lower: Any, upper: Any, at: Any) -> tuple[Array, Array]:
    """A box in vectors, (n,): its ends are like `at`, or numbers that hold for all of it.

    Raises ValueError for ends of another shape, and for a box that is empty or not finite.
    """
    lo, hi = _corner(lower, at, "lower"), _corner(upper, at, "upper")
    if concrete((lo, hi)) and not bool(jnp.all((lo <= hi) & jnp.isfinite(hi - lo))):
        raise ValueError("the box is empty or not finite: lower must be at most upper")
    return lo, hi


def _corner(end: Any, at: Any, name: str) -> Array:
    if jax.tree_util.all_leaves([end]) and jnp.ndim(end) == 0:
        end = jax.tree.map(lambda leaf: jnp.full_like(leaf, end), at)
    return _tree.ravel(direction(end, at, name, "the point"))[0]


def concrete(tree: Any) -> bool:
    """Whether its numbers are known now."""
    return not any(isinstance(leaf, jax.core.Tracer) for leaf in jax.tree.leaves(tree))
