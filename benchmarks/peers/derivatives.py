"""Exact derivatives for the packages that call back into Python: compiled by JAX, in NumPy."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np


class Exact(NamedTuple):
    """A function of x (n,) and what a method asks about it."""

    value: Callable[..., np.ndarray]  # (m,), or () for an objective
    jacobian: Callable[..., np.ndarray]  # (m, n), or (n,)
    curvature: Callable[..., np.ndarray]  # (x, weights of the shape of the value) -> (n, n)


def exact(function: Callable[..., Any]) -> Exact:
    """Each is compiled at its first call."""

    def weighted(x: jax.Array, weights: jax.Array) -> jax.Array:
        return jnp.vdot(weights, function(x))

    return Exact(
        _in_numpy(function), _in_numpy(jax.jacrev(function)), _in_numpy(jax.hessian(weighted))
    )


def _in_numpy(function: Callable[..., Any]) -> Callable[..., np.ndarray]:
    compiled = jax.jit(function)
    return lambda *args: np.asarray(compiled(*args))
