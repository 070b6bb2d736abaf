"""The numbers of one problem as a graph: each different one is a node, and is made once."""

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from functools import cache
from typing import Any, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from mvopt._types import Array


class NotTakenApartError(Exception):
    """The function cannot be taken apart into operations on single numbers."""


class Compute(NamedTuple):
    """An elementwise function; two of the same key are the same function."""

    key: Hashable
    function: Callable[..., Array]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Compute) and self.key == other.key

    def __hash__(self) -> int:
        return hash(self.key)


@dataclass(eq=False, slots=True)
class Node:
    """A number that is not known before the kernel runs.

    kind, payload and args:
    "leaf": which input, and where in it.
    "operation": a `Compute` of the args.
    "counter": which term of a sum, or which round of a loop, it is; its length, and a name.
    "sum": the `Compute` that joins two terms, and the counter; the term.
    "choice": of which choice, and which of its results; the condition, the number where it does not
    hold, and that where it does, which is computed only if the condition holds in some lane.
    "held": which of the numbers that a loop hands on, as its round finds it; its counter.
    "result": the `Loop`, and which of its numbers; those at first, and those after a round.
    """

    serial: int  # higher than those of the args
    kind: str
    payload: Any
    args: tuple["Entry", ...]
    dtype: np.dtype
    scopes: frozenset["Node"]  # the counters that it depends on
    level: int  # how many sums, choices and loops, one after the other, have to come before it


# A number: a node, or a constant with its dtype. In an index it is a node or an int.
Entry: TypeAlias = Node | np.generic
Index: TypeAlias = tuple[int | Node, ...]


@dataclass(eq=False, frozen=True)
class Loop:
    """A loop of some rounds."""

    counter: Node
    held: list[Node]
    first: list[Entry]
    after: list[Entry]


@dataclass
class Graph:
    """All nodes made so far; asking for the same number again gives the same node."""

    limit: int  # on the number of nodes
    nodes: dict[Hashable, Node] = field(default_factory=dict)

    def leaf(self, which: int, index: Index, dtype: Any) -> Node:
        """An entry of an input."""
        where = tuple(i if isinstance(i, Node) else np.int32(i) for i in index)
        return self._node("leaf", which, where, dtype)

    def counter(self, length: int, name: Hashable) -> Node:
        """A counter of this name, below this length."""
        return self._node("counter", (length, name), (), np.int32)

    def sum(self, combine: Compute, term: Entry, counter: Node) -> Entry:
        """The terms for all values of the counter, joined."""
        if isinstance(term, Node) and counter in term.scopes:
            return self._node("sum", (combine, counter), (term,), term.dtype)
        if combine == ADD:
            count = term.dtype.type(counter.payload[0])
            return self.apply(MULTIPLY, [term, count], term.dtype)
        if combine == MULTIPLY:
            raise NotTakenApartError("a power as a product of many factors")
        return term

    def choices(self, condition: Node, pairs: list[tuple[Entry, Entry]]) -> list[Entry]:
        """Of each pair the second number where the condition holds, or else the first."""
        every = (condition, *(entry for pair in pairs for entry in pair))
        level, name = _next_level(every), len(self.nodes)
        return [
            a if a is b else self._node("choice", (name, k), (condition, a, b), a.dtype, level)
            for k, (a, b) in enumerate(pairs)
        ]

    def held(self, counter: Node, which: int, dtype: Any) -> Node:
        """One of the numbers that a loop hands on, as a round finds it."""
        return self._node("held", which, (counter,), dtype)

    def results(self, loop: Loop) -> list[Entry]:
        """What a loop ends with."""
        args = (*loop.first, *loop.after)
        level = _next_level(args)
        return [
            self._node("result", (loop, k), args, node.dtype, level)
            for k, node in enumerate(loop.held)
        ]

    def apply(self, compute: Compute, args: list[Entry], dtype: Any) -> Entry:
        """What `compute` makes of these numbers; known at once where they are."""
        simple = _simplified(compute.key, args, np.dtype(dtype))
        if simple is not None:
            return simple
        if not any(isinstance(arg, Node) for arg in args):
            with jax.ensure_compile_time_eval(), jax.default_device(_host()):
                return constant(compute.function(*map(jnp.asarray, args)), dtype)
        return self._node("operation", compute, tuple(args), dtype)

    def converted(self, entry: Entry, dtype: Any) -> Entry:
        """The number in another dtype."""
        dtype = np.dtype(dtype)
        if entry.dtype == dtype:
            return entry
        convert = lambda array: lax.convert_element_type(array, dtype)
        return self.apply(Compute(("convert", str(dtype)), convert), [entry], dtype)

    def _node(
        self, kind: str, payload: Any, args: tuple[Entry, ...], dtype: Any, level: int = 0
    ) -> Node:
        names = tuple(a.serial if isinstance(a, Node) else (str(a.dtype), repr(a)) for a in args)
        key = (kind, payload, names, str(dtype))
        found = self.nodes.get(key)
        if found is None:
            if len(self.nodes) >= self.limit:
                raise NotTakenApartError(f"more than {self.limit} numbers")
            inner = [arg for arg in args if isinstance(arg, Node)]
            scopes = frozenset().union(*(arg.scopes for arg in inner)) - _ended(kind, payload)
            level = max((level, *(arg.level + (kind == "sum") for arg in inner)))
            found = Node(len(self.nodes), kind, payload, args, np.dtype(dtype), scopes, level)
            if kind == "counter":
                found.scopes = frozenset([found])
            self.nodes[key] = found
        return found


def _ended(kind: str, payload: Any) -> frozenset[Node]:
    """The counter that is counted to its end."""
    if kind == "sum":
        return frozenset([payload[1]])
    return frozenset([payload[0].counter]) if kind == "result" else frozenset()


def _next_level(entries: tuple[Entry, ...]) -> int:
    return 1 + max((entry.level for entry in entries if isinstance(entry, Node)), default=0)


@cache
def _host() -> Any:
    """Where constants are computed: not on the GPU, which would compile each operation."""
    try:
        return jax.local_devices(backend="cpu")[0]
    except RuntimeError:  # JAX is told to use no other platform
        return None


def _with_nan(choose: Callable[[Array, Array], Array]) -> Callable[[Array, Array], Array]:
    """NaN where one of the two is: the operation of a GPU takes the other one."""

    def function(a: Array, b: Array) -> Array:
        if not jnp.issubdtype(a.dtype, jnp.floating):
            return choose(a, b)
        return jnp.where((a != a) | (b != b), a + b, choose(a, b))

    return function


ADD = Compute("add", lax.add)
MULTIPLY = Compute("mul", lax.mul)
DIVIDE = Compute("div", lax.div)
REMAINDER = Compute("rem", lax.rem)
MAXIMUM = Compute("max", _with_nan(lax.max))
MINIMUM = Compute("min", _with_nan(lax.min))
AND = Compute("and", lax.bitwise_and)
OR = Compute("or", lax.bitwise_or)
UNEQUAL = Compute("ne", lax.ne)
SELECT = Compute("select_n", lax.select_n)


def constant(value: Any, dtype: Any = None) -> np.generic:
    """A number as a scalar of NumPy."""
    number: Any = np.asarray(value, dtype)[()]
    return number


def _is(entry: Entry, value: float) -> bool:
    return isinstance(entry, np.generic) and bool(entry == value)


def _simplified(key: Hashable, args: list[Entry], dtype: np.dtype) -> Entry | None:
    """What takes no operation. A factor that is zero by the structure of the problem makes zero.

    Such zeros are those of a basis of tangents, mostly, and JAX itself leaves them out elsewhere.
    """
    zero, one = constant(0, dtype), constant(1, dtype)
    match key, args:
        case "select_n", [chosen, *cases] if isinstance(chosen, np.generic):
            return cases[int(chosen)]
        case "select_n", [_, a, b] if a is b:
            return a
        case (("add" | "or"), [a, b]) if _is(a, 0) or _is(b, 0):
            return b if _is(a, 0) else a
        case "or", [a, b] if dtype == np.bool_ and (_is(a, 1) or _is(b, 1)):
            return one
        case "and", [a, b] if dtype == np.bool_ and (_is(a, 1) or _is(b, 1)):
            return b if _is(a, 1) else a
        case (("and" | "mul"), [a, b]) if _is(a, 0) or _is(b, 0):
            return zero
        case "mul", [a, b] if _is(a, 1) or _is(b, 1):
            return b if _is(a, 1) else a
        case "sub", [a, b] if _is(b, 0):
            return a
        case "div", [a, b] if _is(a, 0) or _is(b, 1):
            return a
        case (("max" | "min" | "and" | "or"), [a, b]) if a is b:
            return a
    return None
