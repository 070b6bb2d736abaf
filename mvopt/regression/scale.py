"""The scale of the errors, estimated beside a robust fit.

The scale s and the params solve each other's equations: the fit with scale s, and s as the median
absolute residual of that fit divided by 0.6745, which is the standard deviation of normal errors
(Huber 1981, section 7.8, with the median absolute deviation as the scale). From least squares on,
the two take turns. In the first turns the scale is a multiple of the median, halved each time: a
loss that forgets outliers would else forget the wrong points (graduated non-convexity; Blake and
Zisserman 1987).
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from mvopt._types import Array
from mvopt.iteration.method import Outcome
from mvopt.regression.data import Points
from mvopt.regression.dataset import Row, View

# The median absolute value of a standard normal variable.
_NORMAL_MEDIAN = 0.6744897501960817
# Most problems settle within ten turns; where the median jumps from point to point, some never do.
_MAX_TURNS = 50
_FIRST_MULTIPLE = 16.0
# At this multiple of the largest residual the loss is the square to five digits.
_NEARLY_SQUARE = 1e3


def with_scales(view: View, batch: Row, find: Callable[[View, Row], Outcome]) -> Row:
    """The rows with scales, and with starts at the fits that belong to them; no derivatives."""
    batch, view = lax.stop_gradient(batch), view.without_derivatives()
    common = view.common
    roles = view.family.setup.roles

    def residuals(row: Row, free: Array) -> tuple[Array, Points]:
        dataset = view.dataset(row, common)
        return view.problem_of(dataset, common).residual(free), dataset.points

    def largest(row: Row) -> Array:
        z, _ = residuals(row, roles.free_part(row.start).astype(view.dtype))
        top = jnp.max(jnp.abs(z))
        return _NEARLY_SQUARE * jnp.where(jnp.isfinite(top) & (top > 0), top, 1.0)

    def turn(carry: Any) -> Any:
        rows, _, turns = carry
        outcome = find(view, rows)
        scale = jax.vmap(lambda row, free: spread(*residuals(row, free)))(rows, outcome.params)
        scale = scale * jnp.maximum(1.0, _FIRST_MULTIPLE / 2.0 ** turns.astype(view.dtype))
        start = jax.vmap(roles.whole)(outcome.params.astype(rows.start.dtype), rows.start)
        # What went wrong goes on from its first start.
        sound = jnp.isfinite(start).all(axis=1, keepdims=True)
        new = rows._replace(start=jnp.where(sound, start, rows.start), scale=scale)
        return new, rows.scale, turns + 1

    def unsettled(carry: Any) -> Array:
        rows, former, turns = carry
        moved = jnp.max(jnp.abs(jnp.log(rows.scale / former)))
        return (moved > jnp.finfo(view.dtype).eps ** 0.5) & (turns < _MAX_TURNS)

    scales = jax.vmap(largest)(batch)
    carry = (batch._replace(scale=scales), jnp.full_like(scales, jnp.inf), jnp.int32(0))
    return lax.while_loop(unsettled, turn, carry)[0]


def spread(residual: Array, points: Points) -> Array:
    """The median absolute residual divided by 0.6745, with a floor where half of them vanish."""
    size = jnp.abs(residual)
    used = jnp.isfinite(size) if points.used is None else points.used & jnp.isfinite(size)
    ordered = jnp.sort(jnp.where(used, size, jnp.inf))
    count = jnp.maximum(jnp.sum(used), 1)
    middle = (ordered[(count - 1) // 2] + ordered[count // 2]) / 2
    top = jnp.max(jnp.where(used, size, 0.0))
    floor = jnp.finfo(size.dtype).eps ** 0.5 * jnp.where(top > 0, top, 1.0)
    return jnp.maximum(jnp.where(jnp.isfinite(middle), middle, 0.0) / _NORMAL_MEDIAN, floor)
