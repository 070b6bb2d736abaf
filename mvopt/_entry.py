"""What the entry points share: from a function and a start to lanes, and from lanes to a result."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from mvopt import _tree
from mvopt._errors import listed, quoted
from mvopt._types import Array, Solution
from mvopt.iteration.axes import Layout, axes_of, leaves_with_axes, split
from mvopt.iteration.blocks import in_blocks, lanes_for
from mvopt.iteration.drive import Options
from mvopt.iteration.implicit import solve
from mvopt.iteration.protocol import Solver, TreeSolver
from mvopt.iteration.remedies import explained

# (a flat function of flat params, flat bounds) -> the problem that a solver takes
Problem = Callable[[Callable[[Array], Array], tuple[Array, Array] | None], Any]


class Entry(NamedTuple):
    """What a compiled solve belongs to; hashable."""

    fn: Callable[..., Any]
    problem: Problem
    scalar: bool  # fn returns one number, not a pytree
    layout: Layout  # of (x0, bounds, state, *args)
    has_aux: bool = False
    # (the problem, fn's result, flat params at the solution) -> what to return of them
    found: Callable[[Any, Any, Array], Any] | None = None
    confirm: Callable[[Any, Array], Array] | None = None  # a second opinion on what converged
    options: Options = Options()
    # (args, number of the step) -> the arguments of `fn` at that step, where they differ
    draw: Callable[[tuple, Any], tuple] | None = None
    # (flat params, *args) -> what the problem takes as `known`, where it takes that
    known: Callable[..., Any] | None = None


def solve_all(
    entry: Callable[..., Entry],
    solver: Solver,
    x0: Any,
    args: tuple,
    bounds: tuple[Any, Any] | None,
    in_axes: Any,
    max_steps: int,
    state: Any = None,
) -> tuple[Solution, Any]:
    """The solution from `x0`, or of a batch from all of them, and `entry.found` there."""
    x0, bounds = checked(x0, args, bounds)
    if in_axes is not None:
        start_axes, *axes = axes_of((x0, *args), in_axes, names_of(args))
        in_axes = (start_axes, axes_of_bounds(bounds, x0, start_axes), 0, *axes)
    return solve_axes(entry, solver, x0, args, bounds, in_axes, max_steps, state)


def solve_axes(
    entry: Callable[..., Entry],
    solver: Solver,
    x0: Any,
    args: tuple,
    bounds: tuple[Any, Any] | None,
    in_axes: Any,
    max_steps: int,
    state: Any = None,
) -> tuple[Solution, Any]:
    """The same, with `in_axes` over `(x0, bounds, state, *args)`, or None."""
    data, names = (x0, bounds, state, *args), ("x0", "bounds", "state", *names_of(args)[1:])
    layout, rows, shared, size = split(data, in_axes, names)

    def run(rows: list[Array], count: int) -> tuple[Solution, Any]:
        return solve_rows(entry(layout=layout), solver, rows, shared, max_steps, count)

    return run([], 1) if size is None else in_blocks(run, rows, size)


def check_settings(solver: Any, max_steps: Any) -> None:
    """TypeError or ValueError where the one is no solver, or the other no number of steps."""
    if isinstance(solver, type):
        raise TypeError(f"solver={solver.__name__} is a class: write {solver.__name__}()")
    if solver is not None and not hasattr(solver, "step"):
        raise TypeError(f"solver={quoted(solver)} is no solver: give one such as mvopt.BFGS()")
    if isinstance(max_steps, jax.Array):  # of a caller who traces it, say
        return
    whole = isinstance(max_steps, int | np.integer) and not isinstance(max_steps, bool)
    if not whole or max_steps < 1:
        raise ValueError(f"max_steps={max_steps!r}: give a whole number of steps, at least 1")


def checked(x0: Any, args: Any, bounds: Any) -> tuple[Any, tuple[Any, Any] | None]:
    """The start and its bounds as floating-point arrays.

    TypeError where the further arguments are in no tuple or list, ValueError where the start holds
    no number or the bounds cross.
    """
    if not isinstance(args, tuple | list):
        raise TypeError(
            f"args is a {type(args).__name__}, but holds the arguments after the first: write "
            "args=(it,) where it is one of them"
        )
    x0 = _tree.inexact(x0)
    if _tree.size(x0) == 0:
        raise ValueError("x0 holds no number: give a start, which says how many unknowns there are")
    return x0, check_bounds(bounds, x0)


def names_of(args: tuple) -> tuple[str, ...]:
    """What error messages call the start and the arguments."""
    return ("x0", *(f"args[{i}]" for i in range(len(args))))


@partial(jax.jit, static_argnames="entry")
def solve_rows(entry: Entry, solver, rows, shared, max_steps, count):
    layout = entry.layout
    x0, _, state, *args = layout.join([leaf[0] for leaf in rows], shared)
    if entry.draw is not None:
        args = entry.draw(tuple(args), 0)
    fn, constants = jax.closure_convert(entry.fn, x0, *args)
    template, unravel = _tree.ravel(x0)
    if isinstance(solver, TreeSolver):
        solver = solver.over(unravel, template)
    shapes = jax.eval_shape(lambda x, *args: fn(x, *args, *constants), x0, *args)
    dtype = jnp.result_type(template, *_dtypes(shapes[0] if entry.has_aux else shapes))

    def value_of(row: list[Array], common: Any, params: Array, step: Any = 0) -> Any:
        shared, constants = common
        _, _, _, *args = layout.join(row, shared)
        if entry.draw is not None:
            args = entry.draw(tuple(args), step)
        return fn(unravel(params), *args, *constants)

    def problem_of(row: list[Array], common: Any) -> Any:
        def flat(params: Array, step: Any = 0) -> Array:
            out = value_of(row, common, params, step)
            return _flat_value(out[0] if entry.has_aux else out, entry.scalar).astype(dtype)

        x0, bounds, _, *args = layout.join(row, common[0])
        problem = entry.problem(flat, flat_bounds(bounds, x0, dtype))
        if entry.known is not None:
            problem = problem._replace(known=lambda params: entry.known(params, *args))
        return problem if entry.draw is None else problem._replace(drawn=flat)

    def start_of(row: list[Array]) -> Array:
        return _tree.ravel(layout.join(row, shared)[0])[0].astype(dtype)

    starts = jax.vmap(start_of)(rows) if rows else start_of([])[None]
    states = None
    if state is not None:
        states = jax.vmap(lambda row: layout.join(row, shared)[2])(rows) if rows else state
        states = states if rows else jax.tree.map(lambda leaf: leaf[None], states)
    common = (shared, constants)
    outcome = solve(
        solver,
        problem_of,
        starts,
        rows,
        common,
        max_steps=max_steps,
        lanes=lanes_for(
            footprint(solver, lambda row: problem_of(row, common), starts[0], rows),
            len(rows[0]) if rows else None,
        ),
        count=count,
        states=states,
        options=entry.options,
        confirm=entry.confirm,
    )
    solution = Solution(
        params=jax.vmap(unravel)(outcome.params),
        value=outcome.value,
        status=outcome.status,
        num_steps=outcome.num_steps,
        num_evaluations=outcome.num_steps,
        optimality=outcome.optimality,
        state=outcome.state,
        trace=outcome.trace,
    )

    def found_at(row: list[Array], params: Array) -> Any:
        if entry.found is None:
            return None
        return entry.found(problem_of(row, common), value_of(row, common, params), params)

    found = jax.vmap(found_at)(rows, outcome.params)
    return (solution, found) if rows else _tree.take((solution, found), 0)


@explained()
def footprint(solver: Solver, problem_of: Callable, start: Array, rows: list[Array]) -> int:
    """Bytes that a lane goes through in a round: its state, its evaluation and its data."""
    row = [leaf[0] for leaf in rows]

    def one() -> Any:
        state = solver.blank(start)
        return state, solver.evaluate(problem_of(row), state)

    leaves = jax.tree.leaves((jax.eval_shape(one), row))
    return sum(leaf.size * leaf.dtype.itemsize for leaf in leaves)


def _bound_like(x: Array, bound: Array, name: str) -> Array:
    bound = jnp.broadcast_to(bound, x.shape)
    if _tree.is_complex(x) and not _tree.is_complex(bound):
        return lax.complex(bound, bound)
    if _tree.is_complex(bound) and not _tree.is_complex(x):
        raise TypeError(f"{name} are complex, but the params are real: give real ones")
    return bound


def _dtypes(shapes: Any) -> list[Any]:
    leaves = [_tree.real_dtype(leaf.dtype) for leaf in jax.tree.leaves(shapes)]
    return [dtype for dtype in leaves if jnp.issubdtype(dtype, jnp.floating)]


def _flat_value(out: Any, scalar: bool) -> Array:
    if not scalar:
        return _tree.ravel(out)[0]
    check_number(out)
    return jnp.asarray(out)


def check_number(out: Any) -> None:
    """ValueError where what a function to be minimised returns is not one real number."""
    if not jax.tree_util.all_leaves([out]) or jnp.shape(out) != ():
        raise ValueError(
            f"fn must return one number, but it returns {_described(out)}: "
            "sum over what it returns, or set has_aux=True if it returns (value, aux)"
        )
    if _tree.is_complex(jnp.asarray(out)):
        raise ValueError(
            "fn returns a complex number, and of those none is the least: minimise its absolute "
            "value or its real part, or give the complex residuals to least_squares"
        )


def _described(out: Any) -> str:
    if jax.tree_util.all_leaves([out]):
        return f"an array of shape {jnp.shape(out)}"
    return "None" if out is None else f"a {type(out).__name__}"


def check_bounds(bounds: tuple[Any, Any] | None, x0: Any) -> tuple[Any, Any] | None:
    """(lower, upper) as arrays; ValueError where a lower bound is above its upper bound.

    A side that is None is infinite, and so are the keys of a mapping x0 that it leaves out.
    """
    if bounds is None:
        return None
    if len(bounds) != 2:
        raise ValueError("bounds must be a pair (lower, upper)")
    pairs = zip(bounds, (-np.inf, np.inf), strict=True)
    lower, upper = (_tree.inexact(_complete(side, x0, none)) for side, none in pairs)
    for low, high in zip(jax.tree.leaves(lower), jax.tree.leaves(upper), strict=False):
        if isinstance(low, jax.core.Tracer) or isinstance(high, jax.core.Tracer):
            continue
        parts = [(part(np.asarray(low)), part(np.asarray(high))) for part in (np.real, np.imag)]
        if not all(np.all(below <= above) for below, above in parts):
            raise ValueError(
                f"a lower bound is above its upper bound (or NaN): lower {low}, upper {high}"
            )
        if any(np.any(np.isposinf(below) | np.isneginf(above)) for below, above in parts):
            raise ValueError(
                f"no number is within a lower bound of inf or an upper one of -inf: lower {low}, "
                f"upper {high}"
            )
    return lower, upper


def _complete(side: Any, x0: Any, none: float) -> Any:
    """A side of the bounds, with `none` where nothing is given."""
    if side is None:
        return none
    if not (isinstance(side, Mapping) and isinstance(x0, Mapping)):
        return side
    unknown = [key for key in side if key not in x0]
    if unknown:
        raise ValueError(f"bounds hold {listed(unknown)}, the params are {listed(x0)}")
    return {key: none if side.get(key) is None else side[key] for key in x0}


def axes_of_bounds(bounds: tuple[Any, Any] | None, x0: Any, start_axes: Any) -> Any:
    """0 for a bound with an axis more than one problem's params: each problem has its own.

    A bound of several arrays of params at once is the same for all problems.
    """
    if bounds is None:
        return None
    one = [
        jnp.ndim(leaf) - (axis is not None) for leaf, axis in leaves_with_axes(x0, start_axes, "x0")
    ]

    def axes(side: Any) -> Any:
        limits, structure = jax.tree.flatten(side)
        if len(limits) != len(one):
            return None
        pairs = zip(limits, one, strict=True)
        found = [0 if jnp.ndim(limit) > max(ndim, 0) else None for limit, ndim in pairs]
        return jax.tree.unflatten(structure, found)

    return tuple(map(axes, bounds))


def flat_bounds(
    bounds: tuple[Any, Any] | None, x0: Any, dtype: Any, name: str = "bounds"
) -> tuple[Array, Array] | None:
    """Bounds as flat vectors (n,) like the raveled params; errors call them `name`.

    A real bound of a complex param holds for both of its parts.
    """
    if bounds is None:
        return None

    def flat(side: Any) -> Array:
        try:
            whole = jax.tree.broadcast(side, x0)
            spread = jax.tree.map(lambda x, b: _bound_like(x, b, name), x0, whole)
        except ValueError:
            shapes = [jax.tree.map(jnp.shape, tree) for tree in (side, x0)]
            raise ValueError(
                f"{name} of shape {shapes[0]} do not fit params of shape {shapes[1]}: give a "
                "number or a pytree like the params for each side"
            ) from None
        return _tree.ravel(spread)[0].astype(dtype)

    return flat(bounds[0]), flat(bounds[1])
