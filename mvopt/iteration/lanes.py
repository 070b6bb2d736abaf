"""Mapping a function over lanes with the lane axis last.

`jax.vmap` puts the batch axis first. For thousands of tiny problems that is the wrong way round: a
sum over the 25 points of one problem then runs along memory, and nothing is left to vectorise.
With the lanes last, every operation of one problem becomes the same operation on contiguous
vectors of lanes. On 2 CPU cores that made the products JᵀJ of 25 × 4 Jacobians ten times faster.

`over_lanes` traces the function for one problem and replays it (`replay.py`) for all of them.
"""

from collections.abc import Callable
from math import prod
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from mvopt import _tree
from mvopt._jaxpr import inner_jaxprs
from mvopt._types import Array
from mvopt.iteration.replay import replay

# A single problem with an array beyond this, or with a product of more multiplications, is not laid
# out in lanes; a smaller one is, so that it goes through the same arithmetic as in a batch.
_LARGE = 16384


def over_lanes(function: Callable[..., Any]) -> Callable[..., Any]:
    """Map `function` over the last axis of every leaf of its arguments and results."""

    def mapped(*args: Any) -> Any:
        leaves, structure = jax.tree.flatten(args)
        lanes = leaves[-1].shape[-1]
        if lanes == 1 and max(leaf.size for leaf in leaves) > _LARGE:
            return _alone(function, args)
        one = [jax.ShapeDtypeStruct(leaf.shape[:-1], leaf.dtype) for leaf in leaves]
        closed, shapes = jax.make_jaxpr(function, return_shape=True)(
            *jax.tree.unflatten(structure, one)
        )
        if lanes == 1 and _heavy(closed.jaxpr):
            return _alone(function, args)
        out = replay(closed, leaves, lanes)
        return jax.tree.unflatten(jax.tree.structure(shapes), out)

    return mapped


def _heavy(jaxpr: Any) -> bool:
    """Whether a matrix product or a convolution in it is better left to the library.

    Written out as loops, the products of a network of 64-64-10 units took minutes to compile.
    """
    for equation in jaxpr.eqns:
        name, params = equation.primitive.name, equation.params
        if name == "conv_general_dilated":
            return True
        if name == "dot_general":
            (axes, _), _ = params["dimension_numbers"]
            shape = equation.invars[0].aval.shape
            length = prod(shape[axis] for axis in axes)
            if length * equation.outvars[0].aval.size > _LARGE:
                return True
        if any(map(_heavy, inner_jaxprs(equation))):
            return True
    return False


def _alone(function: Callable[..., Any], args: Any) -> Any:
    """A single large problem: the function as it is, its products and loops left to the library."""
    out = function(*jax.tree.map(lambda leaf: leaf[..., 0], args))
    return jax.tree.map(lambda leaf: jnp.asarray(leaf)[..., None], out)


def in_chunks(function: Callable[[Any], Any], rows: Any, lanes: int) -> Any:
    """Map `function` over the leading axis of every leaf of `rows`, `lanes` of them at a time.

    Fewer rows are filled up, so that the arithmetic is the same for any number of them. Without
    leaves there is one row: the result has a leading axis of one.
    """
    leaves = jax.tree.leaves(rows)
    if not leaves:
        return jax.tree.map(lambda leaf: leaf[None], function(rows))
    size = leaves[0].shape[0]
    num_chunks = -(-size // lanes)
    padded = _tree.pad_rows(rows, num_chunks * lanes)

    def piece(k: Array) -> Any:
        def cut(leaf: Array) -> Array:
            return lax.dynamic_slice_in_dim(leaf, k * lanes, lanes)

        return _tree.to_lanes(jax.tree.map(cut, padded))

    def step(current: Any, k: Array) -> tuple[Any, Any]:
        # The next piece is carried: what a loop carries is in memory in the layout of the lanes,
        # and is not cut out again by every operation that reads it.
        out = over_lanes(function)(current)
        rows = jax.tree.map(lambda leaf: jnp.moveaxis(leaf, -1, 0), out)
        return piece(jnp.minimum(k + 1, num_chunks - 1)), rows

    _, out = lax.scan(step, piece(jnp.int32(0)), jnp.arange(num_chunks, dtype=jnp.int32))
    return jax.tree.map(lambda leaf: leaf.reshape(-1, *leaf.shape[2:])[:size], out)
