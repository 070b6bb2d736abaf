"""Replaying a traced function with a lane axis last: one rule for each kind of operation.

Elementwise and shape operations carry the lanes along as a trailing axis; anything without a rule
here is handed to `jax.vmap`. Two operations get a meaning of their own:

* `lax.cond` whose predicate differs between lanes runs its true branch only if some lane asks
  for it, and each lane takes the side that its own predicate names: rare, costly work stays rare
  where it is the true branch (the false one always runs);
* a sum or a matrix product is, on a CPU, accumulated row by row, each row a vector over the lanes.
  XLA's own reduction there goes through the rows of one lane after the other, which nothing
  vectorises. On an accelerator it is the better one: a loop is many small kernels.
"""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from mvopt._jaxpr import INLINED, bind, is_literal, scan_counts
from mvopt._types import Array
from mvopt.iteration import flags
from mvopt.iteration.sharing import Value, count_readers, stored

# Rows that are accumulated in one fused expression before the loop goes round.
_BLOCKS = range(4, 13)
# So many rows are accumulated without a loop.
_UNROLLED = 32
# Beside a sum of so many rows it costs little to store its operand first.
_FEW_ROWS = 4
# A longer contraction is left to the library: one problem of many points must not be a long loop.
_LONG_CONTRACTION = 4096

_ELEMENTWISE = frozenset(
    "abs acos acosh add add_any and asin asinh atan atan2 atanh cbrt ceil clamp "
    "convert_element_type copy cos cosh digamma div eq erf erf_inv erfc exp exp2 expm1 floor ge gt "
    "integer_pow is_finite le lgamma log log1p logistic lt max min mul ne neg nextafter not or "
    "pow rem round rsqrt select_n sign sin sinh sqrt square stop_gradient sub tan tanh xor".split()
)
_KEEP_PARAMS = frozenset(
    "argmax argmin cumlogsumexp cummax cummin cumprod cumsum rev squeeze unstack".split()
)
_REDUCTIONS: dict[str, Callable[[Array, Array], Array]] = {
    "reduce_and": jnp.bitwise_and,
    "reduce_max": jnp.maximum,
    "reduce_min": jnp.minimum,
    "reduce_or": jnp.bitwise_or,
    "reduce_prod": jnp.multiply,
    "reduce_sum": jnp.add,
}


def replay(closed: Any, arrays: Sequence[Array], lanes: int) -> list[Array]:
    """The results of a jaxpr for these arguments, all with the lanes as their last axis."""
    values = _replay(closed, [Value(array, True) for array in arrays], lanes)
    return [_spread(value, lanes) for value in values]


def _replay(closed: Any, args: Sequence[Value], lanes: int) -> list[Value]:
    jaxpr, consts = getattr(closed, "jaxpr", closed), getattr(closed, "consts", ())
    env: dict[Any, Value] = dict(zip(jaxpr.invars, args, strict=True))
    env.update(
        (var, Value(const, False)) for var, const in zip(jaxpr.constvars, consts, strict=True)
    )
    readers = count_readers(jaxpr, INLINED)

    def read(atom: Any) -> Value:
        return Value(atom.val, False) if is_literal(atom) else env[atom]

    for equation in jaxpr.eqns:
        values = _apply(equation, [read(atom) for atom in equation.invars], lanes)
        for var, value in zip(equation.outvars, values, strict=True):
            env[var] = stored(value, readers.get(var, 0))
    return [read(atom) for atom in jaxpr.outvars]


def _apply(equation: Any, values: list[Value], lanes: int) -> list[Value]:
    name, params = equation.primitive.name, equation.params
    if name in INLINED:
        return _replay(params[INLINED[name]], values, lanes)
    if not any(value.mapped for value in values):
        out = bind(equation, [value.array for value in values], params)
        return [Value(array, False) for array in out]
    if name in _REDUCTIONS:
        return [_reduced(equation, values[0])]
    if name in _RULES:
        out = _RULES[name](equation, values, lanes)
    elif name in _ELEMENTWISE:
        shape = equation.outvars[0].aval.shape
        out = bind(equation, [_aligned(value, shape, lanes) for value in values], params)
    elif name in _KEEP_PARAMS:
        out = bind(equation, [value.array for value in values], params)
    else:
        out = _by_vmap(equation, values)
    work = _WORK.get(name)
    work = 0 if work is None else work + sum(value.work for value in values)
    return [Value(array, True, work) for array in out]


def _by_vmap(equation: Any, values: list[Value]) -> list[Array]:
    axes = [-1 if value.mapped else None for value in values]

    def one(*arrays):
        return bind(equation, arrays, equation.params)

    return jax.vmap(one, in_axes=axes, out_axes=-1)(*(value.array for value in values))


def _spread(value: Value, lanes: int) -> Array:
    if value.mapped:
        return value.array
    array = jnp.asarray(value.array)
    return jnp.broadcast_to(array[..., None], (*array.shape, lanes))


def _aligned(value: Value, shape: tuple[int, ...], lanes: int) -> Array:
    """Broadcast one operand of an elementwise operation to (*shape, lanes)."""
    array = jnp.asarray(value.array)
    array = array if value.mapped else array[..., None]
    return jnp.broadcast_to(array, (*shape, lanes))


def _with_params(**change: Callable[..., Any]) -> Callable[..., list[Array]]:
    """Rule that binds the same primitive with parameters extended by the lane axis."""

    def rule(equation, values, lanes):
        operand = equation.invars[0].aval
        changed = {key: make(equation.params[key], operand, lanes) for key, make in change.items()}
        arrays = [_spread(value, lanes) for value in values]
        return bind(equation, arrays, {**equation.params, **changed})

    return rule


def _broadcast_in_dim(equation, values, lanes):
    shape, dims = equation.params["shape"], equation.params["broadcast_dimensions"]
    return [lax.broadcast_in_dim(_spread(values[0], lanes), (*shape, lanes), (*dims, len(shape)))]


def _dynamic_slice(equation, values, lanes):
    operand, *starts = values
    if any(start.mapped for start in starts) or not operand.mapped:
        return _by_vmap(equation, values)
    sizes = (*equation.params["slice_sizes"], lanes)
    return [lax.dynamic_slice(operand.array, [*(start.array for start in starts), 0], sizes)]


def _dynamic_update_slice(equation, values, lanes):
    operand, update, *starts = values
    if any(start.mapped for start in starts):
        return _by_vmap(equation, values)
    indices = [*(start.array for start in starts), 0]
    return [lax.dynamic_update_slice(_spread(operand, lanes), _spread(update, lanes), indices)]


def _dot_general(equation, values, lanes):
    (contract, batch) = equation.params["dimension_numbers"]
    (lhs, rhs), (lhs_axes, rhs_axes) = values, contract
    if len(lhs_axes) != 1 or batch != ((), ()):
        return _by_vmap(equation, values)
    length = equation.invars[0].aval.shape[lhs_axes[0]]
    if length > _LONG_CONTRACTION:
        return _by_vmap(equation, values)
    left, right = _spread(lhs, lanes), _spread(rhs, lanes)
    if not _by_rows():
        a, b = jnp.moveaxis(left, lhs_axes[0], 0), jnp.moveaxis(right, rhs_axes[0], 0)
        a = jnp.expand_dims(a, tuple(range(a.ndim - 1, a.ndim + b.ndim - 3)))
        b = jnp.expand_dims(b, tuple(range(1, left.ndim - 1)))
        return [jnp.sum(a * b, axis=0)]

    def add_row(total: Array, k: Any) -> Array:
        a = lax.dynamic_index_in_dim(left, k, lhs_axes[0], keepdims=False)
        b = lax.dynamic_index_in_dim(right, k, rhs_axes[0], keepdims=False)
        return total + a.reshape(*a.shape[:-1], *(1,) * (b.ndim - 1), lanes) * b

    out = equation.outvars[0].aval
    return [_over_rows(add_row, jnp.zeros((*out.shape, lanes), out.dtype), length)]


def _by_rows() -> bool:
    """Whether sums are written out row by row."""
    return jax.default_backend() == "cpu"


def _over_rows(
    step: Callable[[Array, Any], Array], total: Array, length: int, first: int = 0
) -> Array:
    """`step(total, k)` for k from `first` to `length`, several of them in one fused expression."""
    rest = length - first
    # Without a rest there is only the loop, whose operands XLA does not compute a second time.
    block = max((b for b in _BLOCKS if rest % b == 0), default=8)

    def some(total: Array, start: Any, count: int) -> Array:
        for k in range(count):
            total = step(total, start + k)
        return total

    if rest >= block:  # even a loop of no rounds would be traced
        total = lax.fori_loop(
            0, rest // block, lambda i, total: some(total, first + i * block, block), total
        )
    return some(total, first + rest // block * block, rest % block)


def _reduced(equation: Any, value: Value) -> Value:
    """A reduction, one axis after the other."""
    combine = _REDUCTIONS[equation.primitive.name]
    for axis in sorted(equation.params["axes"], reverse=True):
        value = _reduced_axis(equation, combine, value, axis)
    return value


def _reduced_axis(equation: Any, combine: Callable, value: Value, axis: int) -> Value:
    length = value.array.shape[axis]
    if not (_by_rows() and 0 < length <= _LONG_CONTRACTION):
        return Value(bind(equation, [value.array], {**equation.params, "axes": (axis,)})[0], True)
    if length > 1:
        value = stored(value, 1 + length / _FEW_ROWS)
    row = lambda k: lax.index_in_dim(value.array, k, axis, keepdims=False)
    if length <= _UNROLLED:
        total = row(0)
        for k in range(1, length):
            total = combine(total, row(k))
        return Value(total, True, length * (1 + value.work) - 1)
    step = lambda total, k: combine(
        total, lax.dynamic_index_in_dim(value.array, k, axis, keepdims=False)
    )
    return Value(_over_rows(step, row(0), length, 1), True)


def _custom_jvp_call(equation, values, lanes):
    def like(arrays: Sequence[Array]) -> list[Value]:
        pairs = zip(arrays, values, strict=True)
        return [value._replace(array=array) for array, value in pairs]

    @jax.custom_jvp
    def call(*arrays):
        return [
            _spread(v, lanes) for v in _replay(equation.params["call_jaxpr"], like(arrays), lanes)
        ]

    @call.defjvp
    def rule(primals, tangents):
        return jax.jvp(lambda *arrays: _by_vmap(equation, like(arrays)), primals, tangents)

    return call(*(jnp.asarray(value.array) for value in values))


def _cond(equation, values, lanes):
    predicate, *operands = values
    branches = equation.params["branches"]
    if len(branches) != 2 or not predicate.mapped:
        return _by_vmap(equation, values)
    # What enters a branch is in memory.
    operands = [operand._replace(work=0) for operand in operands]

    def branch(which):
        return [_spread(value, lanes) for value in _replay(branches[which], operands, lanes)]

    def both():
        pairs = zip(branch(1), branch(0), strict=True)
        return [jnp.where(predicate.array, a, b) for a, b in pairs]

    return lax.cond(flags.any_set(predicate.array), both, lambda: branch(0))


def _reached(jaxpr: Any, mapped: list[bool]) -> list[bool]:
    """Which outputs depend on a mapped input."""
    flags = dict(zip(jaxpr.invars, mapped, strict=True))

    def flag(atom: Any) -> bool:
        return not is_literal(atom) and flags.get(atom, False)

    for equation in jaxpr.eqns:
        reached = any(flag(atom) for atom in equation.invars)
        flags.update((var, reached) for var in equation.outvars)
    return [flag(atom) for atom in jaxpr.outvars]


def _scan(equation, values, lanes):
    inner, length = equation.params["jaxpr"], equation.params["length"]
    body = getattr(inner, "jaxpr", inner)
    num_consts, num_carry = scan_counts(equation)
    consts, xs = values[:num_consts], values[num_consts + num_carry :]
    carry = values[num_consts : num_consts + num_carry]
    # What a loop reads is in memory.
    consts = [value._replace(work=0) for value in consts]
    mapped = [value.mapped for value in carry]

    def advance(carry, slices):
        args = [Value(array, flag) for array, flag in zip(carry, mapped, strict=True)]
        args += [Value(array, x.mapped) for array, x in zip(slices, xs, strict=True)]
        return _replay(inner, [*consts, *args], lanes)

    def kept(values):
        pairs = zip(values, mapped, strict=False)
        return [_spread(value, lanes) if flag else value.array for value, flag in pairs]

    # A loop counter is the same in every lane and must stay so, or indexing by it is a gather.
    fixed = [value.mapped for value in consts], [value.mapped for value in xs]
    while (grown := _reached(body, [*fixed[0], *mapped, *fixed[1]])[:num_carry]) != mapped:
        mapped = [old or new for old, new in zip(mapped, grown, strict=True)]

    def step(carry, slices):
        out = advance(carry, slices)
        return kept(out), [_spread(value, lanes) for value in out[num_carry:]]

    stop, ys = lax.scan(
        step, kept(carry), [x.array for x in xs], length=length, reverse=equation.params["reverse"]
    )
    return [
        _spread(Value(array, flag), lanes) for array, flag in zip(stop, mapped, strict=True)
    ] + ys


_RULES: dict[str, Callable[..., list[Array]]] = {
    "broadcast_in_dim": _broadcast_in_dim,
    "concatenate": _with_params(),
    "cond": _cond,
    "custom_jvp_call": _custom_jvp_call,
    "dot_general": _dot_general,
    "dynamic_slice": _dynamic_slice,
    "dynamic_update_slice": _dynamic_update_slice,
    "reshape": _with_params(new_sizes=lambda sizes, _, lanes: (*sizes, lanes)),
    "scan": _scan,
    "stack": _with_params(),
    "slice": _with_params(
        start_indices=lambda start, *_: (*start, 0),
        limit_indices=lambda limit, _, lanes: (*limit, lanes),
        strides=lambda strides, *_: None if strides is None else (*strides, 1),
    ),
    "transpose": _with_params(permutation=lambda axes, operand, _: (*axes, operand.ndim)),
}
# Operations for an entry of the result, beside those for the operands, if XLA fuses it with what
# reads it. What is not here comes from a kernel of its own.
_WORK = {
    **dict.fromkeys(_ELEMENTWISE, 1),
    **dict.fromkeys("broadcast_in_dim concatenate reshape rev slice squeeze transpose".split(), 0),
    "custom_jvp_call": 10,
}
