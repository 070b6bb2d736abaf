"""How a data set, with a model and what is known of its parameters, becomes a problem."""

from collections.abc import Callable
from copy import copy
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from mvopt import _tree
from mvopt._entry import flat_bounds
from mvopt._types import Array
from mvopt.families.linearization import LeastSquaresProblem, Terms
from mvopt.iteration.axes import Layout
from mvopt.iteration.blocks import lanes_for
from mvopt.iteration.lanes import in_chunks
from mvopt.losses import Loss, Robust
from mvopt.regression.data import (
    InParts,
    Points,
    check_like,
    check_shape,
    points_of,
    without_nan,
)
from mvopt.regression.fit import About
from mvopt.regression.orthogonal import check_orthogonal, orthogonal_distances
from mvopt.regression.parameters import Roles
from mvopt.regression.worth import Knowledge


class Given(NamedTuple):
    """What a user gives for a data set; parts that are None are not given."""

    x: Any
    y: Array
    start: Any  # a pytree like the params, NaN where the model's guess is to fill it
    sigma: Array | None
    mask: Array | None
    bounds: tuple[Any, Any] | None
    prior: tuple[Any, Any] | None  # means and standard deviations
    loss: Loss | None  # None: the square
    sigma_x: Array | None


class Setup(NamedTuple):
    """What a compiled fit belongs to; hashable."""

    model: Any  # called as model(x, params); has a guess(x, y, mask) if `fill`
    layout: Layout  # of a `Given`
    fill: bool  # the model's guess fills the start where it is NaN or missing
    roles: Roles
    absolute_sigma: bool
    precision: str | None
    estimate_scale: bool  # of a robust loss
    separable: bool  # linear parameters follow from the others
    omit_nan: bool  # points with a NaN are left out

    @property
    def in_parts(self) -> bool:
        """Whether y is complex: its real and imaginary parts are fitted, (2, ...)."""
        return isinstance(self.model, InParts)


class DataSet(NamedTuple):
    """One data set, ready to be fitted, in one precision."""

    points: Points
    start: Array  # (n,), the fixed params included
    bounds: tuple[Array, Array] | None  # each (n,)
    prior: tuple[Array, Array] | None  # each (n,)
    loss: Loss | None
    sigma_x: Array | None  # like x


class Family:
    """The data sets of a batch: what they have in common, and how a row becomes one of them.

    `rows` are the leaves that each data set has of its own, with a leading axis, `shared` the rest.
    """

    def __init__(self, setup: Setup, rows: list[Array], shared: list[Array]):
        self.setup, self.shared = setup, shared
        self.first = first = self.given([leaf[0] for leaf in rows])
        self.knowledge, self.about = _described(setup, first)
        shapes = jax.eval_shape(self._whole_start, first)
        self.dtype = _dtype(setup.precision, first.x, first.y, shapes)
        example = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), shapes)
        flat, self.unravel = _tree.ravel(example)
        self.size = flat.size
        self.example = (first.x, self.unravel(flat.astype(self.dtype)))
        check_like("sigma", first.sigma, first.y, matrix=True)
        check_like("mask", first.mask, first.y, matrix=False)
        if first.sigma_x is not None:
            check_orthogonal(first.x, first.y, first.sigma, first.sigma_x)
        check_shape(setup.model, first.x, first.y, self.example[1])
        setup.roles.check(self.size)
        self.num_points = first.y.size
        self.num_free = setup.roles.num_free(self.size)
        # A lane holds its data, residual and Jacobian, and the state of a Gauss–Newton method.
        numbers = self.num_points * (self.size + 1) + self.size * (self.size + 12)
        bytes_each = numbers * self.dtype.itemsize + sum(leaf.nbytes // len(leaf) for leaf in rows)
        self.lanes = lanes_for(bytes_each, len(rows[0]) if rows else None)

    def given(self, row: list[Array], shared: list[Array] | None = None) -> Given:
        """What was given for the data set with these leaves of its own."""
        given = Given(*self.setup.layout.join(row, self.shared if shared is None else shared))
        return _in_parts(given) if self.setup.in_parts else given

    def wanted(self, row: list[Array], shared: list[Array] | None = None) -> Given:
        """The same, with a mask of the points that are wanted."""
        given = self.given(row, shared)
        if not self.setup.omit_nan:
            return given
        sigmas = (given.sigma, given.sigma_x)
        mask = without_nan(given.x, given.y, sigmas, given.mask, self.setup.in_parts)
        return given._replace(mask=mask)

    def start(self, row: list[Array]) -> Array:
        """Flat start of one data set, (n,), the fixed and the tied parameters included."""
        flat = _tree.ravel(self._whole_start(self.wanted(row)))[0].astype(self.dtype)
        return self.setup.roles.whole(self.setup.roles.free_part(flat), flat)

    def _whole_start(self, given: Given) -> Any:
        if not self.setup.fill:
            return given.start
        mask, sigma = given.mask, given.sigma
        if sigma is not None and sigma.shape == given.y.shape:
            informative = ~jnp.isposinf(sigma)
            mask = informative if mask is None else mask & informative
        guess = self.setup.model.guess(given.x, given.y, mask)
        if given.start is None:
            return guess
        return jnp.where(jnp.isnan(given.start), guess, given.start)

    def rows(self, leaves: list[Array], scales: Array | None = None) -> "Row":
        """All rows, with their starts."""
        # A guess is a search and goes in chunks; a given start is only laid out.
        given = bool(leaves) and not self.setup.fill
        start = jax.vmap(self.start) if given else partial(in_chunks, self.start, lanes=self.lanes)
        return Row(leaves, start(leaves), scales)


class Row(NamedTuple):
    """What belongs to one data set alone; in a batch with a leading axis."""

    leaves: list[Array]
    start: Array  # (n,), the fixed and the tied parameters included
    scale: Array | None = None  # (), of a robust loss, where it is estimated


class View:
    """A family in one precision: `problem(row, common)` is the problem of one data set.

    `common` is what all have in common, the constants that the model closes over among them: as an
    argument, for the implicit rule differentiates with respect to arguments.
    """

    def __init__(self, family: Family, dtype: Any):
        self.family, self.dtype = family, dtype
        model = family.setup.model
        self.model, constants = jax.closure_convert(model, *cast(family.example, dtype))
        self.common = (family.shared, constants)

    def without_derivatives(self) -> "View":
        """The same, constant under differentiation."""
        same = copy(self)
        same.common = lax.stop_gradient(self.common)
        return same

    def dataset(self, row: Row, common: Any) -> DataSet:
        """The data set of a row."""
        family, dtype = self.family, self.dtype
        given = family.wanted(row.leaves, common[0])
        x, y, sigma, loss = cast((given.x, given.y.astype(dtype), given.sigma, given.loss), dtype)
        if row.scale is not None:
            loss = replace(loss, scale=row.scale.astype(dtype))
        points = points_of(x, y, sigma, given.mask, family.num_free, family.setup.in_parts)
        sigma_x = None
        if given.sigma_x is not None:
            sigma_x = cast(jnp.broadcast_to(given.sigma_x, x.shape), dtype)
            points = points.only_if((sigma_x >= 0) & (sigma_x < jnp.inf))
        if loss is not None and not isinstance(loss, Robust):
            points = points.only_if(loss.valid(points.y))
        start = row.start.astype(dtype)
        unraveled = family.unravel(start)
        prior = flat_bounds(given.prior, unraveled, dtype, "prior")
        if prior is not None:
            moving = family.setup.roles.moving(family.size)
            prior = (prior[0], jnp.where(moving, prior[1], jnp.inf))
        bounds = flat_bounds(given.bounds, unraveled, dtype)
        return DataSet(points.refused(), start, bounds, prior, loss, sigma_x)

    def of_free(self, x: Any, free: Array) -> Array:
        """The model over its free parameters, the fixed ones at one."""
        return self.values(x, free, jnp.ones(self.family.size, self.dtype), self.common)

    def example(self) -> tuple[Callable[[Array], Array], Array]:
        """The model over its free parameters alone, and free parameters of their shape."""
        free = jnp.ones(self.family.num_free, self.dtype)
        return partial(self.of_free, cast(self.family.example[0], self.dtype)), free

    def values(self, x: Any, free: Array, start: Array, common: Any) -> Array:
        """The model at x with these free parameters, in the model's own shape."""
        params = self.family.unravel(self.family.setup.roles.whole(free, start))
        return self.model(x, params, *common[1]).astype(self.dtype)

    def problem_of(self, dataset: DataSet, common: Any) -> LeastSquaresProblem:
        """The problem of a data set in its free parameters."""
        points, start, bounds, prior, loss, sigma_x = dataset
        roles = self.family.setup.roles

        def residual(free: Array) -> Array:
            values = self.values(points.x, free, start, common).reshape(-1)
            return argument(loss, points, values)

        def distances(free: Array, exact: bool) -> Array:
            assert sigma_x is not None
            shape = points.x.shape

            def values(x: Array) -> Array:
                return self.values(x.reshape(shape), free, start, common)

            return orthogonal_distances(points, sigma_x, values, exact)

        def distance(free: Array) -> Array:
            assert prior is not None
            return (roles.whole(free, start) - prior[0]) / prior[1]

        return LeastSquaresProblem(
            residual=residual if sigma_x is None else partial(distances, exact=False),
            smooth=None if sigma_x is None else partial(distances, exact=True),
            bounds=bounds and (roles.free_part(bounds[0]), roles.free_part(bounds[1])),
            loss=None if loss is None else partial(terms, loss, points),
            penalty=None if prior is None else distance,
        )

    def problem(self, row: Row, common: Any) -> LeastSquaresProblem:
        """The problem of a row."""
        return self.problem_of(self.dataset(row, common), common)


def argument(loss: Loss | None, points: Points, values: Array) -> Array:
    """What the loss of each point is a function of: the residual, or the model's value; (m,)."""
    if loss is None or isinstance(loss, Robust):
        return points.residual(values)
    if points.used is None:
        return values
    return jnp.where(points.used, values, loss.stand_in(points.y)[0])


def terms(loss: Loss, points: Points, z: Array) -> Terms:
    """The loss of each point, zero for those left out."""
    if points.used is None:
        return loss.terms(z, points.y)
    y = points.y
    if not isinstance(loss, Robust):
        y = jnp.where(points.used, y, loss.stand_in(y)[1])
    return Terms(*(jnp.where(points.used, each, 0.0) for each in loss.terms(z, y)))


def _described(setup: Setup, given: Given) -> tuple[Knowledge, About]:
    """What is known of the errors of the data, and what a report says of the fit."""
    likelihood = given.loss is not None and not isinstance(given.loss, Robust)
    known = setup.absolute_sigma or likelihood
    about = About(
        model=getattr(setup.model, "name", getattr(setup.model, "__name__", "")),
        names=setup.roles.names,
        loss="linear" if given.loss is None else type(given.loss).__name__,
        known_scale=known,
    )
    has_sigma = given.sigma is not None or likelihood
    return Knowledge(has_sigma, known, given.sigma_x is not None, setup.in_parts), about


def _in_parts(given: Given) -> Given:
    """The same with y, sigma and mask of the parts; a real sigma is that of either part."""
    sigma, shape = given.sigma, (2, *given.y.shape)
    if sigma is not None and _tree.is_complex(sigma):
        sigma = _tree.parts(jnp.broadcast_to(sigma, shape[1:]))
    elif sigma is not None and sigma.shape in ((), shape[1:]):
        sigma = jnp.broadcast_to(sigma, shape)
    mask = None if given.mask is None else jnp.broadcast_to(given.mask, shape)
    return given._replace(y=_tree.parts(given.y), sigma=sigma, mask=mask)


def _dtype(precision: str | None, x: Any, y: Array, start: Any) -> Any:
    if precision is not None:
        return jnp.dtype("float32" if precision == "float32" else "float64")
    dtype = _tree.real_dtype(jnp.result_type(*jax.tree.leaves((x, y, start))))
    return dtype if jnp.issubdtype(dtype, jnp.floating) else jnp.result_type(float)


def cast(tree: Any, dtype: Any) -> Any:
    """The floating-point leaves in this precision."""

    def one(leaf: Array) -> Array:
        return leaf.astype(dtype) if jnp.issubdtype(jnp.result_type(leaf), jnp.floating) else leaf

    return jax.tree.map(one, tree)
