"""What each parameter is in a fit: free, fixed at its start, or tied to the others by a formula."""

from collections.abc import Callable, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from mvopt._types import Array
from mvopt.regression.expression import Expression, parse


class Roles(NamedTuple):
    """Which of the flat parameters are free, and how the tied ones follow from the rest; hashable.

    names: of the flat parameters, where they have names. free: their indices; None: all are free.
    tied: pairs of an index and a function of a mapping of all names to values, in an order in which
    each finds what it needs.
    """

    names: tuple[str, ...] | None = None
    free: tuple[int, ...] | None = None
    tied: tuple[tuple[int, Callable[[Mapping[str, Array]], Array]], ...] = ()

    def check(self, size: int) -> None:
        """ValueError unless these are roles of `size` parameters."""
        if self.free is not None and max(self.free) >= size:
            raise ValueError(f"fixed has more entries than the {size} parameters")

    def num_free(self, size: int) -> int:
        """How many of `size` parameters are free."""
        return size if self.free is None else len(self.free)

    def free_part(self, flat: Array) -> Array:
        """The free entries along the last axis."""
        return flat if self.free is None else flat[..., np.array(self.free)]

    def moving(self, size: int) -> np.ndarray:
        """(size,) bool: False for the fixed parameters."""
        flags = np.ones(size, bool)
        if self.free is not None:
            flags[:] = False
            flags[[*self.free, *(index for index, _ in self.tied)]] = True
        return flags

    def whole(self, free: Array, start: Array) -> Array:
        """Flat params (n,) from the free ones, the start of the fixed, and the formulas."""
        if self.free is None:
            return free
        flat = start.astype(free.dtype).at[np.array(self.free)].set(free)
        for index, formula in self.tied:
            values = dict(zip(self.names or (), flat, strict=True))
            flat = flat.at[index].set(jnp.asarray(formula(values), flat.dtype))
        return flat

    def spread(self, covariance: Array, free: Array, start: Array) -> Array:
        """The covariance (n, n) of all parameters from that of the free ones.

        Fixed ones have none; tied ones that of their linearised formulas. What depends on a
        parameter of infinite variance has an infinite one.
        """
        if self.free is None:
            return covariance
        if not self.tied:
            index = np.array(self.free)
            whole = jnp.zeros((len(start), len(start)), covariance.dtype)
            return whole.at[np.ix_(index, index)].set(covariance)
        jacobian = jax.jacfwd(lambda free: self.whole(free, start))(free)
        unknown = jnp.isinf(jnp.diagonal(covariance))
        finite = jnp.where(unknown[:, None] | unknown[None, :], 0.0, covariance)
        lost = jnp.any((jacobian != 0) & unknown, axis=1)
        moved = jnp.any(jacobian != 0, axis=1)
        infinite = (lost[:, None] & moved[None, :]) | (moved[:, None] & lost[None, :])
        return jnp.where(infinite, jnp.inf, jacobian @ finite @ jacobian.T)


def roles_of(names: Sequence[str] | None, fixed: Any, tied: Mapping[str, Any] | None) -> Roles:
    """The roles that `fixed` and `tied` give the parameters.

    fixed: None, names, or a pytree of Booleans like the params; a mapping of names to Booleans.
    tied: names to expressions (`"2*a"`) or functions of a mapping of names to values. Raises
    ValueError for unknown names, for formulas that need each other, and where none is free.
    """
    names = None if names is None else tuple(names)
    held = _flags(fixed, names)
    formulas = _formulas(tied or {}, names)
    if held is None and not formulas:
        return Roles(names)
    held = np.zeros(len(names or ()), bool) if held is None else held
    tied_indices = [index for index, _ in formulas]
    both = [i for i in tied_indices if held[i]]
    if both and names is not None:
        raise ValueError(f"{names[both[0]]} is both fixed and tied: choose one")
    held[tied_indices] = True
    free = tuple(int(i) for i in np.flatnonzero(~held))
    if not free:
        raise ValueError("every parameter is fixed: leave one free")
    return Roles(names, free if len(free) < held.size else None, formulas)


def _flags(fixed: Any, names: tuple[str, ...] | None) -> np.ndarray | None:
    if fixed is None:
        return None
    if isinstance(fixed, Mapping) and names is not None:
        fixed = [name for name, flag in fixed.items() if flag]
    leaves = jax.tree.leaves(fixed)
    if not all(isinstance(leaf, str) for leaf in leaves):
        return np.concatenate([np.ravel(np.asarray(leaf, bool)) for leaf in leaves])
    if names is None:
        raise ValueError("fixed holds names, but the model has none: give Booleans like p0")
    check_names("fixed", leaves, names)
    return np.array([name in leaves for name in names])


def check_names(what: str, given: Any, names: tuple[str, ...]) -> None:
    """ValueError unless each of the given names is one of the parameters."""
    unknown = [name for name in given if name not in names]
    if unknown:
        raise ValueError(f"{what} names {unknown}, but the parameters are {list(names)}")


def _formulas(
    tied: Mapping[str, Any], names: tuple[str, ...] | None
) -> tuple[tuple[int, Callable], ...]:
    if not tied:
        return ()
    if names is None:
        raise ValueError("tied holds names, but the parameters have none: give p0 as a mapping")
    check_names("tied", tied, names)
    formulas: dict[str, Any] = {}
    needs: dict[str, set[str]] = {}
    for name, formula in tied.items():
        if isinstance(formula, str):
            expression = parse(formula, known=names)
            check_names(f"tied[{name!r}]", expression.names, names)
            formulas[name] = Formula(expression)
            needs[name] = set(expression.names) & set(tied)
        else:
            formulas[name], needs[name] = formula, set()
    try:
        order = [name for name in TopologicalSorter(needs).static_order() if name in formulas]
    except CycleError as error:
        raise ValueError(f"tied parameters need each other: {' → '.join(error.args[1])}") from None
    return tuple((names.index(name), formulas[name]) for name in order)


class Formula(NamedTuple):
    """An expression as a function of named values."""

    expression: Expression

    def __call__(self, values: Mapping[str, Array]) -> Array:
        """Its value, ()."""
        return self.expression.of(values)
