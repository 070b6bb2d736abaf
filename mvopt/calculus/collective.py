"""Sums, products of arrays and loops, as operations of a jaxpr on power series."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from mvopt._jaxpr import scan_counts
from mvopt.calculus import interval
from mvopt.calculus.choices import constant_between_jumps, larger
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


def _accumulated(combine: Callable[[SeriesRules, Any, Any], Any]) -> Rule:
    """The same with all that there is on the way."""

    def rule(interpreter: Interpreter, equation: Any, values: list[Value]) -> list[Value]:
        data, axis = values[0].data, equation.params["axis"] + 1
        rows = [_index(data, k, axis) for k in range(data.shape[axis])]
        if equation.params["reverse"]:
            rows.reverse()
        found = rows[:1]
        for row in rows[1:]:
            found.append(combine(interpreter.rules, found[-1], row))
        if equation.params["reverse"]:
            found.reverse()
        return [Value(jax.tree.map(lambda *leaves: jnp.stack(leaves, axis), *found), True)]

    return rule


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
    data, real = value.data, jnp.issubdtype(dtype, jnp.floating)
    holds = jnp.promote_types(dtype, data.dtype) == dtype  # all numbers of the other type
    if not jnp.issubdtype(data.dtype, jnp.floating):  # a choice that may be uncertain
        if not holds:
            why = f" to {dtype} of whole numbers that depend on a comparison"
            raise UnsupportedError("convert_element_type", why)
        ends = jax.tree.map(lambda end: end.astype(dtype), data)
        return [
            Value(constant_between_jumps(interpreter, ends), True) if real else Value(ends, False)
        ]
    if not real:
        raise UnsupportedError("convert_element_type", f" to {dtype}")
    if not isinstance(data, Interval):
        return [Value(data.astype(dtype), value.series)]
    lo, hi = data.lo.astype(dtype), data.hi.astype(dtype)
    if not holds:
        lo, hi = interval.below(lo), interval.above(hi)
    return [Value(Interval(lo, hi), value.series)]


def _repeated(interpreter: Interpreter, equation: Any, values: list[Value]) -> list[Value]:
    """A loop of known length: numbers that it hands on are series, whatever they are at first."""
    params = equation.params
    num_consts, num_carry = scan_counts(equation)
    consts, carry = values[:num_consts], values[num_consts : num_consts + num_carry]
    xs = values[num_consts + num_carry :]
    real = [jnp.issubdtype(value.data.dtype, jnp.floating) for value in carry]
    kinds: list[bool] = []  # whether each row that is stacked is a series

    def handed_on(values: list[Value]) -> list[Any]:
        return [interpreter.lifted(v) if r else v.data for v, r in zip(values, real, strict=True)]

    def body(state: list[Any], here: list[Any]) -> tuple[list[Any], list[Any]]:
        known = [Value(*each) for each in zip(state, real, strict=True)]
        rows = [Value(row, x.series) for row, x in zip(here, xs, strict=True)]
        out = interpreter.run(params["jaxpr"], [*consts, *known, *rows])
        kinds[:] = [value.series for value in out[num_carry:]]
        return handed_on(out[:num_carry]), [value.data for value in out[num_carry:]]

    steps = [_moved_axis(x.data, 1, 0) if x.series else x.data for x in xs]
    try:
        last, stacked = lax.scan(body, handed_on(carry), steps, params["length"], params["reverse"])
    except TypeError as error:
        why = " in which a choice that may be uncertain is handed on"
        raise UnsupportedError("scan", why) from error
    stacked = [_moved_axis(d, 0, 1) if k else d for d, k in zip(stacked, kinds, strict=True)]
    return [Value(*each) for each in zip([*last, *stacked], [*real, *kinds], strict=True)]


def _moved_axis(data: Any, source: int, target: int) -> Any:
    return jax.tree.map(lambda leaf: jnp.moveaxis(leaf, source, target), data)


RULES: dict[str, Rule] = {
    "convert_element_type": _converted,
    "cummax": _accumulated(lambda rules, u, v: larger(u, v, 1.0)),
    "cummin": _accumulated(lambda rules, u, v: larger(u, v, -1.0)),
    "cumprod": _accumulated(SeriesRules.multiply),
    "cumsum": _accumulated(lambda rules, u, v: u + v),
    "dot_general": _contracted,
    "reduce_max": _folded(lambda rules, u, v: larger(u, v, 1.0)),
    "reduce_min": _folded(lambda rules, u, v: larger(u, v, -1.0)),
    "reduce_prod": _folded(SeriesRules.multiply),
    "reduce_sum": _summed,
    "scan": _repeated,
}
