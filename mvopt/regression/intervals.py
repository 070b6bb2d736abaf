"""Profile-likelihood intervals and contours of all data sets at once."""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from mvopt import _tree
from mvopt._entry import check_settings
from mvopt._types import Array, Status
from mvopt.iteration.drive import drive
from mvopt.iteration.lanes import in_chunks
from mvopt.linalg.cholesky import cholesky
from mvopt.linalg.products import dot
from mvopt.linalg.triangular import solve_lower, solve_upper
from mvopt.regression.batch import Batch
from mvopt.regression.dataset import Setup
from mvopt.regression.fit import Fit, check_level
from mvopt.regression.inference import answered_by, viewed
from mvopt.regression.profile import ProfileEnd, ProfileProblem
from mvopt.regression.quantiles import fisher_quantile, normal_quantile, student_quantile
from mvopt.regression.uncertainty import uncertainty

# A rise below the minimum that is more than rounding, in units of the wanted one.
_LOWER = 1e-3

# Of one ray: the free parameters that it moves, and its direction in units of their standard errors
# (for two: of the square root of their covariance).
Ray = tuple[tuple[int, ...], tuple[float, ...]]


class Intervals(NamedTuple):
    """Profile-likelihood intervals.

    lower, upper: like the params; the value itself for a fixed parameter, and for a tied one.
    status: (…, free parameters, 2), how the search for each end went. lower_minimum: (…,) bool: a
    lower χ² than that of the fit was met on the way, so that the fit is not the best one.
    """

    lower: Any
    upper: Any
    status: Array
    lower_minimum: Array


def intervals(batch: Batch, fit: Fit, level: float, max_steps: int) -> Intervals:
    """Intervals of every free parameter."""
    check_level(level)
    flat = batch.flat(fit)
    free = batch.free(flat.shape[1])
    rays: list[Ray] = [((j,), (sign,)) for j in range(len(free)) for sign in (-1.0, 1.0)]
    known = fit.about.known_scale
    quantile = normal_quantile(level) if known else student_quantile(level, fit.dof)
    ends, status, lowest = _profile(batch, fit, rays, quantile**2, max_steps)
    endless = status == Status.UNBOUNDED
    low, high = flat, flat
    for j, index in enumerate(free):
        first, second = 2 * j, 2 * j + 1
        low = low.at[:, index].set(jnp.where(endless[:, first], -jnp.inf, ends[:, first, index]))
        high = high.at[:, index].set(jnp.where(endless[:, second], jnp.inf, ends[:, second, index]))
    found = (status.reshape(-1, len(free), 2), jnp.any(lowest < -_LOWER, axis=-1))
    found = _tree.take(found, 0) if batch.size is None else found
    return Intervals(batch.params(fit, low), batch.params(fit, high), *found)


def contour(
    batch: Batch, fit: Fit, pair: tuple[Any, Any], level: float, num: int, max_steps: int
) -> tuple[Array, Array]:
    """Points around the joint confidence region of two parameters, and statuses."""
    check_level(level)
    free = batch.free(fit.covariance.shape[-1])
    whole = [fit.names.index(each) if isinstance(each, str) else int(each) for each in pair]
    if len(set(whole)) != 2 or not set(whole) <= set(free):
        raise ValueError(f"pair={pair!r} must be two different free parameters of {fit.names}")
    index = tuple(free.index(each) for each in whole)
    angles = np.linspace(0, 2 * np.pi, num, endpoint=False)
    rays: list[Ray] = [(index, (float(np.cos(a)), float(np.sin(a)))) for a in angles]
    dof = jnp.full(jnp.shape(fit.dof), jnp.inf) if fit.about.known_scale else fit.dof
    ends, status, _ = _profile(batch, fit, rays, fisher_quantile(level, dof), max_steps)
    found = ends[..., np.array(whole)], status
    return _tree.take(found, 0) if batch.size is None else found


def _profile(
    batch: Batch, fit: Fit, rays: list[Ray], quantile: Array, max_steps: int
) -> tuple[Array, Array, Array]:
    """Ends (N, K, n), statuses and least costs (N, K) of rays, where χ² rises by quantile·scale."""
    check_settings(None, max_steps)
    if fit.about.robust:
        raise ValueError("a robust loss is no likelihood and has no profile: use bootstrap")
    scale = 1.0 if fit.about.known_scale else fit.reduced_chi2
    rises = jnp.broadcast_to(0.5 * quantile * scale, jnp.shape(fit.chi2)).reshape(batch.count)

    def run(rows: Any, count: int) -> Any:
        leaves, (flats, rises) = rows
        held = tuple(rays)
        return profile_ends(batch.setup, held, leaves, batch.shared, flats, rises, max_steps, count)

    return batch.run(run, (batch.flat(fit), rises))


@partial(jax.jit, static_argnames=("setup", "held"))
def profile_ends(
    setup: Setup,
    held: tuple[tuple[tuple[int, ...], tuple[float, ...]], ...],
    rows: list[Array],
    shared: list[Array],
    flats: Array,
    rises: Array,
    max_steps: Array,
    count: Array,
) -> tuple[Array, Array, Array]:
    """All params (N, K, n) where the profile has risen by `rises` (N,), along each of K rays.

    held: for each ray the free parameters that it moves, and its direction in units of their
    standard errors (for two: of the square root of their covariance). Also the `Status`, (N, K),
    and the least cost on the way relative to the minimum, in units of the rise.
    """
    family, view = viewed(setup, rows, shared)
    indices, weights = (jnp.array(each) for each in zip(*held, strict=True))

    def ray(leaves: list[Array], flat: Array, rise: Array) -> tuple[Array, Array, Array]:
        answered = answered_by(view, leaves, flat)
        free = answered.free
        inverse = uncertainty(answered.problem._replace(bounds=None), free).inverse
        directions, tangents = jax.vmap(partial(_ray, free, inverse, rise))(indices, weights)
        return directions, tangents, answered.problem.objective(free)

    directions, tangents, minima = in_chunks(
        lambda item: ray(*item), (rows, flats, rises), family.lanes
    )
    num_rays = len(held)
    size = flats.shape[0]

    def repeated(leaf: Array) -> Array:
        return jnp.repeat(leaf, num_rays, axis=0)

    each = jax.tree.map(repeated, (rows, flats, rises, minima))
    data = (*each, directions.reshape(size * num_rays, -1), tangents.reshape(size * num_rays, -1))

    def problem_of(item: Any) -> ProfileProblem:
        leaves, flat, rise, minimum, direction, tangent = item
        answered = answered_by(view, leaves, flat)
        return ProfileProblem(answered.problem, answered.free, direction, tangent, minimum, rise)

    starts = setup.roles.free_part(each[1]).astype(view.dtype)
    outcome, _ = drive(
        ProfileEnd(),
        problem_of,
        starts,
        data,
        max_steps=max_steps,
        lanes=family.lanes,
        count=count * num_rays,
    )
    whole = jax.vmap(setup.roles.whole)(outcome.params, each[1])
    shape = (size, num_rays)
    status, lowest = outcome.status.reshape(shape), outcome.value.reshape(shape)
    return whole.reshape(*shape, -1), status, lowest


def _ray(
    free: Array, inverse: Array, rise: Array, index: Array, weight: Array
) -> tuple[Array, Array]:
    """Direction and tangent, (n,), of a ray at whose t = 1 a linear model has its end."""
    block = inverse[index][:, index]
    known = jnp.isfinite(block).all()
    # Without an error the size of the parameter itself has to do.
    size = jnp.where(free[index] == 0, 1.0, 0.1 * jnp.abs(free[index]))
    block = jnp.where(known, block, jnp.diag(size**2))
    lengths = jnp.sqrt(jnp.diagonal(block))
    root = lengths[:, None] * cholesky(block / (lengths[:, None] * lengths)).factor
    step = jnp.sqrt(2 * rise) * dot(root, weight.astype(free.dtype))
    direction = jnp.zeros_like(free).at[index].add(step)
    columns = jnp.where(known, inverse[:, index], 0.0)
    columns = jnp.where(jnp.isfinite(columns), columns, 0.0)
    follow = dot(columns, solve_upper(root.T, solve_lower(root, step)))
    held = jnp.zeros(free.shape, bool).at[index].set(True)
    return direction, jnp.where(held | ~known, direction, follow)
