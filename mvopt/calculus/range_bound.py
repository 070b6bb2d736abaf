"""A guaranteed enclosure of the values of a function over a box."""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from mvopt.calculus.derivatives import real
from mvopt.calculus.expansion import enclosed_coefficients, enclosed_monomials
from mvopt.calculus.flat import FlatFunction, corners, flattened
from mvopt.calculus.interval import Interval, everything, intersection, normal, undefined, where
from mvopt.calculus.monomials import Monomials, monomials

_PIECES = 64  # of the box, at most
_MOST_COEFFICIENTS = 70  # of a Taylor polynomial on a piece
_HIGHEST = 4  # its order
_MOST_ENTRIES = 16  # of an output whose corners are looked at one by one


class _Ends(NamedTuple):
    lower: Any
    upper: Any


class Range(_Ends):
    """Where all values lie, `lower` and `upper`: pytrees like what the function returns.

    defined: like them, whether the function is proved to have a value in the whole of the box.
    """

    defined: Any

    def __new__(cls, lower: Any, upper: Any, defined: Any = True) -> "Range":
        """A pair, which it is as a tuple."""
        pair = super().__new__(cls, lower, upper)
        pair.defined = defined
        return pair


jax.tree_util.register_pytree_node(
    Range,
    lambda found: ((found.lower, found.upper, found.defined), None),
    lambda _, parts: Range(*parts),
)


def range_bound(fn: Callable[..., Any], lower: Any, upper: Any, args: tuple = ()) -> Range:
    """An enclosure of all values of `fn(x, *args)` for lower ≤ x ≤ upper, proved.

    lower, upper: pytrees of real floating-point arrays. Each of up to 64 pieces of the box is
    bounded by interval arithmetic, by Taylor polynomials with Lagrange's remainder, and where a
    slope has one sign at the corners alone (Moore, Kearfott and Cloud 2009, chapters 5 and 6), all
    rounded outwards. A bound is infinite where nothing can be proved. Where an operation may have
    no real value somewhere in the box, at a pole or outside of its domain, as log over [−1, 2] or
    [0, 1], the bounds are −∞ and ∞ and `defined` is False, whatever is done with that value after.

    Raises TypeError for integer or complex input, ValueError for a box that is empty or not finite,
    UnsupportedError, which names the operation, where there is no rule for one.
    """
    lower, upper = real(lower), real(upper)
    if not jax.tree.leaves(lower) or not corners(lower, upper, lower)[0].size:
        raise ValueError("the box has no sides: `lower` holds no numbers")
    return _range(fn, lower, upper, args)


@partial(jax.jit, static_argnames="fn")
def _range(fn: Callable[..., Any], lower: Any, upper: Any, args: tuple) -> Range:
    flat_fn, lo, structure = flattened(fn, lower, args)
    hi = flattened(fn, upper, args)[1]
    found = enclosed(flat_fn, normal(Interval(lo, hi)))
    known = [each.known for each in found]
    ends = [where(k, each, everything(each)) for k, each in zip(known, found, strict=True)]
    parts = [each.lo for each in ends], [each.hi for each in ends], known
    return Range(*(jax.tree.unflatten(structure, part) for part in parts))


def enclosed(fn: FlatFunction, box: Interval) -> list[Interval]:
    """The enclosure of each output over a flat box, (n,); NaN where it may have no value."""
    parts = jax.vmap(partial(_on_piece, fn, _table(box.lo.size)))(_pieces(box))
    ends = [Interval(part.lo.min(0), part.hi.max(0)) for part in parts]
    # Not by the ends: XLA's minimum of many numbers passes over those that are NaN (JAX 0.12).
    known = [part.known.all(0) for part in parts]
    return [where(k, each, undefined(each)) for k, each in zip(known, ends, strict=True)]


def _table(n: int) -> Monomials:
    order = _HIGHEST
    while order > 1 and Monomials(n, order).size > _MOST_COEFFICIENTS:
        order -= 1
    return monomials(n, order)


def _pieces(box: Interval) -> Interval:
    """(K, n): equal parts of the box."""
    n = box.lo.size
    cuts = max(1, int(_PIECES ** (1 / n) + 1e-9))
    share = jnp.arange(cuts + 1, dtype=box.dtype) / cuts
    ends = box.lo + share[:, None] * (box.hi - box.lo)
    ends = jnp.clip(ends.at[0].set(box.lo).at[-1].set(box.hi), box.lo, box.hi)
    if cuts == 1:
        return Interval(ends[:1], ends[1:])
    index = np.indices((cuts,) * n).reshape(n, -1).T
    columns = np.arange(n)
    return Interval(ends[index, columns], ends[index + 1, columns])


def _on_piece(fn: FlatFunction, table: Monomials, piece: Interval) -> list[Interval]:
    center = jnp.clip(piece.lo + 0.5 * (piece.hi - piece.lo), piece.lo, piece.hi)
    both = Interval(jnp.stack([center, piece.lo]), jnp.stack([center, piece.hi]))
    terms = enclosed_monomials(table, piece - Interval.point(center))
    found = jax.vmap(lambda box: enclosed_coefficients(fn, box, table))(both)
    return [
        _at_corners(fn, k, _by_series(each[0], each[1], terms, table), each[1], table, piece)
        for k, each in enumerate(found)
    ]


def _by_series(here: Interval, there: Interval, terms: Interval, table: Monomials) -> Interval:
    """From the coefficients at the centre of a piece and over the whole of it."""
    terms = jax.tree.map(lambda leaf: leaf.reshape(leaf.shape + (1,) * (here.ndim - 1)), terms)
    exact, bounded = here * terms, there * terms
    found = there[0]
    for degree in range(1, table.order + 1):
        rows = table.of_degree(degree)
        remainder = exact[: rows.start].sum(0) + bounded[rows].sum(0)
        found = intersection(found, remainder)
    # What a machine computes is off by rounding, which the width at one point shows.
    return found + Interval(-here[0].width, here[0].width)


def _at_corners(
    fn: FlatFunction,
    output: int,
    found: Interval,
    coefficients: Interval,
    table: Monomials,
    piece: Interval,
) -> Interval:
    """Better bounds, where some slope has one sign, from the sides on which the extremes lie."""
    slopes = coefficients[1 : 1 + table.variables]
    size = int(np.prod(found.shape))
    if size > _MOST_ENTRIES:
        return found
    rising = (slopes.lo >= 0).reshape(table.variables, size).T
    falling = (slopes.hi <= 0).reshape(table.variables, size).T & ~rising
    # (2, size, n): where the least value of each entry is, and where the largest.
    at_lower, at_upper = jnp.stack([rising, falling]), jnp.stack([falling, rising])
    sides = Interval(
        jnp.where(at_upper, piece.hi, piece.lo), jnp.where(at_lower, piece.lo, piece.hi)
    )
    plain = lambda box: enclosed_coefficients(fn, box, monomials(table.variables, 0))[output][0]
    values = jax.vmap(jax.vmap(plain))(sides).reshape(2, size, size)
    extremes = Interval(jnp.diagonal(values.lo[0]), jnp.diagonal(values.hi[1]))
    return intersection(found, extremes.reshape(*found.shape))
