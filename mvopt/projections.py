"""Projections onto simple sets: the nearest point of each, for `ProjectedGradient`.

Each is a function of flat params (n,) to the nearest point of its set in the Euclidean norm, (n,).
Its numbers are data: with others nothing is compiled anew.
"""

from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
import numpy as np

from mvopt import _tree
from mvopt._types import Array
from mvopt.linalg.products import dot
from mvopt.linalg.qr import numerical_rank, pivoted_qr
from mvopt.linalg.triangular import solve_lower, solve_upper


@_tree.node
@dataclass(frozen=True)
class Box:
    """lower ≤ x ≤ upper, each (n,) or a number; ±inf for none."""

    lower: Any = -np.inf
    upper: Any = np.inf

    def __call__(self, x: Array) -> Array:
        """The nearest point."""
        return jnp.clip(x, self.lower, self.upper).astype(x.dtype)


@_tree.node
@dataclass(frozen=True)
class Simplex:
    """x ≥ 0 with the sum `total` > 0 (Held, Wolfe and Crowder 1974)."""

    total: Any = 1.0

    def __call__(self, x: Array) -> Array:
        """The nearest point: x less a number, what is negative cut off."""
        ordered = jnp.sort(x)[::-1]
        excess = jnp.cumsum(ordered) - self.total
        count = jnp.arange(1, x.size + 1, dtype=x.dtype)
        positive = jnp.sum(ordered * count > excess)
        shift = excess[positive - 1] / positive.astype(x.dtype)
        return jnp.maximum(x - shift, 0.0)


@_tree.node
@dataclass(frozen=True)
class Ball:
    """‖x − center‖ ≤ radius."""

    radius: Any = 1.0
    center: Any = 0.0

    def __call__(self, x: Array) -> Array:
        """The nearest point."""
        offset = x - self.center
        length = jnp.sqrt(jnp.sum(offset**2))
        inside = length <= self.radius
        share = jnp.where(inside, 1.0, self.radius / jnp.where(inside, 1.0, length))
        return (self.center + share * offset).astype(x.dtype)


@_tree.node
@dataclass(frozen=True)
class Affine:
    """A x = b, A (m, n) and b (m,), m small; rows that depend on others are left out."""

    A: Any
    b: Any

    def __call__(self, x: Array) -> Array:
        """The nearest point."""
        matrix, b = jnp.asarray(self.A, x.dtype), jnp.asarray(self.b, x.dtype)
        reduced = pivoted_qr(matrix.T, x)
        rank = numerical_rank(reduced.triangle, x.size)
        known = jnp.arange(len(b)) < rank
        both = known[:, None] & known
        triangle = jnp.where(both, reduced.triangle, jnp.eye(len(b), dtype=x.dtype))
        # The second round takes away what rounding left of the first.
        for _ in range(2):
            wanted = jnp.where(known, (dot(matrix, x) - b)[reduced.order], 0.0)
            found = solve_upper(triangle, solve_lower(triangle.T, wanted))
            x = x - dot(matrix[reduced.order].T, found)
        return x
