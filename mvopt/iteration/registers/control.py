"""Functions that are called, loops and choices."""

from functools import partial
from math import prod
from typing import Any

import numpy as np

from mvopt._jaxpr import INLINED, inner_jaxprs, scan_counts
from mvopt.iteration.registers import graph as numbers
from mvopt.iteration.registers.graph import (
    Entry,
    Index,
    Loop,
    Node,
    NotTakenApartError,
)
from mvopt.iteration.registers.index import counted, indices, scaled, shifted
from mvopt.iteration.registers.scope import Pull, Rule, Scope
from mvopt.iteration.registers.sums import WRITTEN_OUT

# A loop, or a choice, hands on no more numbers than this.
_HANDED_ON = 256
# The functions that are called, and the parameter that holds each.
_CALLS = {**INLINED, "custom_jvp_call": "call_jaxpr", "custom_vjp_call": "call_jaxpr"}

# What a loop hands on: which of its arrays, and where in it.
_Place = tuple[int, Index]


def _call(scope: Scope, equation: Any, position: int, index: Index) -> Entry:
    inner = equation.params[_CALLS[equation.primitive.name]]
    inputs = [scope.puller(atom) for atom in equation.invars]
    return scope.inner(equation, lambda: scope.within(inner, inputs)).output(position, index)


def _scan(scope: Scope, equation: Any, position: int, index: Index) -> Entry:
    """A loop, of which each round is written out where it hands on whole data sets."""
    _, num_carry = scan_counts(equation)
    length = equation.params["length"]
    if position < num_carry and length > 1:
        wanted = _together(equation, position, index)
        # Apart for counted places: a loop may hand on single entries of arrays, but not all.
        results = scope.inner((id(equation), counted(index)), dict)
        try:
            if (position, index) not in results and None not in results:
                results.update(_loop(scope, equation, wanted))
        except NotTakenApartError:
            results[None] = None
        if (position, index) in results:
            return results[position, index]
    if length > WRITTEN_OUT:
        raise NotTakenApartError(f"the results of {length} rounds")
    return _written_out(scope, equation, position, index)


def _together(equation: Any, position: int, index: Index) -> list[_Place]:
    """The numbers that a loop hands on, all if they are few, or this one and what it needs."""
    _, num_carry = scan_counts(equation)
    shapes = [var.aval.shape for var in equation.outvars[:num_carry]]
    long = any(n > WRITTEN_OUT for shape in shapes for n in shape)
    if long or sum(map(prod, shapes)) > _HANDED_ON:
        return [(position, index)]
    if counted(index):
        raise NotTakenApartError("one of the results of a loop")
    return [(k, where) for k, shape in enumerate(shapes) for where in indices(shape)]


def _round(scope: Scope, equation: Any, k: int | Node, carry: list[Pull]) -> Scope:
    """Round `k` of a loop, for what it finds."""
    num_consts, num_carry = scan_counts(equation)
    consts, xs = equation.invars[:num_consts], equation.invars[num_consts + num_carry :]
    if equation.params["reverse"]:
        back = scaled(scope.graph, k, -1)
        k = shifted(scope.graph, back, equation.params["length"] - 1)
    slices = [lambda where, x=x: scope.entry(x, (k, *where)) for x in xs]
    inputs = [*map(scope.puller, consts), *carry, *slices]
    return scope.within(equation.params["jaxpr"], inputs)


def _loop(scope: Scope, equation: Any, wanted: list[_Place]) -> dict[_Place, Entry]:
    """The numbers that are wanted at the end of a loop, and others that it hands on for them."""
    graph = scope.graph
    num_consts, num_carry = scan_counts(equation)
    atoms = equation.invars[num_consts : num_consts + num_carry]
    counter = graph.counter(equation.params["length"], ("loop", len(graph.nodes)))
    # Of arrays along a counted axis the loop hands on the entry that is counted, and no other.
    outer = {c for _, where in wanted for i in where if isinstance(i, Node) for c in i.scopes}
    held: dict[_Place, Node] = {}

    def entry(k: int, where: Index) -> Entry:
        if (k, where) not in held:
            others = any(isinstance(i, Node) and not i.scopes <= outer for i in where)
            if others or len(held) >= _HANDED_ON:
                raise NotTakenApartError("all of what a loop hands on")
            held[k, where] = graph.held(counter, len(held), atoms[k].aval.dtype)
        return held[k, where]

    body = _round(scope, equation, counter, [partial(entry, k) for k in range(num_carry)])
    for place in wanted:
        entry(*place)
    after: dict[_Place, Entry] = {}
    while missing := [place for place in held if place not in after]:
        after.update((place, body.output(*place)) for place in missing)
    first = [scope.entry(atoms[k], where) for k, where in held]
    loop = Loop(counter, list(held.values()), first, [after[place] for place in held])
    return dict(zip(held, graph.results(loop), strict=True))


def _written_out(scope: Scope, equation: Any, position: int, index: Index) -> Entry:
    """The same, round after round."""
    num_consts, num_carry = scan_counts(equation)
    atoms, length = equation.invars, equation.params["length"]

    def rounds() -> list[Scope]:
        carry = [scope.puller(atom) for atom in atoms[num_consts : num_consts + num_carry]]
        scopes = []
        for k in range(length):
            scopes.append(_round(scope, equation, k, carry))
            carry = [scopes[-1].puller(var) for var in scopes[-1].jaxpr.outvars[:num_carry]]
        return scopes

    scopes = scope.inner((id(equation), "rounds"), rounds)
    if position < num_carry:
        return scopes[-1].output(position, index)
    which, *rest = index
    if isinstance(which, Node):
        raise NotTakenApartError("the results of a loop along a long axis")
    which = length - 1 - which if equation.params["reverse"] else which
    return scopes[which].output(position, tuple(rest))


def _cond(scope: Scope, equation: Any, position: int, index: Index) -> Entry:
    """Both branches, of which the predicate chooses; a true one with a loop runs if it must."""
    which, *operands = equation.invars
    branches, graph = equation.params["branches"], scope.graph
    taken = scope.entry(which, ())

    def branch(k: int) -> Scope:
        inputs = [scope.puller(atom) for atom in operands]
        make = lambda: scope.within(branches[k], inputs)
        return scope.inner((id(equation), k), make)

    if not isinstance(taken, Node):
        return branch(int(np.clip(int(taken), 0, len(branches) - 1))).output(position, index)
    if len(branches) != 2:
        raise NotTakenApartError("a choice among several functions")
    condition = graph.apply(numbers.UNEQUAL, [taken, taken.dtype.type(0)], np.dtype(bool))
    assert isinstance(condition, Node)
    if not _has_loop(branches[1]):
        pair = [branch(k).output(position, index) for k in (0, 1)]
        return graph.apply(numbers.SELECT, [condition, *pair], pair[0].dtype)
    if not scope.rare.inside:
        scope.rare.refuse(condition)
        return branch(0).output(position, index)

    def results() -> dict[tuple, Entry]:
        places: list[tuple[int, Index]] = [
            (k, where)
            for k, var in enumerate(equation.outvars)
            for where in indices(var.aval.shape)
        ]
        if len(places) > _HANDED_ON:
            raise NotTakenApartError("a choice with results as long as the data")
        pairs = [(branch(0).output(*place), branch(1).output(*place)) for place in places]
        return dict(zip(places, graph.choices(condition, pairs), strict=True))

    if counted(index):
        raise NotTakenApartError("one of the results of a choice")
    return scope.inner(id(equation), results)[position, index]


def _has_loop(closed: Any) -> bool:
    for equation in getattr(closed, "jaxpr", closed).eqns:
        if equation.primitive.name in ("scan", "while"):
            return True
        if any(map(_has_loop, inner_jaxprs(equation))):
            return True
    return False


RULES: dict[str, Rule] = {
    **dict.fromkeys(_CALLS, _call),
    "cond": _cond,
    "scan": _scan,
}
