"""`minimize`: the minimum of a function, for one start or a batch."""

import dataclasses
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from mvopt._constrained import Together, solve_constrained
from mvopt._entry import Entry, check_settings, solve_all
from mvopt._training import (
    STACKED,
    StackedBatches,
    automatic,
    check_training,
    keyed_rows,
    over_batches,
)
from mvopt._types import Array, Multipliers, Solution
from mvopt.families.confirmation import is_lowest, is_minimum
from mvopt.families.constrained import Sizes
from mvopt.families.objective import ObjectiveProblem
from mvopt.families.primal_dual import PrimalDualMethod
from mvopt.iteration.drive import Options
from mvopt.iteration.protocol import Solver
from mvopt.solvers.augmented_lagrangian import AugmentedLagrangian
from mvopt.solvers.interior_point import InteriorPoint
from mvopt.solvers.lagrange_newton import LagrangeNewton
from mvopt.solvers.lbfgs import LBFGS
from mvopt.solvers.nelder_mead import NelderMead
from mvopt.solvers.predictor_corrector import PredictorCorrector
from mvopt.solvers.projected_gradient import ProjectedGradient
from mvopt.solvers.trust_region_newton import TrustRegionNewton

DEFAULT_MAX_STEPS = 5000
# With constraints and more params than this no matrix is built.
_DENSE_LIMIT = 1000
# A method that has seen the Hessian needs no second opinion, and one with a set of its own would be
# judged without it.
_SURE = (TrustRegionNewton, ProjectedGradient)


def minimize(
    fn: Callable[..., Any],
    x0: Any,
    args: tuple = (),
    *,
    solver: Solver | None = None,
    bounds: tuple[Any, Any] | None = None,
    equality: Callable[..., Any] | None = None,
    inequality: Callable[..., Any] | None = None,
    in_axes: Any = None,
    max_steps: int = DEFAULT_MAX_STEPS,
    has_aux: bool = False,
    trace: int = 0,
    keep_state: bool = False,
    state: Any = None,
    multipliers: Multipliers | None = None,
    batch_size: int | None = None,
    key: Array | None = None,
    batches: Iterable[tuple] | None = None,
) -> Solution:
    """Minimise fn(x, *args) from `x0`.

    fn: `fn(x, *args)` returns a real number; (value, aux) if `has_aux`.
    x0: pytree of real or complex arrays (a list of numbers is one array); the result has its
    structure, and the wider of its dtype and that of what `fn` returns.
    bounds: (lower, upper), each a pytree like `x` or a number for all; ±inf, None or a
    key that is left out for none. In a batch a bound with an axis more than one problem's `x` holds
    one value for each problem.
    in_axes: as in `jax.vmap` over `(x0, *args)`; None is one problem. A batch is worked off by
    lanes that are refilled, on all cores of a CPU; each problem ends with its own status.
    equality, inequality: functions of the same arguments whose values are to be zero, or not
    negative. Where they and `fn` are sure to be linear, no `solver` is given and nothing is asked
    of single steps, it is solved as by `quadratic_program`, from any start.
    max_steps: evaluations of `fn` and its derivatives for each problem.
    trace: number of steps to record in `Solution.trace`.
    keep_state: return `Solution.state`; given as `state` to a later call with the same problems, it
    goes on from there.
    batch_size, key: each step sees that many rows of every array of `args` (numbers are passed as
    they are), drawn by the key as if all rows were shuffled for each pass, and spread over devices
    as the array is. batches: instead of `args`, an iterator of them, used up to its end or
    `max_steps`.

    With either, the solver is a `GradientDescent` with a step size, a schedule or an optax
    transformation. Such a run normally ends with MAX_STEPS, since one batch says neither that all
    is done nor that nothing moves; `value` and `optimality` are the last batch's, at `params`: call
    `fn` on all data for more, once, if they fit. There are no derivatives of such a result.

    Works under `jit`, `vmap` and, by the implicit function theorem, `grad` and `jvp` with respect
    to `args` and whatever `fn` closes over. Raises ValueError for a complex value, bounds that
    cross or shapes that do not fit, and for batches that cannot be drawn; never because a problem
    has no solution.
    """
    check_settings(solver, max_steps)
    constrained = equality is not None or inequality is not None
    if constrained and (batch_size is not None or batches is not None):
        raise ValueError("training on batches takes no constraints: leave out one of the two")
    stepwise = keep_state or trace > 0 or state is not None or multipliers is not None
    if isinstance(solver, PrimalDualMethod | AugmentedLagrangian) or (
        constrained and solver is None
    ):
        return solve_constrained(
            Together(fn, equality, inequality, has_aux),
            partial(_sized, solver, stepwise),
            x0,
            args,
            bounds=bounds,
            in_axes=in_axes,
            max_steps=max_steps,
            options=Options(keep_state, trace),
            state=state,
            multipliers=multipliers,
        )
    if constrained:
        raise ValueError(
            f"{type(solver).__name__} takes no constraints: use InteriorPoint, LagrangeNewton or "
            "AugmentedLagrangian"
        )
    solver = TrustRegionNewton() if solver is None else solver
    entry = partial(
        Entry,
        fn,
        ObjectiveProblem,
        True,
        has_aux=has_aux,
        found=_aux if has_aux else None,
        confirm=_second_opinion(solver),
        options=Options(keep_state, trace),
    )
    if batch_size is not None or batches is not None:
        check_training(solver, args, in_axes, has_aux, batch_size, batches)
        x0, args = automatic((x0, args))
    if batches is not None:
        rounds = Options(True, STACKED if trace else 0)
        entry = partial(entry, confirm=None, options=rounds, draw=StackedBatches())

        def some(stack: tuple, state: Any, steps: int) -> Solution:
            return solve_all(entry, solver, x0, stack, bounds, None, steps, state)[0]

        solution = over_batches(some, batches, max_steps, state)
        recorded = solution.trace[:trace] if trace else None
        return solution._replace(trace=recorded, state=solution.state if keep_state else None)
    if batch_size is not None:
        draw, args, in_axes = keyed_rows(args, in_axes, batch_size, key)
        entry = partial(entry, confirm=None, draw=draw)
    solution, aux = solve_all(entry, solver, x0, args, bounds, in_axes, max_steps, state)
    return solution._replace(aux=aux)


def _second_opinion(solver: Solver) -> Any:
    """Of what a solver calls a minimum; one for functions with kinks is contradicted by values."""
    if isinstance(solver, _SURE):
        return None
    return is_lowest if isinstance(solver, NelderMead) else is_minimum


def _sized(solver: Any, stepwise: bool, sizes: Sizes, linear: bool) -> Solver:
    """The solver for constrained problems of these sizes, chosen by them if it is None.

    stepwise: something is asked of single steps or given for the first.
    """
    if solver is None:
        walls = sizes.inequalities or sizes.bounded
        solver = InteriorPoint() if walls else LagrangeNewton()
        if linear and not stepwise:
            solver = PredictorCorrector()
        if sizes.variables > _DENSE_LIMIT:
            solver = AugmentedLagrangian()
    if isinstance(solver, AugmentedLagrangian) and solver.solver is None:
        solver = dataclasses.replace(solver, solver=LBFGS())
    return dataclasses.replace(solver, sizes=sizes)


def _aux(problem: Any, out: Any, params: Array) -> Any:
    del problem, params
    return out[1]
