"""First guesses of peaks: a grid over position, width and shape, the same for every family."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from mvopt.regression.modelling.grid import Points, combinations, extent, geometric, search

Array = jax.Array

# From this width on, in units of the span, a peak covers so many points that even steps find it.
BROAD = 0.14


class Peak(NamedTuple):
    """The best candidate: scalars, `shape` a list of them; `offset` is 0 where there is none."""

    amplitude: Array
    center: Array
    scale: Array
    shape: list[Array]
    offset: Array


def extremes(points: Points) -> Array:
    """Indices of the highest and of the lowest point in use, shape (2,)."""
    used = points.weight > 0
    high = jnp.argmax(jnp.where(used, points.y, -jnp.inf))
    low = jnp.argmin(jnp.where(used, points.y, jnp.inf))
    return jnp.stack([high, low])


def narrow_widths(points: Points, dimensions: int, num: int) -> Array:
    """Widths in units of the span: from below the mean spacing of the points up to `BROAD`."""
    count = jnp.maximum(jnp.sum(points.weight), 4) ** (1 / dimensions)
    return geometric(0.35 / count, BROAD, num)


def joined(*grids: tuple[Array, ...]) -> tuple[Array, ...]:
    return tuple(jnp.concatenate(axis) for axis in zip(*grids, strict=True))


def crossed(grid: tuple[Array, ...], other: tuple[Array, ...]) -> tuple[Array, ...]:
    """Every candidate of one grid with every candidate of the other."""
    first = [jnp.repeat(axis, len(other[0])) for axis in grid]
    return (*first, *(jnp.tile(axis, len(grid[0])) for axis in other))


def places(points: Points, u: Array, widths: int, steps: int) -> tuple[Array, Array]:
    """Candidates (position, half width at half maximum) in units of the span."""
    # The extremes place a narrow peak to a fraction of its width, even steps a broad one.
    narrow = combinations(u[extremes(points)], narrow_widths(points, 1, widths))
    even = jnp.linspace(-0.2, 1.2, steps, dtype=u.dtype)
    broad = combinations(even, geometric(BROAD, 1.2, widths).astype(u.dtype))
    position, width = joined(narrow, broad)
    return position, width


def mode_and_half_width(
    shape: Callable[..., Array], variants: Sequence[Array]
) -> tuple[Array, Array]:
    """Where shape(z, *variant) is highest, and its half width at half that height.

    Both (variants,), read off a lattice of z up to ±300, denser towards 0 and good to a few
    per cent: a skewed shape is then placed by its highest point as a symmetric one is.
    """
    z = jnp.asarray(np.sinh(np.linspace(-6.4, 6.4, 513)))[:, None].astype(variants[0].dtype)
    values = shape(z, *variants)
    top = jnp.argmax(values, axis=0)
    half = values >= jnp.max(values, axis=0) / 2
    left = jnp.min(jnp.where(half, z, jnp.inf), axis=0)
    right = jnp.max(jnp.where(half, z, -jnp.inf), axis=0)
    return z[top, 0], (right - left) / 2


def peak_search(
    points: Points,
    shape: Callable[..., Array],
    variants: Sequence[Sequence[float]] = (),
    offset: bool = False,
) -> Peak:
    """The best of all places times all combinations of the shape's further parameters.

    `shape((x - center)/scale, *variant)` is the peak; `variants` lists the values of each
    further parameter. An `offset` is a second linear parameter.
    """
    low, span = extent(points.x, points.weight)
    u = (points.x - low) / span
    # A constant parameter for a shape without any keeps one code for both.
    listed = combinations(*(jnp.asarray(axis, u.dtype) for axis in variants or [(0.0,)]))
    number = len(variants)
    modes, halves = mode_and_half_width(lambda z, *rest: shape(z, *rest[:number]), listed)
    forms = (modes, halves, *listed)

    def columns(
        position: Array, width: Array, mode: Array, half: Array, *variant: Array
    ) -> list[Array]:
        scale = width / half
        peak = shape((u[:, None] - position) / scale + mode, *variant[:number])
        return [jnp.ones_like(u)[:, None], peak] if offset else [peak]

    # Many forms leave time for few places, and those may favour a wrong form: a second search
    # tries all forms close to the best place.
    many = len(modes) > 5
    grid = places(points, u, 5, 10) if many else places(points, u, 8, 14)
    best, along = search(columns, crossed(grid, forms), points)
    if many:
        position, width, *_ = best
        near = combinations(
            position + width * jnp.linspace(-0.5, 0.5, 5, dtype=u.dtype),
            width * geometric(0.6, 1.6, 5).astype(u.dtype),
        )
        best, along = search(columns, crossed((near[0], near[1]), forms), points)

    position, width, mode, half, *variant = best
    scale = width / half
    constant = along[0] if offset else jnp.zeros_like(scale)
    center = low + (position - mode * scale) * span
    return Peak(along[-1], center, scale * span, variant[:number], constant)
