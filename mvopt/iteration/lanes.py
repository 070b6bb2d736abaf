"""Mapping a function over lanes with the lane axis last.

`jax.vmap` puts the batch axis first. For thousands of tiny problems that is the wrong way round: a
sum over the 25 points of one problem then runs along memory, and nothing is left to vectorise.
With the lanes last, every operation of one problem becomes the same operation on contiguous
vectors of lanes. On 2 CPU cores that made the products JᵀJ of 25 × 4 Jacobians ten times faster.

`over_lanes` traces the function for one problem and replays it equation by equation. Elementwise
and shape operations carry the lanes along as a trailing axis; anything without a rule here is
handed to `jax.vmap`. Two operations get a meaning of their own:

* `lax.cond` whose predicate differs between lanes runs its true branch only if some lane asks
  for it, and each lane takes the side that its own predicate names: rare, costly work stays rare;
* a matrix product is accumulated in vector registers over the contracted index.
"""

from collections.abc import Callable, Sequence
from math import prod
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jax.extend import core

from mvopt import _tree
from mvopt._types import Array

# Rows of a contraction that are summed in one fused expression before the loop goes round.
_BLOCKS = range(4, 13)
# A longer contraction is left to the library: one problem of many points must not be a long loop.
_LONG_CONTRACTION = 4096
# A single problem with an array beyond this, or with a product of more multiplications, is not laid
# out in lanes; a smaller one is, so that it goes through the same arithmetic as in a batch.
_LARGE = 16384

_ELEMENTWISE = frozenset(
    "abs acos acosh add add_any and asin asinh atan atan2 atanh cbrt ceil clamp "
    "convert_element_type copy cos cosh digamma div eq erf erf_inv erfc exp exp2 expm1 floor ge gt "
    "integer_pow is_finite le lgamma log log1p logistic lt max min mul ne neg nextafter not or "
    "pow rem round rsqrt select_n sign sin sinh sqrt square stop_gradient sub tan tanh xor".split()
)
_KEEP_PARAMS = frozenset(
    "argmax argmin cumlogsumexp cummax cummin cumprod cumsum reduce_and reduce_max reduce_min "
    "reduce_or reduce_prod reduce_sum rev squeeze unstack".split()
)
_INLINED = {
    "closed_call": "call_jaxpr",
    "jit": "jaxpr",
    "pjit": "jaxpr",
    "remat2": "jaxpr",
}


def over_lanes(function: Callable[..., Any]) -> Callable[..., Any]:
    """Map `function` over the last axis of every leaf of its arguments and results."""

    def mapped(*args: Any) -> Any:
        leaves, structure = jax.tree.flatten(args)
        lanes = leaves[-1].shape[-1]
        if lanes == 1 and max(leaf.size for leaf in leaves) > _LARGE:
            return _alone(function, args)
        one = [jax.ShapeDtypeStruct(leaf.shape[:-1], leaf.dtype) for leaf in leaves]
        closed, shapes = jax.make_jaxpr(function, return_shape=True)(
            *jax.tree.unflatten(structure, one)
        )
        if lanes == 1 and _heavy(closed.jaxpr):
            return _alone(function, args)
        values = _replay(closed, [(leaf, True) for leaf in leaves], lanes)
        out = [_spread(value, lanes) for value in values]
        return jax.tree.unflatten(jax.tree.structure(shapes), out)

    return mapped


def _heavy(jaxpr: Any) -> bool:
    """Whether a matrix product or a convolution in it is better left to the library.

    Written out as loops, the products of a network of 64-64-10 units took minutes to compile.
    """
    for equation in jaxpr.eqns:
        name, params = equation.primitive.name, equation.params
        if name == "conv_general_dilated":
            return True
        if name == "dot_general":
            (axes, _), _ = params["dimension_numbers"]
            shape = equation.invars[0].aval.shape
            length = prod(shape[axis] for axis in axes)
            if length * equation.outvars[0].aval.size > _LARGE:
                return True
        inner = (getattr(value, "jaxpr", value) for value in params.values())
        if any(_heavy(each) for each in inner if isinstance(each, core.Jaxpr)):
            return True
    return False


def _alone(function: Callable[..., Any], args: Any) -> Any:
    """A single large problem: the function as it is, its products and loops left to the library."""
    out = function(*jax.tree.map(lambda leaf: leaf[..., 0], args))
    return jax.tree.map(lambda leaf: jnp.asarray(leaf)[..., None], out)


def in_chunks(function: Callable[[Any], Any], rows: Any, lanes: int) -> Any:
    """Map `function` over the leading axis of every leaf of `rows`, `lanes` of them at a time.

    Fewer rows are filled up, so that the arithmetic is the same for any number of them. Without
    leaves there is one row: the result has a leading axis of one.
    """
    leaves = jax.tree.leaves(rows)
    if not leaves:
        return jax.tree.map(lambda leaf: leaf[None], function(rows))
    size = leaves[0].shape[0]
    num_chunks = -(-size // lanes)
    padded = _tree.pad_rows(rows, num_chunks * lanes)

    def piece(k: Array) -> Any:
        def cut(leaf: Array) -> Array:
            return lax.dynamic_slice_in_dim(leaf, k * lanes, lanes)

        return _tree.to_lanes(jax.tree.map(cut, padded))

    def step(current: Any, k: Array) -> tuple[Any, Any]:
        # The next piece is carried: what a loop carries is in memory in the layout of the lanes,
        # and is not cut out again by every operation that reads it.
        out = over_lanes(function)(current)
        rows = jax.tree.map(lambda leaf: jnp.moveaxis(leaf, -1, 0), out)
        return piece(jnp.minimum(k + 1, num_chunks - 1)), rows

    _, out = lax.scan(step, piece(jnp.int32(0)), jnp.arange(num_chunks, dtype=jnp.int32))
    return jax.tree.map(lambda leaf: leaf.reshape(-1, *leaf.shape[2:])[:size], out)


Value = tuple[Array, bool]  # an array, and whether its last axis is the lanes


def _replay(closed: Any, args: Sequence[Value], lanes: int) -> list[Value]:
    jaxpr, consts = getattr(closed, "jaxpr", closed), getattr(closed, "consts", ())
    env: dict[Any, Value] = dict(zip(jaxpr.invars, args, strict=True))
    env.update((var, (const, False)) for var, const in zip(jaxpr.constvars, consts, strict=True))

    def read(atom: Any) -> Value:
        return (atom.val, False) if isinstance(atom, core.Literal) else env[atom]

    for equation in jaxpr.eqns:
        values = _apply(equation, [read(atom) for atom in equation.invars], lanes)
        env.update(zip(equation.outvars, values, strict=True))
    return [read(atom) for atom in jaxpr.outvars]


def _apply(equation: Any, values: list[Value], lanes: int) -> list[Value]:
    name, params = equation.primitive.name, equation.params
    if name in _INLINED:
        return _replay(params[_INLINED[name]], values, lanes)
    if not any(mapped for _, mapped in values):
        out = _bind(equation, [array for array, _ in values], params)
        return [(array, False) for array in out]
    if name in _RULES:
        out = _RULES[name](equation, values, lanes)
    elif name in _ELEMENTWISE:
        shape = equation.outvars[0].aval.shape
        out = _bind(equation, [_aligned(value, shape, lanes) for value in values], params)
    elif name in _KEEP_PARAMS:
        out = _bind(equation, [array for array, _ in values], params)
    else:
        out = _by_vmap(equation, values)
    return [(array, True) for array in out]


def _bind(equation: Any, arrays: Sequence[Array], params: dict) -> list[Array]:
    out = equation.primitive.bind(*arrays, **equation.primitive.get_bind_params(params))
    return out if equation.primitive.multiple_results else [out]


def _by_vmap(equation: Any, values: list[Value]) -> list[Array]:
    axes = [-1 if mapped else None for _, mapped in values]

    def one(*arrays):
        return _bind(equation, arrays, equation.params)

    return jax.vmap(one, in_axes=axes, out_axes=-1)(*(array for array, _ in values))


def _spread(value: Value, lanes: int) -> Array:
    array, mapped = value
    return (
        array
        if mapped
        else jnp.broadcast_to(jnp.asarray(array)[..., None], (*jnp.shape(array), lanes))
    )


def _aligned(value: Value, shape: tuple[int, ...], lanes: int) -> Array:
    """Broadcast one operand of an elementwise operation to (*shape, lanes)."""
    array, mapped = value
    array = jnp.asarray(array) if mapped else jnp.asarray(array)[..., None]
    return jnp.broadcast_to(array, (*shape, lanes))


def _with_params(**change: Callable[..., Any]) -> Callable[..., list[Array]]:
    """Rule that binds the same primitive with parameters extended by the lane axis."""

    def rule(equation, values, lanes):
        operand = equation.invars[0].aval
        changed = {key: make(equation.params[key], operand, lanes) for key, make in change.items()}
        arrays = [_spread(value, lanes) for value in values]
        return _bind(equation, arrays, {**equation.params, **changed})

    return rule


def _broadcast_in_dim(equation, values, lanes):
    shape, dims = equation.params["shape"], equation.params["broadcast_dimensions"]
    return [lax.broadcast_in_dim(_spread(values[0], lanes), (*shape, lanes), (*dims, len(shape)))]


def _dynamic_slice(equation, values, lanes):
    (operand, mapped), *starts = values
    if any(start_mapped for _, start_mapped in starts) or not mapped:
        return _by_vmap(equation, values)
    sizes = (*equation.params["slice_sizes"], lanes)
    return [lax.dynamic_slice(operand, [*(start for start, _ in starts), 0], sizes)]


def _dynamic_update_slice(equation, values, lanes):
    operand, update, *starts = values
    if any(mapped for _, mapped in starts):
        return _by_vmap(equation, values)
    indices = [*(start for start, _ in starts), 0]
    return [lax.dynamic_update_slice(_spread(operand, lanes), _spread(update, lanes), indices)]


def _dot_general(equation, values, lanes):
    (contract, batch) = equation.params["dimension_numbers"]
    (lhs, rhs), (lhs_axes, rhs_axes) = values, contract
    if len(lhs_axes) != 1 or batch != ((), ()):
        return _by_vmap(equation, values)
    if equation.invars[0].aval.shape[lhs_axes[0]] > _LONG_CONTRACTION:
        return _by_vmap(equation, values)
    left, right = _spread(lhs, lanes), _spread(rhs, lanes)
    length = left.shape[lhs_axes[0]]
    # Without a rest there is only the loop, whose operands XLA does not compute a second time.
    block = max((b for b in _BLOCKS if length % b == 0), default=8)

    def add_rows(total, first, count):
        for k in range(count):
            a = lax.dynamic_index_in_dim(left, first + k, lhs_axes[0], keepdims=False)
            b = lax.dynamic_index_in_dim(right, first + k, rhs_axes[0], keepdims=False)
            total = total + a.reshape(*a.shape[:-1], *(1,) * (b.ndim - 1), lanes) * b
        return total

    total = jnp.zeros((*equation.outvars[0].aval.shape, lanes), equation.outvars[0].aval.dtype)
    total = lax.fori_loop(
        0, length // block, lambda i, total: add_rows(total, i * block, block), total
    )
    return [add_rows(total, length // block * block, length % block)]


def _custom_jvp_call(equation, values, lanes):
    mapped = [flag for _, flag in values]

    @jax.custom_jvp
    def call(*arrays):
        args = list(zip(arrays, mapped, strict=True))
        return [_spread(v, lanes) for v in _replay(equation.params["call_jaxpr"], args, lanes)]

    @call.defjvp
    def rule(primals, tangents):
        def by_vmap(*arrays):
            return _by_vmap(equation, list(zip(arrays, mapped, strict=True)))

        return jax.jvp(by_vmap, primals, tangents)

    return call(*(jnp.asarray(array) for array, _ in values))


def _cond(equation, values, lanes):
    (predicate, mapped), *operands = values
    branches = equation.params["branches"]
    if len(branches) != 2 or not mapped:
        return _by_vmap(equation, values)

    def branch(which):
        return [_spread(value, lanes) for value in _replay(branches[which], operands, lanes)]

    def both():
        return [jnp.where(predicate, a, b) for a, b in zip(branch(1), branch(0), strict=True)]

    return lax.cond(predicate.any(), both, lambda: branch(0))


def _reached(jaxpr: Any, mapped: list[bool]) -> list[bool]:
    """Which outputs depend on a mapped input."""
    flags = dict(zip(jaxpr.invars, mapped, strict=True))

    def flag(atom: Any) -> bool:
        return not isinstance(atom, core.Literal) and flags.get(atom, False)

    for equation in jaxpr.eqns:
        reached = any(flag(atom) for atom in equation.invars)
        flags.update((var, reached) for var in equation.outvars)
    return [flag(atom) for atom in jaxpr.outvars]


def _scan(equation, values, lanes):
    inner, length = equation.params["jaxpr"], equation.params["length"]
    body = getattr(inner, "jaxpr", inner)
    # The parameters that count constants and carries differ between versions of JAX; the shapes
    # do not: a carry leaves the loop as it leaves the body, and only xs lose an axis on entry.
    num_carry = sum(
        a.aval.shape == b.aval.shape for a, b in zip(equation.outvars, body.outvars, strict=True)
    )
    num_xs = sum(
        a.aval.shape != b.aval.shape for a, b in zip(equation.invars, body.invars, strict=True)
    )
    num_consts = len(values) - num_carry - num_xs
    consts, xs = values[:num_consts], values[num_consts + num_carry :]
    carry = values[num_consts : num_consts + num_carry]
    mapped = [flag for _, flag in carry]

    def advance(carry, slices):
        args = [*consts, *zip(carry, mapped, strict=True)]
        args += [(x, flag) for x, (_, flag) in zip(slices, xs, strict=True)]
        return _replay(inner, args, lanes)

    def starts():
        return [_spread(v, lanes) if flag else v[0] for v, flag in zip(carry, mapped, strict=True)]

    # A loop counter is the same in every lane and must stay so, or indexing by it is a gather.
    fixed = [flag for _, flag in consts], [flag for _, flag in xs]
    while (grown := _reached(body, [*fixed[0], *mapped, *fixed[1]])[:num_carry]) != mapped:
        mapped = [old or new for old, new in zip(mapped, grown, strict=True)]

    def step(carry, slices):
        out = advance(carry, slices)
        kept = zip(out, mapped, strict=False)
        carry = [_spread(value, lanes) if flag else value[0] for value, flag in kept]
        return carry, [_spread(value, lanes) for value in out[num_carry:]]

    stop, ys = lax.scan(
        step, starts(), [x for x, _ in xs], length=length, reverse=equation.params["reverse"]
    )
    return [
        x if flag else _spread((x, False), lanes) for x, flag in zip(stop, mapped, strict=True)
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
