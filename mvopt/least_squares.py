"""`least_squares`: minimise half the sum of squared residuals, for one problem or a batch."""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from mvopt import _tree
from mvopt._types import Array, Solution
from mvopt.iteration.axes import Layout, split
from mvopt.iteration.blocks import in_blocks, lanes_for
from mvopt.iteration.implicit import solve
from mvopt.iteration.protocol import Solver
from mvopt.solvers.levenberg_marquardt import LevenbergMarquardt
from mvopt.solvers.linearization import LeastSquaresProblem

DEFAULT_MAX_STEPS = 1000


def least_squares(
    residual: Callable[..., Any],
    x0: Any,
    args: tuple = (),
    *,
    solver: Solver | None = None,
    bounds: tuple[Any, Any] | None = None,
    loss: str = "linear",
    in_axes: Any = None,
    max_steps: int = DEFAULT_MAX_STEPS,
) -> Solution:
    """Minimise ½‖residual(x, *args)‖² from `x0`.

    residual: `residual(x, *args)` returns a pytree of arrays, whose entries are the residuals.
    x0: pytree of floating-point arrays (a list of numbers is one array); the result has its
    structure, and the wider of its dtype and the residual's.
    solver: `LevenbergMarquardt()` if None; `GaussNewton` and `Dogleg` are the others.
    bounds: (lower, upper), each a pytree like `x` or a number for all; ±inf for none.
    loss: "linear" is the only one.
    in_axes: as in `jax.vmap` over `(x0, *args)`; None is one problem. A batch is worked off by
    lanes that are refilled, on all cores of a CPU; each problem ends with its own status.
    max_steps: evaluations of residual and Jacobian for each problem.

    Works under `jit`, `vmap` and, by the implicit function theorem, `grad` and `jvp` with respect
    to `args` and whatever `residual` closes over. Raises ValueError for bounds that cross or shapes
    that do not fit; never because a problem has no solution.
    """
    check_loss(loss)
    names = ("x0", *(f"args[{i}]" for i in range(len(args))))
    layout, rows, shared, size = split((_tree.inexact(x0), *args), in_axes, names)
    if solver is None:
        solver = LevenbergMarquardt()
    bounds = check_bounds(bounds)

    def run(rows: list[Array], count: int) -> Solution:
        return _solve(residual, layout, solver, bounds, rows, shared, max_steps, count)

    return run([], 1) if size is None else in_blocks(run, rows, size)


@partial(jax.jit, static_argnames=("residual", "layout"))
def _solve(residual, layout: Layout, solver, bounds, rows, shared, max_steps, count):
    x0, *args = layout.join([leaf[0] for leaf in rows], shared)
    residual, constants = jax.closure_convert(residual, x0, *args)
    template, unravel = _tree.ravel(x0)
    shape = jax.eval_shape(
        lambda x, *args: _tree.ravel(residual(x, *args, *constants))[0], x0, *args
    )
    dtype = jnp.result_type(template, shape.dtype)

    def problem_of(row: list[Array], common: Any) -> LeastSquaresProblem:
        shared, constants, limits = common
        _, *args = layout.join(row, shared)

        def flat_residual(params: Array) -> Array:
            out = residual(unravel(params), *args, *constants)
            return _tree.ravel(out)[0].astype(dtype)

        return LeastSquaresProblem(flat_residual, limits)

    def start_of(row: list[Array]) -> Array:
        return _tree.ravel(layout.join(row, shared)[0])[0].astype(dtype)

    starts = jax.vmap(start_of)(rows) if rows else start_of([])[None]
    outcome = solve(
        solver,
        problem_of,
        starts,
        rows,
        (shared, constants, flat_bounds(bounds, x0, dtype)),
        max_steps=max_steps,
        lanes=lanes_for(
            bytes_per_problem(starts.shape[1], shape.size, dtype, rows),
            len(rows[0]) if rows else None,
        ),
        count=count,
    )
    solution = Solution(
        params=jax.vmap(unravel)(outcome.params),
        value=outcome.value,
        status=outcome.status,
        num_steps=outcome.num_steps,
        num_evaluations=outcome.num_steps,
        optimality=outcome.optimality,
    )
    return solution if rows else _tree.take(solution, 0)


def bytes_per_problem(n: int, num_residuals: int, dtype: Any, rows: list[Array]) -> int:
    """Memory that one lane of a Gauss–Newton method goes through in a step."""
    numbers = num_residuals * (n + 1) + 6 * n * n + 12 * n
    return numbers * jnp.dtype(dtype).itemsize + sum(leaf.nbytes // len(leaf) for leaf in rows)


def check_loss(loss: str) -> None:
    """ValueError for a loss that does not exist."""
    if loss != "linear":
        raise ValueError(f'loss={loss!r} is not known: use "linear"')


def check_bounds(bounds: tuple[Any, Any] | None) -> tuple[Any, Any] | None:
    """(lower, upper) as arrays; ValueError where a lower bound is above its upper bound."""
    if bounds is None:
        return None
    if len(bounds) != 2:
        raise ValueError("bounds must be a pair (lower, upper)")
    lower, upper = (_tree.inexact(side) for side in bounds)
    for low, high in zip(jax.tree.leaves(lower), jax.tree.leaves(upper), strict=False):
        if isinstance(low, jax.core.Tracer) or isinstance(high, jax.core.Tracer):
            continue
        if not np.all(np.asarray(low) <= np.asarray(high)):
            raise ValueError(
                f"a lower bound is above its upper bound (or NaN): lower {low}, upper {high}"
            )
    return lower, upper


def flat_bounds(bounds: tuple[Any, Any] | None, x0: Any, dtype: Any) -> tuple[Array, Array] | None:
    """Bounds as flat vectors (n,) like the raveled params."""
    if bounds is None:
        return None

    def flat(side: Any) -> Array:
        try:
            whole = jax.tree.broadcast(side, x0)
            spread = jax.tree.map(lambda x, b: jnp.broadcast_to(b, x.shape), x0, whole)
        except ValueError:
            shapes = [jax.tree.map(jnp.shape, tree) for tree in (side, x0)]
            raise ValueError(
                f"bounds of shape {shapes[0]} do not fit params of shape {shapes[1]}: give a "
                "number or a pytree like the params for each side"
            ) from None
        return _tree.ravel(spread)[0].astype(dtype)

    return flat(bounds[0]), flat(bounds[1])
