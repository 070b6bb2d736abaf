"""`least_squares`: minimise half the sum of squared residuals, for one problem or a batch."""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

from mvopt._entry import Entry, check_settings, solve_all
from mvopt._types import Array, Solution
from mvopt.families.linearization import LeastSquaresProblem
from mvopt.iteration.protocol import Solver
from mvopt.losses import Loss, Robust, loss_of
from mvopt.solvers.levenberg_marquardt import LevenbergMarquardt

DEFAULT_MAX_STEPS = 1000


def least_squares(
    residual: Callable[..., Any],
    x0: Any,
    args: tuple = (),
    *,
    solver: Solver | None = None,
    bounds: tuple[Any, Any] | None = None,
    loss: str | Loss = "linear",
    in_axes: Any = None,
    max_steps: int = DEFAULT_MAX_STEPS,
) -> Solution:
    """Minimise ½‖residual(x, *args)‖² from `x0`.

    residual: `residual(x, *args)` returns a pytree of arrays, whose entries are the residuals; of a
    complex one both parts.
    x0: pytree of real or complex arrays (a list of numbers is one array); the result has its
    structure, and the wider of its dtype and the residual's.
    solver: `LevenbergMarquardt()` if None; `GaussNewton` and `Dogleg` are the others.
    bounds: (lower, upper), each a pytree like `x` or a number for all; ±inf, None or a
    key that is left out for none.
    loss: "linear" is the square. "huber", "soft_l1", "cauchy" and "tukey" grow more slowly beyond
    residuals of one, as in SciPy; `mvopt.losses` has them with other thresholds.
    in_axes: as in `jax.vmap` over `(x0, *args)`; None is one problem. A batch is worked off by
    lanes that are refilled, on all cores of a CPU; each problem ends with its own status.
    max_steps: evaluations of residual and Jacobian for each problem.

    Works under `jit`, `vmap` and, by the implicit function theorem, `grad` and `jvp` with respect
    to `args` and whatever `residual` closes over. Raises ValueError for bounds that cross or shapes
    that do not fit; never because a problem has no solution.
    """
    check_settings(solver, max_steps)
    solver = LevenbergMarquardt() if solver is None else solver
    problem: Any = _ProblemWith(_robust(loss))
    entry = partial(Entry, residual, problem, False)
    return solve_all(entry, solver, x0, args, bounds, in_axes, max_steps)[0]


class _ProblemWith(NamedTuple):
    """A problem with this loss; hashable, as what a compiled solve belongs to has to be."""

    loss: Robust | None

    def __call__(
        self, fn: Callable[[Array], Array], bounds: tuple[Array, Array] | None, /
    ) -> LeastSquaresProblem:
        return LeastSquaresProblem(fn, bounds, None if self.loss is None else self.loss.terms)


def _robust(loss: str | Loss) -> Robust | None:
    """The loss with its settings as numbers; ValueError for one that is not of residuals."""
    found = loss_of(loss)
    if found is None:
        return None
    if not isinstance(found, Robust):
        raise ValueError(
            f"loss={loss!r} is a likelihood of counts, not a loss of residuals: use curve_fit"
        )
    return type(found)(*map(float, found.settled()))
