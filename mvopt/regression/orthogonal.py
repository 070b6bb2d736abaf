"""Errors in x as well as in y: orthogonal distance regression (Boggs, Byrd and Schnabel 1987).

Each point moves by δ to where the model meets it best:

    min over δ of ((f(x + δ) − y)/σ_y)² + Σ (δ/σ_x)².

With f linear around δ the best move has a closed form; repeated, it is a Gauss–Newton iteration for
each point alone. At its end the signed root of that sum is a residual r for the parameters, and as
the sum does not change with δ to first order, dr = df / √(σ_y² + Σ (f′σ_x)²): the derivative of the
model at the moved point is all it takes. The model must be one of each point by itself.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from mvopt._types import Array
from mvopt.regression.data import Points

_ROUNDS = 20


def check_orthogonal(x: Array, y: Array, sigma: Array | None, sigma_x: Array) -> None:
    """ValueError where errors in x and the rest do not fit together."""
    if y.ndim != 1 or x.shape[-1:] != y.shape or x.ndim > 2:
        raise ValueError(
            f"sigma_x needs x of shape (m,) or (k, m) and y (m,), not {x.shape}, {y.shape}"
        )
    if sigma is not None and sigma.ndim == 2:
        raise ValueError("sigma_x needs a sigma of standard deviations, not a covariance matrix")
    if sigma_x.shape not in ((), x.shape):
        raise ValueError(f"sigma_x has shape {sigma_x.shape}, but x has {x.shape}: give it like x")


def orthogonal_distances(
    points: Points, sigma_x: Array, values: Callable[[Array], Array], exact: bool
) -> Array:
    """Signed distances of the points, (m,), zero for those left out; `exact`: all derivatives."""
    used = jnp.ones(points.y.shape, bool) if points.used is None else points.used
    sigma_y = jnp.ones_like(points.y)
    if points.whiten is not None:
        sigma_y = jnp.where(used, 1 / jnp.where(used, points.whiten, 1.0), 1.0)
    rows = jnp.atleast_2d(points.x)
    spread = jnp.where(used, jnp.atleast_2d(sigma_x), 0.0)
    shifted = Orthogonal(rows, points.y, spread, sigma_y)
    found = shifted.smooth(values) if exact else shifted.residual(values)
    return jnp.where(used, found, 0.0)


class Orthogonal(NamedTuple):
    """The points of a data set: x (k, m), y (m,) and their standard deviations."""

    x: Array
    y: Array
    sigma_x: Array  # (k, m)
    sigma_y: Array  # (m,)

    def residual(self, values: Callable[[Array], Array]) -> Array:
        """Signed distances, (m,), with the first derivative by the parameters of `values`."""
        moved = lax.stop_gradient(self.moves(values))
        value = values(self.x + moved)
        fixed, slope = lax.stop_gradient((value, self._slopes(values, moved)))
        length = jnp.sqrt(self.sigma_y**2 + jnp.sum((slope * self.sigma_x) ** 2, axis=0))
        root = jnp.sqrt(self._cost(fixed, moved))
        return jnp.copysign(root, fixed - self.y) + (value - fixed) / length

    def smooth(self, values: Callable[[Array], Array]) -> Array:
        """The same with all derivatives, slower."""
        moved = self.moves(values)
        value = values(self.x + moved)
        cost = self._cost(value, moved)
        positive = cost > 0
        root = jnp.where(positive, jnp.sqrt(jnp.where(positive, cost, 1.0)), 0.0)
        return jnp.where(value >= self.y, root, -root)

    def _cost(self, value: Array, moved: Array) -> Array:
        known = self.sigma_x > 0
        share = jnp.where(known, moved / jnp.where(known, self.sigma_x, 1.0), 0.0)
        return ((value - self.y) / self.sigma_y) ** 2 + jnp.sum(share**2, axis=0)

    def _slopes(self, values: Callable[[Array], Array], moved: Array) -> Array:
        """Derivative of each point's value by its own x, (k, m)."""
        ones = jnp.ones(self.y.shape, self.x.dtype)
        units = jnp.eye(len(self.x), dtype=self.x.dtype)[:, :, None] * ones
        return jnp.stack([jax.jvp(values, (self.x + moved,), (unit,))[1] for unit in units])

    def moves(self, values: Callable[[Array], Array]) -> Array:
        """The best δ of each point, (k, m)."""

        def improve(carry: tuple, _: None) -> tuple[tuple, None]:
            kept, target, share, lowest = carry
            trial = kept + share * (target - kept)
            value, slope = values(self.x + trial), self._slopes(values, trial)
            cost = self._cost(value, trial)
            better = cost <= lowest
            spread = self.sigma_y**2 + jnp.sum((slope * self.sigma_x) ** 2, axis=0)
            left = value - self.y - jnp.sum(slope * trial, axis=0)
            new = -slope * self.sigma_x**2 * (left / spread)
            return (
                jnp.where(better, trial, kept),
                jnp.where(better, new, target),
                jnp.where(better, jnp.minimum(2 * share, 1.0), 0.25 * share),
                jnp.where(better, cost, lowest),
            ), None

        none = jnp.zeros_like(self.x)
        ones = jnp.ones_like(self.y)
        start = (none, none, ones, jnp.full_like(self.y, jnp.inf))
        return lax.scan(improve, start, None, length=_ROUNDS)[0][0]
