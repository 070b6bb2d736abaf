"""The only iteration loop: a queue of problems worked off by a fixed number of lanes.

Under `vmap` a `while_loop` runs until its slowest member ends. Here each lane carries one problem;
when it is done its result is stored and the lane takes the next problem of the queue, so that
no lane waits for another until the queue is empty.

    evaluate ──► step ──► store what is done, refill ──► evaluate ──► …

What happens in one lane never depends on another: results are the same in any order and for any
number of lanes.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax.numpy as jnp
from jax import lax

from mvopt import _tree
from mvopt._types import Array, Status
from mvopt.iteration.lanes import over_lanes
from mvopt.iteration.protocol import Solver


class Outcome(NamedTuple):
    """How each of N problems ended; `lane_steps` is the work done: lanes × loop iterations."""

    params: Array  # (N, n)
    value: Array  # (N,)
    optimality: Array  # (N,)
    status: Array  # (N,) int32
    num_steps: Array  # (N,) int32


class _Lanes(NamedTuple):
    problem: Array  # (lanes,) int32, which problem; the queue's length when idle
    data: Any  # the problems' own data
    state: Any  # the solver's state
    num_steps: Array  # (lanes,) int32


def drive(
    solver: Solver,
    problem_of: Callable[[Any], Any],
    starts: Array,
    data: Any,
    *,
    max_steps: Array | int,
    lanes: int,
    count: Array | int | None = None,
) -> tuple[Outcome, Array]:
    """Solve the first `count` of N problems.

    starts: (N, n); data: a pytree with a leading axis N; `problem_of` builds one problem from
    one row of it. Returns the outcomes and the number of loop iterations, (): the work done is
    that number times `lanes`.
    """
    size, _ = starts.shape
    lanes = min(lanes, size)
    count = jnp.asarray(size if count is None else count, jnp.int32)
    lane_numbers = jnp.arange(lanes, dtype=jnp.int32)

    def load(index: Array) -> tuple[Any, Any]:
        rows, params = _tree.take_lanes((data, starts), index)
        return rows, over_lanes(lambda row, x: solver.init(problem_of(row), x))(rows, params)

    def evaluate(row, state):
        return solver.evaluate(problem_of(row), state.trial)

    def advance(row, state, evaluation, num_steps):
        problem = problem_of(row)
        state = solver.step(problem, state, evaluation)
        status, num_steps = solver.status(problem, state), num_steps + 1
        out_of_budget = (status == Status.RUNNING) & (num_steps >= max_steps)
        status = jnp.where(out_of_budget, Status.MAX_STEPS, status)
        return state, Outcome(state.params, state.value, state.optimality, status, num_steps)

    def refill(lane: _Lanes, done: Array, taken: Array) -> tuple[_Lanes, Array]:
        order = taken + jnp.cumsum(done, dtype=jnp.int32) - 1
        problem = jnp.where(done, jnp.minimum(order, size), lane.problem)
        rows, fresh = load(jnp.minimum(problem, size - 1))
        kept = (lane.data, lane.state, lane.num_steps)
        row, state, num_steps = _tree.where(done, (rows, fresh, jnp.zeros_like(kept[2])), kept)
        return _Lanes(problem, row, state, num_steps), taken + jnp.sum(done, dtype=jnp.int32)

    def body(carry):
        lane, evaluation, taken, outcome, iterations = carry
        state, now = over_lanes(advance)(lane.data, lane.state, evaluation, lane.num_steps)
        lane = lane._replace(state=state, num_steps=now.num_steps)
        done = (now.status != Status.RUNNING) & (lane.problem < count)

        def store_and_refill():
            stored = _tree.put_lanes(outcome, jnp.where(done, lane.problem, size), now)
            if size == lanes:  # the queue is empty from the start
                emptied = lane._replace(problem=jnp.where(done, size, lane.problem))
                return emptied, taken, stored
            return *refill(lane, done, taken), stored

        lane, taken, outcome = lax.cond(
            done.any(), store_and_refill, lambda: (lane, taken, outcome)
        )
        evaluation = over_lanes(evaluate)(lane.data, lane.state)
        return lane, evaluation, taken, outcome, iterations + 1

    rows, states = load(lane_numbers)
    blank = Outcome(
        starts,
        jnp.full(size, jnp.nan, starts.dtype),
        jnp.full(size, jnp.nan, starts.dtype),
        jnp.zeros(size, jnp.int32),
        jnp.zeros(size, jnp.int32),
    )
    first = _Lanes(lane_numbers, rows, states, jnp.zeros(lanes, jnp.int32))
    carry = (first, over_lanes(evaluate)(rows, states), jnp.int32(lanes), blank, jnp.int32(0))
    carry = lax.while_loop(lambda c: (c[0].problem < count).any(), body, carry)
    return carry[3], carry[4]
