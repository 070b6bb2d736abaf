"""The iteration that all Gauss–Newton methods share: a model trusted within a region.

At each point a step is chosen from the model ½‖r + J δ‖² within ‖D δ‖ ≤ Δ. D holds the largest norm
that each column of J has had so far (Moré 1978), which makes the iterates independent of the
units of the parameters. The radius Δ follows the ratio of the actual to the predicted decrease. The
methods differ in how they choose the step.
"""

from dataclasses import dataclass
from typing import NamedTuple

import jax.numpy as jnp

from mvopt import _tree
from mvopt._types import Array, Status
from mvopt.families import stopping
from mvopt.families.damped import normal_solve
from mvopt.families.linearization import (
    Evaluation,
    LeastSquaresProblem,
    Linearization,
    linearize,
    predicted_reduction,
    unevaluated,
)
from mvopt.iteration import box
from mvopt.linalg.products import dot

# Trials in a row that may fail to bring the gradient down where the cost no longer tells.
_BLIND_TRIALS = 3


class TrustRegionState(NamedTuple):
    """Model at the best point, the trial after it, and the region that the trial is from."""

    model: Linearization
    trial: Array  # (n,)
    predicted: Array  # (), decrease that the model promises at the trial
    length: Array  # (), ‖D δ‖ of the step to the trial
    radius: Array  # (), Δ
    damping: Array  # (), λ of that step, zero inside the region
    binding: Array  # () bool: the region shortened that step
    scale: Array  # (n,), D
    reach: Array  # (), ‖r‖ + Σ ‖J_j x_j‖ at the start
    rejections: Array  # () int32, trials rejected in a row
    status: Array  # () int32

    @property
    def params(self) -> Array:
        """Best point so far, (n,)."""
        return self.model.params

    @property
    def value(self) -> Array:
        """Cost there, ()."""
        return self.model.cost

    @property
    def optimality(self) -> Array:
        """Largest entry of the projected gradient there, (); NaN before the first evaluation."""
        return stopping.largest_slope(self.value, self.model.gradient, self.model.free)


@dataclass(frozen=True)
class TrustRegionMethod:
    """A Gauss–Newton method; the methods that derive from it say how to choose a step.

    gtol: converged when the part of the residual that a step could still remove, ‖P r‖, is below
    gtol·‖r‖ (the relative offset of Bates and Watts 1981); NaN: 10 eps^(2/3).
    xtol: …or below xtol times the sum of ‖J_j x_j‖, where a step is lost in the rounding of the
    params; NaN: eps.
    radius: first Δ as a multiple of ‖D x‖ at the start.
    """

    gtol: float | Array = stopping.AUTO
    xtol: float | Array = stopping.AUTO
    radius: float | Array = 1.0

    def subproblem(
        self, model: Linearization, scale: Array, radius: Array, damping: Array
    ) -> tuple[Array, Array, Array]:
        """Scaled step u (n,) with ‖scale·u‖ ≤ radius, its λ (0 if it has none), whether Δ bound it.

        scale: D relative to the norms of the columns. damping: the λ of the step before.
        """
        raise NotImplementedError

    def blank(self, params: Array) -> TrustRegionState:
        """A state of this shape."""
        zero, no = jnp.zeros((), params.dtype), jnp.zeros((), bool)
        count = jnp.zeros((), jnp.int32)
        return TrustRegionState(
            model=unevaluated(params),
            trial=params,
            predicted=zero,
            length=zero,
            radius=zero,
            damping=zero,
            binding=no,
            scale=params,
            reach=zero,
            rejections=count,
            status=count,
        )

    def init(
        self, problem: LeastSquaresProblem, params: Array, state: TrustRegionState
    ) -> TrustRegionState:
        """State at the start, clipped into the bounds; the infinite cost marks the first step."""
        params = problem.clip(params)
        infinite = jnp.full_like(state.model.cost, jnp.inf)
        return state._replace(
            model=state.model._replace(params=params, cost=infinite),
            trial=params,
            damping=jnp.zeros_like(state.damping),
            scale=jnp.zeros_like(state.scale),
            rejections=jnp.zeros_like(state.rejections),
        )

    def evaluate(self, problem: LeastSquaresProblem, state: TrustRegionState) -> Evaluation:
        """The problem at the trial."""
        return problem.evaluate(state.trial)

    def step(
        self,
        problem: LeastSquaresProblem,
        state: TrustRegionState,
        evaluation: Evaluation,
    ) -> TrustRegionState:
        """Accept or reject the trial, adapt the region, choose the next trial."""
        eps = jnp.finfo(state.trial.dtype).eps
        old = state.model
        first = jnp.isinf(old.cost)
        # Below this a decrease is lost in the rounding of the cost, or of the residuals in it; then
        # the step is judged by whether it brings the gradient down.
        lost = eps * (16 * old.cost + old.size() * old.norm())
        blind = ~first & (jnp.abs(state.predicted) <= lost)
        threshold = jnp.where(blind, old.cost + 2 * lost, old.cost)
        new = linearize(problem, state.trial, evaluation, threshold)
        doubted, caution = _doubted(state, new)
        credible = new.finite & ~doubted.any()
        accept = credible & (new.cost < threshold) & (~blind | (new.projection < old.projection))
        model = _tree.where(accept, new, old)
        rejections = jnp.where(accept, 0, state.rejections + 1)

        scale = jnp.maximum(state.scale, jnp.where(accept, model.lengths, caution))
        reach = jnp.where(first, model.norm() + model.size(), state.reach)
        # Neither a rejected trial nor one without a promised decrease lets the region be.
        ratio = jnp.where(blind, 0.5, (old.cost - new.cost) / state.predicted)
        ratio = jnp.where(accept & (state.predicted > 0), ratio, 0.0)
        radius = jnp.where(first, self._first_radius(model, scale), self._radius(state, ratio))
        relative = scale / model.lengths
        # A penalty holds its square. Beyond this the region leaves a parameter no room to speak of.
        limit = jnp.finfo(scale.dtype).max ** 0.25
        vanished, relative = relative > limit, jnp.minimum(relative, limit)
        step, damping, binding = self.subproblem(model, relative, radius, state.damping)
        step = jnp.where(vanished, 0.0, step)
        step = _bounded_step(problem, model, step, damping * relative**2, relative, radius)
        trial = problem.clip(model.params + step / model.lengths)
        return TrustRegionState(
            model=model,
            trial=trial,
            predicted=predicted_reduction(model, step),
            length=jnp.sqrt(jnp.sum((relative * step) ** 2)),
            radius=radius,
            damping=damping,
            binding=binding,
            scale=scale,
            reach=reach,
            rejections=rejections,
            status=self._status(
                model, reach, trial, first & ~accept, blind & (rejections >= _BLIND_TRIALS)
            ),
        )

    def _first_radius(self, model: Linearization, scale: Array) -> Array:
        length = jnp.sqrt(jnp.sum((scale * model.params) ** 2))
        return self.radius * jnp.where(length > 0, length, model.norm())

    def _radius(self, state: TrustRegionState, ratio: Array) -> Array:
        """Half the step after a poor one, a quarter after two; twice Δ after a good one."""
        shorter = jnp.where(state.rejections > 0, 0.25, 0.5) * state.length
        longer = jnp.where((ratio > 0.75) & state.binding, 2.0, 1.0) * state.radius
        return jnp.where(ratio >= 0.25, longer, shorter)

    def _status(
        self, model: Linearization, reach: Array, trial: Array, undefined: Array, blocked: Array
    ) -> Array:
        eps = jnp.finfo(trial.dtype).eps
        gtol = stopping.tolerance(self.gtol, 10 * eps ** (2 / 3), trial.dtype)
        xtol = stopping.tolerance(self.xtol, eps, trial.dtype)
        # A parameter so large that its rounding moves the model has no say in what is small.
        offset, size = model.offset(), jnp.minimum(model.size(), reach / eps**0.5)
        converged = offset <= jnp.maximum(gtol * model.norm(), xtol * size)
        # What a step could still gain, ½‖P r‖², is lost in the rounding of the cost.
        nearly = offset <= jnp.maximum(8 * eps**0.5 * model.norm(), 4 * xtol * size)
        # A trial that is NaN moves nothing either.
        unmoved = ~jnp.any(jnp.abs(trial - model.params) > eps * jnp.abs(model.params))
        # …or every column is orthogonal to r: where J is singular, P r is r itself.
        orthogonal = jnp.max(jnp.abs(model.slope())) <= 8 * eps**0.5 * model.norm()
        nearly = nearly | orthogonal
        stopped = blocked | unmoved
        done = converged | (stopped & nearly)
        good = jnp.where(model.rank_deficient, Status.SINGULAR, Status.CONVERGED)
        status = jnp.where(done, good, jnp.where(stopped, Status.STALLED, Status.RUNNING))
        return jnp.where(undefined, Status.NONFINITE, status).astype(jnp.int32)

    def status(self, problem: LeastSquaresProblem, state: TrustRegionState) -> Array:
        """`Status` as int32 ()."""
        del problem
        return state.status

    def optimality(self, problem: LeastSquaresProblem, params: Array) -> Array:
        """Projected gradient of the cost, (n,)."""
        return problem.optimality(params)


def _doubted(state: TrustRegionState, new: Linearization) -> tuple[Array, Array]:
    """Where a column said nothing of the way to the trial, (n,) bool, and what D has to be, (n,).

    A column that is rounding alone, or that belongs to a plateau, promises that the parameter may
    go anywhere. At the trial the truth comes out: the column is longer by orders of magnitude, or
    the function is not finite, and then those are to blame of which the residual saw nothing. D
    becomes what it is there, but lets the parameter change by itself where all change by theirs.
    """
    old, size = state.model, jnp.abs(state.model.params)
    steep = float(jnp.finfo(size.dtype).eps) ** -0.75
    unseen = (size > 0) & (old.columns * size <= jnp.finfo(size.dtype).eps * state.reach)
    doubted = jnp.where(new.finite, new.columns > steep * state.scale, unseen)
    doubted = doubted & jnp.isfinite(old.cost)
    most = jnp.minimum(steep * state.scale, jnp.sqrt(jnp.sum((state.scale * size) ** 2)) / size)
    there = jnp.where(new.finite, jnp.minimum(new.columns, most), most)
    return doubted, jnp.where(doubted, there, 0.0)


def _bounded_step(
    problem: LeastSquaresProblem,
    model: Linearization,
    step: Array,
    penalty: Array,
    scale: Array,
    radius: Array,
) -> Array:
    """A scaled step kept inside the box: what hits a bound stays there, the rest is solved again.

    Two rounds; what still crosses a bound after them is clipped. Without a hit the step stays.
    """
    if problem.bounds is None:
        return step
    inside, hit = box.cut(problem.bounds, model.params, model.lengths, step)
    gram, slope = model.gram(), model.slope()
    for _ in range(2):
        held = hit | ~model.free
        pull = slope + dot(gram, jnp.where(held, inside, 0.0))
        moving = ~(held[:, None] | held[None, :])
        matrix, pull = jnp.where(moving, gram, 0.0), jnp.where(held, 0.0, pull)
        solved, _ = normal_solve(matrix, pull, ~held, penalty, jnp.ones_like(step))
        step = jnp.where(hit.any(), jnp.where(held, inside, solved), step)
        inside, new = box.cut(problem.bounds, model.params, model.lengths, step)
        hit = hit | new
    length = jnp.sqrt(jnp.sum((scale * inside) ** 2))
    return inside * jnp.minimum(1.0, radius / jnp.where(length > 0, length, 1.0))
