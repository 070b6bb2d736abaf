"""Questions that are asked after a fit: residuals, runs, bands, sandwich covariance."""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from mvopt import _tree
from mvopt._types import Array
from mvopt.families.linearization import LeastSquaresProblem
from mvopt.iteration.lanes import in_chunks
from mvopt.linalg.products import HIGHEST, dot
from mvopt.regression.batch import Batch
from mvopt.regression.data import Points
from mvopt.regression.dataset import DataSet, Family, Row, Setup, View, cast
from mvopt.regression.fit import Fit
from mvopt.regression.scale import spread
from mvopt.regression.uncertainty import uncertainty


class Answered(NamedTuple):
    """One data set with its fit."""

    view: View
    dataset: DataSet
    free: Array  # the free parameters of the fit
    problem: LeastSquaresProblem

    def values(self, x: Any, flat: Array) -> Array:
        """The model at any x for all flat parameters.

        The user's own: that of the view holds arrays as long as the data where the model makes
        some of the shape of x.
        """
        family, x = self.view.family, cast(x, self.view.dtype)
        return family.setup.model(x, family.unravel(flat))


class Band(NamedTuple):
    """A curve and its band, each (…, k)."""

    values: Array
    lower: Array
    upper: Array


def ask(batch: Batch, question: Any, fit: Fit, own: tuple = (), common: tuple = ()) -> Any:
    """The answer for each data set; leaves of `own` are like those of the fit."""

    def run(rows: Any, count: int) -> Any:
        del count
        return answer(batch.setup, question, rows[0], batch.shared, rows[1], common)

    if batch.size is None:
        own = jax.tree.map(lambda leaf: jnp.asarray(leaf)[None], own)
    return batch.run(run, (batch.flat(fit), *own))


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
    family, view = viewed(setup, rows, shared)

    def one(item: Any) -> Any:
        leaves, (flat, *rest) = item
        return question(answered_by(view, leaves, flat), tuple(rest), common)

    answers = in_chunks(one, (rows, own), family.lanes)
    return answers if rows else _tree.take(answers, 0)


def viewed(setup: Setup, rows: list[Array], shared: list[Array]) -> tuple[Family, View]:
    """The family of the rows, in its precision."""
    family = Family(setup, rows, shared)
    return family, View(family, family.dtype)


def answered_by(view: View, leaves: list[Array], flat: Array) -> Answered:
    """A row with the flat params of its fit."""
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


def used(answered: Answered, own: tuple, common: tuple) -> Array:
    """(m,) bool: the points that were fitted."""
    del own, common
    points = answered.dataset.points
    return jnp.ones(points.y.shape, bool) if points.used is None else points.used


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
        "HC1": count / jnp.maximum(count - found.num_free, 1),
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
