"""What methods share that hold the root of one equation between two points."""

from dataclasses import dataclass
from typing import NamedTuple

import jax.numpy as jnp

from mvopt._types import Array, Status
from mvopt.families.equations import RootProblem
from mvopt.families.stopping import AUTO, tolerance

# On one side of a pole or a jump |f| does not fall below this share of what it was at the ends.
_FALLEN = 0.1


class BracketState(NamedTuple):
    """The newest point x₁, the end x₂ beyond the root, and x₃, which the newest one replaced.

    f is NaN at x₂ before the first evaluation and at x₁ before the second.
    """

    x1: Array  # (1,)
    f1: Array  # ()
    x2: Array  # (1,)
    f2: Array  # ()
    x3: Array  # (1,)
    f3: Array  # ()
    trial: Array  # (1,)
    level: Array  # (), the larger |f| at the ends
    status: Array  # () int32

    @property
    def params(self) -> Array:
        """The end with the smaller |f|, (1,)."""
        return jnp.where(_first_is_better(self), self.x1, self.x2)

    @property
    def residual(self) -> Array:
        """f there, ()."""
        return jnp.where(_first_is_better(self), self.f1, self.f2)

    @property
    def value(self) -> Array:
        """Half the square of f, ()."""
        return 0.5 * self.residual * self.residual

    @property
    def optimality(self) -> Array:
        """|f|, ()."""
        return jnp.abs(self.residual)


def _first_is_better(state: BracketState) -> Array:
    return (jnp.abs(state.f1) < jnp.abs(state.f2)) | jnp.isnan(state.f2)


@dataclass(frozen=True)
class BracketingMethod:
    """For a number x, of shape () or (1,), between finite bounds at which f has opposite signs.

    xtol, atol: converged when the bracket is shorter than xtol·|x| + atol, or f is zero; NaN: 4 eps
    and eps² times the larger bound in absolute value.

    The first two evaluations are those at the bounds; the start is not used. BAD_INPUT where f has
    one sign at both of them or a bound is infinite, STALLED where the sign changes at a pole or a
    jump, NONFINITE where f is NaN on the way. Raises ValueError without bounds or for several
    unknowns.
    """

    xtol: float | Array = AUTO
    atol: float | Array = AUTO

    def share(self, state: BracketState, tol: Array) -> Array:
        """Where to evaluate next: at x₁ + share·(x₂ − x₁), (); tol: the length to end at."""
        raise NotImplementedError

    def blank(self, params: Array) -> BracketState:
        """A state of this dtype."""
        zero, count = jnp.zeros((), params.dtype), jnp.zeros((), jnp.int32)
        return BracketState(params, zero, params, zero, params, zero, params, zero, count)

    def init(self, problem: RootProblem, params: Array, state: BracketState) -> BracketState:
        """The bracket, its ends not evaluated yet."""
        if params.shape != (1,):
            raise ValueError(
                f"{type(self).__name__} solves one equation in one unknown, but x has "
                f"{params.size} entries: use NewtonRaphson"
            )
        if problem.bounds is None:
            raise ValueError(f"{type(self).__name__} needs bounds=(lower, upper) around the root")
        lower, upper = problem.bounds
        unknown = jnp.full_like(state.f1, jnp.nan)
        return state._replace(
            x1=upper, f1=unknown, x2=lower, f2=unknown, x3=lower, f3=unknown, trial=lower
        )

    def evaluate(self, problem: RootProblem, state: BracketState) -> Array:
        """f at the trial, ()."""
        return problem.residual(state.trial)[0]

    def step(self, problem: RootProblem, state: BracketState, evaluation: Array) -> BracketState:
        """Chandrupatla (1997), figure 1: narrow the bracket, then choose the next point."""
        f, x = evaluation, state.trial
        lower, upper = problem.bounds or (x, x)
        first, second = jnp.isnan(state.f2), jnp.isnan(state.f1) & ~jnp.isnan(state.f2)
        same = (jnp.sign(f) == jnp.sign(state.f1)) & ~first & ~second
        moved = ~same & ~first & ~second
        new = BracketState(
            x1=jnp.where(first, upper, x),
            f1=jnp.where(first, jnp.nan, f),
            x2=jnp.where(first, x, jnp.where(moved, state.x1, state.x2)),
            f2=jnp.where(first, f, jnp.where(moved, state.f1, state.f2)),
            x3=jnp.where(same, state.x1, state.x2),
            f3=jnp.where(same, state.f1, state.f2),
            trial=state.trial,
            level=jnp.where(
                first | second, jnp.maximum(state.level * second, jnp.abs(f)), state.level
            ),
            status=state.status,
        )
        eps = jnp.finfo(x.dtype).eps
        atol = tolerance(
            self.atol, eps**2 * jnp.maximum(jnp.abs(lower), jnp.abs(upper))[0], x.dtype
        )
        tol = tolerance(self.xtol, 4 * eps, x.dtype) * jnp.abs(new.params[0]) + atol
        share = jnp.where(second, 0.5, self.share(new, tol))
        middle = new.x1 + share * (new.x2 - new.x1)
        ended = jnp.isfinite(lower).all() & jnp.isfinite(upper).all()
        return new._replace(
            trial=jnp.where(first, upper, middle),
            status=_status(new, f, tol, first, second, ended).astype(jnp.int32),
        )

    def status(self, problem: RootProblem, state: BracketState) -> Array:
        """`Status` as int32 ()."""
        del problem
        return state.status

    def optimality(self, problem: RootProblem, params: Array) -> Array:
        """The function itself, (1,)."""
        return problem.optimality(params)


def _status(
    new: BracketState, f: Array, tol: Array, first: Array, second: Array, finite: Array
) -> Array:
    best, worst = jnp.abs(new.residual), jnp.maximum(jnp.abs(new.f1), jnp.abs(new.f2))
    closed = ~first & (jnp.abs(new.x2 - new.x1)[0] < tol)
    status = jnp.where(worst <= _FALLEN * new.level, Status.CONVERGED, Status.STALLED)
    status = jnp.where(closed, status, Status.RUNNING)
    status = jnp.where(~first & (best == 0), Status.CONVERGED, status)
    alike = second & (jnp.sign(new.f1) == jnp.sign(new.f2)) & (best != 0)
    status = jnp.where(jnp.isnan(f), Status.NONFINITE, status)
    return jnp.where(alike | ~finite, Status.BAD_INPUT, status)
