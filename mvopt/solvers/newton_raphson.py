"""Newton–Raphson for one equation and for systems, globalised by damping and by escapes.

The step solves J d = −f. It is taken whole whenever that reduces the residual, measured for each
equation in the scale of its own step, Σ_j |J_ij d_j|, so that neither the units of an equation nor
a shift of the variables matter (compare the natural level functions of Deuflhard 2011, Newton
Methods for Nonlinear Problems, section 3.3). Otherwise it is shortened. Where shortening leads to
a stationary point of the residual that is no root, the whole step is taken all the same, as the
undamped method would, a few times; then the problem is stalled.

Neither that nor a scale that changes from step to step lets the residual grow without bound: in the
units that the equations have at the start, ‖f‖ never exceeds a fixed multiple of what it was there,
as in the non-monotone rule of Li and Fukushima (2000, Optimization Methods and Software 13,
181-201). The result is the root, or else the point with the least sum of squares.

Toward a root at which J is singular the steps shrink by a constant ratio r. After a few of those
the limit is extrapolated by d / (1 − r), which is the step of Schröder (1870) for a root of
multiplicity 1 / (1 − r).
"""

from dataclasses import dataclass, field
from typing import Any, NamedTuple

import jax.numpy as jnp

from mvopt import _tree
from mvopt._types import Array, Status
from mvopt.families.equations import (
    Correction,
    RootProblem,
    dense_correction,
    half_square,
    holds,
    krylov_correction,
    largest_entry,
    magnitudes,
    moved,
    norm,
    residual_and_jacobian,
    unit_of,
    vanished,
)
from mvopt.families.scalar_newton import scalar_blank, scalar_init, scalar_step, value_and_slope
from mvopt.families.stopping import AUTO, tolerance

# A full Newton step must reduce the residual by this share of what it promises (Armijo's rule).
_SUFFICIENT = 1e-4
# Steps shorter than this share of Newton's mean that the residual is stationary.
_SHORTEST = 1e-6
# Above this many unknowns J is not built: its factorisation takes 2n³/3 operations a step.
_DENSE_LIMIT = 2000
# Steps that shrink by one ratio before their limit is extrapolated.
_LINEAR_STEPS = 3
# Rejected trials that show the rounding of f.
_BLOCKED = 4
# By how much ‖f‖ may exceed what it was at the start. Of 132 starts of published and other systems
# 81 lead to a root with 1e3 and 80 with this; of 40,000 starts beside a place where two curves
# nearly meet, from which only a leap leads away, 96.3 % and 99.3 %.
_GROWTH = 1e9


class NewtonState(NamedTuple):
    """The best point, and the present one with the ways from it and the trial on one of them."""

    params: Array  # (n,), where the sum of squares is least, or the root
    residual: Array  # (n,), f there; infinite before the first evaluation
    point: Array  # (n,)
    here: Array  # (n,), f there; infinite before the first evaluation
    unit: Array  # (n,), of each equation, set at the start
    ceiling: Array  # (), ‖f / unit‖ of no later point exceeds this
    step: Array  # (n,), Newton's, whole
    descent: Array  # (n,), along the gradient of ‖f / scale‖
    lengths: Array  # (n,), units for lengths of steps
    scale: Array  # (n,), what f is measured by
    trial: Array  # (n,)
    typical: Array  # (n,), magnitudes that the params had lately
    fraction: Array  # (), of Newton's step, the length that the trial is away
    offset: Array  # (), share of f's own terms that f is; infinite where the step does not solve
    jumping: Array  # () bool: the trial is taken whatever it brings
    blocked: Array  # () int32, trials rejected where f is nearly at its rounding
    escapes: Array  # () int32
    linear: Array  # () int32, steps in a row that shrank by a constant ratio
    status: Array  # () int32

    @property
    def value(self) -> Array:
        """Half the sum of squares of f, ()."""
        return half_square(self.residual)

    @property
    def optimality(self) -> Array:
        """Largest |f_i|, (); NaN before the first evaluation."""
        return largest_entry(self.residual)


@_tree.node
@dataclass(frozen=True)
class NewtonRaphson:
    """The default of `root`.

    xtol: converged when f is below xtol times the terms J_ij x_j that it is a sum of (for one
    equation: when Newton's step is below xtol·|x|) at two points in a row, or where no step reduces
    it; NaN: 4 eps.
    max_escapes: whole steps taken away from stationary points of the residual that are no roots.
    linear_solver: "dense" builds J, "gmres" and "cg" (J symmetric and positive definite) need
    products with it alone; "auto" is "dense" up to 2,000 unknowns, else "gmres".

    Source: Deuflhard (2011), Newton Methods for Nonlinear Problems; the forcing terms of the Krylov
    methods are choice 2 of Eisenstat and Walker (1996), SIAM J. Sci. Comput. 17, 16-32.
    """

    xtol: float | Array = AUTO
    max_escapes: int | Array = 8
    linear_solver: str = field(default="auto", metadata={"static": True})

    def __post_init__(self):
        """ValueError for a linear solver that does not exist."""
        if self.linear_solver not in ("auto", "dense", "gmres", "cg"):
            raise ValueError(
                f"linear_solver={self.linear_solver!r} is not known: "
                'use "auto", "dense", "gmres" or "cg"'
            )

    def blank(self, params: Array) -> Any:
        """A state of this shape."""
        if params.shape[0] == 1:
            return scalar_blank(params)
        zero, no = jnp.zeros((), params.dtype), jnp.zeros((), bool)
        count = jnp.zeros((), jnp.int32)
        return NewtonState(
            *(params, params, params, params, params, zero),
            *(params, params, params, params, params, params),
            *(zero, zero, no, count, count, count, count),
        )

    def init(self, problem: RootProblem, params: Array, state: Any) -> Any:
        """State at the start, clipped into the bounds; the infinite residual marks the first."""
        if params.shape[0] == 1:
            return scalar_init(problem, params, state)
        params = problem.clip(params)
        none, infinite = jnp.zeros_like(state.escapes), jnp.full_like(params, jnp.inf)
        return state._replace(
            params=params,
            residual=infinite,
            point=params,
            here=infinite,
            unit=infinite,
            trial=params,
            typical=jnp.abs(params),
            fraction=jnp.ones_like(state.fraction),
            jumping=jnp.zeros_like(state.jumping),
            blocked=none,
            escapes=none,
            linear=none,
        )

    def evaluate(self, problem: RootProblem, state: Any) -> Any:
        """f and J at the trial; for a Krylov method f and Newton's step."""
        if state.params.shape[0] == 1:
            return value_and_slope(problem, state.trial)
        if self._method(state.params) == "dense":
            return residual_and_jacobian(problem, state.trial)
        return self._inexact(problem, state)

    def step(self, problem: RootProblem, state: Any, evaluation: Any) -> Any:
        """Accept or reject the trial, choose the next one."""
        xtol = tolerance(self.xtol, 4 * jnp.finfo(state.params.dtype).eps, state.params.dtype)
        if state.params.shape[0] == 1:
            return scalar_step(problem, state, evaluation, xtol, self.max_escapes)
        if self._method(state.params) == "dense":
            residual, jacobian = evaluation
            evaluation = dense_correction(
                state.trial, residual, jacobian, _reach(state), state.unit
            )
        return _system_step(problem, state, evaluation, xtol, self.max_escapes)

    def status(self, problem: RootProblem, state: Any) -> Array:
        """`Status` as int32 ()."""
        del problem
        return state.status

    def optimality(self, problem: RootProblem, params: Array) -> Array:
        """The function itself, (n,)."""
        return problem.optimality(params)

    def _method(self, params: Array) -> str:
        automatic = "dense" if params.shape[0] <= _DENSE_LIMIT else "gmres"
        return automatic if self.linear_solver == "auto" else self.linear_solver

    def _inexact(self, problem: RootProblem, state: NewtonState) -> Correction:
        """Newton's step as exactly as the progress so far deserves."""
        first = jnp.isinf(state.here[0])
        ratio = norm(problem.residual(state.trial)) / norm(state.here)
        forcing = jnp.where(first, 0.1, jnp.clip(0.9 * ratio**2, 1e-6, 0.1))
        return krylov_correction(
            problem, state.trial, _reach(state), forcing, self._method(state.params)
        )


def _reach(state: NewtonState) -> Array:
    """Magnitudes of the params, (n,): a zero has none of its own, only that on the way to it."""
    return jnp.maximum(jnp.abs(state.trial), 0.5 * state.typical)


def _system_step(
    problem: RootProblem,
    state: NewtonState,
    new: Correction,
    xtol: Array,
    max_escapes: Array | int,
) -> NewtonState:
    eps = jnp.finfo(xtol.dtype).eps
    first = jnp.isinf(state.here[0])
    unit = jnp.where(first, unit_of(new.size), state.unit)
    height = _level(new.residual, unit)
    ceiling = jnp.where(first, _GROWTH * height, state.ceiling)
    old_level, level = _level(state.here, state.scale), _level(new.residual, state.scale)
    better = level < (1 - _SUFFICIENT * state.fraction) * old_level
    accept = new.finite & (first | ((state.jumping | better) & (height <= ceiling)))
    point = jnp.where(accept, state.trial, state.point)
    linear, factor = _multiplicity(state, new.step, accept & ~first)
    fresh = (new.residual, factor * new.step, new.descent, new.lengths, new.scale)
    kept = (state.here, state.step, state.descent, state.lengths, state.scale)
    here, step, descent, lengths, scale = _tree.where(accept, fresh, kept)
    fraction = jnp.where(
        accept,
        _next_fraction(state, step, lengths, first | state.jumping),
        state.fraction * _shortening(level / old_level, state.fraction),
    )
    straight = state.escapes % 2 == 1
    way = jnp.where(straight, fraction * step, _dogleg(step, descent, lengths, fraction))
    trial = problem.clip(point + jnp.where(fraction == 1, moved(point, step), way))

    stuck = (fraction < jnp.where(straight, 1e-3, _SHORTEST)) | (trial == point).all()
    whole = problem.clip(point + step)
    escape = stuck & (state.escapes < max_escapes) & ~state.jumping & (whole != point).any()
    low = holds(new.residual, unit)
    offset = jnp.where(accept, jnp.where(low & new.solved, new.offset, jnp.inf), state.offset)
    small = accept & low & (new.offset <= xtol) & ~first
    exhausted = ~accept & new.finite & (state.fraction == 1) & (state.offset <= xtol)
    good = (here == 0).all() | (small & (state.offset <= 4 * xtol)) | exhausted
    nearly = offset <= eps ** (2 / 3)
    blocked = jnp.where(nearly, state.blocked + ~accept, 0)
    good = good | (nearly & (stuck | (blocked >= _BLOCKED)))
    shrinking = jnp.max(jnp.abs(point)) <= 0.96 * jnp.max(jnp.abs(state.point))
    former = jnp.max(jnp.abs(state.here))
    lost = vanished(here, new.vanishing, former, shrinking, state.linear > 0)
    status = jnp.where(good, Status.CONVERGED, Status.RUNNING)
    status = jnp.where((stuck & ~escape & ~good) | lost, Status.STALLED, status)
    status = jnp.where(first & ~accept, Status.NONFINITE, status)
    best = good | first | (norm(here) < norm(state.residual))
    return NewtonState(
        params=jnp.where(best, point, state.params),
        residual=jnp.where(best, here, state.residual),
        point=point,
        here=here,
        unit=unit,
        ceiling=ceiling,
        step=step,
        descent=descent,
        lengths=lengths,
        scale=scale,
        trial=jnp.where(escape, whole, trial),
        typical=jnp.where(accept, magnitudes(state.typical, point), state.typical),
        fraction=jnp.where(escape, 1.0, fraction),
        offset=offset,
        jumping=escape | (state.jumping & ~accept),
        blocked=blocked,
        escapes=state.escapes + escape,
        linear=linear,
        status=status.astype(jnp.int32),
    )


def _next_fraction(state: NewtonState, step: Array, lengths: Array, anew: Array) -> Array:
    """The whole step after a whole step; after a shorter one as far as twice its length."""
    went = jnp.sqrt(jnp.sum((lengths * (state.trial - state.point)) ** 2))
    length = jnp.sqrt(jnp.sum((lengths * step) ** 2))
    longer = 2 * went / jnp.where(length > 0, length, 1.0)
    return jnp.where(anew | (state.fraction == 1) | (longer > 1), 1.0, longer)


def _dogleg(step: Array, descent: Array, lengths: Array, fraction: Array) -> Array:
    """The point at `fraction` of the step's length on the way by the foot of the descent.

    Powell (1970), A hybrid method for nonlinear equations, with the lengths of the columns of J as
    units: near a singular J, Newton's direction alone leads nowhere.
    """
    a, b = lengths * descent, lengths * (step - descent)
    radius = fraction * jnp.sqrt(jnp.sum((lengths * step) ** 2))
    foot = jnp.sqrt(jnp.sum(a * a))
    aa, ab, bb = jnp.sum(b * b), jnp.sum(a * b), (foot - radius) * (foot + radius)
    root = jnp.sqrt(jnp.maximum(ab * ab - aa * bb, 0.0))
    # The root of aa·s² + 2ab·s + bb that does not cancel.
    share = jnp.where(ab > 0, -bb / (ab + root), (root - ab) / jnp.where(aa > 0, aa, 1.0))
    beyond = descent + jnp.clip(share, 0.0, 1.0) * (step - descent)
    return jnp.where(radius <= foot, radius / jnp.where(foot > 0, foot, 1.0) * descent, beyond)


def _level(residual: Array, scale: Array) -> Array:
    """Size of f in the scale of a step's terms; an equation that the step does not touch is out."""
    return jnp.sqrt(jnp.sum(jnp.where(scale > 0, residual / scale, 0.0) ** 2))


def _multiplicity(state: NewtonState, step: Array, accept: Array) -> tuple[Array, Array]:
    """Whole steps in a row that shrank by a constant ratio r; 1 / (1 − r) after a few, else 1."""
    size = jnp.maximum(state.typical, jnp.abs(state.point))
    unit = jnp.where(size > 0, 1 / size, 0.0)
    old, new = state.step * unit, step * unit
    product, square = jnp.sum(old * new), jnp.sum(old * old)
    ratio = product / square
    parallel = product**2 >= 0.9 * square * jnp.sum(new * new)
    constant = accept & (state.fraction == 1) & parallel & (ratio > 0.4) & (ratio < 0.95)
    linear = jnp.where(constant, state.linear + 1, 0)
    extrapolate = linear > _LINEAR_STEPS
    return jnp.where(extrapolate, 1, linear), jnp.where(extrapolate, 1 / (1 - ratio), 1.0)


def _shortening(growth: Array, fraction: Array) -> Array:
    """Share of the step at which the parabola through the levels has its minimum, in [0.1, 0.5]."""
    growth = jnp.where(jnp.isfinite(growth), growth, jnp.inf)
    best = fraction / (growth**2 - 1 + 2 * fraction)
    return jnp.clip(jnp.where(best > 0, best, 0.5), 0.1, 0.5)
