"""The multivariate chain rule as an object: every link of a chain, and what each passes on."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce
from typing import Any

import jax

from mvopt import _tree
from mvopt._types import Array
from mvopt.calculus.blocks import Blocks
from mvopt.calculus.derivatives import real, split_axis, value_and_jacobian
from mvopt.linalg.products import dot


def total_derivative(*fns: Callable[[Any], Any]) -> Callable[[Any], "Chain"]:
    """The derivative of a chain of functions, of which each takes what the one before returns.

    `total_derivative(f, g, h)(x)` is that of h(g(f(x))) with all that it is made of. Raises
    ValueError without a function, TypeError where a value is not real floating point.
    """
    if not fns:
        raise ValueError("total_derivative needs one function at least, the first of the chain")

    def of_x(x: Any) -> Chain:
        values, links = [real(x)], []
        for fn in fns:
            value, link = value_and_jacobian(fn, labelled=True)(values[-1])
            values.append(value)
            links.append(link)
        return Chain(tuple(values), tuple(links))

    return of_x


@_tree.node
@dataclass(frozen=True)
class Chain:
    """`values` are x, f(x), g(f(x)) and so on; `links[k]` is ∂values[k + 1]/∂values[k]."""

    values: tuple[Any, ...]
    links: tuple[Blocks, ...]

    @property
    def total(self) -> Blocks:
        """∂(last value)/∂x: the product of the links."""
        return self._blocks(self._product(0, len(self.links)), self.values[-1], self.values[0])

    def contributions(self, stage: int) -> dict[str, Blocks]:
        """What each part of `values[stage]` adds to `total`: ∂(last)/∂part · ∂part/∂x, by name.

        stage: 1 for what the first function returns, and so on. They sum to `total`.
        """
        if not 0 < stage < len(self.links):
            raise ValueError(f"stage must be from 1 to {len(self.links) - 1}, not {stage}")
        before, after = self._product(0, stage), self._product(stage, len(self.links))
        link, start, found = self.links[stage - 1], 0, {}
        for name, leaf in zip(link.rows, jax.tree.leaves(self.values[stage]), strict=True):
            here = slice(start, start + leaf.size)
            part = dot(after[:, here], before[here])
            found[name] = self._blocks(part, self.values[-1], self.values[0])
            start += leaf.size
        return found

    def __str__(self) -> str:
        parts = [f"link {k}:\n{link}" for k, link in enumerate(self.links, 1)]
        return "\n".join([*parts, f"total:\n{self.total}"])

    def _product(self, start: int, end: int) -> Array:
        """∂values[end]/∂values[start] as a matrix."""
        matrices = [link.matrix for link in self.links[start:end]]
        return reduce(lambda before, link: dot(link, before), matrices)

    @staticmethod
    def _blocks(matrix: Array, outputs: Any, params: Any) -> Blocks:
        rows = split_axis(matrix, 0, outputs)
        tree = jax.tree.map(lambda row: split_axis(row, row.ndim - 1, params), rows)
        return Blocks.of(tree, outputs, params)
