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

import jax
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
    size = starts.shape[0]
    lanes = min(lanes, size)
    count = jnp.asarray(size if count is None else count, jnp.int32)

    def begin(row, params):
        return solver.init(problem_of(row), params)

    def evaluate(row, state):
        return solver.evaluate(problem_of(row), state.trial)

    def advance(row, state, evaluation, num_steps):
        problem = problem_of(row)
        state = solver.step(problem, state, evaluation)
        status, num_steps = solver.status(problem, state), num_steps + 1
        out_of_budget = (status == Status.RUNNING) & (num_steps >= max_steps)
        status = jnp.where(out_of_budget, Status.MAX_STEPS, status)
        return state, Outcome(state.params, state.value, state.optimality, status, num_steps)

    def refill(lane: _Lanes, free: Array, taken: Array) -> _Lanes:
        order = taken + jnp.cumsum(free, dtype=jnp.int32) - 1
        problem = jnp.where(free, jnp.where(order < count, order, size), lane.problem)
        row, params = _tree.take_lanes((data, starts), jnp.minimum(problem, size - 1))
        fresh = _Lanes(problem, row, over_lanes(begin)(row, params), jnp.zeros_like(problem))
        return _tree.where(free, fresh, lane)

    def body(carry):
        lane, evaluation, taken, outcome, iterations = carry
        state, now = over_lanes(advance)(lane.data, lane.state, evaluation, lane.num_steps)
        lane = lane._replace(state=state, num_steps=now.num_steps)
        idle = lane.problem >= count
        free = (now.status != Status.RUNNING) | idle

        def store_and_refill():
            stored = _tree.put_lanes(outcome, jnp.where(free & ~idle, lane.problem, size), now)
            return refill(lane, free, taken), taken + jnp.sum(free, dtype=jnp.int32), stored

        lane, taken, outcome = lax.cond(
            (free & ((taken < count) | ~idle)).any(),
            store_and_refill,
            lambda: (lane, taken, outcome),
        )
        return lane, over_lanes(evaluate)(lane.data, lane.state), taken, outcome, iterations + 1

    # All lanes are idle at first: the first round of the loop loads them.
    row = jax.tree.map(lambda leaf: jnp.zeros((*leaf.shape[1:], lanes), leaf.dtype), data)
    params = jnp.zeros((starts.shape[1], lanes), starts.dtype)
    state = _blank(jax.eval_shape(over_lanes(begin), row, params))
    evaluation = _blank(jax.eval_shape(over_lanes(evaluate), row, state))
    idle = jnp.full(lanes, size, jnp.int32)
    nothing = jnp.zeros(size, jnp.int32)
    unknown = jnp.full(size, jnp.nan, starts.dtype)
    carry = lax.while_loop(
        lambda carry: (carry[2] < count) | (carry[0].problem < count).any(),
        body,
        (
            _Lanes(idle, row, state, jnp.zeros_like(idle)),
            evaluation,
            jnp.int32(0),
            Outcome(starts, unknown, unknown, nothing, nothing),
            jnp.int32(0),
        ),
    )
    return carry[3], carry[4] - 1


def _blank(shapes: Any) -> Any:
    return jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), shapes)
