"""Single entries of the results of a jaxpr, each asked for by what needs it.

An index is a tuple of integers; along an axis too long to be written out it is the counter of a sum,
and the entry then stands for all of them. What nothing asks for is never made: of a Jacobian whose
columns are summed, only the summand.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial, reduce
from itertools import product
from math import prod
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend import core

from mvopt._jaxpr import INLINED, scan_counts
from mvopt.iteration.registers import graph as numbers
from mvopt.iteration.registers.graph import Compute, Entry, Graph, Index, Loop, Node, Unsupported

# A sum of more terms is a loop, if the terms can be numbered.
_FEW = 4
# Otherwise so many are written out, and so many rounds of a loop that hands on whole data sets.
_WRITTEN_OUT = 16
# A loop hands on no more numbers than this.
_HANDED_ON = 256
# A choice has not more results than this.
_RESULTS = 512
# Frames of Python that a chain of entries may take.
_DEPTH = 30_000

# What a kernel can compute of single numbers.
_ELEMENTWISE = frozenset(
    "abs acos acosh add and asin asinh atan atan2 atanh cbrt ceil clamp cos cosh div eq exp exp2 "
    "expm1 floor ge gt integer_pow is_finite le log log1p logistic lt max min mul ne neg nextafter "
    "not or pow rem rsqrt select_n sign sin sinh sqrt square sub tan tanh xor".split()
)
_SAME = frozenset("copy copy_p stop_gradient reduce_precision".split())
_NAMED = {
    each.key: each
    for each in (numbers.ADD, numbers.MULTIPLY, numbers.MAXIMUM, numbers.MINIMUM, numbers.SELECT)
} | {"add_any": numbers.ADD}
_REDUCTIONS = {
    "reduce_sum": numbers.ADD,
    "reduce_prod": numbers.MULTIPLY,
    "reduce_max": numbers.MAXIMUM,
    "reduce_min": numbers.MINIMUM,
    "reduce_and": numbers.AND,
    "reduce_or": numbers.OR,
}
_AT_LEAST = Compute("ge", jax.lax.ge)
_GREATER = Compute("gt", jax.lax.gt)
_UNEQUAL = Compute("ne", jax.lax.ne)
Pull = Callable[[Index], Entry]


@dataclass
class Rare:
    """The costly branches: part of the graph, or left to another loop, and under which conditions."""

    inside: bool
    refusals: list[Node] = field(default_factory=list)

    def refuse(self, condition: Node) -> None:
        """Leave the problem where this holds."""
        if condition.scopes:
            raise Unsupported("a loop for some of the points")
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
    ):
        jaxpr = getattr(closed, "jaxpr", closed)
        if consts is None:
            consts = [partial(_constant, const) for const in getattr(closed, "consts", ())]
        self.graph, self.jaxpr, self.rare = graph, jaxpr, rare
        self._sources: dict[Any, Any] = dict(zip(jaxpr.invars, inputs, strict=True))
        self._sources.update(zip(jaxpr.constvars, consts, strict=True))
        for equation in jaxpr.eqns:
            for position, var in enumerate(equation.outvars):
                self._sources[var] = (equation, position)
        self._known: dict[Any, Entry] = {}
        self._inner: dict[Any, Any] = {}

    def entry(self, atom: Any, index: Index) -> Entry:
        """One entry of a variable or of a literal."""
        if isinstance(atom, core.Literal):
            return _constant(atom.val, index)
        key = (atom, index)
        found = self._known.get(key)
        if found is None:
            source = self._sources[atom]
            found = source(index) if callable(source) else _entry_of(self, *source, index)
            self._known[key] = found
        return found

    def output(self, position: int, index: Index) -> Entry:
        """One entry of a result."""
        return self.entry(self.jaxpr.outvars[position], index)

    def puller(self, atom: Any) -> Pull:
        """The entries of a variable, as the input of another scope."""
        return partial(self.entry, atom)

    def inner(self, equation: Any, make: Callable[[], Any]) -> Any:
        """What is inside an operation, made once."""
        if equation not in self._inner:
            self._inner[equation] = make()
        return self._inner[equation]


@contextmanager
def deep() -> Iterator[None]:
    """Room for long chains of entries, each of which asks for the one before."""
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(max(before, _DEPTH))
    try:
        yield
    finally:
        sys.setrecursionlimit(before)


def indices(shape: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
    """All indices of an array, the last axis fastest."""
    return product(*map(range, shape))


def _constant(value: Any, index: Index) -> Entry:
    array = np.asarray(value)
    if any(isinstance(i, Node) for i in index):
        if array.size and (array == array.flat[0]).all():
            return array.flat[0]
        raise Unsupported("a table of constants")
    return array[tuple(index)] if array.ndim else array[()]


def _entry_of(scope: Scope, equation: Any, position: int, index: Index) -> Entry:
    name = equation.primitive.name
    if name in _ELEMENTWISE or name == "add_any":
        return _elementwise(scope, equation, index)
    if name in _SAME:
        return scope.entry(equation.invars[0], index)
    if name in _REDUCTIONS:
        return _reduction(scope, equation, index)
    if name in INLINED or name in _CALLS:
        inner = equation.params[INLINED.get(name) or _CALLS[name]]
        return _call(scope, equation, inner, equation.invars).output(position, index)
    if name in _RULES:
        return _RULES[name](scope, equation, position, index)
    raise Unsupported(f"the operation {name}")


def _elementwise(scope: Scope, equation: Any, index: Index) -> Entry:
    name, out = equation.primitive.name, equation.outvars[0].aval
    args = [scope.entry(atom, index if atom.aval.shape else ()) for atom in equation.invars]
    compute = _NAMED.get(name)
    if compute is None:
        params = equation.primitive.get_bind_params(equation.params)
        key = (name, *sorted((k, str(v)) for k, v in equation.params.items())) if params else name
        bind = equation.primitive.bind
        compute = Compute(key, lambda *arrays: bind(*arrays, **params))
    return scope.graph.apply(compute, args, out.dtype)


def _call(scope: Scope, equation: Any, inner: Any, atoms: Any) -> Scope:
    """The scope of a function that is called."""
    inputs = [scope.puller(atom) for atom in atoms]
    return scope.inner(equation, lambda: Scope(scope.graph, inner, inputs, None, scope.rare))


def _convert(scope: Scope, equation: Any, position: int, index: Index) -> Entry:
    entry, dtype = scope.entry(equation.invars[0], index), equation.params["new_dtype"]
    if entry.dtype == dtype:
        return entry
    convert = lambda array: jax.lax.convert_element_type(array, dtype)
    return scope.graph.apply(Compute(("convert", str(dtype)), convert), [entry], dtype)


# ---- sums -------------------------------------------------------------------------------------


def _reduction(scope: Scope, equation: Any, index: Index) -> Entry:
    atom, axes = equation.invars[0], equation.params["axes"]

    def term(summed: Index) -> Entry:
        places, left = dict(zip(axes, summed, strict=True)), iter(index)
        where = (places[d] if d in places else next(left) for d in range(atom.aval.ndim))
        return scope.entry(atom, tuple(where))

    lengths = tuple(atom.aval.shape[axis] for axis in axes)
    return _joined(scope.graph, _REDUCTIONS[equation.primitive.name], term, lengths, index)


def _argmax(scope: Scope, equation: Any, position: int, index: Index) -> Entry:
    """The first of the largest, of a few."""
    atom, (axis,) = equation.invars[0], equation.params["axes"]
    length, dtype = atom.aval.shape[axis], np.dtype(equation.params["index_dtype"])
    if length > _WRITTEN_OUT:
        raise Unsupported("the largest of many")
    best, place = None, None
    for k in range(length):
        entry = scope.entry(atom, (*index[:axis], k, *index[axis:]))
        if best is None or place is None:
            best, place = entry, dtype.type(0)
            continue
        larger = scope.graph.apply(_GREATER, [entry, best], np.dtype(bool))
        best = scope.graph.apply(numbers.SELECT, [larger, best, entry], entry.dtype)
        place = scope.graph.apply(numbers.SELECT, [larger, place, dtype.type(k)], dtype)
    if place is None:
        raise Unsupported("the largest of none")
    return place


def _joined(
    graph: Graph, combine: Compute, term: Callable[[Index], Entry], lengths: Index, index: Index
) -> Entry:
    """The terms of all indices below `lengths`: written out, or the sum over a counter."""
    count = prod(lengths)
    if count == 0:
        raise Unsupported("a sum without a term")
    if count > _FEW:
        outer = {c for i in index if isinstance(i, Node) for c in i.scopes}
        counter = graph.counter(count, len(outer))
        try:
            return graph.sum(combine, term(_unraveled(graph, counter, lengths)), counter)
        except Unsupported:
            if count > _WRITTEN_OUT:
                raise
    terms = [term(where) for where in indices(lengths)]
    return reduce(lambda a, b: graph.apply(combine, [a, b], a.dtype), terms)


def _unraveled(graph: Graph, flat: int | Node, shape: Index) -> Index:
    """The index of the entry at a place in the order of an array."""
    index: list[int | Node] = []
    for axis in reversed(range(len(shape))):
        length = shape[axis]
        first = all(each == 1 for each in shape[:axis])
        index.append(flat if first else graph.arithmetic(numbers.REMAINDER, flat, length))
        flat = 0 if first else graph.arithmetic(numbers.DIVIDE, flat, length)
    return tuple(reversed(index))


def _raveled(graph: Graph, index: Index, shape: Index) -> int | Node:
    """The place of an entry in the order of an array."""
    flat: int | Node = 0
    for i, length in zip(index, shape, strict=True):
        flat = graph.arithmetic(numbers.MULTIPLY, flat, length)
        if isinstance(flat, Node) and isinstance(i, Node):
            flat = graph.apply(numbers.ADD, [flat, i], np.int32)  # type: ignore[assignment]
        elif isinstance(i, Node):
            flat = graph.arithmetic(numbers.ADD, i, flat)  # type: ignore[arg-type]
        else:
            flat = graph.arithmetic(numbers.ADD, flat, i)
    return flat


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


# ---- where an entry comes from ----------------------------------------------------------------


def _broadcast_in_dim(scope: Scope, equation: Any, position: int, index: Index) -> Entry:
    atom, dims = equation.invars[0], equation.params["broadcast_dimensions"]
    shape = atom.aval.shape
    return scope.entry(atom, tuple(0 if shape[j] == 1 else index[d] for j, d in enumerate(dims)))


def _reshape(scope: Scope, equation: Any, position: int, index: Index) -> Entry:
    if equation.params.get("dimensions") is not None:
        raise Unsupported("a reshape in another order")
    atom, new = equation.invars[0], equation.outvars[0].aval.shape
    old = atom.aval.shape
    if [n for n in old if n > 1] == [n for n in new if n > 1]:
        left = iter([i for i, n in zip(index, new, strict=True) if n > 1])
        return scope.entry(atom, tuple(next(left) if n > 1 else 0 for n in old))
    flat = _raveled(scope.graph, index, new)
    return scope.entry(atom, _unraveled(scope.graph, flat, old))


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
        back = graph.arithmetic(numbers.MULTIPLY, i, -1)
        return graph.arithmetic(numbers.ADD, back, atom.aval.shape[d] - 1)

    where = (mirrored(d, i) if d in axes else i for d, i in enumerate(index))
    return scope.entry(atom, tuple(where))


def _slice(scope: Scope, equation: Any, position: int, index: Index) -> Entry:
    starts = equation.params["start_indices"]
    strides = equation.params["strides"] or (1,) * len(starts)
    graph, where = scope.graph, []
    for i, start, stride in zip(index, starts, strides, strict=True):
        where.append(
            graph.arithmetic(
                numbers.ADD, graph.arithmetic(numbers.MULTIPLY, i, stride), start
            )
        )
    return scope.entry(equation.invars[0], tuple(where))


def _split(scope: Scope, equation: Any, position: int, index: Index) -> Entry:
    axis, sizes = equation.params["axis"], equation.params["sizes"]
    shift = sum(sizes[:position])
    moved = scope.graph.arithmetic(numbers.ADD, index[axis], int(shift))
    return scope.entry(equation.invars[0], (*index[:axis], moved, *index[axis + 1 :]))


def _stack(scope: Scope, equation: Any, position: int, index: Index) -> Entry:
    axis = equation.params.get("axis", equation.params.get("dimension", 0))
    which = index[axis]
    if isinstance(which, Node):
        raise Unsupported("a stack along a long axis")
    return scope.entry(equation.invars[which], (*index[:axis], *index[axis + 1 :]))


def _unstack(scope: Scope, equation: Any, position: int, index: Index) -> Entry:
    axis = equation.params.get("axis", equation.params.get("dimension", 0))
    return scope.entry(equation.invars[0], (*index[:axis], position, *index[axis:]))


def _concatenate(scope: Scope, equation: Any, position: int, index: Index) -> Entry:
    axis, graph = equation.params["dimension"], scope.graph
    place, found, start = index[axis], None, 0
    for atom in equation.invars:
        length = atom.aval.shape[axis]
        if not isinstance(place, Node):
            if start <= place < start + length:
                return scope.entry(atom, (*index[:axis], place - start, *index[axis + 1 :]))
        elif length and max(each.aval.shape[axis] for each in equation.invars) <= _WRITTEN_OUT:
            raise Unsupported("one of a few pieces")
        elif length:
            # Each piece is asked for at a place within it, and the right one is taken.
            within = _clipped(graph, graph.arithmetic(numbers.ADD, place, -start), length)
            piece = scope.entry(atom, (*index[:axis], within, *index[axis + 1 :]))
            if found is None:
                found = piece
            else:
                later = graph.apply(_AT_LEAST, [place, np.int32(start)], np.dtype(bool))
                found = graph.apply(numbers.SELECT, [later, found, piece], piece.dtype)
        start += length
    if found is None:
        raise Unsupported("an empty array")
    return found


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
            raise Unsupported("padding between the entries of a long axis")
        else:
            moved = graph.arithmetic(numbers.ADD, i, -int(low))
            where.append(_clipped(graph, moved, n))
            outside.append(graph.apply(_UNEQUAL, [moved, where[-1]], np.dtype(bool)))
    found = scope.entry(atom, tuple(where))
    for condition in outside:
        pair = [found, scope.entry(filling, ())]
        found = graph.apply(numbers.SELECT, [condition, *pair], found.dtype)
    return found


def _clipped(graph: Graph, place: int | Node, length: int) -> int | Node:
    """The nearest place within an axis."""
    assert isinstance(place, Node)
    for compute, end in ((numbers.MAXIMUM, 0), (numbers.MINIMUM, length - 1)):
        within = graph.apply(compute, [place, np.int32(end)], np.int32)
        assert isinstance(within, Node)
        place = within
    return place


def _iota(scope: Scope, equation: Any, position: int, index: Index) -> Entry:
    place, dtype = index[equation.params["dimension"]], np.dtype(equation.params["dtype"])
    if not isinstance(place, Node):
        return dtype.type(place)
    convert = lambda array: jax.lax.convert_element_type(array, dtype)
    return scope.graph.apply(Compute(("convert", str(dtype)), convert), [place], dtype)


def _picked(scope: Scope, equation: Any, position: int, index: Index) -> Entry:
    """Of an operation that only moves entries, to places that are known."""
    operand, *others = equation.invars
    if any(isinstance(i, Node) for i in index):
        raise Unsupported(f"{equation.primitive.name} along a long axis")

    def places() -> np.ndarray:
        known = []
        for atom in others:
            entries = [scope.entry(atom, where) for where in indices(atom.aval.shape)]
            if any(isinstance(entry, Node) for entry in entries):
                raise Unsupported(f"{equation.primitive.name} at a place that is not known before")
            known.append(jnp.asarray(np.array(entries, atom.aval.dtype).reshape(atom.aval.shape)))
        with jax.ensure_compile_time_eval():
            all_places = jnp.arange(operand.aval.size, dtype=jnp.int32)
            all_places = all_places.reshape(operand.aval.shape)
            params = equation.primitive.get_bind_params(equation.params)
            return np.asarray(equation.primitive.bind(all_places, *known, **params))

    if equation.primitive.name == "gather" and "FILL" in str(equation.params["mode"]):
        raise Unsupported("a gather that fills")
    place = int(scope.inner(equation, places)[tuple(index)])
    where = np.unravel_index(place, operand.aval.shape)
    return scope.entry(operand, tuple(int(i) for i in where))


def _dynamic_update_slice(scope: Scope, equation: Any, position: int, index: Index) -> Entry:
    operand, update, *starts = equation.invars
    where = []
    for d, atom in enumerate(starts):
        start, length = scope.entry(atom, ()), update.aval.shape[d]
        place = index[d]
        if isinstance(start, Node):
            raise Unsupported("an update at a place that is not known before")
        start = int(np.clip(int(start), 0, operand.aval.shape[d] - length))
        if isinstance(place, Node):
            if length != operand.aval.shape[d]:
                raise Unsupported("an update of a part of a long axis")
            where.append(place)
        elif start <= place < start + length:
            where.append(place - start)
        else:
            return scope.entry(operand, index)
    return scope.entry(update, tuple(where))


# ---- control flow -----------------------------------------------------------------------------


def _scan(scope: Scope, equation: Any, position: int, index: Index) -> Entry:
    """A loop, of which each round is written out where it hands on too much, or has results."""
    _, num_carry = scan_counts(equation)
    shapes = [var.aval.shape for var in equation.outvars[:num_carry]]
    places = [(k, where) for k, shape in enumerate(shapes) for where in indices(shape)]
    long = any(n > _WRITTEN_OUT for shape in shapes for n in shape)
    length = equation.params["length"]
    if position < num_carry and length > 1 and not long and len(places) <= _HANDED_ON:
        if any(isinstance(i, Node) for i in index):
            raise Unsupported("one of the results of a loop")
        make = partial(_loop, scope, equation, places)
        return scope.inner(id(equation), make)[position, index]
    if length > _WRITTEN_OUT:
        raise Unsupported(f"a loop of {length} rounds")
    return _written_out(scope, equation, position, index)


def _round(scope: Scope, equation: Any, k: int | Node, carry: list[Pull]) -> Scope:
    """Round `k` of a loop, for what it finds."""
    num_consts, num_carry = scan_counts(equation)
    consts, xs = equation.invars[:num_consts], equation.invars[num_consts + num_carry :]
    if equation.params["reverse"]:
        back = scope.graph.arithmetic(numbers.MULTIPLY, k, -1)
        k = scope.graph.arithmetic(numbers.ADD, back, equation.params["length"] - 1)
    slices = [lambda where, x=x: scope.entry(x, (k, *where)) for x in xs]
    inputs = [*map(scope.puller, consts), *carry, *slices]
    return Scope(scope.graph, equation.params["jaxpr"], inputs, None, scope.rare)


def _loop(scope: Scope, equation: Any, places: list[tuple[int, Index]]) -> dict[Any, Entry]:
    """What a loop hands on, at its end."""
    graph = scope.graph
    num_consts, num_carry = scan_counts(equation)
    atoms = equation.invars[num_consts : num_consts + num_carry]
    counter = graph.counter(equation.params["length"], ("loop", len(graph.nodes)))
    dtypes = [np.dtype(atoms[k].aval.dtype) for k, _ in places]
    held = dict(zip(places, graph.held(counter, dtypes), strict=True))

    def pull(k: int) -> Pull:
        def entry(where: Index) -> Entry:
            if any(isinstance(i, Node) for i in where):
                raise Unsupported("one of what a loop hands on")
            return held[k, where]

        return entry

    body = _round(scope, equation, counter, [pull(k) for k in range(num_carry)])
    first = [scope.entry(atoms[k], where) for k, where in places]
    after = [body.output(*place) for place in places]
    results = graph.results(Loop(counter, list(held.values()), first, after))
    return dict(zip(places, results, strict=True))


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
        raise Unsupported("the results of a loop along a long axis")
    which = length - 1 - which if equation.params["reverse"] else which
    return scopes[which].output(position, tuple(rest))


def _cond(scope: Scope, equation: Any, position: int, index: Index) -> Entry:
    """Both branches, of which the predicate chooses; a true one with a loop runs if it must."""
    which, *operands = equation.invars
    branches, graph = equation.params["branches"], scope.graph
    taken = scope.entry(which, ())

    def branch(k: int) -> Scope:
        inputs = [scope.puller(atom) for atom in operands]
        make = lambda: Scope(graph, branches[k], inputs, None, scope.rare)
        return scope.inner((id(equation), k), make)

    if not isinstance(taken, Node):
        return branch(int(np.clip(int(taken), 0, len(branches) - 1))).output(position, index)
    if len(branches) != 2:
        raise Unsupported("a choice among several functions")
    condition = graph.apply(_UNEQUAL, [taken, taken.dtype.type(0)], np.dtype(bool))
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
        if len(places) > _RESULTS:
            raise Unsupported("a choice with results as long as the data")
        pairs = [tuple(branch(k).output(*place) for k in (0, 1)) for place in places]
        return dict(zip(places, graph.choices(condition, pairs), strict=True))

    if any(isinstance(i, Node) for i in index):
        raise Unsupported("one of the results of a choice")
    return scope.inner(id(equation), results)[position, index]


def _has_loop(closed: Any) -> bool:
    for equation in getattr(closed, "jaxpr", closed).eqns:
        if equation.primitive.name in ("scan", "while"):
            return True
        inner = (getattr(value, "jaxpr", value) for value in equation.params.values())
        if any(_has_loop(each) for each in inner if isinstance(each, core.Jaxpr)):
            return True
    return False


_CALLS = {"custom_jvp_call": "call_jaxpr", "custom_vjp_call": "call_jaxpr"}
_RULES: dict[str, Callable[[Scope, Any, int, Index], Entry]] = {
    "argmax": _argmax,
    "broadcast_in_dim": _broadcast_in_dim,
    "concatenate": _concatenate,
    "cond": _cond,
    "convert_element_type": _convert,
    "dot_general": _dot_general,
    "dynamic_slice": _picked,
    "dynamic_update_slice": _dynamic_update_slice,
    "gather": _picked,
    "iota": _iota,
    "pad": _pad,
    "reshape": _reshape,
    "rev": _rev,
    "scan": _scan,
    "slice": _slice,
    "split": _split,
    "squeeze": _squeeze,
    "stack": _stack,
    "transpose": _transpose,
    "unstack": _unstack,
}
