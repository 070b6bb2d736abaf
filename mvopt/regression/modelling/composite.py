"""Sums and products of models, and their guesses.

The guess of a part means nothing on data that hold the other parts as well. So each part is guessed
on what the others leave, one after the other, in several orders, with the linear parameters of
all parts solved anew after each (backfitting; Friedman and Stuetzle, 1981). A few damped steps
from where each order ends show which found the deepest valley.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial, reduce
from itertools import permutations, product
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from mvopt.regression.modelling.grid import Points, extent
from mvopt.regression.modelling.refinement import Target, descend, unbounded, with_best_linear
from mvopt.regression.separable import linear_indices

Array = jax.Array

_ROUNDS = 2
_STEPS = 12
# Orders of the parts: all of them for three parts, some for more.
_MOST_ORDERS = 6
# The first part may be guessed on all points, on the lower or on the upper half of x: two like
# parts then start apart.
_WINDOWS = 3
# Where the other factors are below this share of their largest value, a point says nothing of a
# factor but noise.
_FAINT = 0.02

_COMBINE: dict[str, Callable[[Array, Array], Array]] = {"+": jnp.add, "*": jnp.multiply}
_NEUTRAL = {"+": 0.0, "*": 1.0}
_IDENTIFIER = re.compile(r"(?<![\w.])[A-Za-z_]\w*")


Part = Any  # a `Model`, whose class builds on this module


@dataclass(frozen=True)
class Joined:
    """The function of a sum or a product: `operation` is "+" or "*"."""

    operation: str
    parts: tuple[Part, ...]

    def __call__(self, x: Array, *params: Any) -> Array:
        """Values, shape (m,)."""
        pieces = zip(self.parts, self.split(params), strict=True)
        return reduce(
            _COMBINE[self.operation], [part.function(x, *values) for part, values in pieces]
        )

    def split(self, params: Sequence[Any] | Array) -> list[Any]:
        """The parameters of each part."""
        ends = np.cumsum([len(part.names) for part in self.parts])
        return [
            params[end - len(part.names) : end]
            for part, end in zip(self.parts, ends.tolist(), strict=True)
        ]


def parts_of(model: Part, operation: str | None = None) -> tuple[Part, ...]:
    """The parts of a sum or a product (of this operation only, if given); else the model alone."""
    function = model.function
    if isinstance(function, Joined) and operation in (None, function.operation):
        return function.parts
    return (model,)


def joined(operation: str, parts: tuple[Part, ...]) -> dict[str, Any]:
    """The fields of the model that is the sum or the product of these.

    Raises ValueError for parts that share a name or differ in the number of variables.
    """
    names = tuple(name for part in parts for name in part.names)
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(
            f"{' and '.join(part.name for part in parts)} share the parameters "
            f"{', '.join(twice)}: give prefix=, as in {parts[-1].name}(prefix='b_')"
        )
    first = parts[0]
    for part in parts:
        if part.num_x != first.num_x:
            raise ValueError(
                f"{first.name} has {first.num_x} independent variables, "
                f"{part.name} has {part.num_x}: they do not go together"
            )
    function = Joined(operation, parts)
    formulas = [
        renamed(part.formula, dict(zip(part.x_names, first.x_names, strict=True))) for part in parts
    ]
    product_ = operation == "*"
    labels = [f"({part.name})" if product_ and " + " in part.name else part.name for part in parts]
    return {
        "name": f" {operation} ".join(labels),
        "names": names,
        "formula": "*".join(f"({text})" for text in formulas) if product_ else " + ".join(formulas),
        "function": function,
        "guess_function": PartByPart(function),
        "source": "; ".join(dict.fromkeys(part.source for part in parts)),
        "num_x": first.num_x,
        "meanings": tuple(
            word for part in parts for word in part.meanings or ("",) * len(part.names)
        ),
        "x_names": first.x_names,
    }


def prefixed(model: Part, prefix: str) -> dict[str, Any]:
    """The fields in which a model differs whose parameters have a prefix to their names."""
    if isinstance(model.function, Joined):
        return joined(
            model.function.operation, tuple(part(prefix=prefix) for part in model.function.parts)
        )
    names = {name: prefix + name for name in model.names}
    return {
        "name": prefix + model.name,
        "names": tuple(names.values()),
        "formula": renamed(model.formula, names),
    }


def renamed(formula: str, names: dict[str, str]) -> str:
    """The formula with these whole identifiers replaced."""
    return _IDENTIFIER.sub(lambda found: names.get(found[0], found[0]), formula)


@dataclass(frozen=True)
class PartByPart:
    """The guess of a sum or a product."""

    function: Joined

    def __call__(self, points: Points) -> Array:
        """Start, (n,)."""
        size = sum(len(part.names) for part in self.function.parts)
        linear = linear_indices(lambda x, params: self.function(x, *params), points.x, size)
        orders = _orders(self.function.parts)
        windows = np.arange(_WINDOWS)
        starts = list(product(orders, windows))
        schedule = np.array([order for order, _ in starts]), np.array([k for _, k in starts])
        run = partial(self._from, points, linear)
        ends, costs = jax.lax.map(lambda start: run(*start), jax.tree.map(jnp.asarray, schedule))
        return ends[jnp.argmin(costs)]

    def _from(
        self, points: Points, linear: tuple[int, ...], order: Array, window: Array
    ) -> tuple[Array, Array]:
        """Params (n,) and their squares from the parts guessed in one order."""
        parts = self.function.parts
        sizes = [len(part.names) for part in parts]
        starts = np.cumsum([0, *sizes])
        dtype, combine = points.y.dtype, _COMBINE[self.function.operation]
        neutral = jnp.asarray(_NEUTRAL[self.function.operation], dtype)

        def curves(params: Array, present: Array) -> Array:
            """The curve of each part, (k, m), neutral for one that is not there yet."""
            pieces = self.function.split(params)
            values = [
                part.function(points.x, *piece) for part, piece in zip(parts, pieces, strict=True)
            ]
            return jnp.where(present[:, None], jnp.stack(values), neutral)

        def target(present: Array) -> Target:
            curve = lambda params: reduce(combine, curves(params, present))
            return Target(curve, linear, points.y, points.weight, *unbounded(int(starts[-1])))

        # Like parts share one program.
        kinds = list(dict.fromkeys(part.guess_function for part in parts))
        kind_of = jnp.array([kinds.index(part.guess_function) for part in parts])

        def guess(kind: Any, left: Points, params: Array, at: Array) -> Array:
            found = kind(left).astype(dtype)
            return jax.lax.dynamic_update_slice(params, found, (at,))

        def step(state: tuple[Array, Array], now: tuple[Array, Array]) -> tuple[Any, None]:
            params, present = state
            part, narrow = now
            others = curves(params, present & (jnp.arange(len(parts)) != part))
            left = self._left(points, others, jnp.where(narrow, window, 0))
            branches = [partial(guess, kind) for kind in kinds]
            at = jnp.asarray(starts)[part]
            params = jax.lax.switch(kind_of[part], branches, left, params, at)
            present = present | (jnp.arange(len(parts)) == part)
            solved, cost = with_best_linear(target(present), params[:, None])
            # What a window shows of the first part, all points would take back.
            sound = jnp.isfinite(cost[0]) & ~narrow
            return (jnp.where(sound, solved[:, 0], params), present), None

        blank = jnp.ones(int(starts[-1]), dtype), jnp.zeros(len(parts), bool)
        first = jnp.arange(_ROUNDS * len(parts)) == 0
        (params, present), _ = jax.lax.scan(step, blank, (jnp.tile(order, _ROUNDS), first))
        return descend(target(present), params, _STEPS)

    def _left(self, points: Points, others: Array, window: Array) -> Points:
        """What the other parts leave of the data for one part, within a window."""
        first = points.x if points.x.ndim == 1 else points.x[0]
        low, span = extent(first, points.weight)
        upper = first > low + span / 2
        inside = (window == 0) | jnp.where(window == 1, ~upper, upper)
        weight = jnp.where(inside, points.weight, 0)
        rest = reduce(_COMBINE[self.function.operation], others)
        if self.function.operation == "+":
            y = points.y - rest
        else:
            share = jnp.abs(rest) / jnp.max(jnp.abs(rest), where=weight > 0, initial=0)
            telling = share > _FAINT
            y = points.y / jnp.where(telling, rest, 1)
            weight = jnp.where(telling, weight * share, 0)
        used = (weight > 0) & jnp.isfinite(y)
        # A point that is left out has the x of one that is not.
        x = jnp.where(used, points.x, jnp.take(points.x, jnp.argmax(used), axis=-1)[..., None])
        return Points(x, jnp.where(used, y, 0), jnp.where(used, weight, 0))


def _orders(parts: tuple[Part, ...]) -> list[tuple[int, ...]]:
    """Orders of the parts that differ in more than which of two like parts comes first."""
    seen: dict[tuple[Any, ...], tuple[int, ...]] = {}
    for order in permutations(range(len(parts))) if len(parts) <= 4 else _turns(len(parts)):
        seen.setdefault(tuple(parts[index].guess_function for index in order), order)
    orders = list(seen.values())
    return orders[:: -(-len(orders) // _MOST_ORDERS)]


def _turns(num: int) -> list[tuple[int, ...]]:
    turned = [tuple(np.roll(np.arange(num), -k).tolist()) for k in range(num)]
    return [order for turn in turned for order in (turn, turn[::-1])]
