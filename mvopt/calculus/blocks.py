"""A matrix of derivatives with names: which output with respect to which parameter."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from mvopt import _tree
from mvopt._types import Array

_SHOWN = 12  # rows and columns that are printed


@_tree.node
@dataclass(frozen=True)
class Blocks:
    """The derivatives of named outputs with respect to named parameters.

    `blocks["loss", "weights"]` is one of them, of the output's shape followed by the parameter's;
    `tree` holds them all, nested; `matrix` is the whole, (m, n), which `numpy.asarray` gives too.
    """

    tree: Any
    rows: tuple[str, ...] = field(metadata={"static": True})
    columns: tuple[str, ...] = field(metadata={"static": True})
    row_shapes: tuple[tuple[int, ...], ...] = field(metadata={"static": True})
    column_shapes: tuple[tuple[int, ...], ...] = field(metadata={"static": True})

    @classmethod
    def of(cls, tree: Any, outputs: Any, params: Any) -> "Blocks":
        """A Jacobian, nested as `jacobian` returns it, of `outputs` with respect to `params`."""
        return cls(tree, names(outputs, "f"), names(params, "x"), _shapes(outputs), _shapes(params))

    @classmethod
    def of_gradient(cls, gradient: Any) -> "Blocks":
        """A gradient as a matrix of one row."""
        return cls.of(gradient, jnp.zeros(()), gradient)

    def __getitem__(self, key: tuple[str, str]) -> Array:
        row, column = key
        for name, known in ((row, self.rows), (column, self.columns)):
            if name not in known:
                raise KeyError(f"{name!r} is not one of {', '.join(known)}")
        place = self.rows.index(row) * len(self.columns) + self.columns.index(column)
        return jax.tree.leaves(self.tree)[place]

    @property
    def matrix(self) -> Array:
        """(m, n): a row for each number of the outputs, a column for each of the parameters."""
        leaves = iter(jax.tree.leaves(self.tree))
        return jnp.concatenate(
            [
                jnp.concatenate(
                    [
                        next(leaves).reshape(int(np.prod(shape)), int(np.prod(other)))
                        for other in self.column_shapes
                    ],
                    axis=1,
                )
                for shape in self.row_shapes
            ]
        )

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.array(self.matrix, dtype=dtype, copy=copy)

    def __str__(self) -> str:
        matrix = np.asarray(self.matrix)
        table = [["", *entries(self.columns, self.column_shapes)[:_SHOWN]]]
        for name, row in zip(entries(self.rows, self.row_shapes), matrix, strict=True):
            table.append([name, *(f"{value:.6g}" for value in row[:_SHOWN])])
        widths = [max(len(line[k]) for line in table) for k in range(len(table[0]))]
        lines = [
            "  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True))
            for line in table[: _SHOWN + 1]
        ]
        m, n = matrix.shape
        return "\n".join(lines + [f"({m} × {n}, in part)"] * (max(m, n) > _SHOWN))


def names(tree: Any, alone: str) -> tuple[str, ...]:
    """A name for each leaf, "layers.0.weight", say; `alone` for a tree that is one array."""
    paths = [path for path, _ in jax.tree_util.tree_leaves_with_path(tree)]
    return tuple(
        jax.tree_util.keystr(path, simple=True, separator=".") if path else alone for path in paths
    )


def _shapes(tree: Any) -> tuple[tuple[int, ...], ...]:
    return tuple(tuple(jnp.shape(leaf)) for leaf in jax.tree.leaves(tree))


def entries(names: Sequence[str], shapes: Sequence[tuple[int, ...]]) -> list[str]:
    """A name for each number: `weights[1, 2]`."""
    return [
        f"{name}[{', '.join(map(str, index))}]" if shape else name
        for name, shape in zip(names, shapes, strict=True)
        for index in np.ndindex(*shape)
    ]
