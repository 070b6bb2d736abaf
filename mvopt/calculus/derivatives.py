"""Gradients, Jacobians and Hessians of functions of pytrees.

Each takes a function `fn(x, *args)` and returns another one of the same arguments; derivatives are
with respect to `x`, any pytree of real floating-point arrays (a list of numbers is one array).
"""

from collections.abc import Callable
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np

from mvopt import _tree
from mvopt.calculus.blocks import Blocks

Mode = Literal["auto", "forward", "reverse"]
Function = Callable[..., Any]


def gradient(fn: Function, *, labelled: bool = False) -> Function:
    """∇fn, a pytree like `x`; with `labelled` the same as `Blocks`.

    Raises TypeError where `fn` does not return one real number, or `x` is not real floating point.
    """
    both = value_and_gradient(fn, labelled=labelled)
    return lambda x, *args: both(x, *args)[1]


def value_and_gradient(fn: Function, *, labelled: bool = False) -> Function:
    """(fn(x), ∇fn(x)) from one evaluation, in reverse."""

    def both(x: Any, *args: Any) -> tuple[Any, Any]:
        x = real(x)
        value, pull = jax.vjp(lambda x: number(fn(x, *args)), x)
        (slope,) = pull(jnp.ones_like(value))
        return value, Blocks.of_gradient(slope) if labelled else slope

    return both


def jacobian(fn: Function, *, mode: Mode = "auto", labelled: bool = False) -> Function:
    """∂fn/∂x: a pytree like what `fn` returns, each of its leaves a pytree like `x`.

    A block has the shape of the output followed by that of the parameter. mode: "forward" takes a
    pass for each number in `x`, "reverse" one for each number that `fn` returns; "auto" takes the
    fewer. labelled: return `Blocks`, which print, and become one matrix.
    """
    both = value_and_jacobian(fn, mode=mode, labelled=labelled)
    return lambda x, *args: both(x, *args)[1]


def value_and_jacobian(fn: Function, *, mode: Mode = "auto", labelled: bool = False) -> Function:
    """(fn(x), ∂fn/∂x(x)) from one evaluation."""
    if mode not in ("auto", "forward", "reverse"):
        raise ValueError(f'mode={mode!r} is not known: use "auto", "forward" or "reverse"')

    def both(x: Any, *args: Any) -> tuple[Any, Any]:
        x = real(x)
        of_x = lambda x: real_output(fn(x, *args))
        numbers = count(x), count(jax.eval_shape(of_x, x))
        forward = numbers[0] <= numbers[1] if mode == "auto" else mode == "forward"
        value, columns = (_by_columns if forward else _by_rows)(of_x, x)
        return value, Blocks.of(columns, value, x) if labelled else columns

    return both


def _by_columns(fn: Function, x: Any) -> tuple[Any, Any]:
    flat, unravel = _tree.ravel(x)

    def along(tangent: Any) -> tuple[Any, Any]:
        return jax.jvp(fn, (x,), (unravel(tangent),))

    basis = jnp.eye(flat.size, dtype=flat.dtype)
    value, columns = jax.vmap(along, out_axes=(None, -1))(basis)
    return value, jax.tree.map(lambda each: split_axis(each, each.ndim - 1, x), columns)


def _by_rows(fn: Function, x: Any) -> tuple[Any, Any]:
    value, pull = jax.vjp(fn, x)
    flat, unravel = _tree.ravel(value)
    rows = jax.vmap(lambda weight: pull(unravel(weight))[0])(jnp.eye(flat.size, dtype=flat.dtype))
    blocks = jax.tree.map(lambda each: split_axis(each, 0, value), rows)
    return value, jax.tree.transpose(jax.tree.structure(x), jax.tree.structure(value), blocks)


def split_axis(array: Any, axis: int, tree: Any) -> Any:
    """An axis over all numbers of a pytree, as a pytree of blocks with axes of its leaves."""
    leaves, structure = jax.tree.flatten(tree)
    ends = np.cumsum([leaf.size for leaf in leaves])[:-1]
    before, after = array.shape[:axis], array.shape[axis + 1 :]
    pieces = zip(jnp.split(array, ends, axis), leaves, strict=True)
    blocks = [piece.reshape(*before, *leaf.shape, *after) for piece, leaf in pieces]
    return jax.tree.unflatten(structure, blocks)


def hessian(fn: Function, *, labelled: bool = False) -> Function:
    """∂²fn/∂x²: a pytree like `x` of pytrees like `x`, forward over reverse."""
    inner = value_and_gradient(fn)

    def of_x(x: Any, *args: Any) -> Any:
        return jacobian(lambda x: inner(x, *args)[1], mode="forward", labelled=labelled)(x)

    return of_x


def hvp(fn: Function) -> Function:
    """(x, v, *args) ↦ ∂²fn/∂x² v, like `x`, in the memory of a gradient (Pearlmutter 1994)."""

    def product(x: Any, v: Any, *args: Any) -> Any:
        x = real(x)
        slope = lambda x: value_and_gradient(fn)(x, *args)[1]
        return jax.jvp(slope, (x,), (direction(v, x),))[1]

    return product


def jvp(fn: Function) -> Function:
    """(x, v, *args) ↦ (fn(x), ∂fn/∂x v)."""

    def push(x: Any, v: Any, *args: Any) -> tuple[Any, Any]:
        x = real(x)
        return jax.jvp(lambda x: real_output(fn(x, *args)), (x,), (direction(v, x),))

    return push


def vjp(fn: Function) -> Function:
    """(x, w, *args) ↦ (fn(x), wᵀ ∂fn/∂x), w like what `fn` returns."""

    def pull(x: Any, w: Any, *args: Any) -> tuple[Any, Any]:
        value, back = jax.vjp(lambda x: real_output(fn(x, *args)), real(x))
        return value, back(direction(w, value, "w", "what fn returns"))[0]

    return pull


def real(x: Any) -> Any:
    """`x` as arrays; TypeError where one of them has no derivatives."""
    if isinstance(x, (list, tuple)) and _tree.all_numbers(x):
        x = jnp.asarray(x)
    x = jax.tree.map(jnp.asarray, x)
    _check(x, "x", "write 3.0 instead of 3, or convert it with .astype(float)")
    return x


def real_output(out: Any) -> Any:
    """What a function returned, as arrays; TypeError where it has no derivatives."""
    out = jax.tree.map(jnp.asarray, out)
    _check(out, "what fn returns", "let fn return real floating-point arrays")
    return out


def number(out: Any) -> Any:
    """What a function returned, which has to be one real number."""
    out = real_output(out)
    leaves = jax.tree.leaves(out)
    if len(leaves) != 1 or leaves[0].shape != ():
        shapes = ", ".join(str(leaf.shape) for leaf in leaves)
        raise TypeError(
            f"fn must return one number, not arrays of shapes {shapes}: sum them up, or ask for "
            "the jacobian"
        )
    return leaves[0]


def direction(v: Any, x: Any, name: str = "v", like: str = "x") -> Any:
    """`v` in the structure and the dtypes of `x`; ValueError where it does not fit."""
    if isinstance(x, jax.Array):
        v = jnp.asarray(v)
    shapes = [jax.tree.map(jnp.shape, tree) for tree in (v, x)]
    if shapes[0] != shapes[1]:
        raise ValueError(f"{name} must be like {like}, {shapes[1]}, but is {shapes[0]}")
    return jax.tree.map(lambda a, b: jnp.asarray(a, b.dtype), v, x)


def _check(tree: Any, what: str, advice: str) -> None:
    for path, leaf in jax.tree_util.tree_leaves_with_path(tree):
        if not jnp.issubdtype(leaf.dtype, jnp.floating):
            kind = "complex" if jnp.issubdtype(leaf.dtype, jnp.complexfloating) else "not real"
            where = jax.tree_util.keystr(path)
            split = "split it into real and imaginary part" if kind == "complex" else advice
            raise TypeError(f"{what}{where} is {leaf.dtype}, which is {kind}: {split}")


def count(tree: Any) -> int:
    """How many numbers its arrays hold."""
    return sum(leaf.size for leaf in jax.tree.leaves(tree))
