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
    """How each of N problems ended."""

    params: Array  # (N, n)
    value: Array  # (N,)
    optimality: Array  # (N,)
    status: Array  # (N,) int32
    num_steps: Array  # (N,) int32


class _Lanes(NamedTuple):
    problem: Array  # (lanes,) int32, which problem; the queue's length when idle
    rows: Any  # the problems' own data, (lanes, ...)
    state: Any  # the solver's state, (..., lanes)
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
    that number times `lanes`. There may be more lanes than problems.
    """
    size = starts.shape[0]
    count = jnp.asarray(size if count is None else count, jnp.int32)

    def begin(row, params, state):
        return solver.init(problem_of(row), params, state)

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
        index = jnp.minimum(problem, size - 1)
        # Gathering every lane's row again costs less than choosing between old and new ones.
        rows = _tree.take(data, index)
        params = jnp.moveaxis(starts[index], 0, -1)
        state = over_lanes(begin)(_tree.to_lanes(rows), params, lane.state)
        fresh = (state, jnp.zeros_like(problem))
        return _Lanes(problem, rows, *_tree.where(free, fresh, (lane.state, lane.num_steps)))

    def body(carry):
        lane, evaluation, taken, results, iterations = carry
        rows = _tree.to_lanes(lane.rows)
        state, now = over_lanes(advance)(rows, lane.state, evaluation, lane.num_steps)
        lane = lane._replace(state=state, num_steps=now.num_steps)
        idle = lane.problem >= count
        free = (now.status != Status.RUNNING) | idle

        def store_and_refill():
            where = jnp.where(free & ~idle, lane.problem, size)
            stored = _tree.put_lanes(results, where, _packed(now))
            return refill(lane, free, taken), taken + jnp.sum(free, dtype=jnp.int32), stored

        lane, taken, results = lax.cond(
            (free & ((taken < count) | ~idle)).any(),
            store_and_refill,
            lambda: (lane, taken, results),
        )
        evaluation = over_lanes(evaluate)(_tree.to_lanes(lane.rows), lane.state)
        return lane, evaluation, taken, results, iterations + 1

    # All lanes are idle at first: the first round of the loop loads them.
    one = jax.eval_shape(solver.blank, starts[0])
    seen = jax.eval_shape(evaluate, jax.eval_shape(lambda rows: _tree.take(rows, 0), data), one)
    state, evaluation = _blank(one, lanes), _blank(seen, lanes)
    idle = jnp.full(lanes, size, jnp.int32)
    rows = _tree.take(data, jnp.zeros(lanes, jnp.int32))
    unknown = jnp.full(size, jnp.nan, starts.dtype)
    nothing = jnp.zeros(size, jnp.int32)
    results = jax.vmap(_packed)(Outcome(starts, unknown, unknown, nothing, nothing))
    carry = lax.while_loop(
        lambda carry: (carry[2] < count) | (carry[0].problem < count).any(),
        body,
        (
            _Lanes(idle, rows, state, jnp.zeros_like(idle)),
            evaluation,
            jnp.int32(0),
            results,
            jnp.int32(0),
        ),
    )
    return jax.vmap(_unpacked)(carry[3]), carry[4] - 1


def _packed(outcome: Outcome) -> tuple[Array, Array]:
    """One array of reals and one of integers: a scatter each, instead of one for every field."""
    reals = jnp.concatenate([outcome.params, outcome.value[None], outcome.optimality[None]])
    return reals, jnp.stack([outcome.status, outcome.num_steps])


def _unpacked(rows: tuple[Array, Array]) -> Outcome:
    reals, (status, num_steps) = rows
    return Outcome(reals[:-2], reals[-2], reals[-1], status, num_steps)


def _blank(shapes: Any, lanes: int) -> Any:
    return jax.tree.map(lambda leaf: jnp.zeros((*leaf.shape, lanes), leaf.dtype), shapes)
