"""Operations that only move entries: where an entry of the result comes from."""

from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
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
from mvopt.iteration.registers.index import (
    Place,
    clipped,
    counted,
    indices,
    raveled,
    scaled,
    shifted,
    unraveled,
)
from mvopt.iteration.registers.scope import Rule, Scope
from mvopt.iteration.registers.sums import WRITTEN_OUT

_AT_LEAST = Compute("ge", jax.lax.ge)


def _broadcast_in_dim(scope: Scope, equation: Any, position: int, index: Index) -> Entry:
    atom, dims = equation.invars[0], equation.params["broadcast_dimensions"]
    shape = atom.aval.shape
    return scope.entry(atom, tuple(0 if shape[j] == 1 else index[d] for j, d in enumerate(dims)))


def _reshape(scope: Scope, equation: Any, position: int, index: Index) -> Entry:
    if equation.params.get("dimensions") is not None:
        raise NotTakenApartError("a reshape in another order")
    atom, new = equation.invars[0], equation.outvars[0].aval.shape
    old = atom.aval.shape
    if [n for n in old if n > 1] == [n for n in new if n > 1]:
        left = iter([i for i, n in zip(index, new, strict=True) if n > 1])
        return scope.entry(atom, tuple(next(left) if n > 1 else 0 for n in old))
    flat = raveled(scope.graph, index, new)
    return scope.entry(atom, unraveled(scope.graph, flat, old))


def _squeeze(scope: Scope, equation: Any, position: int, index: Index) -> Entry:
    atom, left = equation.invars[0], iter(index)
    gone = {d % max(atom.aval.ndim, 1) for d in equation.params["dimensions"]}
    return scope.entry(atom, tuple(0 if d in gone else next(left) for d in range(atom.aval.ndim)))


def _transpose(scope: Scope, equation: Any, position: int, index: Index) -> Entry:
    places = dict(zip(equation.params["permutation"], index, strict=True))
    return scope.entry(equation.invars[0], tuple(places[d] for d in range(len(index))))


def _rev(scope: Scope, equation: Any, position: int, index: Index) -> Entry:
    atom, axes = equation.invars[0], equation.params["dimensions"]
    graph = scope.graph

    def mirrored(d: int, i: int | Node) -> int | Node:
        back = scaled(graph, i, -1)
        return shifted(graph, back, atom.aval.shape[d] - 1)

    where = (mirrored(d, i) if d in axes else i for d, i in enumerate(index))
    return scope.entry(atom, tuple(where))


def _slice(scope: Scope, equation: Any, position: int, index: Index) -> Entry:
    starts = equation.params["start_indices"]
    strides = equation.params["strides"] or (1,) * len(starts)
    graph, where = scope.graph, []
    for i, start, stride in zip(index, starts, strides, strict=True):
        where.append(shifted(graph, scaled(graph, i, stride), start))
    return scope.entry(equation.invars[0], tuple(where))


def _split(scope: Scope, equation: Any, position: int, index: Index) -> Entry:
    axis, sizes = equation.params["axis"], equation.params["sizes"]
    shift = sum(sizes[:position])
    moved = shifted(scope.graph, index[axis], int(shift))
    return scope.entry(equation.invars[0], (*index[:axis], moved, *index[axis + 1 :]))


def _stack(scope: Scope, equation: Any, position: int, index: Index) -> Entry:
    axis = equation.params.get("axis", equation.params.get("dimension", 0))
    which = index[axis]
    if isinstance(which, Node):
        raise NotTakenApartError("a stack along a long axis")
    return scope.entry(equation.invars[which], (*index[:axis], *index[axis + 1 :]))


def _unstack(scope: Scope, equation: Any, position: int, index: Index) -> Entry:
    axis = equation.params.get("axis", equation.params.get("dimension", 0))
    return scope.entry(equation.invars[0], (*index[:axis], position, *index[axis:]))


def _concatenate(scope: Scope, equation: Any, position: int, index: Index) -> Entry:
    axis, graph = equation.params["dimension"], scope.graph
    place, starts = index[axis], [0]
    for atom in equation.invars:
        starts.append(starts[-1] + atom.aval.shape[axis])
    if isinstance(place, Node) and starts[-1] <= WRITTEN_OUT:
        raise NotTakenApartError("one of a few numbers")
    found: Entry | None = None
    for atom, start, end in zip(equation.invars, starts[:-1], starts[1:], strict=True):
        if isinstance(place, Node):
            for first, piece in _pieces(scope, atom, axis, index, start):
                if found is None:
                    found = piece
                else:
                    reached = graph.apply(_AT_LEAST, [place, np.int32(first)], np.dtype(bool))
                    found = graph.apply(numbers.SELECT, [reached, found, piece], piece.dtype)
        elif start <= place < end:
            return scope.entry(atom, (*index[:axis], place - start, *index[axis + 1 :]))
    if found is None:
        raise NotTakenApartError("an empty array")
    return found


def _pieces(
    scope: Scope, atom: Any, axis: int, index: Index, start: int
) -> Iterator[tuple[int, Entry]]:
    """Places from which on an entry of one of the arrays is the one, and that entry.

    A short array gives its entries one by one. A longer one is asked for at a place within it.
    """
    length, place = atom.aval.shape[axis], index[axis]
    if length <= WRITTEN_OUT:
        for k in range(length):
            yield start + k, scope.entry(atom, (*index[:axis], k, *index[axis + 1 :]))
        return
    within = clipped(scope.graph, shifted(scope.graph, place, -start), length)
    yield start, scope.entry(atom, (*index[:axis], within, *index[axis + 1 :]))


def _pad(scope: Scope, equation: Any, position: int, index: Index) -> Entry:
    (atom, filling), graph = equation.invars, scope.graph
    where: list[int | Node] = []
    outside: list[Entry] = []
    config = equation.params["padding_config"]
    for i, n, (low, high, between) in zip(index, atom.aval.shape, config, strict=True):
        if not isinstance(i, Node):
            place, rest = divmod(i - low, between + 1)
            if rest or not 0 <= place < n:
                return scope.entry(filling, ())
            where.append(place)
        elif (low, high, between) == (0, 0, 0):
            where.append(i)
        elif between:
            raise NotTakenApartError("padding between the entries of a long axis")
        else:
            moved = shifted(graph, i, -int(low))
            where.append(clipped(graph, moved, n))
            outside.append(_differ(graph, moved, where[-1]))
    found = scope.entry(atom, tuple(where))
    for condition in outside:
        pair = [found, scope.entry(filling, ())]
        found = graph.apply(numbers.SELECT, [condition, *pair], found.dtype)
    return found


def _differ(graph: Graph, a: Place, b: Place) -> Entry:
    assert isinstance(a, Node)
    assert isinstance(b, Node)
    return graph.apply(numbers.UNEQUAL, [a, b], np.dtype(bool))


def _iota(scope: Scope, equation: Any, position: int, index: Index) -> Entry:
    place, dtype = index[equation.params["dimension"]], np.dtype(equation.params["dtype"])
    if not isinstance(place, Node):
        return dtype.type(place)
    return scope.graph.converted(place, dtype)


def _picked(scope: Scope, equation: Any, position: int, index: Index) -> Entry:
    """Of an operation that only moves entries, to places that are known."""
    operand, *others = equation.invars
    if counted(index):
        raise NotTakenApartError(f"{equation.primitive.name} along a long axis")

    def places() -> np.ndarray:
        known = []
        for atom in others:
            entries = [scope.entry(atom, where) for where in indices(atom.aval.shape)]
            if any(isinstance(entry, Node) for entry in entries):
                raise NotTakenApartError(
                    f"{equation.primitive.name} at a place that is not known before"
                )
            known.append(jnp.asarray(np.array(entries, atom.aval.dtype).reshape(atom.aval.shape)))
        with jax.ensure_compile_time_eval():
            all_places = jnp.arange(operand.aval.size, dtype=jnp.int32)
            all_places = all_places.reshape(operand.aval.shape)
            params = equation.primitive.get_bind_params(equation.params)
            return np.asarray(equation.primitive.bind(all_places, *known, **params))

    if equation.primitive.name == "gather" and "FILL" in str(equation.params["mode"]):
        raise NotTakenApartError("a gather that fills")
    place = int(scope.inner(equation, places)[tuple(index)])
    where = np.unravel_index(place, operand.aval.shape)
    return scope.entry(operand, tuple(int(i) for i in where))


def _dynamic_update_slice(scope: Scope, equation: Any, position: int, index: Index) -> Entry:
    operand, update, *starts = equation.invars
    where: list[Place] = []
    for d, atom in enumerate(starts):
        start, length, place = scope.entry(atom, ()), update.aval.shape[d], index[d]
        if isinstance(start, Node):
            raise NotTakenApartError("an update at a place that is not known before")
        whole = operand.aval.shape[d]
        first = int(np.clip(int(start), 0, whole - length))
        if isinstance(place, Node):
            if length != whole:
                raise NotTakenApartError("an update of a part of a long axis")
            where.append(place)
        elif first <= place < first + length:
            where.append(place - first)
        else:
            return scope.entry(operand, index)
    return scope.entry(update, tuple(where))


RULES: dict[str, Rule] = {
    "broadcast_in_dim": _broadcast_in_dim,
    "concatenate": _concatenate,
    "dynamic_slice": _picked,
    "dynamic_update_slice": _dynamic_update_slice,
    "gather": _picked,
    "iota": _iota,
    "pad": _pad,
    "reshape": _reshape,
    "rev": _rev,
    "slice": _slice,
    "split": _split,
    "squeeze": _squeeze,
    "stack": _stack,
    "transpose": _transpose,
    "unstack": _unstack,
}
