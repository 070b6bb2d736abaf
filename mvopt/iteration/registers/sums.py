"""Sums and products of arrays, and where the best of a few numbers is."""

from collections.abc import Callable
from functools import reduce
from math import prod
from typing import Any

import jax
import numpy as np

from mvopt.iteration.registers import graph as numbers
from mvopt.iteration.registers.graph import (
    Compute,
    Entry,
    Graph,
    Index,
    Node,
    NotTakenApartError,
)
from mvopt.iteration.registers.index import indices, unraveled
from mvopt.iteration.registers.scope import Rule, Scope

# A sum of more terms is a loop, if the terms can be numbered.
_FEW = 4
# Otherwise so many are written out.
WRITTEN_OUT = 16

_REDUCTIONS = {
    "reduce_sum": numbers.ADD,
    "reduce_prod": numbers.MULTIPLY,
    "reduce_max": numbers.MAXIMUM,
    "reduce_min": numbers.MINIMUM,
    "reduce_and": numbers.AND,
    "reduce_or": numbers.OR,
}
_BETTER = {
    "argmax": Compute("gt", jax.lax.gt),
    "argmin": Compute("lt", jax.lax.lt),
}


def _reduction(scope: Scope, equation: Any, position: int, index: Index) -> Entry:
    atom, axes = equation.invars[0], equation.params["axes"]

    def term(summed: Index) -> Entry:
        places, left = dict(zip(axes, summed, strict=True)), iter(index)
        where = (places[d] if d in places else next(left) for d in range(atom.aval.ndim))
        return scope.entry(atom, tuple(where))

    lengths = tuple(atom.aval.shape[axis] for axis in axes)
    return _joined(scope.graph, _REDUCTIONS[equation.primitive.name], term, lengths, index)


def _best(scope: Scope, equation: Any, position: int, index: Index) -> Entry:
    """Where the first of the largest, or of the smallest, of a few is."""
    atom, (axis,) = equation.invars[0], equation.params["axes"]
    length, dtype = atom.aval.shape[axis], np.dtype(equation.params["index_dtype"])
    if length > WRITTEN_OUT:
        raise NotTakenApartError("the best of many")
    best, place = None, None
    for k in range(length):
        entry = scope.entry(atom, (*index[:axis], k, *index[axis:]))
        if best is None or place is None:
            best, place = entry, dtype.type(0)
            continue
        better = _BETTER[equation.primitive.name]
        changed = scope.graph.apply(better, [entry, best], np.dtype(bool))
        best = scope.graph.apply(numbers.SELECT, [changed, best, entry], entry.dtype)
        place = scope.graph.apply(numbers.SELECT, [changed, place, dtype.type(k)], dtype)
    if place is None:
        raise NotTakenApartError("the best of none")
    return place


def _joined(
    graph: Graph,
    combine: Compute,
    term: Callable[[Index], Entry],
    lengths: tuple[int, ...],
    index: Index,
) -> Entry:
    """The terms of all indices below `lengths`: written out, or the sum over a counter."""
    count = prod(lengths)
    if count == 0:
        raise NotTakenApartError("a sum without a term")
    if count > _FEW:
        outer = {c for i in index if isinstance(i, Node) for c in i.scopes}
        counter = graph.counter(count, len(outer))
        try:
            return graph.sum(combine, term(unraveled(graph, counter, lengths)), counter)
        except NotTakenApartError:
            if count > WRITTEN_OUT:
                raise
    terms = [term(where) for where in indices(lengths)]
    return reduce(lambda a, b: graph.apply(combine, [a, b], a.dtype), terms)


def _dot_general(scope: Scope, equation: Any, position: int, index: Index) -> Entry:
    (left_axes, right_axes), (left_batch, right_batch) = equation.params["dimension_numbers"]
    left, right = equation.invars
    kept_left = [d for d in range(left.aval.ndim) if d not in (*left_axes, *left_batch)]
    kept_right = [d for d in range(right.aval.ndim) if d not in (*right_axes, *right_batch)]
    batch = dict(zip(left_batch, index, strict=False))
    batch_right = dict(zip(right_batch, index, strict=False))
    rest = index[len(left_batch) :]
    of_left = {**batch, **dict(zip(kept_left, rest, strict=False))}
    of_right = {**batch_right, **dict(zip(kept_right, rest[len(kept_left) :], strict=False))}
    dtype = equation.outvars[0].aval.dtype

    def term(summed: Index) -> Entry:
        a = {**of_left, **dict(zip(left_axes, summed, strict=True))}
        b = {**of_right, **dict(zip(right_axes, summed, strict=True))}
        pair = [
            scope.entry(left, tuple(a[d] for d in range(left.aval.ndim))),
            scope.entry(right, tuple(b[d] for d in range(right.aval.ndim))),
        ]
        # The two orders of a product are one number: half of a symmetric matrix is enough.
        pair.sort(key=lambda e: e.serial if isinstance(e, Node) else -1)
        return scope.graph.apply(numbers.MULTIPLY, pair, dtype)

    lengths = tuple(left.aval.shape[axis] for axis in left_axes)
    return _joined(scope.graph, numbers.ADD, term, lengths, index)


RULES: dict[str, Rule] = {
    **dict.fromkeys(_REDUCTIONS, _reduction),
    "argmax": _best,
    "argmin": _best,
    "dot_general": _dot_general,
}
