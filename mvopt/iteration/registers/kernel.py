"""The iteration of a solver as one kernel, a problem for each thread."""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.experimental import pallas as pl
from jax.experimental.pallas import triton

from mvopt import _tree
from mvopt._types import Array, Status
from mvopt.iteration.method import Method, Outcome
from mvopt.iteration.registers.emit import emit, reachable
from mvopt.iteration.registers.entries import Rare, Scope, deep, indices
from mvopt.iteration.registers.graph import Entry, Graph, Index, Node, Unsupported

# Threads that go round until the last of them has ended: one warp.
_LANES = 32
# Beyond this a problem has no room in the registers, and takes long to compile.
_LIMIT = 12_000
# Longer data sets are fitted faster by all threads together, unless there are many of them.
_LONG, _MANY = 1024, 1 << 14

# An entry of the state of a problem: which leaf, and where in it.
_Place = tuple[int, tuple[int, ...]]


class Standing(NamedTuple):
    """What a round says of a problem, as single numbers."""

    status: Entry
    num_steps: Entry
    refused: Entry | None


class Plan(NamedTuple):
    """The numbers of a kernel: of the start, of a round, and of the result.

    A leaf of a graph is an input of the kernel below `num_inputs`, and one of the state above; the
    last leaf of the state is the number of steps.
    """

    num_inputs: int
    places: list[_Place]  # of the numbers that a round hands on to the next
    start: list[Entry]  # their values at first
    round: list[Entry]  # and after a round
    standing: Standing
    result: list[Entry]  # params, value and optimality, from a state


def run(method: Method, starts: Array, data: Any, count: Array) -> tuple[Outcome, Array] | None:
    """The outcomes of the first `count` of N problems, and which are left to be done, (N,) bool.

    Those are the problems that came upon a rare, costly branch. None where the functions cannot
    be taken apart, or where a kernel would not pay. starts: (N, n), data: leaves (N, ...).
    """
    size = starts.shape[0]
    for inside in (True, False):
        try:
            with deep():
                plan, inputs = _planned(method, starts, data, inside)
        except Unsupported:
            continue
        break
    else:
        return None
    if size < _MANY and _longest(plan) > _LONG:
        return None
    padded = -(-size // _LANES) * _LANES
    arrays = [_laid_out(each.array, each.own, padded) for each in inputs]
    limit = jnp.asarray(count, jnp.int32).reshape(1)
    call = pl.pallas_call(
        partial(_kernel, plan, [(each.own, each.array.dtype) for each in inputs]),
        grid=(padded // _LANES,),
        in_specs=[_spec(array.shape, own) for array, own in arrays] + [_spec((1,), False)],
        out_specs=[
            _spec((len(plan.result), padded), True),
            _spec((3, padded), True),
        ],
        out_shape=[
            jax.ShapeDtypeStruct((len(plan.result), padded), starts.dtype),
            jax.ShapeDtypeStruct((3, padded), jnp.int32),
        ],
        compiler_params=triton.CompilerParams(num_warps=max(_LANES // 32, 1)),
        interpret=jax.default_backend() == "cpu",
    )
    reals, (status, num_steps, left) = call(*(array for array, _ in arrays), limit)
    reals, status, num_steps = reals[:, :size], status[:size], num_steps[:size]
    outcome = Outcome(reals[:-2].T, reals[-2], reals[-1], status, num_steps)
    return outcome, left[:size] != 0


class _Input(NamedTuple):
    """An array that the kernel reads."""

    array: Array  # (N, ...) if each problem has its own
    own: bool


def _planned(
    method: Method, starts: Array, data: Any, inside: bool
) -> tuple[Plan, list[_Input]]:
    """The numbers of the kernel, and the arrays that it reads."""
    leaves, structure = jax.tree.flatten((data, starts))
    inputs = [_Input(leaf, True) for leaf in leaves]
    one = [jax.ShapeDtypeStruct(leaf.shape[1:], leaf.dtype) for leaf in leaves]
    row = jax.tree.unflatten(structure, one)
    state = method.blank(row[1])
    zeros = jax.tree.map(lambda leaf: np.zeros(leaf.shape, leaf.dtype), state)
    number = jax.ShapeDtypeStruct((), jnp.int32)

    def begin(row: Any) -> Any:
        return method.begin_one(*row, zeros)

    def advance(row: Any, state: Any, num_steps: Array) -> Any:
        evaluation = method.evaluate_one(row[0], state)
        state, now = method.step_one(row[0], state, evaluation, num_steps)
        return state, now.status, now.num_steps

    def result(state: Any) -> Any:
        return state.params, state.value, state.optimality

    traced = [
        jax.make_jaxpr(begin)(row),
        jax.make_jaxpr(advance)(row, state, number),
        jax.make_jaxpr(result)(state),
    ]
    constants = [_constants(closed, inputs) for closed in traced]
    num_inputs = len(inputs)
    graph = Graph(_LIMIT)
    rare = Rare(inside)

    def pull(which: int, dtype: Any) -> Callable[[Index], Entry]:
        return lambda index: graph.leaf(which, index, dtype)

    def hold(which: int, dtype: Any) -> Callable[[Index], Entry]:
        def entry(index: Index) -> Entry:
            if any(isinstance(i, Node) for i in index):
                raise Unsupported("one of a state")
            return graph.leaf(which, index, dtype)

        return entry

    own = [pull(k, leaf.dtype) for k, leaf in enumerate(leaves)]
    shapes = [*jax.tree.leaves(state), number]
    held = [hold(num_inputs + k, leaf.dtype) for k, leaf in enumerate(shapes)]
    args = [own, [*own, *held], held[:-1]]
    first, after, last = (
        Scope(graph, closed, given, rare, _pulls(graph, consts, inputs))
        for closed, given, consts in zip(traced, args, constants, strict=True)
    )
    end = len(shapes) - 1  # the number of steps is the last leaf of a state

    def entry(scope: Scope, place: _Place) -> Entry:
        return scope.output(*place)

    outputs = [
        last.output(position, index)
        for position, var in enumerate(last.jaxpr.outvars)
        for index in indices(var.aval.shape)
    ]
    status, num_steps = after.output(end, ()), after.output(end + 1, ())
    wanted = _Wanted(num_inputs, end)
    wanted.add(outputs + [status])
    rounds: dict[_Place, Entry] = {}
    while missing := [place for place in wanted.places if place not in rounds]:
        for place in missing:
            rounds[place] = entry(after, place)
        wanted.add([rounds[place] for place in missing] + list(rare.refusals))
    places = sorted(rounds)
    refused = _any(graph, rare.refusals)
    plan = Plan(
        num_inputs,
        places,
        [entry(first, place) for place in places],
        [rounds[place] for place in places],
        Standing(status, num_steps, refused),
        outputs,
    )
    return plan, inputs


class _Wanted:
    """Which numbers of a state are read."""

    def __init__(self, num_inputs: int, end: int):
        self.num_inputs, self.end = num_inputs, end
        self.places: set[_Place] = set()

    def add(self, roots: list[Entry]) -> None:
        for node in reachable(roots):
            which = node.payload - self.num_inputs if node.kind == "leaf" else -1
            if 0 <= which < self.end:
                self.places.add((which, tuple(int(arg) for arg in node.args)))


def _constants(closed: Any, inputs: list[_Input]) -> list[Any]:
    """What a function closes over: numbers as they are, of arrays the number of the input."""
    found: list[Any] = []
    for const in closed.consts:
        traced = isinstance(const, jax.core.Tracer)
        if not traced and np.size(const) <= 1:
            found.append(np.asarray(const))
            continue
        same = [k for k, each in enumerate(inputs) if each.array is const]
        if not same:
            inputs.append(_Input(jnp.asarray(const), False))
        found.append(same[0] if same else len(inputs) - 1)
    return found


def _pulls(graph: Graph, consts: list[Any], inputs: list[_Input]) -> list[Callable]:
    def pull(const: Any) -> Callable[[Index], Entry]:
        if isinstance(const, int):
            return lambda index: graph.leaf(const, index, inputs[const].array.dtype)
        return lambda index: const.reshape(-1)[0]

    return [pull(const) for const in consts]


def _any(graph: Graph, conditions: list[Entry]) -> Entry | None:
    from mvopt.iteration.registers.graph import OR

    found: Entry | None = None
    for condition in conditions:
        found = condition if found is None else graph.apply(OR, [found, condition], bool)
    return found


def _longest(plan: Plan) -> int:
    """Terms of the longest sum."""
    sums = [node for node in reachable(plan.round) if node.kind == "sum"]
    return max((node.payload[1].payload[0] for node in sums), default=0)


def _laid_out(array: Array, own: bool, padded: int) -> tuple[Array, bool]:
    """An input as the kernel takes it: the problems last, truth values as integers."""
    array = array.astype(jnp.int8) if array.dtype == bool else array
    if own:
        array = jnp.moveaxis(_tree.pad_rows(array, padded), 0, -1)
    return (array if array.ndim else array[None]), own


def _spec(shape: tuple[int, ...], own: bool) -> pl.BlockSpec:
    """The part of an array that the threads of one block read or write."""
    block = (*shape[:-1], _LANES) if own else shape
    zeros = (0,) * (len(shape) - 1)
    return pl.BlockSpec(block, lambda i: (*zeros, i if own else 0))


def _kernel(plan: Plan, kinds: list[tuple[bool, Any]], *refs: Any) -> None:
    """Start, rounds until no thread is running, results."""
    *ins, limit, reals, integers = refs

    def read(which: int, index: tuple[Any, ...]) -> Array:
        own, dtype = kinds[which]
        where = (*index, slice(None)) if own else (index or (0,))
        value = ins[which][where]
        return value != 0 if dtype == bool else value

    position = pl.program_id(0) * _LANES + jnp.arange(_LANES, dtype=jnp.int32)
    running = (position < limit[0]).astype(jnp.int32)
    none = jnp.zeros((_LANES,), jnp.int32)
    start = tuple(map(_carried, emit(plan.start, read, _LANES)))
    types = [entry.dtype for entry in plan.round]
    standing = plan.standing
    roots = [*plan.round, standing.status, standing.num_steps]
    roots += [] if standing.refused is None else [standing.refused]

    def of_state(state: Any, num_steps: Array) -> Callable[[int, tuple[Any, ...]], Array]:
        held = dict(zip(plan.places, map(_restored, state, types), strict=True))

        def known(which: int, index: tuple[Any, ...]) -> Array:
            if which < plan.num_inputs:
                return read(which, index)
            return held.get((which - plan.num_inputs, index), num_steps)

        return known

    def body(carry: Any) -> Any:
        running, _, num_steps, left, *state = carry
        values = emit(roots, of_state(state, num_steps), _LANES)
        after, (status, steps, *refused) = values[: len(state)], values[len(state) :]
        alive = running != 0
        new = jnp.where(alive, status, carry[1])
        if refused:
            left = jnp.where(alive, refused[0].astype(jnp.int32), left)
        going = (alive & (new == int(Status.RUNNING)) & (left == 0)).astype(jnp.int32)
        state = [jnp.where(alive, _carried(a), b) for a, b in zip(after, state, strict=True)]
        return going, new, jnp.where(alive, steps, num_steps), left, *state

    carry = lax.while_loop(lambda c: jnp.max(c[0]) > 0, body, (running, none, none, none, *start))
    _, status, num_steps, left, *state = carry
    values = emit(plan.result, of_state(state, num_steps), _LANES)
    for k, value in enumerate(values):
        reals[k, :] = value
    for k, value in enumerate((status, num_steps, left)):
        integers[k, :] = value


def _carried(value: Array) -> Array:
    """A loop carries truth values as integers."""
    return value.astype(jnp.int32) if value.dtype == bool else value


def _restored(value: Array, dtype: Any) -> Array:
    return value != 0 if dtype == bool else value
