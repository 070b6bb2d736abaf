"""`least_squares`: minimise half the sum of squared residuals, for one problem or a batch."""

from collections.abc import Callable
from functools import partial
from typing import Any

from mvopt._entry import Entry, solve_all
from mvopt._types import Solution
from mvopt.families.linearization import LeastSquaresProblem
from mvopt.iteration.protocol import Solver
from mvopt.solvers.levenberg_marquardt import LevenbergMarquardt

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
    solver = LevenbergMarquardt() if solver is None else solver
    entry = partial(Entry, residual, LeastSquaresProblem, False)
    return solve_all(entry, solver, x0, args, bounds, in_axes, max_steps)[0]


def check_loss(loss: str) -> None:
    """ValueError for a loss that does not exist."""
    if loss != "linear":
        raise ValueError(f'loss={loss!r} is not known: use "linear"')
