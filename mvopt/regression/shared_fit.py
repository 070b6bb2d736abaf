"""Global fits: groups of data sets that share some of their parameters."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from mvopt._entry import check_settings
from mvopt._types import Array, Status
from mvopt.iteration.blocks import in_blocks
from mvopt.iteration.implicit import solve as solve_problems
from mvopt.iteration.method import Outcome
from mvopt.losses import Binomial, Poisson, Robust
from mvopt.regression.batch import Batch
from mvopt.regression.block_arrow import Arrow, BlockArrow, GroupProblem, eliminate, inverse_blocks
from mvopt.regression.data import Points
from mvopt.regression.dataset import Family, Row, Setup, View
from mvopt.regression.fit import Fit
from mvopt.regression.parameters import check_names
from mvopt.regression.uncertainty import chi2_p_value
from mvopt.regression.worth import (
    log_saturated,
    log_weight,
    normal_log_likelihood,
    root_of_variance,
)


def fit_shared(batch: Batch, shared: Any, groups: Any, max_steps: int) -> Fit:
    """The fits of all data sets, in their order."""
    check_settings(None, max_steps)
    if batch.size is None:
        raise ValueError("shared parameters need a batch of data sets: give in_axes")
    given = batch.given()
    if batch.setup.estimate_scale or batch.setup.separable or given.prior is not None:
        raise ValueError(
            "shared parameters go neither with priors, nor separable, nor an estimated scale"
        )
    index = _shared_index(batch, shared)
    members, member = members_of(groups, batch.size)
    rows = [np.asarray(leaf)[members] for leaf in batch.rows]

    def run(part: Any, count: int) -> Fit:
        return fit_groups(batch.setup, index, *part, batch.shared, max_steps, count)

    fits = in_blocks(run, (rows, member), len(members))
    place = np.zeros(batch.size, int)
    place[members[member]] = np.flatnonzero(member)
    return jax.tree.map(lambda leaf: leaf.reshape(-1, *leaf.shape[2:])[place], fits)


def _shared_index(batch: Batch, shared: Any) -> tuple[int, ...]:
    """Which of the free parameters are shared."""
    names = batch.setup.roles.names
    shared = [shared] if isinstance(shared, str | int) else list(shared)
    given = [each for each in shared if isinstance(each, str)]
    if given and names is None:
        raise ValueError("shared holds names, but the parameters have none: give indices")
    check_names("shared", given, names or ())
    whole = {(names or ()).index(each) if isinstance(each, str) else int(each) for each in shared}
    free = batch.free(Family(batch.setup, batch.rows, batch.shared).size)
    if not whole or not whole <= set(free) or len(whole) == len(free):
        raise ValueError("shared must be some of the free parameters, but not all of them")
    return tuple(sorted(free.index(each) for each in whole))


def members_of(groups: Any, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Indices (G, M) of the data sets of each group, and (G, M) bool, which are no padding.

    groups: (size,) labels; None: all are one group.
    """
    labels = np.zeros(size, int) if groups is None else np.asarray(groups)
    if labels.shape != (size,):
        raise ValueError(
            f"groups has shape {labels.shape}: give a label for each of {size} data sets"
        )
    _, group = np.unique(labels, return_inverse=True)
    counts = np.bincount(group)
    order = np.argsort(group, kind="stable")
    place = np.arange(size) - np.repeat(np.cumsum(counts) - counts, counts)
    member = np.arange(counts.max()) < counts[:, None]
    # Padding repeats a data set of the group: it is fitted and not counted.
    index = np.repeat(order[np.cumsum(counts) - counts][:, None], counts.max(), axis=1)
    index[group[order], place] = order
    return index, member


@partial(jax.jit, static_argnames=("setup", "shared_index"))
def fit_groups(
    setup: Setup,
    shared_index: tuple[int, ...],
    rows: list[Array],
    member: Array,
    shared: list[Array],
    max_steps: Array,
    count: Array,
) -> Fit:
    """Fit G groups of M data sets; leaves of the result are (G, M, …).

    shared_index: which of the free parameters are shared. rows: leaves (G, M, …). member: (G, M).
    """
    size, members = member.shape
    flat_rows = [leaf.reshape(-1, *leaf.shape[2:]) for leaf in rows]
    family = Family(setup, flat_rows, shared)
    view = View(family, family.dtype)
    split = _Split(shared_index, family.num_free)
    batch = family.rows(flat_rows)
    batch = jax.tree.map(lambda leaf: leaf.reshape(size, members, *leaf.shape[1:]), batch)
    free = setup.roles.free_part(batch.start)
    starts = jax.vmap(split.start)(free, member)

    def problem_of(data: tuple[Row, Array], common: Any) -> GroupProblem:
        return _problem(view, split, *data, common)

    outcome = solve_problems(
        BlockArrow(len(shared_index), members),
        problem_of,
        starts,
        (batch, member),
        view.common,
        max_steps=max_steps,
        lanes=min(max(family.lanes // members, 1), size),
        count=count,
    )

    def finish(item: Any) -> Fit:
        (batch, member), outcome = item
        problem = problem_of((batch, member), view.common)
        return _report(view, split, batch, member, problem, outcome)

    return lax.map(finish, ((batch, member), outcome))


class _Split:
    """Free parameters as shared and own ones."""

    def __init__(self, shared_index: tuple[int, ...], num_free: int):
        self.shared = np.array(shared_index)
        self.own = np.setdiff1d(np.arange(num_free), self.shared)
        self.size = num_free

    def start(self, free: Array, member: Array) -> Array:
        """Flat params of a group, the shared ones at the median of the members."""
        ordered = jnp.sort(jnp.where(member[:, None], free[:, self.shared], jnp.inf), axis=0)
        middle = ordered[(jnp.sum(member) - 1) // 2]
        return jnp.concatenate([middle, free[:, self.own].reshape(-1)])

    def join(self, shared: Array, own: Array) -> Array:
        """Free parameters (n,) of one member."""
        blank = jnp.zeros(self.size, own.dtype)
        return blank.at[self.shared].set(shared).at[self.own].set(own)

    def block(self, shared: Array, crossed: Array, own: Array) -> Array:
        """Matrix (n, n) over the free parameters of one member, from its blocks."""
        s, o = self.shared, self.own
        blank = jnp.zeros((self.size, self.size), own.dtype)
        blank = blank.at[np.ix_(s, s)].set(shared).at[np.ix_(o, o)].set(own)
        return blank.at[np.ix_(o, s)].set(crossed).at[np.ix_(s, o)].set(crossed.T)


def _problem(view: View, split: _Split, batch: Row, member: Array, common: Any) -> GroupProblem:
    k, members = len(split.shared), member.size

    def each(params: Array, function: Any) -> Any:
        own = params[k:].reshape(members, -1)

        def one(row: Row, own: Array) -> Any:
            return function(view.problem(row, common), split.join(params[:k], own))

        return jax.vmap(one)(batch, own)

    def arrow(params: Array) -> Arrow:
        costs, slopes, grams = each(params, _normal)
        slopes = jnp.where(member[:, None], slopes, 0.0)
        grams = jnp.where(member[:, None, None], grams, 0.0)
        s, o = split.shared, split.own
        return Arrow(
            cost=jnp.sum(jnp.where(member, costs, 0.0)),
            shared_slope=jnp.sum(slopes[:, s], axis=0),
            own_slope=slopes[:, o],
            corner=jnp.sum(grams[:, s[:, None], s], axis=0),
            edge=grams[:, s[:, None], o],
            blocks=grams[:, o[:, None], o],
        )

    def cost(params: Array) -> Array:
        costs = each(params, lambda problem, free: problem.objective(free))
        return jnp.sum(jnp.where(member, costs, 0.0))

    bounds = None
    if view.family.first.bounds is not None:
        sides: Any = jax.vmap(lambda row: view.problem(row, common).bounds)(batch)
        # A shared parameter keeps within the bounds of all.
        low, high = (
            jnp.concatenate([narrow(side[:, split.shared], axis=0), side[:, split.own].reshape(-1)])
            for side, narrow in zip(sides, (jnp.max, jnp.min), strict=True)
        )
        bounds = (low, high)
    return GroupProblem(arrow, cost, k, members, bounds)


def _normal(problem: Any, free: Array) -> tuple[Array, Array, Array]:
    cost, residual, rows = problem.evaluate(free)
    product = partial(jnp.einsum, precision=lax.Precision.HIGHEST)
    return cost, product("im,m->i", rows, residual), product("im,jm->ij", rows, rows)


def _report(
    view: View, split: _Split, batch: Row, member: Array, problem: GroupProblem, outcome: Outcome
) -> Fit:
    """The fits of the members of one group; goodness of fit is that of the group."""
    family = view.family
    roles, known = family.setup.roles, family.knowledge.known_scale
    arrow = problem.arrow(outcome.params)
    shared, own = problem.parts(outcome.params)
    slope = jnp.concatenate([arrow.shared_slope, arrow.own_slope.reshape(-1)])
    free = problem.parts(problem.free(outcome.params, slope))
    found = eliminate(arrow, *free, jnp.zeros_like(arrow.cost))
    limit = 10 * jnp.finfo(arrow.cost.dtype).eps
    lost = (found.pivot <= limit) | (~free[0]).any()
    blocks = jax.vmap(split.block, in_axes=(None, 0, 0))(*inverse_blocks(found))
    unknown = jax.vmap(split.join, in_axes=(None, 0))(
        jnp.broadcast_to(lost, shared.shape), ~free[1] | (found.own_pivot <= limit)[:, None]
    )
    unknown = unknown.astype(bool)

    def describe(row: Row) -> tuple[Points, Array]:
        dataset = view.dataset(row, view.common)
        points = dataset.points
        if isinstance(dataset.loss, Poisson | Binomial):
            return points, log_saturated(points, dataset.loss)
        return points, log_weight(points)

    points, constants = jax.vmap(describe)(batch)
    num_points = jnp.sum(jnp.where(member, jax.vmap(lambda each: each.num_used)(points), 0))
    num_free = jnp.sum(free[0]) + jnp.sum(free[1] & member[:, None])
    dof = num_points - num_free
    chi2 = 2 * arrow.cost
    reduced = jnp.where(dof > 0, chi2 / jnp.maximum(dof, 1), jnp.nan)
    scale = 1.0 if known else jnp.where(dof > 0, reduced, jnp.inf)
    group = points._replace(
        usable=jnp.all(points.usable | ~member), finite=jnp.all(points.finite | ~member)
    )
    status = group.judged(outcome.status)
    failed = (status != Status.CONVERGED) & (status != Status.STALLED)
    infinite = unknown[:, :, None] | unknown[:, None, :] | failed
    covariance = jnp.where(infinite, jnp.inf, blocks * scale)
    total = jnp.sum(jnp.where(member, constants, 0.0))
    likelihood = total - arrow.cost
    if isinstance(family.first.loss, Robust):
        likelihood = jnp.full_like(chi2, jnp.nan)
    elif family.first.loss is None:
        likelihood = normal_log_likelihood(chi2, num_points.astype(chi2.dtype), total, known)
    else:
        likelihood = total - arrow.cost
    nan = jnp.full_like(chi2, jnp.nan)

    def one(row: Row, own: Array, covariance: Array) -> Fit:
        free = jnp.where(group.sound, split.join(shared, own), jnp.nan)
        whole = roles.spread(covariance, free, row.start)
        return Fit(
            params=family.unravel(roles.whole(free, row.start)),
            covariance=whole,
            stderr=family.unravel(root_of_variance(jnp.diagonal(whole))),
            chi2=chi2,
            reduced_chi2=reduced,
            p_value=chi2_p_value(chi2, dof) if family.knowledge.has_sigma else nan,
            dof=dof,
            status=status,
            num_steps=outcome.num_steps,
            log_likelihood=likelihood,
            num_points=num_points,
            num_estimated=num_free + (not known),
            r_squared=nan,
            about=family.about,
        )

    return jax.vmap(one)(batch, own, covariance)
