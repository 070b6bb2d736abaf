"""The compiled part of `curve_fit`: starts, solutions and uncertainties of rows of data sets."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from mvopt import _tree
from mvopt._entry import check_settings
from mvopt._types import Array, Status
from mvopt.calculus.affine import is_affine
from mvopt.families.linearization import LeastSquaresProblem
from mvopt.iteration.implicit import solve
from mvopt.iteration.lanes import in_chunks
from mvopt.iteration.method import Outcome
from mvopt.regression.batch import Batch
from mvopt.regression.dataset import Family, Row, Setup, View, cast
from mvopt.regression.fit import Fit
from mvopt.regression.linear import solve_linear
from mvopt.regression.scale import with_scales
from mvopt.regression.separable import Projection, linear_indices
from mvopt.regression.worth import root_of_variance, worth
from mvopt.solvers.levenberg_marquardt import LevenbergMarquardt


def fit_batch(batch: Batch, solver: Any, max_steps: int) -> Fit:
    """The fit of each data set."""
    check_settings(solver, max_steps)

    def run(rows: tuple[list[Array], tuple], count: int) -> Fit:
        return fit_rows(batch.setup, solver, rows[0], batch.shared, max_steps, count)

    return batch.run(run)


@partial(jax.jit, static_argnames="setup")
def fit_rows(
    setup: Setup,
    solver: Any,
    rows: list[Array],
    shared: list[Array],
    max_steps: Array,
    count: Array,
) -> Fit:
    """Fit the first `count` of N data sets; leaves of the result have a leading axis N.

    Without rows, where everything is shared, there is one data set and no leading axis.
    """
    family = Family(setup, rows, shared)
    batch = family.rows(rows)
    find = partial(_solutions, solver=solver, max_steps=max_steps, count=count)
    if setup.precision == "mixed":
        rough = View(family, jnp.dtype("float32"))
        batch = batch._replace(start=_restart(family, batch.start, find(rough, batch)))
    view = View(family, family.dtype)
    if setup.estimate_scale:
        batch = with_scales(view, batch, find)
    outcome = find(view, batch)

    def finish(item: tuple[Row, Outcome]) -> Fit:
        return report(view, *item)

    fits = in_chunks(finish, (batch, outcome), family.lanes)
    return fits if rows else _tree.take(fits, 0)


def _solutions(view: View, batch: Row, solver: Any, max_steps: Array, count: Array) -> Outcome:
    """The free parameters at the solution, (N, n)."""
    family = view.family
    free = family.setup.roles.free_part(batch.start).astype(view.dtype)
    if solver is None and _is_linear(view):
        return in_chunks(partial(_closed, view), batch, family.lanes)
    projection = Projection(_linear(view) if family.setup.separable else (), family.num_free)

    def problem(row: Row, common: Any) -> LeastSquaresProblem:
        whole = view.problem(row, common)
        return projection.reduced(whole) if family.setup.separable else whole

    outcome = solve(
        LevenbergMarquardt() if solver is None else solver,
        problem,
        free[:, projection.others],
        batch,
        view.common,
        max_steps=max_steps,
        lanes=family.lanes,
        count=count,
    )
    if not family.setup.separable:
        return outcome

    def complete(item: tuple[Row, Array]) -> Array:
        return projection.whole(view.problem(item[0], view.common), item[1])

    return outcome._replace(params=in_chunks(complete, (batch, outcome.params), family.lanes))


def _is_linear(view: View) -> bool:
    """Whether the fit is a linear least squares problem."""
    given = view.family.first
    plain = given.loss is None and given.bounds is None and given.sigma_x is None
    return plain and is_affine(*view.example())


def _linear(view: View) -> tuple[int, ...]:
    """The free parameters that are to be projected out; ValueError if there are all or none."""
    example = cast(view.family.example[0], view.dtype)
    found = linear_indices(view.of_free, example, view.family.num_free)
    if not 0 < len(found) < view.family.num_free:
        raise ValueError("separable needs a model that is linear in some, but not all, parameters")
    return found


def _closed(view: View, row: Row) -> Outcome:
    """The solution of a linear problem."""
    problem = view.problem(row, view.common)
    # What the data do not determine keeps its start.
    start = view.family.setup.roles.free_part(row.start).astype(view.dtype)
    free = solve_linear(problem, start)
    finite = jnp.isfinite(free).all()
    return Outcome(
        params=free,
        value=problem.objective(free),
        optimality=jnp.max(jnp.abs(problem.optimality(free))),
        status=jnp.where(finite, Status.CONVERGED, Status.NONFINITE).astype(jnp.int32),
        num_steps=jnp.ones((), jnp.int32),
    )


def _restart(family: Family, starts: Array, outcome: Outcome) -> Array:
    """Starts of the float64 fits: where float32 ended, unless it never got going."""
    roles = family.setup.roles
    lost = (outcome.status == Status.NONFINITE) | ~jnp.isfinite(outcome.params).all(axis=1)
    free = jnp.where(lost[:, None], roles.free_part(starts), outcome.params)
    return jax.vmap(roles.whole)(free.astype(family.dtype), starts)


def report(view: View, row: Row, outcome: Outcome) -> Fit:
    """Parameters, uncertainties and goodness of fit of one data set."""
    family = view.family
    dataset = view.dataset(row, view.common)
    free = jnp.where(dataset.points.sound, outcome.params, jnp.nan)
    judged = worth(
        dataset.points,
        dataset.loss,
        view.problem_of(dataset, view.common),
        free,
        outcome.status,
        family.knowledge,
        0 if dataset.prior is None else jnp.sum(jnp.isfinite(dataset.prior[1])),
    )
    roles, start = family.setup.roles, dataset.start
    covariance = roles.spread(judged.covariance, free, start)
    return Fit(
        params=family.unravel(roles.whole(free, start)),
        stderr=family.unravel(root_of_variance(jnp.diagonal(covariance))),
        num_steps=outcome.num_steps,
        about=family.about,
        **judged._replace(covariance=covariance)._asdict(),
    )
