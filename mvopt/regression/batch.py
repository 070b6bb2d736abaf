"""The data sets of a regression, one or a batch, as the leaves that a compiled function takes."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from mvopt import _tree
from mvopt._entry import flat_bounds
from mvopt._types import Array
from mvopt.iteration.axes import Layout
from mvopt.iteration.blocks import in_blocks
from mvopt.regression.dataset import Given, Setup
from mvopt.regression.fit import Fit


@dataclass(frozen=True)
class Batch:
    """`rows` are the leaves that each data set has of its own, `shared` those of all.

    size: None for a single data set, whose leaves are all shared. room: a batch of this size is to
    find the same programs compiled, if it is larger.
    """

    setup: Setup
    rows: list[Array]
    shared: list[Array]
    size: int | None
    room: int = 0

    @property
    def count(self) -> int:
        """Number of data sets."""
        return 1 if self.size is None else self.size

    def given(self, index: int | None = None) -> Given:
        """What was given; what each data set has of its own with a leading axis, or of one."""
        rows = self.rows if index is None else [leaf[index] for leaf in self.rows]
        return Given(*self.setup.layout.join(rows, self.shared))

    def own(self) -> Any:
        """A `Given` of Booleans: for each leaf whether each data set has its own."""
        layout = self.setup.layout
        return Given(*jax.tree.unflatten(layout.structure, layout.mapped))

    def y_shape(self) -> tuple[int, ...]:
        """Shape of y of one data set."""
        return jnp.shape(self.given().y)[int(self.own().y) :]

    def run(self, function: Callable[[Any, int], Any], more: Any = ()) -> Any:
        """`function((rows, more), count)` over all blocks; leaves of `more` have a leading axis."""
        if self.size is None:
            return function((self.rows, more), 1)
        return in_blocks(function, (self.rows, more), self.size, self.room)

    def flat(self, fit: Fit) -> Array:
        """The params of a fit as vectors (N, n), of a single one with N = 1."""
        flat = lambda params: _tree.ravel(params)[0]
        return flat(fit.params)[None] if self.size is None else jax.vmap(flat)(fit.params)

    def one(self, fit: Fit) -> Any:
        """The params of one data set."""
        return fit.params if self.size is None else _tree.take(fit.params, 0)

    def params(self, fit: Fit, flat: Array) -> Any:
        """Vectors (N, n) as params like those of the fit."""
        unravel = _tree.ravel(self.one(fit))[1]
        return unravel(flat[0]) if self.size is None else jax.vmap(unravel)(flat)

    def vector(self, fit: Fit, side: Any) -> np.ndarray:
        """What was given like the params, or as a number, as a vector (n,)."""
        one = self.one(fit)
        if isinstance(side, Mapping) and not isinstance(one, Mapping):
            side = jnp.stack([jnp.asarray(side[name], float) for name in fit.names])
        side = _tree.inexact(side)
        spread = flat_bounds((side, side), one, fit.chi2.dtype, "the box")
        assert spread is not None
        return np.asarray(spread[0])

    def repeated(self, count: int, **changes: Any) -> "Batch":
        """Each data set `count` times, with some of it replaced by arrays with a leading axis."""
        mapped, given = self.own(), self.given()
        given = jax.tree.map(
            lambda leaf, own: jnp.repeat(leaf, count, axis=0) if own else leaf, given, mapped
        )
        given = given._replace(**changes)
        mapped = mapped._replace(
            **{name: jax.tree.map(lambda _: True, part) for name, part in changes.items()}
        )
        leaves, marks = jax.tree.leaves(given), jax.tree.leaves(mapped)
        layout = Layout(jax.tree.structure(tuple(given)), tuple(marks))
        return replace(
            self,
            setup=self.setup._replace(layout=layout, fill=False),
            rows=[leaf for leaf, mark in zip(leaves, marks, strict=True) if mark],
            shared=[leaf for leaf, mark in zip(leaves, marks, strict=True) if not mark],
            size=self.count * count,
        )

    def free(self, size: int) -> list[int]:
        """Indices of the free parameters among `size`."""
        free = self.setup.roles.free
        return list(range(size)) if free is None else list(free)
