"""Products in full precision, which accelerators do not give float32 unless they are told to."""

import jax.numpy as jnp
from jax import lax

from mvopt._types import Array

HIGHEST = lax.Precision.HIGHEST


def dot(a: Array, b: Array) -> Array:
    """The product of vectors or matrices."""
    return jnp.dot(a, b, precision=HIGHEST)
