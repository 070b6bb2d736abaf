"""The numbers that a kernel computes: of the start, of each round and of the result."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from mvopt._types import Array
from mvopt.iteration.method import Method
from mvopt.iteration.registers import control, elementwise, places, sums
from mvopt.iteration.registers import graph as numbers
from mvopt.iteration.registers.emit import reachable
from mvopt.iteration.registers.graph import Entry, Graph, Index, Node, NotTakenApartError
from mvopt.iteration.registers.index import counted, indices
from mvopt.iteration.registers.scope import Pull, Rare, Scope, deep

# Beyond so many numbers a round has no room in the registers, and takes minutes to compile: on an
# H100 1,000 took a second, 1,850 five, and 6,600 more than 170.
_LARGEST = 3_000
# Of all numbers that are made on the way to a plan.
_LIMIT = 12_000
# The numbers of a state that a round may hand on to the next.
_HELD = 400

_RULES = {**control.RULES, **elementwise.RULES, **places.RULES, **sums.RULES}

# An entry of the state of a problem: which leaf, and where in it.
Place = tuple[int, Index]


class Input(NamedTuple):
    """An array that the kernel reads."""

    array: Array
    own: bool  # each problem has its own, (N, ...)


class Plan(NamedTuple):
    """All numbers of a kernel, and what it reads.

    A leaf of the graph below the number of inputs is one of them, and above it a leaf of the state,
    of which the last is the number of steps.
    """

    inputs: list[Input]
    places: list[Place]  # of the numbers that a round hands on to the next
    start: list[Entry]  # these at first
    after: list[Entry]  # these after a round
    status: Entry
    num_steps: Entry
    refused: Entry | None  # whether the problem is to be left to another loop
    result: list[Entry]  # params, value and optimality of a state

    @property
    def round(self) -> list[Entry]:
        """All that a round computes."""
        refused = [] if self.refused is None else [self.refused]
        return [*self.after, self.status, self.num_steps, *refused]

    def settled(self) -> list[Node]:
        """What takes loops and is the same in all rounds."""
        changing: set[int] = set()
        found = []
        for node in reachable(self.round):
            args = [arg.serial for arg in node.args if isinstance(arg, Node)]
            of_state = node.kind == "leaf" and node.payload >= len(self.inputs)
            if of_state or not changing.isdisjoint(args):
                changing.add(node.serial)
            elif node.kind in ("sum", "choice", "result") and not node.scopes:
                found.append(node)
        return found

    def longest_sum(self) -> int:
        """Terms of the longest sum."""
        sums = [node for node in reachable(self.round) if node.kind == "sum"]
        return max((node.payload[1].payload[0] for node in sums), default=0)


def plan_of(method: Method, starts: Array, data: Any) -> Plan | None:
    """The plan for N problems: starts (N, n), data with leaves (N, ...); None if there is none.

    Rare, costly branches are part of it where they are small enough.
    """
    for inside in (True, False):
        try:
            with deep():
                plan = _Planning(method, starts, data, Rare(inside)).plan()
            if len(reachable(plan.round)) <= _LARGEST:
                return plan
        except NotTakenApartError:
            continue
    return None


class _Planning:
    """The functions of a method, taken apart into one graph."""

    def __init__(self, method: Method, starts: Array, data: Any, rare: Rare):
        self.graph, self.rare = Graph(_LIMIT), rare
        leaves, structure = jax.tree.flatten((data, starts))
        self.inputs = [Input(leaf, True) for leaf in leaves]
        one = [jax.ShapeDtypeStruct(leaf.shape[1:], leaf.dtype) for leaf in leaves]
        row = jax.tree.unflatten(structure, one)
        state = method.blank(row[1])
        number = jax.ShapeDtypeStruct((), jnp.int32)
        traced = [
            jax.make_jaxpr(lambda row: method.begin_one(row[0], row[1], _zeros(state)))(row),
            jax.make_jaxpr(lambda *args: _advanced(method, *args))(row, state, number),
            jax.make_jaxpr(lambda state: (state.params, state.value, state.optimality))(state),
        ]
        consts = [[self._constant(const) for const in closed.consts] for closed in traced]
        given = [self._input(which) for which in range(len(leaves))]
        shapes = [*jax.tree.leaves(state), number]
        held = [self._held(which, leaf.dtype) for which, leaf in enumerate(shapes)]
        inputs = given, [*given, *held], held[:-1]
        self.begin, self.advance, self.end = (
            Scope(self.graph, *parts, rare, _RULES)
            for parts in zip(traced, inputs, consts, strict=True)
        )
        self.size = len(shapes) - 1  # leaves of a state

    def plan(self) -> Plan:
        """All numbers that are needed."""
        variables = enumerate(self.end.jaxpr.outvars)
        result = [self.end.output(k, at) for k, var in variables for at in indices(var.aval.shape)]
        status, num_steps = (self.advance.output(self.size + k, ()) for k in (0, 1))
        after: dict[Place, Entry] = {}
        while missing := self._read([*result, status, *after.values()]) - after.keys():
            after.update((place, self.advance.output(*place)) for place in sorted(missing))
            if len(after) > _HELD:
                raise NotTakenApartError("a large state")
        places = sorted(after)
        return Plan(
            self.inputs,
            places,
            [self.begin.output(*place) for place in places],
            [after[place] for place in places],
            status,
            num_steps,
            self._refused(),
            result,
        )

    def _read(self, roots: list[Entry]) -> set[Place]:
        """The numbers of a state that these, and what is refused, depend on."""
        places: set[Place] = set()
        for node in reachable([*roots, *self.rare.refusals]):
            if node.kind == "leaf" and 0 <= node.payload - len(self.inputs) < self.size:
                where = tuple(int(i) for i in node.args if not isinstance(i, Node))
                places.add((node.payload - len(self.inputs), where))
        return places

    def _refused(self) -> Entry | None:
        conditions = self.rare.refusals
        if not conditions:
            return None
        found: Entry = conditions[0]
        for condition in conditions[1:]:
            found = self.graph.apply(numbers.OR, [found, condition], np.dtype(bool))
        return found

    def _constant(self, const: Any) -> Pull:
        """What a function closes over: a number known now, or an input that all problems share."""
        if not isinstance(const, jax.core.Tracer) and np.size(const) == 1:
            known = np.asarray(const).reshape(-1)[0]
            return lambda _: known
        same = [which for which, each in enumerate(self.inputs) if each.array is const]
        if not same:
            self.inputs.append(Input(jnp.asarray(const), False))
        return self._input(same[0] if same else len(self.inputs) - 1)

    def _input(self, which: int) -> Pull:
        dtype = self.inputs[which].array.dtype
        return lambda index: self.graph.leaf(which, index, dtype)

    def _held(self, which: int, dtype: Any) -> Pull:
        def entry(index: Index) -> Entry:
            if counted(index):
                raise NotTakenApartError("one of the numbers of a state")
            return self.graph.leaf(len(self.inputs) + which, index, dtype)

        return entry


def _zeros(shapes: Any) -> Any:
    return jax.tree.map(lambda leaf: np.zeros(leaf.shape, leaf.dtype), shapes)


def _advanced(method: Method, row: Any, state: Any, num_steps: Array) -> Any:
    """State, status and number of steps after a round."""
    evaluation = method.evaluate_one(row[0], state)
    state, now = method.step_one(row[0], state, evaluation, num_steps)
    return state, now.status, now.num_steps
