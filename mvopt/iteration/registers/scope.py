"""A jaxpr of which single entries are asked for."""

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from threading import RLock
from typing import Any, TypeAlias

import numpy as np

from mvopt._jaxpr import is_literal
from mvopt.iteration.registers.graph import (
    Entry,
    Graph,
    Index,
    Node,
    NotTakenApartError,
    constant,
)
from mvopt.iteration.registers.index import counted

# Frames of Python that a chain of entries may take.
_DEPTH = 30_000
_raising = RLock()

# An array, asked for one entry.
Pull: TypeAlias = Callable[[Index], Entry]
# What an operation makes: the entry at this index of the result at this position.
Rule: TypeAlias = Callable[["Scope", Any, int, Index], Entry]


@dataclass
class Rare:
    """The costly branches: a part of the graph, or left to another loop where they are wanted."""

    inside: bool
    refusals: list[Node] = field(default_factory=list)

    def refuse(self, condition: Node) -> None:
        """Leave the problem where this holds."""
        if condition.scopes:
            raise NotTakenApartError("a loop for some of the points")
        if not any(condition is each for each in self.refusals):
            self.refusals.append(condition)


class Scope:
    """A jaxpr whose inputs are known entry by entry.

    rare: what becomes of the rare, costly branches, which are the true ones of a `cond` (see
    `replay.py`).
    """

    def __init__(
        self,
        graph: Graph,
        closed: Any,
        inputs: list[Pull],
        consts: list[Pull] | None,
        rare: Rare,
        rules: Mapping[str, Rule],
    ):
        jaxpr = getattr(closed, "jaxpr", closed)
        if consts is None:
            consts = [partial(_constant, const) for const in getattr(closed, "consts", ())]
        self.graph, self.jaxpr, self.rare, self.rules = graph, jaxpr, rare, rules
        self._sources: dict[Any, Any] = dict(zip(jaxpr.invars, inputs, strict=True))
        self._sources.update(zip(jaxpr.constvars, consts, strict=True))
        for equation in jaxpr.eqns:
            for position, var in enumerate(equation.outvars):
                self._sources[var] = (equation, position)
        self._known: dict[Any, Entry] = {}
        self._inner: dict[Any, Any] = {}

    def entry(self, atom: Any, index: Index) -> Entry:
        """One entry of a variable or of a literal."""
        if is_literal(atom):
            return _constant(atom.val, index)
        key = (atom, index)
        found = self._known.get(key)
        if found is None:
            source = self._sources[atom]
            found = (
                source(index) if callable(source) else self._computed(source[0], source[1], index)
            )
            self._known[key] = found
        return found

    def output(self, position: int, index: Index) -> Entry:
        """One entry of a result."""
        return self.entry(self.jaxpr.outvars[position], index)

    def puller(self, atom: Any) -> Pull:
        """The entries of a variable, as the input of another scope."""
        return partial(self.entry, atom)

    def within(self, closed: Any, inputs: list[Pull]) -> "Scope":
        """The scope of a function that is called here."""
        return Scope(self.graph, closed, inputs, None, self.rare, self.rules)

    def inner(self, equation: Any, make: Callable[[], Any]) -> Any:
        """What is inside an operation, made once."""
        if equation not in self._inner:
            self._inner[equation] = make()
        return self._inner[equation]

    def _computed(self, equation: Any, position: int, index: Index) -> Entry:
        name = equation.primitive.name
        if name not in self.rules:
            raise NotTakenApartError(f"the operation {name}")
        return self.rules[name](self, equation, position, index)


@contextmanager
def deep() -> Iterator[None]:
    """Room for long chains of entries, each of which asks for the one before.

    The limit is that of all threads, so that one of them at a time may have it raised.
    """
    with _raising:
        before = sys.getrecursionlimit()
        sys.setrecursionlimit(max(before, _DEPTH))
        try:
            yield
        finally:
            sys.setrecursionlimit(before)


def _constant(value: Any, index: Index) -> Entry:
    array = np.asarray(value)
    if counted(index):
        if array.size and (array == array.flat[0]).all():
            return array.flat[0]
        raise NotTakenApartError("a table of constants")
    return constant(
        array[tuple(i for i in index if not isinstance(i, Node))] if array.ndim else array
    )
