"""Gradient descent: with a line search, with a step size, or as an optax transformation says."""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from mvopt._types import Array
from mvopt.families import stopping
from mvopt.families.descent import DescentMethod, DescentState
from mvopt.families.objective import ObjectiveProblem
from mvopt.families.optax_descent import OptaxDescent, OptaxState

State = DescentState | OptaxState


@dataclass(frozen=True)
class SteepestDescent(DescentMethod):
    """Along the negative gradient, the first trial as long as the last curvature suggests.

    The length is the longer one of Barzilai and Borwein (1988), step·step / step·change.
    """

    def nothing_learnt(self, params: Array) -> Array:
        """The inverse curvature, ()."""
        return jnp.ones((), params.dtype)

    def learn(
        self, memory: Array, fresh: Array, step: Array, change: Array, gradient: Array
    ) -> Array:
        """The inverse curvature along the last step."""
        del memory, fresh, gradient
        return jnp.sum(step * step) / jnp.sum(step * change)

    def downhill(self, memory: Array, gradient: Array, free: Array) -> Array:
        """The negative gradient times the inverse curvature, (n,)."""
        return -memory * jnp.where(free, gradient, 0.0)


@jax.tree_util.register_pytree_node_class
@dataclass(frozen=True)
class GradientDescent:
    """Gradient descent, alone or through any optax transformation.

    optimizer: None: steepest descent with a line search (Barzilai and Borwein 1988), the choice
    where a step size is not known. A number: the step size, fixed. A function of the step's
    number: a schedule of it. An `optax.GradientTransformation`: its updates as they come. It
    sees the params in the user's structure, and is given `value`, `grad` and `value_fn` if it
    takes them, as `optax.lbfgs`, `optax.polyak_sgd` and `reduce_on_plateau` do; not supported are
    those that ask for more (`grad_fn`, `hessian`), and those with random keys in their state. Build
    it once: each new transformation is compiled anew, while another number is not.
    momentum: of a step size or schedule (Polyak 1964); nesterov: its look-ahead form.
    ftol: converged when the decrease still to come is below ftol·|value|, judged from the gradient
    and the longest inverse curvature seen on the last steps; NaN: 10 eps. A value that tends to
    zero counts as converged when that is below eps^1.5 of the values of late, or below eps² times
    the smaller of one and the largest value.

    A trial where the value or the gradient is not finite is taken back half way to the last point.
    With a step size or an optax transformation the result is the last point, not the lowest.
    Raises ValueError where `momentum` or `nesterov` has nothing to act on, TypeError for an
    optimizer of another kind.
    """

    optimizer: Any = None
    momentum: float | Array | None = None
    nesterov: bool = False
    ftol: float | Array = stopping.AUTO
    unravel: Callable[[Array], Any] | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if not (self.optimizer is None or self._fixed() or np.ndim(self.optimizer) == 0):
            raise TypeError(
                f"optimizer={self.optimizer!r}: give None, a step size, a schedule or an optax "
                "GradientTransformation"
            )
        takes_momentum = self.optimizer is not None and not self._transforms()
        if self.momentum is not None and not takes_momentum:
            raise ValueError("momentum needs a step size: GradientDescent(0.1, momentum=0.9)")
        if self.nesterov and self.momentum is None:
            raise ValueError("nesterov=True needs a momentum")

    def tree_flatten(self) -> tuple[tuple, tuple]:
        """Numbers are leaves, so that another value compiles nothing; what is callable is not."""
        fixed = self._fixed()
        leaves = (None if fixed else self.optimizer, self.momentum, self.ftol)
        return leaves, (self.optimizer if fixed else None, self.nesterov, self.unravel)

    @classmethod
    def tree_unflatten(cls, static: tuple, leaves: tuple) -> "GradientDescent":
        """The solver again, unchecked: leaves may be anything that JAX puts there."""
        solver = object.__new__(cls)
        optimizer, nesterov, unravel = static
        number, momentum, ftol = leaves
        values = (number if optimizer is None else optimizer, momentum, nesterov, ftol, unravel)
        for each, value in zip(dataclasses.fields(cls), values, strict=True):
            object.__setattr__(solver, each.name, value)
        return solver

    def over(self, unravel: Callable[[Array], Any], params: Array) -> "GradientDescent":
        """The same solver, for params of which `unravel` makes the user's pytree."""
        del params
        return dataclasses.replace(self, unravel=unravel)

    @property
    def takes_samples(self) -> bool:
        """Whether the objective may be another one at each step."""
        return self.optimizer is not None

    def _transforms(self) -> bool:
        return isinstance(self.optimizer, optax.GradientTransformation)

    def _fixed(self) -> bool:
        return self._transforms() or callable(self.optimizer)

    def _method(self) -> SteepestDescent | OptaxDescent:
        if self.optimizer is None:
            return SteepestDescent(self.ftol)
        transformation = self.optimizer
        if not self._transforms():
            transformation = optax.sgd(self.optimizer, self.momentum, self.nesterov)
        return OptaxDescent(transformation, self.unravel or (lambda params: params), self.ftol)

    def blank(self, params: Array) -> State:
        """A state of this shape."""
        return self._method().blank(params)

    def init(self, problem: ObjectiveProblem, params: Array, state: Any) -> State:
        """State at the start, clipped into the bounds."""
        return self._method().init(problem, params, state)

    def evaluate(self, problem: ObjectiveProblem, state: Any) -> tuple[Array, Array]:
        """Value () and gradient (n,) at the trial."""
        return self._method().evaluate(problem, state)

    def step(self, problem: ObjectiveProblem, state: Any, evaluation: Any) -> State:
        """Take or refuse the trial, choose the next."""
        return self._method().step(problem, state, evaluation)

    def status(self, problem: ObjectiveProblem, state: Any) -> Array:
        """`Status` as int32 ()."""
        return self._method().status(problem, state)

    def optimality(self, problem: ObjectiveProblem, params: Array) -> Array:
        """Projected gradient, (n,)."""
        return problem.optimality(params)
