"""The compiled part of `curve_fit`: starts, solutions and uncertainties of rows of data sets."""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from mvopt import _tree
from mvopt._entry import flat_bounds
from mvopt._types import Array, Fit, Status
from mvopt.families.linearization import LeastSquaresProblem
from mvopt.iteration.axes import Layout
from mvopt.iteration.blocks import lanes_for
from mvopt.iteration.drive import Outcome
from mvopt.iteration.implicit import solve
from mvopt.iteration.lanes import in_chunks
from mvopt.regression.data import Points, check_like, check_shape, points_of
from mvopt.regression.uncertainty import uncertainty
from mvopt.regression.worth import root_of_variance, worth


class Setup(NamedTuple):
    """What a compiled fit belongs to; hashable."""

    model: Any  # called as model(x, params); has a guess(x, y, mask) if `fill`
    layout: Layout  # of (x, y, p0, sigma, mask)
    fill: bool  # the model's guess fills p0 where it is NaN or missing
    free: tuple[int, ...] | None  # which of the flat params are free; None: all
    absolute_sigma: bool
    precision: str | None


@partial(jax.jit, static_argnames="setup")
def fit_rows(
    setup: Setup,
    solver: Any,
    bounds: Any,
    rows: list[Array],
    shared: list[Array],
    max_steps: Array,
    count: Array,
) -> Fit:
    """Fit the first `count` of N data sets; leaves of the result have a leading axis N.

    Without rows, where everything is shared, there is one data set and no leading axis.
    """
    fitting = _Fitting(setup, rows, shared)
    limits = flat_bounds(bounds, fitting.example[1], fitting.dtype)
    # A guess is a search and goes in chunks; a given start is only laid out.
    given = bool(rows) and not setup.fill
    starts = (
        jax.vmap(fitting.start)(rows) if given else in_chunks(fitting.start, rows, fitting.lanes)
    )
    data = (rows, starts)

    def run(starts: Array, dtype: Any) -> tuple[Callable, Any, Outcome]:
        # What the model closes over becomes an argument: the implicit rule differentiates those.
        model, constants = jax.closure_convert(setup.model, *_cast(fitting.example, dtype))
        common = (shared, constants, limits)
        outcome = solve(
            solver,
            partial(fitting.problem, model, dtype),
            fitting.free_part(starts).astype(dtype),
            data,
            common,
            max_steps=max_steps,
            lanes=fitting.lanes,
            count=count,
        )
        return model, common, outcome

    if setup.precision == "mixed":
        _, _, rough = run(starts, jnp.dtype("float32"))
        starts = fitting.restart(starts, rough)
    model, common, outcome = run(starts, fitting.dtype)

    def finish(item: Any) -> Fit:
        row, outcome = item
        return fitting.report(model, row, common, outcome)

    fits = in_chunks(finish, (data, outcome), fitting.lanes)
    return fits if rows else _tree.take(fits, 0)


class _Fitting:
    """How one data set becomes a problem, and a solution a `Fit`."""

    def __init__(self, setup: Setup, rows: list[Array], shared: list[Array]):
        self.setup, self.shared = setup, shared
        x, y, _, sigma, mask = data = setup.layout.join([leaf[0] for leaf in rows], shared)
        self.has_sigma = sigma is not None
        shapes = jax.eval_shape(self._whole_start, *data)
        self.dtype = _dtype(setup.precision, x, y, shapes)
        example = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), shapes)
        flat, self.unravel = _tree.ravel(example)
        self.example = (x, self.unravel(flat.astype(self.dtype)))
        check_like("sigma", sigma, y, matrix=True)
        check_like("mask", mask, y, matrix=False)
        check_shape(setup.model, x, y, self.example[1])
        self.indices = np.arange(flat.size) if setup.free is None else np.array(setup.free)
        if self.indices.max() >= flat.size:
            raise ValueError(f"fixed has more entries than the {flat.size} parameters")
        self.size = flat.size
        # A lane holds its data, residual and Jacobian, and the state of a Gauss–Newton method.
        numbers = y.size * (self.size + 1) + self.size * (self.size + 12)
        bytes_each = numbers * self.dtype.itemsize + sum(leaf.nbytes // len(leaf) for leaf in rows)
        self.lanes = lanes_for(bytes_each, len(rows[0]) if rows else None)

    def start(self, row: list[Array]) -> Array:
        """Flat start of one data set, (n,), the fixed parameters included."""
        data = self.setup.layout.join(row, self.shared)
        return _tree.ravel(self._whole_start(*data))[0].astype(self.dtype)

    def _whole_start(self, x: Any, y: Array, start: Any, sigma: Any, mask: Any) -> Any:
        if not self.setup.fill:
            return start
        if sigma is not None and sigma.shape == y.shape:
            informative = ~jnp.isposinf(sigma)
            mask = informative if mask is None else mask & informative
        guess = self.setup.model.guess(x, y, mask)
        return guess if start is None else jnp.where(jnp.isnan(start), guess, start)

    def free_part(self, flat: Array) -> Array:
        """The free entries along the last axis."""
        return flat if self.setup.free is None else flat[..., self.indices]

    def whole(self, free: Array, start: Array) -> Array:
        """Flat params (n,) from the free ones and the start of the fixed."""
        return free if self.setup.free is None else start.at[self.indices].set(free)

    def restart(self, starts: Array, outcome: Outcome) -> Array:
        """Starts of the float64 fits: where float32 ended, unless it never got going."""
        lost = (outcome.status == Status.NONFINITE) | ~jnp.isfinite(outcome.params).all(axis=1)
        free = jnp.where(lost[:, None], self.free_part(starts), outcome.params)
        return jax.vmap(self.whole)(free.astype(self.dtype), starts)

    def problem(self, model: Callable, dtype: Any, data: Any, common: Any) -> LeastSquaresProblem:
        """The least-squares problem of one data set, in the given precision."""
        _, constants, limits = common
        points, start = self._points(data, common, dtype)

        def residual(free: Array) -> Array:
            params = self.unravel(self.whole(free, start))
            return points.residual(model(points.x, params, *constants).astype(dtype))

        if limits is None:
            return LeastSquaresProblem(residual)
        lower, upper = (self.free_part(side).astype(dtype) for side in limits)
        return LeastSquaresProblem(residual, (lower, upper))

    def _points(self, data: Any, common: Any, dtype: Any) -> tuple[Points, Array]:
        row, start = data
        x, y, _, sigma, mask = self.setup.layout.join(row, common[0])
        x, y, sigma, start = _cast((x, y.astype(dtype), sigma, start), dtype)
        return points_of(x, y, sigma, mask, len(self.indices)), start

    def report(self, model: Callable, data: Any, common: Any, outcome: Outcome) -> Fit:
        """Parameters, uncertainties and goodness of fit of one data set."""
        points, start = self._points(data, common, self.dtype)
        problem = self.problem(model, self.dtype, data, common)
        found = uncertainty(problem, outcome.params)
        judged = worth(
            points,
            found,
            outcome.status,
            absolute_sigma=self.setup.absolute_sigma,
            has_sigma=self.has_sigma,
        )
        covariance = judged.covariance
        if self.setup.free is not None:
            whole = jnp.zeros((self.size, self.size), self.dtype)
            covariance = whole.at[np.ix_(self.indices, self.indices)].set(covariance)
        return Fit(
            params=self.unravel(self.whole(outcome.params, start)),
            covariance=covariance,
            stderr=self.unravel(root_of_variance(jnp.diagonal(covariance))),
            chi2=found.chi2,
            reduced_chi2=judged.reduced_chi2,
            p_value=judged.p_value,
            dof=judged.dof,
            status=judged.status,
            num_steps=outcome.num_steps,
        )


def _dtype(precision: str | None, x: Any, y: Array, start: Any) -> Any:
    if precision is not None:
        return jnp.dtype("float32" if precision == "float32" else "float64")
    dtype = jnp.result_type(*jax.tree.leaves((x, y, start)))
    return dtype if jnp.issubdtype(dtype, jnp.floating) else jnp.result_type(float)


def _cast(tree: Any, dtype: Any) -> Any:
    def cast(leaf: Array) -> Array:
        return leaf.astype(dtype) if jnp.issubdtype(leaf.dtype, jnp.floating) else leaf

    return jax.tree.map(cast, tree)
