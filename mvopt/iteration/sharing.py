"""What to store, and what each of its readers may compute again.

XLA on a CPU fuses operations by computing a value anew for each of its readers. A step of a solver
has a few values on which all else depends, so that fused it did the same work many times over. A
value that costs more to compute again than to read back is therefore kept from being fused with its
readers. On two cores that made a step of BFGS in three variables 1.6 times as fast.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
from jax import lax

from mvopt._jaxpr import is_literal
from mvopt._types import Array

# Operations that a further reader may do again: about what a store and a load cost.
_CHEAP = 8


class Value(NamedTuple):
    """An array in a replayed function."""

    array: Array
    mapped: bool  # the last axis is the lanes
    work: int = 0  # operations for each of its entries since what it is made of was last stored


def stored(value: Value, readers: float) -> Value:
    """The value, a barrier around it where so many readers would repeat too much."""
    if not value.mapped or value.work * (readers - 1) < _CHEAP or jax.default_backend() != "cpu":
        return value
    return Value(lax.optimization_barrier(value.array), True)


def count_readers(jaxpr: Any, inlined: Mapping[str, str]) -> dict[Any, float]:
    """How many times each variable is read, a broadcast one as often as it is repeated.

    inlined: primitives whose inner jaxpr is part of this one, with the name of that parameter.
    """
    counts: dict[Any, float] = {}

    def add(atom: Any, times: float) -> None:
        if not is_literal(atom):
            counts[atom] = counts.get(atom, 0) + times

    for equation in jaxpr.eqns:
        name = equation.primitive.name
        if name in inlined:
            inner = equation.params[inlined[name]]
            inner = getattr(inner, "jaxpr", inner)
            within = count_readers(inner, inlined)
            for atom, var in zip(equation.invars, inner.invars, strict=True):
                add(atom, within.get(var, 0))
            continue
        result = equation.outvars[0].aval if equation.outvars else None
        for atom in equation.invars:
            add(atom, _times_read(name, atom.aval, result))
    for atom in jaxpr.outvars:
        add(atom, 1)
    return counts


def _times_read(name: str, operand: Any, result: Any) -> float:
    """How many entries of the result each entry of an operand goes into."""
    repeated = name in ("broadcast_in_dim", "slice") or getattr(operand, "shape", None) == ()
    size = getattr(result, "size", None)
    return size / max(operand.size, 1) if repeated and size is not None else 1
