"""From an objective with constraints to lanes: the unknowns are the params and the multipliers."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from mvopt import _tree
from mvopt._entry import (
    Entry,
    axes_of_bounds,
    check_number,
    checked,
    flat_bounds,
    names_of,
    solve_axes,
)
from mvopt._types import Array, Certificate, Multipliers, Solution
from mvopt.calculus.affine import is_affine
from mvopt.families.constrained import ConstrainedProblem, Sizes, residuals
from mvopt.iteration.axes import Layout, axes_of, split
from mvopt.iteration.drive import Options


class Start(NamedTuple):
    """The pytree that the loop solves for, in the order in which w is laid out."""

    params: Any
    multipliers: Any


@dataclass(frozen=True)
class Together:
    """Objective and constraints as one function of a `Start`; hashable."""

    fn: Callable[..., Any]
    equality: Callable[..., Any] | None
    inequality: Callable[..., Any] | None
    has_aux: bool = False

    def __call__(self, start: Start, *args: Any) -> Any:
        """(f, c, d), and with `has_aux` what else `fn` returned."""
        out = self.fn(start.params, *args)
        value, aux = out if self.has_aux else (out, None)
        rest = [
            None if each is None else each(start.params, *args)
            for each in (self.equality, self.inequality)
        ]
        return ((value, *rest), aux) if self.has_aux else (value, *rest)


@dataclass(frozen=True)
class Constrained:
    """Builds the problem from the flat function and bounds of `_entry`; hashable."""

    sizes: Sizes

    def __call__(
        self, flat: Callable[[Array], Array], bounds: tuple[Array, Array] | None
    ) -> ConstrainedProblem:
        """The problem; functions and bounds are of x, the first of the unknowns."""
        n = self.sizes.variables
        rest = self.sizes.unknowns - n

        def functions(x: Array) -> Array:
            return flat(jnp.concatenate([x, jnp.zeros(rest, x.dtype)]))

        of_x = None if bounds is None else (bounds[0][:n], bounds[1][:n])
        return ConstrainedProblem(functions, self.sizes, of_x)


def solve_constrained(
    functions: Together,
    solver_for: Callable[[Sizes, bool], Any],
    x0: Any,
    args: tuple,
    *,
    bounds: tuple[Any, Any] | None,
    in_axes: Any,
    max_steps: int,
    options: Options,
    state: Any,
    multipliers: Multipliers | None,
    known: Callable[..., Any] | None = None,
) -> Solution:
    """The solution of `minimize` with constraints; `known` as in `Entry`.

    solver_for: the solver for these sizes, and whether all functions are sure to be linear.
    """
    x0, bounds = checked(x0, args, bounds)
    axes, shapes, linear = _one_problem(functions, x0, args, bounds, in_axes)
    sizes = _sizes(shapes)
    given, axis = _nothing(shapes), None
    if multipliers is not None:
        given, axis = multipliers, None if in_axes is None else 0
    start = Start(x0, given)
    if axes is not None:
        x_axes, bound_axes, *rest = axes
        sides = None if bounds is None else tuple(Start(side, None) for side in bound_axes)
        axes = (Start(x_axes, axis), sides, 0, *rest)
    if bounds is not None:
        bounds = Start(bounds[0], -jnp.inf), Start(bounds[1], jnp.inf)
    entry = partial(
        Entry,
        functions,
        Constrained(sizes),
        False,
        has_aux=functions.has_aux,
        found=_aux_and_certificate if functions.has_aux else _certificate,
        options=options,
        known=known,
    )
    solution, found = solve_axes(
        entry, solver_for(sizes, linear), start, args, bounds, axes, max_steps, state
    )
    aux, certificate, residual = found
    trace = solution.trace
    if trace is not None:
        trace = jnp.concatenate([trace[..., : sizes.variables], trace[..., -1:]], axis=-1)
    return solution._replace(
        params=solution.params.params,
        multipliers=solution.params.multipliers,
        optimality=residual,
        certificate=certificate,
        aux=aux,
        trace=trace,
    )


def one_certificate(
    functions: Together, x: Any, multipliers: Multipliers, bounds: Any, args: tuple
) -> Certificate:
    """The residuals of one problem at a point, from its functions alone."""
    flat, unravel = _tree.ravel(x)

    def values(flat: Array) -> Array:
        out = functions(Start(unravel(flat), Multipliers()), *args)
        return _tree.ravel(out[0] if functions.has_aux else out)[0]

    end = 1 + _tree.size(
        jax.eval_shape(functions.equality, x, *args) if functions.equality else None
    )
    total = jax.eval_shape(values, flat).shape[0]
    sizes = Sizes(flat.size, end - 1, total - end, bounds is not None)
    given = multipliers or Multipliers()
    wanted = sizes.equalities, sizes.inequalities, *(sizes.bounded * flat.size,) * 2
    for name, each, size in zip(Multipliers._fields, given, wanted, strict=True):
        if _tree.size(each) != size:
            raise ValueError(
                f"there are {_tree.size(each)} multipliers for {size} constraints ({name}): give "
                "check_kkt the same constraints as were given to minimize"
            )
    w = jnp.concatenate([flat, *(_tree.ravel(each)[0] for each in given if _tree.size(each))])
    problem = ConstrainedProblem(values, sizes, flat_bounds(bounds, x, flat.dtype))
    return residuals(problem, w)


def _one_problem(
    functions: Together, x0: Any, args: tuple, bounds: Any, in_axes: Any
) -> tuple[tuple | None, tuple, bool]:
    """`in_axes` over (x0, bounds, *args), the shapes of one problem's x0, bounds, c and d, and
    whether it is sure to be linear.
    """
    axes = None
    if in_axes is not None:
        start_axes, *rest = axes_of((x0, *args), in_axes, names_of(args))
        axes = (start_axes, axes_of_bounds(bounds, x0, start_axes), *rest)
    names = ("x0", "bounds", *names_of(args)[1:])
    layout, rows, shared, _ = split((x0, bounds, *args), axes, names)
    *shapes, linear = _shapes.eval_shape(functions, layout, rows, shared)
    return axes, tuple(shapes), linear.size > 0


@partial(jax.jit, static_argnames=("functions", "layout"))
def _shapes(functions: Together, layout: Layout, rows: list[Array], shared: list[Array]) -> tuple:
    """What one problem is made of, for its shapes alone; compiled never, traced once.

    The last is an array, empty unless all functions are linear: what is cached are shapes.
    """
    x0, bounds, *args = layout.join([leaf[0] for leaf in rows], shared)
    point, unravel = _tree.ravel(x0)

    def values(x: Array) -> Any:
        out = functions(Start(unravel(x), Multipliers()), *args)
        return out[0] if functions.has_aux else out

    value, equality, inequality = values(point)
    check_number(value)
    if any(map(_tree.is_complex, jax.tree.leaves(_arrays(inequality)))):
        raise ValueError("an inequality is complex: give its real and imaginary part one each")
    flat_bounds(bounds, x0, float)
    linear = jnp.zeros(int(is_affine(values, point)))
    return x0, bounds, _arrays(equality), _arrays(inequality), linear


def _arrays(tree: Any) -> Any:
    return jax.tree.map(jnp.asarray, tree)


def _sizes(shapes: tuple) -> Sizes:
    x0, bounds, equality, inequality = shapes
    return Sizes(_tree.size(x0), _tree.size(equality), _tree.size(inequality), bounds is not None)


def _nothing(shapes: tuple) -> Multipliers:
    """NaN for each multiplier: none is known."""
    x0, bounds, *constraints = shapes

    def unknown(tree: Any) -> Any:
        return jax.tree.map(lambda leaf: np.full(leaf.shape, *_unknown(leaf.dtype)), tree)

    walls = (unknown(x0), unknown(x0)) if bounds is not None else (None, None)
    return Multipliers(*(unknown(each) for each in constraints), *walls)


def _unknown(dtype: Any) -> tuple[complex, Any]:
    """NaN in each part of a number of this dtype, and the dtype that can hold it."""
    if jnp.issubdtype(dtype, jnp.complexfloating):
        return complex(np.nan, np.nan), dtype
    return np.nan, dtype if jnp.issubdtype(dtype, jnp.floating) else float


def _certificate(
    problem: ConstrainedProblem, out: Any, w: Array
) -> tuple[None, Certificate, Array]:
    del out
    found = residuals(problem, w)
    return None, found, found.residual


def _aux_and_certificate(
    problem: ConstrainedProblem, out: Any, w: Array
) -> tuple[Any, Certificate, Array]:
    return out[1], *_certificate(problem, out, w)[1:]
