"""Pytrees of arrays: one flat vector per problem, one leading axis per batch."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import fields
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.flatten_util import ravel_pytree

from mvopt._errors import quoted
from mvopt._types import Array

T = TypeVar("T")


def node(cls: type[T]) -> type[T]:
    """Make a dataclass a pytree; fields with the metadata `static` belong to its structure.

    Unlike those of `jax.tree_util.register_dataclass`, structures of two classes differ: JAX 0.10
    takes those as equal, and runs what it has compiled for one solver when given another.
    """
    # The types cannot say that `cls` is a dataclass, which `fields` wants.
    static = [each.name for each in fields(cls) if each.metadata.get("static")]  # type: ignore[arg-type]
    data = [each.name for each in fields(cls) if each.name not in static]  # type: ignore[arg-type]
    keys = [jax.tree_util.GetAttrKey(name) for name in data]

    def flatten(one: T) -> tuple[tuple, tuple]:
        return tuple(getattr(one, name) for name in data), tuple(
            getattr(one, name) for name in static
        )

    def flatten_with_keys(one: T) -> tuple[tuple, tuple]:
        children, structure = flatten(one)
        return tuple(zip(keys, children, strict=True)), structure

    def unflatten(structure: tuple, children: Iterable[Any]) -> T:
        named = zip((*data, *static), (*children, *structure), strict=True)
        return cls(**dict(named))

    jax.tree_util.register_pytree_with_keys(cls, flatten_with_keys, unflatten, flatten)
    return cls


def inexact(tree: Any) -> Any:
    """Turn every leaf into a floating-point array; nested lists of numbers become one array.

    Integers and Booleans take JAX's default float type, so that `x0=3` means `x0=3.0`. A complex
    number stays one: `ravel` makes two real ones of it.
    """
    if isinstance(tree, (list, tuple)) and all_numbers(tree):
        tree = np.asarray(tree)
    return jax.tree.map(_inexact_leaf, tree)


def all_numbers(tree: list | tuple) -> bool:
    """Whether it is a list of numbers, or of such lists, and so one array."""
    return type(tree) in (list, tuple) and all(
        isinstance(item, (int, float, complex, np.number))
        or (type(item) in (list, tuple) and all_numbers(item))
        for item in tree
    )


def as_leaf(leaf: Any) -> Any:
    """An array that JAX can take, of a dtype that it knows; one of NumPy stays on the host.

    TypeError for what it cannot take: texts, dates, objects such as a Decimal.

    A compiled function takes arrays of NumPy in a fraction of the time of `jnp.asarray`, which was
    a third of that of a fit of 25 points.
    """
    if isinstance(leaf, np.ndarray | np.generic) and leaf.dtype.kind in "fiubc":
        return np.asarray(leaf, jax.dtypes.canonicalize_dtype(leaf.dtype))
    try:
        return jnp.asarray(leaf)
    except TypeError:
        kind = getattr(leaf, "dtype", type(leaf).__name__)
        raise TypeError(
            f"{quoted(leaf)} of dtype {kind} is no array of numbers: convert it, by "
            "numpy.asarray(values, float) where these are numbers in another form"
        ) from None


def _inexact_leaf(leaf: Any) -> Array:
    array = as_leaf(leaf)
    return array if jnp.issubdtype(array.dtype, jnp.inexact) else array.astype(float)


def is_complex(leaf: Any) -> bool:
    """Whether an array, or the shape of one, is of complex numbers."""
    return jnp.issubdtype(leaf.dtype, jnp.complexfloating)


def ravel(tree: Any) -> tuple[Array, Callable[[Array], Any]]:
    """Flat real vector (n,) of a pytree, and the function that restores the pytree from one.

    A complex leaf stands in it with its real parts, and after them its imaginary ones.
    """
    if isinstance(tree, jax.Array) and tree.ndim == 1 and not is_complex(tree):
        return tree, lambda flat: flat
    leaves, structure = jax.tree.flatten(tree)
    joined = [is_complex(jnp.asarray(leaf)) for leaf in leaves]
    if not any(joined):
        return ravel_pytree(tree)
    flat, unravel = ravel_pytree(
        [parts(leaf) if split else leaf for leaf, split in zip(leaves, joined, strict=True)]
    )

    def restored(flat: Array) -> Any:
        pairs = zip(unravel(flat), joined, strict=True)
        return jax.tree.unflatten(structure, [whole(x) if split else x for x, split in pairs])

    return flat, restored


def parts(values: Array) -> Array:
    """Real and imaginary parts, (2, ...)."""
    return jnp.stack([jnp.real(values), jnp.imag(values)])


def whole(values: Sequence[Array] | Array) -> Array:
    """The complex numbers, (...), of such parts."""
    return lax.complex(values[0], values[1])


def size(tree: Any) -> int:
    """Length of the flat vector of a pytree of arrays or of their shapes."""
    return sum(leaf.size * (2 if is_complex(leaf) else 1) for leaf in jax.tree.leaves(tree))


def real_dtype(dtype: Any) -> Any:
    """That of the parts of a complex dtype; another one as it is."""
    return jnp.finfo(dtype).dtype if jnp.issubdtype(dtype, jnp.complexfloating) else dtype


def where(condition: Array, on_true: Any, on_false: Any) -> Any:
    """Choose whole pytrees by a scalar, or by a (lanes,) condition along the last axis.

    Selection, never arithmetic: a NaN on the side not taken does not leak.
    """
    return jax.tree.map(lambda a, b: jnp.where(condition, a, b), on_true, on_false)


def take(tree: Any, index: Array | int) -> Any:
    """Rows `index` of every leaf, or the one row of an integer."""
    return jax.tree.map(lambda leaf: leaf[index], tree)


def to_lanes(rows: Any) -> Any:
    """Rows, (lanes, ...), as lanes, (..., lanes)."""
    return jax.tree.map(lambda leaf: jnp.moveaxis(leaf, 0, -1), rows)


def put_lanes(tree: Any, index: Array, lanes: Any) -> Any:
    """Write lanes, (..., lanes), to rows `index` of every leaf; those out of range are dropped."""

    def put(leaf: Array, values: Array) -> Array:
        return leaf.at[index].set(jnp.moveaxis(values, -1, 0), mode="drop")

    return jax.tree.map(put, tree, lanes)


def pad_rows(tree: Any, size: int) -> Any:
    """Repeat the last row of every leaf until there are `size` rows; NumPy arrays stay NumPy's."""

    def pad(leaf: Any) -> Any:
        xp: Any = np if isinstance(leaf, np.ndarray) else jnp
        missing = size - leaf.shape[0]
        return xp.concatenate([leaf, xp.repeat(leaf[-1:], missing, axis=0)]) if missing else leaf

    return jax.tree.map(pad, tree)
