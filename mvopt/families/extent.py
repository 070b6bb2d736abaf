"""How large the terms are that an objective and its constraints consist of.

A tolerance of a condition is absolute where these are above one, as Ipopt's is (Wächter and Biegler
2006), and a share of them where they are below: else a problem in small units is solved by any
point. They are those at the point, or where they tend to zero those of late, and never less than a
small part of what they were.
"""

from typing import NamedTuple

import jax.numpy as jnp

from mvopt._types import Array
from mvopt.families import stopping


class Shares(NamedTuple):
    """By what the tolerance is multiplied, none above one."""

    slopes: Array  # (n,), for the stationarity
    value: Array  # (), for products of multipliers and slacks
    rows: Array  # (m + k,), for equalities and inequalities

    @classmethod
    def whole(cls, n: int, rows: int, dtype: jnp.dtype) -> "Shares":
        """Ones."""
        return cls(jnp.ones(n, dtype), jnp.ones((), dtype), jnp.ones(rows, dtype))


class Terms(NamedTuple):
    """Sizes, at a point or over a run."""

    x: Array  # (n,), of the variables
    slope: Array  # (), of the gradient of the objective
    value: Array  # (), of its products with the variables
    rows: Array  # (m + k,), of what each constraint is a sum of

    @classmethod
    def at(cls, x: Array, df: Array, rows: Array) -> "Terms":
        """At a point x (n,), where the objective has this gradient (n,)."""
        x, df = jnp.abs(x), jnp.abs(df)
        return cls(x, jnp.max(df), jnp.max(x * df), rows)


class Extent(NamedTuple):
    """The terms of a run."""

    largest: Terms
    recent: Terms

    @classmethod
    def none(cls, n: int, rows: int, dtype: jnp.dtype) -> "Extent":
        """Of no point."""
        zero = jnp.zeros((), dtype)
        terms = Terms(jnp.zeros(n, dtype), zero, zero, jnp.zeros(rows, dtype))
        return cls(terms, terms)

    def with_point(self, here: Terms) -> "Extent":
        """After one more point."""
        return Extent(
            Terms(*map(jnp.maximum, self.largest, here)),
            Terms(*map(stopping.recent_with, self.recent, here)),
        )

    def shares(self, curvature: Array) -> Shares:
        """Of the tolerance; curvature: the quadratic terms of the objective, ().

        At an interior minimum of its own they alone are not zero.
        """
        least = jnp.finfo(curvature.dtype).eps ** 0.25
        x, slope, value, rows = (
            jnp.maximum(recent, least * jnp.minimum(largest, 1.0))
            for largest, recent in zip(*self, strict=True)
        )
        value = jnp.maximum(value, curvature)
        slopes = jnp.where(x > 0, value / jnp.where(x > 0, x, 1.0), slope)
        return Shares(_share(slopes), _share(value), _share(rows))


def _share(size: Array) -> Array:
    """At most one, and one where nothing is known."""
    return jnp.where(size > 0, jnp.minimum(size, 1.0), 1.0)
