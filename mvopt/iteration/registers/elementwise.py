"""Operations on each number apart."""

from typing import Any

import jax
import jax.numpy as jnp

from mvopt._types import Array
from mvopt.iteration.registers import graph as numbers
from mvopt.iteration.registers.graph import Compute, Entry, Index, NotTakenApartError
from mvopt.iteration.registers.scope import Rule, Scope

# What a kernel can compute of single numbers.
_ELEMENTWISE = frozenset(
    "abs acos acosh add and asin asinh atan atan2 atanh cbrt ceil cos cosh div eq exp exp2 "
    "expm1 floor ge gt integer_pow is_finite le log log1p logistic lt max min mul ne neg nextafter "
    "not or pow rem rsqrt select_n sign sin sinh sqrt square sub tan tanh xor".split()
)


def _to_even(x: Array) -> Array:
    """The nearest whole number, of two the even one."""
    up = jnp.floor(x + 0.5)
    tie = up - x == 0.5
    return jnp.where(tie & (up != 2 * jnp.floor(up / 2)), up - 1, up)


def _clamped(low: Array, x: Array, high: Array) -> Array:
    return numbers.MINIMUM.function(numbers.MAXIMUM.function(x, low), high)


# Operations that a kernel computes by others.
_NAMED: dict[Any, Compute] = {
    each.key: each
    for each in (numbers.ADD, numbers.MULTIPLY, numbers.MAXIMUM, numbers.MINIMUM, numbers.SELECT)
} | {
    "add_any": numbers.ADD,
    "clamp": Compute("clamp", _clamped),
    "one_minus_square": Compute("one_minus_square", lambda x: (1 - x) * (1 + x)),
}


def _elementwise(scope: Scope, equation: Any, position: int, index: Index) -> Entry:
    name, out = equation.primitive.name, equation.outvars[0].aval
    args = [scope.entry(atom, index if atom.aval.shape else ()) for atom in equation.invars]
    compute = _NAMED.get(name)
    if compute is None:
        params = equation.primitive.get_bind_params(equation.params)
        key = (name, *sorted((k, str(v)) for k, v in equation.params.items())) if params else name
        bind = equation.primitive.bind
        compute = Compute(key, lambda *arrays: bind(*arrays, **params))
    return scope.graph.apply(compute, args, out.dtype)


def _same(scope: Scope, equation: Any, position: int, index: Index) -> Entry:
    return scope.entry(equation.invars[0], index)


def _round_off(scope: Scope, equation: Any, position: int, index: Index) -> Entry:
    if equation.params["rounding_method"] != jax.lax.RoundingMethod.TO_NEAREST_EVEN:
        raise NotTakenApartError("rounding away from zero")
    entry = scope.entry(equation.invars[0], index)
    return scope.graph.apply(Compute("round", _to_even), [entry], entry.dtype)


def _convert(scope: Scope, equation: Any, position: int, index: Index) -> Entry:
    entry = scope.entry(equation.invars[0], index)
    return scope.graph.converted(entry, equation.params["new_dtype"])


RULES: dict[str, Rule] = {
    **dict.fromkeys(_ELEMENTWISE | _NAMED.keys(), _elementwise),
    **dict.fromkeys(("copy", "copy_p", "reduce_precision", "stop_gradient"), _same),
    "convert_element_type": _convert,
    "round": _round_off,
}
