"""Sums, products of arrays and loops, as operations of a jaxpr on power series."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from mvopt._jaxpr import scan_counts
from mvopt.calculus import interval
from mvopt.calculus.choices import larger
from mvopt.calculus.elementary import product
from mvopt.calculus.interval import Interval
from mvopt.calculus.series import SeriesRules
from mvopt.calculus.values import Interpreter, Rule, UnsupportedError, Value


def _summed(interpreter: Interpreter, equation: Any, values: list[Value]) -> list[Value]:
    axes = tuple(axis + 1 for axis in equation.params["axes"])
    return [Value(values[0].data.sum(axes), True)]


def _folded(combine: Callable[[SeriesRules, Any, Any], Any]) -> Rule:
    """A reduction entry by entry."""

    def rule(interpreter: Interpreter, equation: Any, values: list[Value]) -> list[Value]:
        data = values[0].data
        for axis in sorted(equation.params["axes"], reverse=True):
            rows = [_index(data, k, axis + 1) for k in range(data.shape[axis + 1])]
            data = rows[0]
            for row in rows[1:]:
                data = combine(interpreter.rules, data, row)
        return [Value(data, True)]

    return rule


def _accumulated(interpreter: Interpreter, equation: Any, values: list[Value]) -> list[Value]:
    data, axis = values[0].data, equation.params["axis"] + 1
    rows = [_index(data, k, axis) for k in range(data.shape[axis])]
    if equation.params["reverse"]:
        rows.reverse()
    sums = [rows[0]]
    for row in rows[1:]:
        sums.append(sums[-1] + row)
    if equation.params["reverse"]:
        sums.reverse()
    return [Value(jax.tree.map(lambda *leaves: jnp.stack(leaves, axis), *sums), True)]


def _index(data: Any, k: int, axis: int) -> Any:
    return jax.tree.map(lambda leaf: lax.index_in_dim(leaf, k, axis, keepdims=False), data)


def _contracted(interpreter: Interpreter, equation: Any, values: list[Value]) -> list[Value]:
    """A product of arrays as a sum of products of entries."""
    (contract, batch) = equation.params["dimension_numbers"]
    u, v = values
    left = _laid_out(u, batch[0], contract[0], equation.invars[0].aval.ndim, True, v)
    right = _laid_out(v, batch[1], contract[1], equation.invars[1].aval.ndim, False, u)
    length = len(contract[0])
    found = product(interpreter.rules, left, right)
    axes = tuple(range(found.ndim - length, found.ndim))
    return [Value(found.sum(axes) if length else found, True)]


def _laid_out(
    value: Value,
    batch: Any,
    contract: Any,
    ndim: int,
    first: bool,
    other: Value,
) -> Value:
    """An operand with axes (batch, own or 1, other's or 1, contracted)."""
    own = [axis for axis in range(ndim) if axis not in (*batch, *contract)]
    shift = 1 if value.series else 0
    order = [*range(shift), *(axis + shift for axis in (*batch, *own, *contract))]
    far = other.data.ndim - (1 if other.series else 0) - len(batch) - len(contract)

    def one(leaf: Any) -> Any:
        leaf = jnp.transpose(leaf, order)
        head = shift + len(batch)
        place = head + len(own) if first else head
        return leaf.reshape(leaf.shape[:place] + (1,) * far + leaf.shape[place:])

    return Value(jax.tree.map(one, value.data), value.series)


def _converted(interpreter: Interpreter, equation: Any, values: list[Value]) -> list[Value]:
    dtype, (value,) = equation.params["new_dtype"], values
    if not jnp.issubdtype(dtype, jnp.floating):
        raise UnsupportedError("convert_element_type", f" to {dtype}")
    data = value.data
    if not isinstance(data, Interval):
        return [Value(data.astype(dtype), value.series)]
    narrower = (
        jnp.issubdtype(data.dtype, jnp.floating)
        and jnp.finfo(dtype).bits < jnp.finfo(data.dtype).bits
    )
    lo, hi = data.lo.astype(dtype), data.hi.astype(dtype)
    if narrower:
        lo, hi = interval.below(lo), interval.above(hi)
    return [Value(Interval(lo, hi), value.series)]


def _repeated(interpreter: Interpreter, equation: Any, values: list[Value]) -> list[Value]:
    """A loop of known length, round by round."""
    params = equation.params
    num_consts, num_carry = scan_counts(equation)
    consts, carry = values[:num_consts], values[num_consts : num_consts + num_carry]
    xs, rows = values[num_consts + num_carry :], []
    order = range(params["length"])
    for k in reversed(order) if params["reverse"] else order:
        here = [Value(_index(x.data, k, int(x.series)), x.series) for x in xs]
        out = interpreter.run(params["jaxpr"], [*consts, *carry, *here])
        carry, row = out[:num_carry], out[num_carry:]
        rows.append(row)
    if params["reverse"]:
        rows.reverse()
    stacked = []
    for column in zip(*rows, strict=True):
        series = any(value.series for value in column)
        data = [interpreter.lifted(value) if series else value.data for value in column]
        axis = int(series)
        stacked.append(Value(jax.tree.map(lambda *rows, a=axis: jnp.stack(rows, a), *data), series))
    return [*carry, *stacked]


RULES: dict[str, Rule] = {
    "convert_element_type": _converted,
    "cumsum": _accumulated,
    "dot_general": _contracted,
    "reduce_max": _folded(lambda rules, u, v: larger(u, v, 1.0)),
    "reduce_min": _folded(lambda rules, u, v: larger(u, v, -1.0)),
    "reduce_prod": _folded(SeriesRules.multiply),
    "reduce_sum": _summed,
    "scan": _repeated,
}
