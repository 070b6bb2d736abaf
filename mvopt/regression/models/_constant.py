"""A constant: the mean of the data."""

import jax
import jax.numpy as jnp

from mvopt.regression.modelling.grid import Points
from mvopt.regression.modelling.model import Model

Array = jax.Array


def _constant(x: Array, c: Array) -> Array:
    return c * jnp.ones_like(x)


def _guess_constant(points: Points) -> Array:
    count = jnp.sum(points.weight)
    return jnp.sum(points.y * points.weight)[None] / jnp.where(count > 0, count, 1)


constant = Model(
    name="constant",
    names=("c",),
    formula="c + 0*x",
    function=_constant,
    guess_function=_guess_constant,
    source="lmfit, ConstantModel (Newville et al., 2014)",
    meanings=("value everywhere",),
)
