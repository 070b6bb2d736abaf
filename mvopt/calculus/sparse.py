"""Sparse Jacobians through colouring (Curtis, Powell and Reid 1974).

Columns that share no row get one colour, and one product with the matrix finds all of them; or
rows that share no column, where those need fewer colours.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from mvopt import _tree
from mvopt._types import Array

if TYPE_CHECKING:
    from jax.experimental.sparse import BCOO


@dataclass(frozen=True, eq=False)
class Sparsity:
    """Which entries of a matrix, (m, n), can be other than zero: their rows and their columns.

    rows, columns: (nnz,) integers. ValueError for those that are not in the matrix.
    """

    rows: np.ndarray
    columns: np.ndarray
    shape: tuple[int, int]

    def __post_init__(self) -> None:
        rows, columns = (np.asarray(each) for each in (self.rows, self.columns))
        integers = all(each.dtype.kind in "iu" or not each.size for each in (rows, columns))
        if rows.ndim != 1 or rows.shape != columns.shape or not integers:
            raise ValueError("rows and columns must be two lists of integers of one length")
        pairs = np.stack([rows, columns], axis=-1).astype(int)
        if pairs.size and (pairs.min() < 0 or (pairs.max(0) >= self.shape).any()):
            raise ValueError(f"an entry lies outside of a matrix of shape {self.shape}")
        pairs = np.unique(pairs, axis=0)
        object.__setattr__(self, "shape", tuple(self.shape))
        object.__setattr__(self, "rows", pairs[:, 0])
        object.__setattr__(self, "columns", pairs[:, 1])

    @classmethod
    def detect(cls, fn: Callable[..., Any], at: Any, args: tuple = ()) -> "Sparsity":
        """That of the Jacobian of `fn(x, *args)`, whatever the values of `x` and `args` are.

        From the operations of the function, by asdex: the extra `sparse`; ImportError without.
        """
        leaves, structure = jax.tree.flatten(jax.tree.map(jnp.asarray, (at, args)))
        return _detected(fn, tuple((leaf.shape, leaf.dtype) for leaf in leaves), structure)

    @cached_property
    def coloring(self) -> tuple[bool, np.ndarray]:
        """Whether columns have the colours, and the colour of each of them, or of each row."""
        of_columns = _colors(self.rows, self.columns, self.shape)
        of_rows = _colors(self.columns, self.rows, self.shape[::-1])
        if of_rows.max(initial=0) < of_columns.max(initial=0):
            return False, of_rows
        return True, of_columns

    @property
    def products(self) -> int:
        """How many products with the matrix, or with its transpose, find all entries."""
        return int(self.coloring[1].max(initial=-1)) + 1 if self.rows.size else 0

    def matrix(
        self, mv: Callable[[Array], Array], vm: Callable[[Array], Array], dtype: Any
    ) -> "BCOO":
        """The matrix whose products are v ↦ J v, (n,) to (m,), and w ↦ Jᵀ w."""
        # It takes a third of a second, as long as everything else here.
        from jax.experimental.sparse import BCOO  # noqa: PLC0415

        by_columns, colors = self.coloring
        seeds = jnp.asarray(colors == np.arange(self.products)[:, None], dtype)
        found = jax.vmap(mv if by_columns else vm)(seeds)
        place, other = (self.columns, self.rows) if by_columns else (self.rows, self.columns)
        indices = jnp.asarray(np.stack([self.rows, self.columns], axis=1))
        return BCOO(
            (found[colors[place], other], indices),
            shape=self.shape,
            indices_sorted=True,
            unique_indices=True,
        )


def _colors(rows: np.ndarray, columns: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """(n,): for each column the least colour that no column has which shares a row with it."""
    order = np.argsort(columns, kind="stable")
    rows = rows[order]
    ends = np.searchsorted(columns[order], np.arange(shape[1] + 1))
    taken: list[set[int]] = [set() for _ in range(shape[0])]
    colors = np.zeros(shape[1], int)
    for column in range(shape[1]):
        mine = [taken[row] for row in rows[ends[column] : ends[column + 1]]]
        color = 0
        while any(color in each for each in mine):
            color += 1
        for each in mine:
            each.add(color)
        colors[column] = color
    return colors


@lru_cache(maxsize=64)
def _detected(fn: Callable[..., Any], leaves: tuple, structure: Any) -> Sparsity:
    try:
        import asdex  # noqa: PLC0415
    except ImportError as error:
        raise ImportError(
            f"the search for the entries needs asdex (pip install 'mvopt[sparse]'): {error}. Or "
            "say which they are: sparse(mvopt.Sparsity(rows, columns, (m, n)))"
        ) from error
    # Not traced, also where this is called while something else is.
    with jax.ensure_compile_time_eval():
        at, args = jax.tree.unflatten(structure, [jnp.zeros(*leaf) for leaf in leaves])
        flat, unravel = _tree.ravel(at)
        of_flat = lambda flat, *args: _tree.ravel(fn(unravel(flat), *args))[0]
        found = asdex.jacobian_sparsity(of_flat, flat, *args)
    return Sparsity(found.rows, found.cols, (found.m, found.n))
