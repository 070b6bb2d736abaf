"""From a graph to operations on vectors that have a lane, and so a thread, for each problem.

Sums over long axes are loops. Those that need no result of one another share a loop, so that what
their terms have in common is computed once.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax

from mvopt._types import Array
from mvopt.iteration.registers import graph as numbers
from mvopt.iteration.registers.graph import Compute, Entry, Loop, Node

# Terms are added up in blocks of so many, and then the blocks: rounding grows with either number,
# and not with their product.
_BLOCK = 32

# What an input holds at an index of integers, some of them not known before the kernel runs.
Read = Callable[[int, tuple[Any, ...]], Array]


def emit(
    roots: Sequence[Entry], read: Read, lanes: int, known: dict[Node, Array] | None = None
) -> list[Array]:
    """The values of these numbers, each (lanes,), from those that are known already."""
    emission = _Emission(read, lanes, known)
    emission.settle(roots)
    return [emission.vector(root) for root in roots]


def reachable(roots: Iterable[Entry], *, rare: bool = True) -> list[Node]:
    """All nodes that these numbers depend on, each after its args; rare: the costly sides too."""
    found: dict[int, Node] = {}
    waiting = [root for root in roots if isinstance(root, Node)]
    while waiting:
        node = waiting.pop()
        if node.serial not in found:
            found[node.serial] = node
            args = node.args[:2] if node.kind == "choice" and not rare else node.args
            waiting += [arg for arg in args if isinstance(arg, Node)]
    return [found[serial] for serial in sorted(found)]


class _Emission:
    """Values of nodes: (lanes,), but for whole numbers that are the same in all lanes, ().

    counters: those whose loops it is in; what depends on another is not computed here.
    """

    def __init__(
        self,
        read: Read,
        lanes: int,
        values: dict[Node, Array] | None = None,
        counters: frozenset[Node] = frozenset(),
    ):
        self.read, self.lanes, self.counters = read, lanes, counters
        self.values = {} if values is None else dict(values)

    def settle(self, roots: Iterable[Entry]) -> None:
        """All that these numbers depend on."""
        nodes = [
            node
            for node in reachable(roots, rare=False)
            if node not in self.values and node.scopes <= self.counters
        ]
        for level in range(1 + max((node.level for node in nodes), default=0)):
            now = [node for node in nodes if node.level == level]
            for members in _grouped(now, "sum", lambda node: node.payload[1]):
                self.add_up(members)
            for members in _grouped(now, "choice", lambda node: node.payload[0]):
                self.choose(members)
            for members in _grouped(now, "result", lambda node: node.payload[0]):
                self.go_round(members[0].payload[0], members)
            for node in now:
                self.compute(node)

    def compute(self, node: Node) -> None:
        """A number that takes no loop."""
        if node.kind == "leaf":
            where = tuple(self.scalar(arg) for arg in node.args)
            self.values[node] = self.read(node.payload, where)
        elif node.kind == "operation":
            self.values[node] = self._operation(node)

    def add_up(self, sums: list[Node]) -> None:
        """Sums over one counter, in one loop."""
        counter = sums[0].payload[1]
        terms = [node.args[0] for node in sums]
        combines = [node.payload[0] for node in sums]

        def step(k: Array, totals: tuple[Array, ...]) -> tuple[Array, ...]:
            body = self.within(counter, k)
            body.settle(terms)
            pairs = zip(combines, totals, terms, strict=True)
            return tuple(
                _combined(combine, total, body.vector(term)) for combine, total, term in pairs
            )

        pairs = zip(combines, sums, strict=True)
        empty = tuple(_neutral(combine, node.dtype, self.lanes) for combine, node in pairs)
        totals = _over(counter.payload[0], step, empty, combines)
        for node, total in zip(sums, totals, strict=True):
            self.values[node] = as_before(total, node.dtype)

    def choose(self, members: list[Node]) -> None:
        """The results of a choice: its costly side only if a lane asks for it."""
        condition = self.vector(members[0].args[0])
        usual = [self.vector(node.args[1]) for node in members]

        def rarely() -> list[Array]:
            inside = _Emission(self.read, self.lanes, self.values, self.counters)
            inside.settle([node.args[2] for node in members])
            rare = [inside.vector(node.args[2]) for node in members]
            return [as_number(jnp.where(condition, a, b)) for a, b in zip(rare, usual, strict=True)]

        asked = jnp.max(condition.astype(jnp.int32)) > 0
        values = lax.cond(asked, rarely, lambda: [as_number(value) for value in usual])
        for node, value in zip(members, values, strict=True):
            self.values[node] = as_before(value, node.dtype)

    def go_round(self, loop: Loop, members: list[Node]) -> None:
        """A loop that hands on its numbers."""

        def step(k: Array, carry: tuple[Array, ...]) -> tuple[Array, ...]:
            body = self.within(loop.counter, k)
            pairs = zip(loop.held, carry, strict=True)
            body.values.update((node, as_before(value, node.dtype)) for node, value in pairs)
            body.settle(loop.after)
            return tuple(as_number(body.vector(entry)) for entry in loop.after)

        first = tuple(as_number(self.vector(entry)) for entry in loop.first)
        last = lax.fori_loop(0, loop.counter.payload[0], step, first)
        for node in members:
            self.values[node] = as_before(last[node.payload[1]], node.dtype)

    def within(self, counter: Node, k: Array) -> "_Emission":
        """The inside of a loop."""
        # Its dtype is that of Python's integers, which are long ones in double precision.
        values = {**self.values, counter: k.astype(jnp.int32)}
        return _Emission(self.read, self.lanes, values, self.counters | {counter})

    def vector(self, entry: Entry) -> Array:
        """The value in each lane."""
        value = self.values[entry] if isinstance(entry, Node) else jnp.asarray(entry)
        return value if value.ndim else jnp.full((self.lanes,), value, value.dtype)

    def scalar(self, entry: Entry) -> Any:
        """A number that is the same in all lanes: a part of an index."""
        return self.values[entry] if isinstance(entry, Node) else int(entry)

    def _operation(self, node: Node) -> Array:
        compute: Compute = node.payload
        args = [self.values[arg] if isinstance(arg, Node) else arg for arg in node.args]
        whole = all(np.ndim(arg) == 0 and jnp.issubdtype(arg.dtype, jnp.integer) for arg in args)
        if whole and jnp.issubdtype(node.dtype, jnp.integer):
            return compute.function(*(jnp.asarray(arg, arg.dtype) for arg in args))
        return compute.function(*map(self.vector, node.args))


def _grouped(nodes: list[Node], kind: str, name: Callable[[Node], Any]) -> list[list[Node]]:
    """The nodes of a kind, together those of one name."""
    groups: dict[Any, list[Node]] = {}
    for node in nodes:
        if node.kind == kind:
            groups.setdefault(name(node), []).append(node)
    return list(groups.values())


def as_number(value: Array) -> Array:
    """What loops and branches hand on: truth values as integers."""
    return value.astype(jnp.int32) if value.dtype == np.bool_ else value


def as_before(value: Array, dtype: np.dtype) -> Array:
    """The same as a value of this dtype."""
    return value != 0 if dtype == np.bool_ else value.astype(dtype)


def _over(length: int, step: Callable, empty: tuple[Array, ...], combines: list[Compute]) -> Any:
    """`step(k, totals)` for all k below `length`, in blocks."""
    if length <= 2 * _BLOCK:
        return lax.fori_loop(0, length, step, empty)

    def block(i: Array, totals: tuple[Array, ...]) -> tuple[Array, ...]:
        first = i * _BLOCK
        part = lax.fori_loop(first, jnp.minimum(first + _BLOCK, length), step, empty)
        pairs = zip(combines, totals, part, strict=True)
        return tuple(_combined(each, a, b) for each, a, b in pairs)

    return lax.fori_loop(0, -(-length // _BLOCK), block, empty)


def _combined(combine: Compute, total: Array, term: Array) -> Array:
    """A loop carries truth values as integers."""
    if term.dtype == np.bool_:
        return combine.function(total, term.astype(jnp.int32))
    return combine.function(total, term.astype(total.dtype))


def _neutral(combine: Compute, dtype: np.dtype, lanes: int) -> Array:
    """What changes nothing when it is combined."""
    if dtype == np.bool_:
        return jnp.full((lanes,), int(combine == numbers.AND), jnp.int32)
    if combine == numbers.ADD:
        return jnp.zeros((lanes,), dtype)
    if combine == numbers.MULTIPLY:
        return jnp.ones((lanes,), dtype)
    info: Any = jnp.finfo(dtype) if jnp.issubdtype(dtype, jnp.floating) else jnp.iinfo(dtype)
    floating = jnp.issubdtype(dtype, jnp.floating)
    lowest, highest = (-np.inf, np.inf) if floating else (info.min, info.max)
    return jnp.full((lanes,), lowest if combine == numbers.MAXIMUM else highest, dtype)
