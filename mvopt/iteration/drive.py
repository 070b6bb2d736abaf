"""The loop over lanes: a queue of problems worked off by a fixed number of lanes.

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
from mvopt.iteration import flags
from mvopt.iteration.method import Method, Outcome
from mvopt.iteration.protocol import Solver


class _Lanes(NamedTuple):
    problem: Array  # (lanes,) int32, which problem; the queue's length when idle
    rows: Any  # the problems' own data, (lanes, ...)
    state: Any  # the solver's state, (..., lanes)
    num_steps: Array  # (lanes,) int32


class _Carry(NamedTuple):
    lane: _Lanes
    taken: Array  # () int32, problems handed out so far
    results: Any  # rows of what is finished
    trace: Array | None
    iterations: Array  # () int32


class Options(NamedTuple):
    """What a caller may ask of the loop; hashable."""

    keep_state: bool = False  # return the last states, from which a later call can go on
    trace: int = 0  # number of steps of each problem to record


def drive(
    solver: Solver,
    problem_of: Callable[[Any], Any],
    starts: Array,
    data: Any,
    *,
    max_steps: Array | int,
    lanes: int,
    count: Array | int | None = None,
    states: Any = None,
    options: Options = Options(),  # noqa: B008 (immutable)
) -> tuple[Outcome, Array]:
    """Solve the first `count` of N problems.

    starts: (N, n); data: a pytree with a leading axis N; `problem_of` builds one problem from
    one row of it. states: the states, (N, ...), at which an earlier call left the same problems,
    to go on from there. Returns the outcomes and the number of loop iterations, (): the work done
    is that number times `lanes`. There may be more lanes than problems.
    """
    size = starts.shape[0]
    count = jnp.asarray(size if count is None else count, jnp.int32)
    queue = (data, starts, states)
    method = Method(solver, problem_of, max_steps)
    trace = None
    if options.trace:
        trace = jnp.full((size, options.trace, starts.shape[1] + 1), jnp.nan, starts.dtype)
    if size == lanes == 1:
        return _drive_one(method, queue, trace, options)

    def refill(lane: _Lanes, free: Array, taken: Array) -> tuple[_Lanes, Array]:
        rank, number = flags.ranks(free)
        order = taken + rank
        problem = jnp.where(free, jnp.where(order < count, order, size), lane.problem)
        # Gathering every lane's row again costs less than choosing between old and new ones.
        rows = _tree.take(queue, jnp.minimum(problem, size - 1))
        fresh = (method.begin(rows, lane.state), jnp.zeros_like(problem))
        kept = _tree.where(free, fresh, (lane.state, lane.num_steps))
        return _Lanes(problem, rows, *kept), taken + number

    def body(carry: _Carry) -> _Carry:
        lane, taken, results, trace, iterations = carry
        state, now = method.advance(lane.rows, lane.state, lane.num_steps)
        lane = lane._replace(state=state, num_steps=now.num_steps)
        if trace is not None:
            trace = _recorded(trace, lane.problem, now)
        idle = lane.problem >= count
        free = (now.status != Status.RUNNING) | idle

        def store_and_refill():
            where = jnp.where(free & ~idle, lane.problem, size)
            stored = _tree.put_lanes(results, where, _packed(now, options.keep_state, state))
            return *refill(lane, free, taken), stored

        lane, taken, results = lax.cond(
            flags.any_set(free & ((taken < count) | ~idle)),
            store_and_refill,
            lambda: (lane, taken, results),
        )
        return _Carry(lane, taken, results, trace, iterations + 1)

    def unfinished(carry: _Carry) -> Array:
        return (carry.taken < count) | flags.any_set(carry.lane.problem < count)

    # All lanes are idle at first: the first round of the loop loads them.
    blank = method.blank(starts[0])
    idle = jnp.full(lanes, size, jnp.int32)
    rows = _tree.take(queue, jnp.zeros(lanes, jnp.int32))
    lane = _Lanes(idle, rows, _spread(blank, lanes), jnp.zeros_like(idle))
    results = _no_results(starts, blank if options.keep_state else None)
    none = jnp.int32(0)
    last = lax.while_loop(unfinished, body, _Carry(lane, none, results, trace, none))
    outcome = jax.vmap(_unpacked)(last.results)
    return outcome._replace(trace=last.trace), last.iterations - 1


def _drive_one(
    method: Method, queue: Any, trace: Array | None, options: Options
) -> tuple[Outcome, Array]:
    """A single problem: nothing to refill, and a state that may be large is not copied."""
    blank = _spread(method.blank(queue[1][0]), 1)

    def body(carry: Any) -> Any:
        state, now, trace = carry
        state, now = method.advance(queue, state, now.num_steps)
        if trace is not None:
            trace = _recorded(trace, jnp.zeros(1, jnp.int32), now)
        return state, now, trace

    none, unknown = jnp.zeros(1, jnp.int32), jnp.full(1, jnp.nan, queue[1].dtype)
    now = Outcome(_tree.to_lanes(queue[1]), unknown, unknown, none, none)
    running = lambda carry: carry[1].status[0] == Status.RUNNING
    state, now, trace = lax.while_loop(running, body, (method.begin(queue, blank), now, trace))
    rows = jax.tree.map(lambda leaf: jnp.moveaxis(leaf, -1, 0), (now, state))
    return rows[0]._replace(
        state=rows[1] if options.keep_state else None, trace=trace
    ), now.num_steps[0]


def _recorded(trace: Array, problem: Array, now: Outcome) -> Array:
    """The trace with one more step of every lane; what is beyond its end is dropped."""
    point = jnp.concatenate([now.params, now.value[None]]).T
    return trace.at[problem, now.num_steps - 1].set(point, mode="drop")


def _no_results(starts: Array, state: Any) -> Any:
    size = starts.shape[0]
    unknown = jnp.full(size, jnp.nan, starts.dtype)
    nothing = jnp.zeros(size, jnp.int32)
    states = jax.tree.map(lambda leaf: jnp.zeros((size, *leaf.shape), leaf.dtype), state)
    outcome = Outcome(starts, unknown, unknown, nothing, nothing)
    return jax.vmap(lambda outcome, states: _packed(outcome, state is not None, states))(
        outcome, states
    )


def _packed(outcome: Outcome, keep_state: bool, state: Any) -> Any:
    """One array of reals and one of integers: a scatter each, instead of one for every field."""
    reals = jnp.concatenate([outcome.params, outcome.value[None], outcome.optimality[None]])
    integers = jnp.stack([outcome.status, outcome.num_steps])
    return reals, integers, state if keep_state else None


def _unpacked(rows: Any) -> Outcome:
    reals, (status, num_steps), state = rows
    return Outcome(reals[:-2], reals[-2], reals[-1], status, num_steps, state)


def _spread(shapes: Any, lanes: int) -> Any:
    return jax.tree.map(lambda leaf: jnp.zeros((*leaf.shape, lanes), leaf.dtype), shapes)
