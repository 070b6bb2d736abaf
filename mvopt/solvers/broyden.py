"""Broyden's good method: Newton's with a Jacobian that is learned from the steps.

C. G. Broyden (1965), A class of methods for solving nonlinear simultaneous equations, Mathematics
of Computation 19, 577-593. The inverse H is kept; with s the step and y the change of f along it

    H ← H + (s − H y) sᵀH / (sᵀH y)        (Sherman and Morrison)

Up to a few hundred unknowns H starts from the Jacobian itself, which is evaluated again where the
method is stuck and where it is about to end: what it calls converged, the Jacobian has confirmed.
Above, H is a multiple of the identity and a few pairs of vectors (Kelley 1995, Iterative Methods
for Linear and Nonlinear Equations, section 7.3), and a product with the Jacobian confirms.
"""

from dataclasses import dataclass, field
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from mvopt import _tree
from mvopt._types import Array, Status
from mvopt.families.equations import (
    RootProblem,
    half_square,
    holds,
    inverse_of,
    largest_entry,
    moved,
    norm,
    residual_and_jacobian,
    share_of_terms,
    size_from,
    unit_of,
)
from mvopt.families.stopping import AUTO, tolerance
from mvopt.linalg.products import dot

# Above this many unknowns no matrix is kept: an update of 500² entries costs as much as most f.
_DENSE_LIMIT = 500
_SHRINK = 0.25
# Rejections in a row after which the Jacobian is evaluated, and with a fresh one all is lost.
_RENEW, _GIVE_UP = 2, 12


class LowRank(NamedTuple):
    """H = α I + Σ_k left_k right_kᵀ."""

    alpha: Array  # ()
    left: Array  # (memory, n)
    right: Array  # (memory, n); zero where there is none yet
    used: Array  # () int32, rows


class BroydenState(NamedTuple):
    """The best point; the present one, the inverse there and the trial."""

    params: Array  # (n,), where the sum of squares is least, or the root
    residual: Array  # (n,), f there; infinite before the first evaluation
    point: Array  # (n,)
    here: Array  # (n,), f there; infinite before the first evaluation
    unit: Array  # (n,), of each equation, set at the start
    inverse: Any  # (n, n), or `LowRank`
    scale: Array  # (n,), what f is measured by
    trial: Array  # (n,)
    rejections: Array  # () int32, in a row
    fraction: Array  # (), of the step that the trial takes
    renew: Array  # () bool: the Jacobian is wanted at the trial
    exact: Array  # () bool: the inverse is that of the Jacobian at the params
    share: Array  # (), of its own terms that f is there
    status: Array  # () int32

    @property
    def value(self) -> Array:
        """Half the sum of squares of f, ()."""
        return half_square(self.residual)

    @property
    def optimality(self) -> Array:
        """Largest |f_i|, (); NaN before the first evaluation."""
        return largest_entry(self.residual)


class Evaluation(NamedTuple):
    """f at the trial, and if it was wanted the Jacobian."""

    residual: Array  # (n,)
    inverse: Any  # of the Jacobian
    scale: Array  # (n,), largest |J_ij x_j| of each equation
    size: Array  # (n,), |f_i| + Σ_j |J_ij x_j|
    share: Array  # (), of its own terms that f is; infinite if not wanted


@_tree.node
@dataclass(frozen=True)
class Broyden:
    """A quasi-Newton method: for functions that are cheap beside their Jacobian.

    xtol: converged when f is below xtol times the terms J_ij x_j that it is a sum of; NaN: 8 eps.
    memory: pairs of vectors kept above 500 unknowns; then the method starts anew.

    A step that does not reduce the residual is cut to a quarter. STALLED where steps from a fresh
    Jacobian do not reduce it either. Raises ValueError for a memory below 1.
    """

    xtol: float | Array = AUTO
    memory: int = field(default=20, metadata={"static": True})

    def __post_init__(self):
        """ValueError for a memory below 1."""
        if self.memory < 1:
            raise ValueError(f"memory={self.memory} must be at least 1")

    def blank(self, params: Array) -> BroydenState:
        """A state of this shape."""
        n, zero, no = len(params), jnp.zeros((), params.dtype), jnp.zeros((), bool)
        count = jnp.zeros((), jnp.int32)
        rows = jnp.zeros((self.memory, n), params.dtype)
        inverse = (
            jnp.zeros((n, n), params.dtype)
            if n <= _DENSE_LIMIT
            else LowRank(zero, rows, rows, count)
        )
        return BroydenState(
            *(params, params, params, params, params, inverse, params, params),
            *(count, zero, no, no, zero, count),
        )

    def init(self, problem: RootProblem, params: Array, state: BroydenState) -> BroydenState:
        """State at the start; the infinite residual marks the first step."""
        params, infinite = problem.clip(params), jnp.full_like(params, jnp.inf)
        return state._replace(
            params=params,
            residual=infinite,
            point=params,
            here=infinite,
            trial=params,
            rejections=jnp.zeros_like(state.rejections),
            fraction=jnp.ones_like(state.fraction),
            renew=jnp.ones_like(state.renew),
            share=jnp.full_like(state.share, jnp.inf),
        )

    def evaluate(self, problem: RootProblem, state: BroydenState) -> Evaluation:
        """f at the trial, with the Jacobian if the state asks for it."""
        residual, reach = problem.residual(state.trial), jnp.abs(state.trial)
        unknown = jnp.full((), jnp.inf, reach.dtype)
        nothing = jax.tree.map(jnp.zeros_like, state.inverse)
        blank = Evaluation(residual, nothing, reach, reach, unknown)

        def dense() -> Evaluation:
            _, jacobian = residual_and_jacobian(problem, state.trial)
            terms = jnp.abs(jacobian) * reach
            sizes = jnp.sum(terms, axis=1)
            share = jnp.max(jnp.where(residual == 0, 0.0, jnp.abs(residual) / sizes))
            share = jnp.where(jnp.all(jacobian == 0), jnp.inf, share)
            size = jnp.abs(residual) + sizes
            return Evaluation(residual, inverse_of(jacobian), jnp.max(terms, axis=1), size, share)

        def limited() -> Evaluation:
            _, image = jax.jvp(problem.residual, (state.trial,), (residual,))
            square = jnp.sum(image * image)
            alpha = jnp.sum(residual * image) / jnp.where(square > 0, square, 1.0)
            _, slope = jax.jvp(problem.residual, (state.trial,), (jnp.ones_like(reach),))
            share = share_of_terms(problem, state.trial, residual, reach)
            size = jnp.full_like(reach, size_from(norm(residual), share))
            share = jnp.where(jnp.all(slope == 0), jnp.inf, share)
            fresh = blank.inverse._replace(alpha=alpha)
            return Evaluation(residual, fresh, jnp.zeros_like(reach), size, share)

        wanted = dense if isinstance(state.inverse, Array) else limited
        return lax.cond(state.renew, wanted, lambda: blank)

    def step(
        self, problem: RootProblem, state: BroydenState, evaluation: Evaluation
    ) -> BroydenState:
        """Learn from the trial, accept or reject it, choose the next one."""
        residual, renewed = evaluation.residual, state.renew
        first = jnp.isinf(state.here[0])
        finite = jnp.isfinite(residual).all()
        unit = jnp.where(first, unit_of(evaluation.size), state.unit)
        scale = jnp.where(renewed, evaluation.scale, state.scale)
        level, old_level = _level(residual, scale), _level(state.here, scale)
        accept = finite & (first | renewed | (level < old_level))

        s, y = state.trial - state.point, residual - state.here
        learned = _updated(state.inverse, s, jnp.where(finite & ~renewed, y, 0.0))
        inverse = _tree.where(renewed, evaluation.inverse, learned)
        point = jnp.where(accept, state.trial, state.point)
        here = jnp.where(accept, residual, state.here)
        step = -_apply(inverse, here)
        rejections = jnp.where(accept, 0, state.rejections + 1)
        fraction = jnp.where(accept, 1.0, _SHRINK * state.fraction)

        share = jnp.where(renewed, evaluation.share, jnp.where(accept, jnp.inf, state.share))
        eps = jnp.finfo(level.dtype).eps
        short = (jnp.abs(step) <= 4 * eps * jnp.abs(point)).all()
        exact = renewed | (state.exact & ~accept)
        usable = jnp.isfinite(step).all()
        renew = ~exact & (short | (rejections >= _RENEW) | ~usable | (here == 0).all())
        trial = point + fraction * jnp.where(fraction == 1, moved(point, step), step)
        trial = problem.clip(jnp.where(renew, point, trial))
        small = jnp.where(holds(here, unit), share, jnp.inf)
        status = self._status(state, here, share, small, exact, rejections, finite, usable)
        best = first | (status == Status.CONVERGED) | (norm(here) < norm(state.residual))
        return BroydenState(
            params=jnp.where(best, point, state.params),
            residual=jnp.where(best, here, state.residual),
            point=point,
            here=here,
            unit=unit,
            inverse=inverse,
            scale=scale,
            trial=trial,
            rejections=rejections,
            fraction=jnp.where(renew, 1.0, fraction),
            renew=renew,
            exact=exact,
            share=share,
            status=status,
        )

    def _status(self, state, residual, share, small, exact, rejections, finite, usable) -> Array:
        eps = jnp.finfo(residual.dtype).eps
        xtol = tolerance(self.xtol, 8 * eps, residual.dtype)
        first = jnp.isinf(state.here[0])
        stuck = exact & ((rejections >= _GIVE_UP) | ~usable)
        # At the first point there is no step yet that confirms it: near a pole f looks alike.
        confirmed = (small <= xtol) & exact & (~first | (rejections > 0))
        # Where the Jacobian is zero too, f may have underflowed as exp(x) does.
        zero = (residual == 0).all() & exact
        stuck = stuck | (zero & jnp.isinf(share) & ~first)
        good = (
            (zero & (first | jnp.isfinite(share))) | confirmed | (stuck & (small <= eps ** (2 / 3)))
        )
        status = jnp.where(stuck, Status.STALLED, Status.RUNNING)
        status = jnp.where(good, Status.CONVERGED, status)
        return jnp.where(first & ~finite, Status.NONFINITE, status).astype(jnp.int32)

    def status(self, problem: RootProblem, state: BroydenState) -> Array:
        """`Status` as int32 ()."""
        del problem
        return state.status

    def optimality(self, problem: RootProblem, params: Array) -> Array:
        """The function itself, (n,)."""
        return problem.optimality(params)


def _level(residual: Array, scale: Array) -> Array:
    return jnp.sqrt(jnp.sum((residual / jnp.where(scale > 0, scale, 1.0)) ** 2))


def _apply(inverse: Any, vector: Array) -> Array:
    """H v."""
    if isinstance(inverse, LowRank):
        return inverse.alpha * vector + dot(dot(inverse.right, vector), inverse.left)
    return dot(inverse, vector)


def _updated(inverse: Any, s: Array, y: Array) -> Any:
    """H after a step s that changed f by y; unchanged where that tells nothing."""
    image = _apply(inverse, y)
    if isinstance(inverse, LowRank):
        row = inverse.alpha * s + dot(dot(inverse.left, s), inverse.right)
    else:
        row = dot(s, inverse)
    along = jnp.sum(row * y)
    eps = jnp.finfo(s.dtype).eps
    useful = jnp.abs(along) > eps * jnp.sqrt(jnp.sum(s * s) * jnp.sum(image * image))
    column = jnp.where(useful, (s - image) / jnp.where(useful, along, 1.0), 0.0)
    if not isinstance(inverse, LowRank):
        return inverse + column[:, None] * row[None, :]
    memory = inverse.left.shape[0]
    # A full memory is dropped: the pairs are worth only as much as those before them.
    full = inverse.used >= memory
    here = (jnp.arange(memory) == inverse.used)[:, None] & useful & ~full
    return LowRank(
        alpha=inverse.alpha,
        left=jnp.where(full, 0.0, jnp.where(here, column, inverse.left)),
        right=jnp.where(full, 0.0, jnp.where(here, row, inverse.right)),
        used=jnp.where(full, 0, inverse.used + useful),
    )
