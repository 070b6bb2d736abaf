"""A solver with its problem: what happens to one problem in a round of the loop."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from mvopt import _tree
from mvopt._types import Array, Status
from mvopt.iteration.lanes import over_lanes
from mvopt.iteration.protocol import Solver


class Outcome(NamedTuple):
    """How each of N problems ended."""

    params: Array  # (N, n)
    value: Array  # (N,)
    optimality: Array  # (N,)
    status: Array  # (N,) int32
    num_steps: Array  # (N,) int32
    state: Any = None  # the solver's last state, (N, ...), if it was to be kept
    trace: Array | None = None  # (N, K, n + 1), params and value after each of the first K steps


class Method(NamedTuple):
    """A solver, the problem that a row of data makes, and the number of steps it may take."""

    solver: Solver
    problem_of: Callable[[Any], Any]
    max_steps: Array | int

    def blank(self, params: Array) -> Any:
        """Shapes of the state of one problem."""
        return jax.eval_shape(self.solver.blank, params)

    def begin_one(self, data: Any, params: Array, state: Any) -> Any:
        """The state of one problem at its start."""
        return self.solver.init(self.problem_of(data), params, state)

    def evaluate_one(self, data: Any, state: Any) -> Any:
        """What the step of one problem has to know of its functions."""
        return self.solver.evaluate(self.problem_of(data), state)

    def step_one(self, data: Any, state: Any, evaluation: Any, num_steps: Array) -> Any:
        """The state of one problem after a step, and how it stands."""
        problem = self.problem_of(data)
        state = self.solver.step(problem, state, evaluation)
        status, num_steps = self.solver.status(problem, state), num_steps + 1
        out_of_budget = (status == Status.RUNNING) & (num_steps >= self.max_steps)
        status = jnp.where(out_of_budget, Status.MAX_STEPS, status)
        return state, Outcome(state.params, state.value, state.optimality, status, num_steps)

    def begin(self, rows: Any, states: Any) -> Any:
        """States at the starts of the lanes, whose rows are of data, start and former state."""

        def one(row, state):
            data, params, former = row
            return self.begin_one(data, params, state) if former is None else former

        return over_lanes(one)(_tree.to_lanes(rows), states)

    def advance(self, rows: Any, states: Any, num_steps: Array) -> tuple[Any, Outcome]:
        """One evaluation and one step of every lane: the states, and how they stand."""
        data = _tree.to_lanes(rows[0])
        # Fused with what reads it, the function would be evaluated again for every reader.
        evaluation = lax.optimization_barrier(over_lanes(self.evaluate_one)(data, states))
        return over_lanes(self.step_one)(data, states, evaluation, num_steps)
