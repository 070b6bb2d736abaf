"""Questions that are asked after a fit: bands, sandwich covariance, residuals, runs, profiles."""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from mvopt import _tree
from mvopt._types import Array
from mvopt.families.linearization import LeastSquaresProblem
from mvopt.iteration.drive import drive
from mvopt.iteration.lanes import in_chunks
from mvopt.linalg.cholesky import cholesky
from mvopt.linalg.products import HIGHEST, dot
from mvopt.linalg.triangular import solve_lower, solve_upper
from mvopt.regression.data import Points
from mvopt.regression.dataset import DataSet, Family, Row, Setup, View
from mvopt.regression.profile import ProfileEnd, ProfileProblem
from mvopt.regression.scale import spread
from mvopt.regression.uncertainty import uncertainty


class Answered(NamedTuple):
    """One data set with its fit."""

    view: View
    dataset: DataSet
    free: Array  # the free parameters of the fit
    problem: LeastSquaresProblem

    def values(self, x: Any, flat: Array) -> Array:
        """The model at x for all flat parameters."""
        family = self.view.family
        return self.view.model(x, family.unravel(flat), *self.view.common[1])


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


class Band(NamedTuple):
    """A curve and its band, each (…, k)."""

    values: Array
    lower: Array
    upper: Array


@partial(jax.jit, static_argnames=("setup", "question"))
def answer(
    setup: Setup,
    question: Callable[..., Any],
    rows: list[Array],
    shared: list[Array],
    own: tuple,
    common: tuple,
) -> Any:
    """`question(answered, own, common)` for each data set.

    own: (flat params of the fit (N, n), what else each data set has of its own). common: for all.
    """
    family, view = _viewed(setup, rows, shared)

    def one(item: Any) -> Any:
        leaves, (flat, *rest) = item
        return question(_answered(view, leaves, flat), tuple(rest), common)

    answers = in_chunks(one, (rows, own), family.lanes)
    return answers if rows else _tree.take(answers, 0)


def _viewed(setup: Setup, rows: list[Array], shared: list[Array]) -> tuple[Family, View]:
    family = Family(setup, rows, shared)
    return family, View(family, family.dtype)


def _answered(view: View, leaves: list[Array], flat: Array) -> Answered:
    setup = view.family.setup
    free = setup.roles.free_part(flat.astype(view.dtype))
    row = Row(leaves, flat)
    dataset = view.dataset(row, view.common)
    problem = view.problem_of(dataset, view.common)
    if setup.estimate_scale:
        row = row._replace(scale=spread(problem.residual(free), dataset.points))
        dataset = view.dataset(row, view.common)
        problem = view.problem_of(dataset, view.common)
    return Answered(view, dataset, free, problem)


def residuals(answered: Answered, own: tuple, common: tuple) -> Array:
    """(y − model)/sigma, (m,), zero for points left out."""
    del own, common
    points, start = answered.dataset.points, answered.dataset.start
    view = answered.view
    values = view.values(points.x, answered.free, start, view.common)
    return -points.residual(values)


def sandwich(answered: Answered, own: tuple, common: tuple, kind: str) -> Array:
    """Covariance (n, n) that does not trust sigma: (JᵀJ)⁻¹ Σ w ψ² J Jᵀ (JᵀJ)⁻¹."""
    del own, common
    problem, free = answered.problem, answered.free
    found = uncertainty(problem, free)
    _, residual, rows = problem.evaluate(free)
    known = jnp.isfinite(found.inverse)
    inverse = jnp.where(known, found.inverse, 0.0)
    leverage = jnp.einsum("im,ij,jm->m", rows, inverse, rows, precision=HIGHEST)
    left = jnp.maximum(1 - leverage, jnp.finfo(free.dtype).eps)
    count = answered.dataset.points.num_used.astype(free.dtype)
    weight: Any = {
        "HC0": 1.0,
        "HC1": count / jnp.maximum(count - free.size, 1),
        "HC2": 1 / left,
        "HC3": 1 / left**2,
    }[kind]
    meat = jnp.einsum("im,m,jm->ij", rows, weight * residual**2, rows, precision=HIGHEST)
    covariance = dot(dot(inverse, meat), inverse)
    roles, start = answered.view.family.setup.roles, answered.dataset.start
    return roles.spread(jnp.where(known, covariance, jnp.inf), free, start)


SANDWICHES = {kind: partial(sandwich, kind=kind) for kind in ("HC0", "HC1", "HC2", "HC3")}


def band(answered: Answered, own: tuple, common: tuple) -> tuple[Array, Array]:
    """The model at new x, and its variance there, both (k,); infinite where it is not known."""
    covariance, x = own[0], own[1] if len(own) > 1 else common[0]
    roles, start = answered.view.family.setup.roles, answered.dataset.start
    flat = roles.whole(answered.free, start)
    values, product = jax.linearize(lambda flat: answered.values(x, flat), flat)
    jacobian = jax.vmap(product)(jnp.eye(flat.size, dtype=flat.dtype)).reshape(flat.size, -1)
    unknown = jnp.isinf(jnp.diagonal(covariance))
    finite = jnp.where(jnp.isfinite(covariance), covariance, 0.0)
    variance = jnp.einsum("ik,ij,jk->k", jacobian, finite, jacobian, precision=HIGHEST)
    lost = jnp.any((jacobian != 0) & unknown[:, None], axis=0)
    return values.reshape(-1), jnp.where(lost, jnp.inf, variance)


def runs(answered: Answered, own: tuple, common: tuple) -> tuple[Array, Array]:
    """Number of runs of one sign in the order of x, and its z-score (Wald and Wolfowitz 1940)."""
    residual = residuals(answered, own, common)
    points: Points = answered.dataset.points
    axes = [
        leaf for leaf in jax.tree.leaves(points.x) if leaf.ndim and leaf.shape[-1] == residual.size
    ]
    order = (
        jnp.argsort(axes[0].reshape(-1, residual.size)[0]) if axes else jnp.arange(residual.size)
    )
    used = jnp.ones(residual.shape, bool) if points.used is None else points.used
    # Points left out take the sign of the one before them, and so begin no run.
    positive, used = (residual > 0)[order], used[order]
    place = jax.lax.cummax(jnp.where(used, jnp.arange(used.size), -1))
    sign = jnp.where(place >= 0, positive[jnp.maximum(place, 0)], positive[jnp.argmax(used)])
    number = 1 + jnp.sum(sign[1:] != sign[:-1])
    above = jnp.sum(positive & used).astype(residual.dtype)
    below = jnp.sum(~positive & used).astype(residual.dtype)
    count = above + below
    mean = 2 * above * below / count + 1
    variance = (mean - 1) * (mean - 2) / (count - 1)
    return number, (number - mean) / jnp.sqrt(variance)


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
    family, view = _viewed(setup, rows, shared)
    indices, weights = (jnp.array(each) for each in zip(*held, strict=True))

    def ray(leaves: list[Array], flat: Array, rise: Array) -> tuple[Array, Array, Array]:
        answered = _answered(view, leaves, flat)
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
        answered = _answered(view, leaves, flat)
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
    ends = (whole.reshape(*shape, -1), status, lowest)
    return ends if rows else _tree.take(ends, 0)


def _ray(
    free: Array, inverse: Array, rise: Array, index: Array, weight: Array
) -> tuple[Array, Array]:
    """Direction and tangent, (n,), of a ray at whose t = 1 a linear model has its end."""
    block = inverse[index][:, index]
    known = jnp.isfinite(block).all()
    # Without an error the size of the parameter itself has to do.
    size = jnp.where(free[index] == 0, 1.0, 0.1 * jnp.abs(free[index]))
    root, _ = cholesky(jnp.where(known, block, jnp.diag(size**2)))
    step = jnp.sqrt(2 * rise) * dot(root, weight.astype(free.dtype))
    direction = jnp.zeros_like(free).at[index].add(step)
    columns = jnp.where(known, inverse[:, index], 0.0)
    columns = jnp.where(jnp.isfinite(columns), columns, 0.0)
    follow = dot(columns, solve_upper(root.T, solve_lower(root, step)))
    held = jnp.zeros(free.shape, bool).at[index].set(True)
    return direction, jnp.where(held | ~known, direction, follow)
