"""What `in_axes` means: which leaves of the arguments belong to one problem, which to all."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from mvopt import _tree
from mvopt._types import Array


class Layout(NamedTuple):
    """How rows of a batch and the shared leaves make up the arguments again; hashable."""

    structure: Any  # of the arguments
    mapped: tuple[bool, ...]  # leaf by leaf: has a batch axis

    def join(self, row: list[Array], shared: list[Array]) -> Any:
        """The arguments of one problem from its own leaves and the shared ones."""
        rows, rest = iter(row), iter(shared)
        leaves = [next(rows) if mapped else next(rest) for mapped in self.mapped]
        return jax.tree.unflatten(self.structure, leaves)


def split(
    args: tuple, in_axes: Any, names: tuple[str, ...]
) -> tuple[Layout, list[Array], list[Array], int | None]:
    """Layout, mapped leaves with the batch axis in front, shared leaves, and the batch's size.

    in_axes: as in `jax.vmap`, one integer or None for all arguments, or a tuple with one entry for
    each; the size is None where nothing is mapped. Raises ValueError that names the argument.
    """
    in_axes = axes_of(args, in_axes, names)
    found = [
        (name, *pair)
        for arg, axes, name in zip(args, in_axes, names, strict=True)
        for pair in leaves_with_axes(arg, axes, name)
    ]
    # Blocks of a batch are cut on the device, and all of them need what is shared.
    hold = _own if all(axis is None for *_, axis in found) else _on_device
    mapped: list[bool] = []
    rows: list[Array] = []
    shared: list[Array] = []
    size: int | None = None
    for name, given, axis in found:
        try:
            leaf = hold(given)
        except TypeError as error:
            raise TypeError(f"{name}: {error}") from None
        mapped.append(axis is not None)
        if axis is None:
            shared.append(leaf)
            continue
        if not -leaf.ndim <= axis < leaf.ndim:
            raise ValueError(
                f"in_axes of {name} is {axis}, but an array there has shape {leaf.shape}"
            )
        rows.append(leaf if axis == 0 else jnp.moveaxis(leaf, axis, 0))
        if size not in (None, leaf.shape[axis]):
            raise ValueError(
                f"{name} holds {leaf.shape[axis]} problems along its batch axis, the arguments "
                f"before it {size}: they must agree"
            )
        size = leaf.shape[axis]
        if size == 0:
            raise ValueError(f"{name} holds no problem along its batch axis: give at least one")
    return Layout(jax.tree.structure(args), tuple(mapped)), rows, shared, size


def axes_of(args: tuple, in_axes: Any, names: tuple[str, ...]) -> tuple:
    """One entry for each argument; ValueError where there are too many."""
    if not isinstance(in_axes, tuple | list):
        return tuple(None if arg is None else in_axes for arg in args)
    if len(in_axes) > len(args):
        raise ValueError(
            f"in_axes has {len(in_axes)} entries, but there are {len(args)} arguments "
            f"({', '.join(names)}): give one entry for each, or one integer for all"
        )
    return (*in_axes, *(None,) * (len(args) - len(in_axes)))


def _on_device(leaf: Any) -> Array:
    return jnp.asarray(_tree.as_leaf(leaf))


def _own(leaf: Any) -> Any:
    """An array that the caller cannot change any more."""
    array = _tree.as_leaf(leaf)
    return array.copy() if isinstance(array, np.ndarray) else array


def leaves_with_axes(arg: Any, axes: Any, name: str) -> list[tuple[Any, int | None]]:
    """Each leaf of an argument with its axis; ValueError where the axes are of another form."""
    if axes is None or isinstance(axes, int):
        return [(leaf, axes) for leaf in jax.tree.leaves(arg)]
    is_none = lambda x: x is None
    try:
        spread = jax.tree.broadcast(axes, arg, is_leaf=is_none)
    except ValueError as error:
        raise ValueError(f"in_axes of {name} does not match its structure: {error}") from None
    # None is an axis in one of them, and in the other a part that is not there.
    trees = (jax.tree.leaves(tree, is_leaf=is_none) for tree in (arg, spread))
    pairs = zip(*trees, strict=True)
    return [(leaf, axis) for leaf, axis in pairs if leaf is not None]


def split_given(
    args: tuple, in_axes: Any, names: tuple[str, ...]
) -> tuple[Layout, list[Array], list[Array], int | None]:
    """`split`, where `in_axes` may be shorter than `args`, and says nothing of those not given.

    Raises ValueError where `in_axes` is given and maps none of them.
    """
    if isinstance(in_axes, tuple | list) and len(in_axes) <= len(args):
        padded = [*in_axes, *[None] * (len(args) - len(in_axes))]
        in_axes = tuple(None if a is None else axis for a, axis in zip(args, padded, strict=True))
    found = split(args, in_axes, names)
    if in_axes is not None and found[-1] is None:
        raise ValueError(f"in_axes maps none of {', '.join(names)}: give one a batch axis")
    return found
