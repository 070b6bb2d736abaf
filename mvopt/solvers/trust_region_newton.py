"""Newton's method within a trust region, with the exact Hessian.

At each point the step minimises the quadratic model g·δ + ½ δᵀH δ within ‖D δ‖ ≤ Δ, whether H is
positive definite or not (Moré and Sorensen 1983; Conn, Gould and Toint 2000, chapter 7). D balances
the Hessian, so that the iterates hardly depend on the units of the parameters; Δ follows the ratio
of the actual to the predicted decrease. `newton_models.py` holds the two ways to the step: from
all eigenvalues of H, or, for many parameters, by conjugate gradients from products with H.
"""

from dataclasses import dataclass, field
from typing import Any, NamedTuple

import jax.numpy as jnp

from mvopt import _tree
from mvopt._types import Array, Status
from mvopt.families import stopping
from mvopt.families.newton_models import DENSE_LIMIT, DenseModel, Move, ProductModel
from mvopt.families.objective import ObjectiveProblem
from mvopt.iteration import box

# Trials in a row that may fail to bring the gradient down where the value no longer tells.
_BLIND_TRIALS = 3


class NewtonState(NamedTuple):
    """Model at the best point, the trial after it, and the region that the trial is from."""

    model: Any  # DenseModel or ProductModel
    trial: Array  # (n,)
    predicted: Array  # (), decrease that the model promises at the trial
    length: Array  # (), ‖D δ‖ of the step to the trial
    radius: Array  # (), Δ
    binding: Array  # () bool: the region shortened that step
    largest: Array  # (), largest |value| so far
    recent: Array  # (), |value| of late: halved with each step, but never below that at the point
    rejections: Array  # () int32, trials rejected in a row
    status: Array  # () int32

    @property
    def params(self) -> Array:
        """Best point so far, (n,)."""
        return self.model.params

    @property
    def value(self) -> Array:
        """Objective there, ()."""
        return self.model.value

    @property
    def optimality(self) -> Array:
        """Largest entry of the projected gradient there, (); NaN before the first evaluation."""
        return stopping.largest_slope(self.value, self.model.gradient, self.model.free)


@_tree.node
@dataclass(frozen=True)
class TrustRegionNewton:
    """The default of `minimize` up to a few hundred parameters.

    ftol: converged when the decrease that a Newton step still promises is below ftol·|value|;
    NaN: 10 eps. A value that tends to zero counts as converged when that decrease is below
    eps^1.5 of the values of late, or below eps² times the smaller of one and the largest value. One
    more step is then taken, for the params: they are known only to √ftol when the value is to ftol.
    radius: first Δ as a multiple of ‖D x‖ at the start.
    hessian: "dense" builds the Hessian (n, n), "products" only multiplies by it; "auto": dense up
    to 200 parameters.
    """

    ftol: float | Array = stopping.AUTO
    radius: float | Array = 1.0
    hessian: str = field(default="auto", metadata={"static": True})

    def __post_init__(self) -> None:
        if self.hessian not in ("auto", "dense", "products"):
            raise ValueError(
                f'hessian={self.hessian!r} is not known: use "auto", "dense" or "products"'
            )

    def _model(self, n: int) -> type[DenseModel] | type[ProductModel]:
        dense = n <= DENSE_LIMIT if self.hessian == "auto" else self.hessian == "dense"
        return DenseModel if dense else ProductModel

    def blank(self, params: Array) -> NewtonState:
        """A state of this shape."""
        zero, no = jnp.zeros((), params.dtype), jnp.zeros((), bool)
        count = jnp.zeros((), jnp.int32)
        return NewtonState(
            model=self._model(params.size).blank(params),
            trial=params,
            predicted=zero,
            length=zero,
            radius=zero,
            binding=no,
            largest=zero,
            recent=zero,
            rejections=count,
            status=count,
        )

    def init(self, problem: ObjectiveProblem, params: Array, state: NewtonState) -> NewtonState:
        """State at the start, clipped into the bounds; the infinite value marks the first step."""
        params = box.clip(problem.bounds, params)
        state = self.blank(params)
        infinite = jnp.full_like(state.model.value, jnp.inf)
        model = state.model._replace(params=params, value=infinite)
        return state._replace(model=model, predicted=infinite)

    def evaluate(self, problem: ObjectiveProblem, state: NewtonState) -> Any:
        """Value, gradient and, in the dense form, Hessian at the trial."""
        return self._model(state.trial.size).evaluate(problem, state.trial)

    def step(self, problem: ObjectiveProblem, state: NewtonState, evaluation: Any) -> NewtonState:
        """Accept or reject the trial, adapt the region, choose the next trial."""
        eps = jnp.finfo(state.trial.dtype).eps
        old, first, promised = state.model, jnp.isinf(state.model.value), state.predicted
        new = old.moved_to(problem, state.trial, evaluation)
        # Below this a decrease is lost in the rounding of the value; then the step is judged
        # by whether it brings the gradient down.
        blind = ~first & (jnp.abs(state.predicted) <= 16 * eps * jnp.abs(old.value))
        level = new.value <= old.value + 32 * eps * jnp.abs(old.value)
        calmer = new.slope_norm() < old.slope_norm()
        ratio = (old.value - new.value) / state.predicted
        ratio = jnp.where(state.predicted > 0, ratio, -1.0)
        good = jnp.where(blind, level & calmer, ratio > 1e-4)
        accept = new.finite() & (first | good)
        model = _tree.where(accept, new, old)
        rejections = jnp.where(accept, 0, state.rejections + 1)
        ratio = jnp.where(accept, jnp.where(blind, 0.5, ratio), -1.0)

        radius = jnp.where(first, self._first_radius(model), self._radius(state, ratio))
        move = model.move(problem, radius)
        trial = box.clip(problem.bounds, model.params + move.step)
        largest, recent = stopping.sizes_with(state.largest, state.recent, model.value)
        state = NewtonState(
            model=model,
            trial=trial,
            predicted=move.predicted,
            length=move.length,
            radius=radius,
            binding=move.binding,
            largest=jnp.where(accept, largest, state.largest),
            recent=jnp.where(accept, recent, state.recent),
            rejections=rejections,
            status=state.status,
        )
        blocked = blind & (rejections >= _BLIND_TRIALS)
        undefined = first & ~accept
        return state._replace(status=self._status(state, move, undefined, blocked, promised))

    def _first_radius(self, model: Any) -> Array:
        length = model.length(model.params)
        fallback = model.slope_norm()
        length = jnp.where(length > 0, length, jnp.where(fallback > 0, fallback, 1.0))
        return self.radius * length

    def _radius(self, state: NewtonState, ratio: Array) -> Array:
        """Half the step after a poor one, a quarter after two; twice the step after a good one."""
        shorter = jnp.where(state.rejections > 0, 0.25, 0.5) * state.length
        longer = jnp.maximum(state.radius, 2 * state.length)
        kept = jnp.where((ratio > 0.75) & state.binding, longer, state.radius)
        return jnp.where(ratio >= 0.25, kept, shorter)

    def _status(
        self, state: NewtonState, move: Move, undefined: Array, blocked: Array, promised: Array
    ) -> Array:
        """`promised`: the decrease that was expected of the trial before the present one."""
        eps = jnp.finfo(state.trial.dtype).eps
        ftol = stopping.tolerance(self.ftol, 10 * eps, state.trial.dtype)
        params, value, largest = state.params, state.value, state.largest
        least = stopping.negligible(ftol, value, largest, state.recent)
        converged = move.convex & (move.decrement <= least) & (promised <= least)
        least = stopping.nearly_negligible(value, largest)
        # A value that is small as a difference of large terms is rounded as they are.
        least = jnp.maximum(least, 16 * eps * state.model.terms())
        nearly = move.nearly_convex & (move.decrement <= least)
        # A trial that is NaN moves nothing either.
        unmoved = ~jnp.any(jnp.abs(state.trial - params) > eps * jnp.abs(params))
        sure = stopping.immaterial(move.hidden, value, largest)
        # Rounding hides more than the little that the model promises: it could creep on for ever.
        creeping = ~sure & (move.decrement <= 1e3 * eps * jnp.abs(value))
        # So near zero that a step fails for rounding alone, whatever the model promises.
        vanished = (state.rejections > 0) & (jnp.abs(value) <= stopping.rounding_of_zero(largest))
        vanished = vanished & nearly
        stopped = blocked | unmoved | creeping | vanished
        done = move.flat | (sure & (converged | (stopped & nearly)))
        status = jnp.where(stopped, Status.STALLED, Status.RUNNING)
        status = jnp.where(done, Status.CONVERGED, status)
        status = jnp.where(stopping.bottomless(state.value), Status.UNBOUNDED, status)
        return jnp.where(undefined, Status.NONFINITE, status).astype(jnp.int32)

    def status(self, problem: ObjectiveProblem, state: NewtonState) -> Array:
        """`Status` as int32 ()."""
        del problem
        return state.status

    def optimality(self, problem: ObjectiveProblem, params: Array) -> Array:
        """Projected gradient, (n,)."""
        return problem.optimality(params)
