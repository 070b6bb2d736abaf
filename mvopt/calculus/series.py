"""Truncated power series in several variables, and the elementary functions of them.

A series is the array of its coefficients, (N, ...): numbers, or `Interval`s, which make every rule
below an enclosure. If w = f(u), then w' = f'(u) u' gives the coefficients of w one degree after the
other from those of u (Moore 1966; Griewank and Walther 2008, table 13.2). In several variables
the derivative is along the ray from the origin, under which a monomial of degree k gets a factor
k and products are what they were, so that the same recurrences hold.
"""

from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from mvopt.calculus import interval
from mvopt.calculus.interval import Interval
from mvopt.calculus.monomials import Monomials, Pairs

Coefficients = Any  # Array or Interval, (N, ...)


def library(value: Any) -> ModuleType:
    """Where the functions of numbers, or of intervals, are."""
    return interval if isinstance(value, Interval) else lax


def joined(parts: list[Any]) -> Any:
    """Concatenated along the first axis."""
    return jax.tree.map(lambda *leaves: jnp.concatenate(leaves), *parts)


def constant_like(series: Any, value: float) -> Any:
    """Of the shape of one coefficient, or of a whole array."""
    return jax.tree.map(lambda leaf: jnp.full_like(leaf, value), series)


@dataclass(frozen=True)
class SeriesRules:
    """The arithmetic of series in the monomials of `table`."""

    table: Monomials

    def of_constant(self, value: Any) -> Coefficients:
        """The series that is `value` everywhere."""
        rest = jax.tree.map(
            lambda leaf: jnp.zeros((self.table.size - 1, *leaf.shape), leaf.dtype), value
        )
        return joined([value[None], rest])

    def multiply(self, u: Coefficients, v: Coefficients) -> Coefficients:
        """u v."""
        return _convolved(self.table.pairs, with_zero(u), with_zero(v))

    def square(self, u: Coefficients) -> Coefficients:
        """u²; its constant term is not negative, which an interval knows."""
        return joined([library(u).integer_pow(u[:1], 2), self.multiply(u, u)[1:]])

    def divide(self, u: Coefficients, v: Coefficients) -> Coefficients:
        """u / v."""
        known, padded = with_zero(u), with_zero(v)

        def of_degree(pairs: Pairs, w: Coefficients) -> Coefficients:
            return (_rows(known, pairs.rows) - _convolved(pairs, padded, w)) / v[:1]

        return self._by_degree(u[0] / v[0], of_degree)

    def integer_power(self, u: Coefficients, power: int) -> Coefficients:
        """u^power by repeated squaring."""
        if power < 0:
            return self.power(u, power, library(u).integer_pow(u[0], power))
        if power == 0:
            return self.of_constant(constant_like(u[0], 1.0))
        half = self.square(self.integer_power(u, power // 2)) if power > 1 else None
        if half is None:
            return u
        product = self.multiply(half, u) if power % 2 else half
        return joined([library(u).integer_pow(u[:1], power), product[1:]])

    def power(self, u: Coefficients, power: Any, first: Any) -> Coefficients:
        """u^a from its constant term: u w' = a u' w."""
        padded = with_zero(u)
        raised = _exactly(u, 1.0) + power

        def of_degree(pairs: Pairs, w: Coefficients) -> Coefficients:
            weights = raised * _weights(pairs.degree, u) - _weights(pairs.total, u)
            return _convolved(pairs, padded, w, weights / _weights(pairs.total, u)) / u[:1]

        return self._by_degree(first, of_degree)

    def exp(self, u: Coefficients, first: Any = None) -> Coefficients:
        """w' = w u'."""
        first = library(u).exp(u[0]) if first is None else first
        padded = with_zero(u)
        return self._by_degree(first, lambda pairs, w: _integrated(pairs, padded, w))

    def expm1(self, u: Coefficients) -> Coefficients:
        """exp u − 1, accurate near zero."""
        return joined([library(u).expm1(u[:1]), self.exp(u)[1:]])

    def log(self, u: Coefficients, first: Any = None) -> Coefficients:
        """u w' = u'."""
        first = library(u).log(u[0]) if first is None else first
        padded = with_zero(u)

        def of_degree(pairs: Pairs, w: Coefficients) -> Coefficients:
            share = _weights(pairs.total - pairs.degree, u) / _weights(pairs.total, u)
            return (_rows(padded, pairs.rows) - _convolved(pairs, padded, w, share)) / u[:1]

        return self._by_degree(first, of_degree)

    def log1p(self, u: Coefficients) -> Coefficients:
        """log (1 + u), accurate near zero."""
        return self.log(self.shifted(u, 1.0), library(u).log1p(u[0]))

    def sine_and_cosine(
        self, u: Coefficients, first: tuple[Any, Any], sign: float
    ) -> tuple[Coefficients, Coefficients]:
        """s' = c u', c' = sign s u': the circular functions, or with +1 the hyperbolic ones."""
        padded = with_zero(u)

        def of_degree(pairs: Pairs, sine: Any, cosine: Any) -> tuple[Any, Any]:
            falling = _integrated(pairs, padded, sine)
            return _integrated(pairs, padded, cosine), falling if sign > 0 else -falling

        return self._together(first, of_degree)

    def from_slope(
        self, first: Any, u: Coefficients, slope: Callable[[Any, Any], Any], constant: float
    ) -> Coefficients:
        """w' = g(w) u' with g = constant + slope(w, w²), where `slope` is linear."""
        padded = with_zero(u)
        start = slope(first, library(u).integer_pow(first, 2)) + constant
        whole = _on_device(self.table.by_degree)

        def of_degree(pairs: Pairs, w: Any, g: Any) -> tuple[Any, Any]:
            new = _integrated(pairs, padded, g)
            w, degree = _put(w, pairs.rows, new), pairs.total.max()
            here = jax.tree.map(lambda each: _row(each, degree), whole)
            return new, slope(new, _convolved(here, w, w))

        return self._together((first, start), of_degree)[0]

    def integral(self, first: Any, u: Coefficients, slope: Coefficients) -> Coefficients:
        """w' = g u' with a g that is known."""
        padded, slope = with_zero(u), with_zero(slope)
        return self._by_degree(first, lambda pairs, _: _integrated(pairs, padded, slope))

    def shifted(self, u: Coefficients, by: float) -> Coefficients:
        """u + a number."""
        return joined([u[:1] + by, u[1:]])

    def _by_degree(
        self, first: Any, of_degree: Callable[[Pairs, Coefficients], Coefficients]
    ) -> Coefficients:
        """Coefficients degree by degree, each from those before it."""
        (found,) = self._together((first,), lambda pairs, w: (of_degree(pairs, w),))
        return found

    def _together(self, first: tuple, of_degree: Callable[..., tuple]) -> tuple:
        """The same of several series that depend on each other.

        `of_degree` gets the factors of one degree, without the constant term of the left one, and
        what is known of each series. A loop, for a program written out grows with the order.
        """
        if self.table.order == 0:
            return tuple(self.of_constant(value) for value in first)
        tables = _on_device(self.table.recurring)

        def body(k: Any, known: tuple) -> tuple:
            pairs = jax.tree.map(lambda each: _row(each, k), tables)
            new = of_degree(pairs, *known)
            return tuple(_put(w, pairs.rows, rows) for w, rows in zip(known, new, strict=True))

        start = tuple(with_zero(self.of_constant(value)) for value in first)
        found = lax.fori_loop(1, self.table.order + 1, body, start)
        return tuple(each[: self.table.size] for each in found)


def _on_device(pairs: Pairs) -> Pairs:
    return jax.tree.map(jnp.asarray, pairs)


def _row(table: Any, k: Any) -> Any:
    return lax.dynamic_index_in_dim(table, k, keepdims=False)


def _rows(series: Coefficients, rows: Any) -> Coefficients:
    """`series[rows]`, without a thought for negative ones."""
    return jax.tree.map(
        lambda leaf: leaf.at[rows].get(mode="promise_in_bounds", wrap_negative_indices=False),
        series,
    )


def _put(series: Coefficients, rows: Any, values: Coefficients) -> Coefficients:
    """With other values in some rows; a row that there is not is the zero, and stays so."""
    return jax.tree.map(
        lambda leaf, new: leaf.at[jnp.where(rows == leaf.shape[0] - 1, leaf.shape[0], rows)].set(
            jnp.broadcast_to(new, (rows.size, *leaf.shape[1:])),
            mode="drop",
            wrap_negative_indices=False,
        ),
        series,
        values,
    )


def _convolved(pairs: Pairs, u: Coefficients, w: Coefficients, weights: Any = None) -> Coefficients:
    """Σ weight u w over the pairs of each row."""
    products = _rows(u, pairs.left) * _rows(w, pairs.right)
    return (products if weights is None else products * weights).sum(axis=1)


def _integrated(pairs: Pairs, u: Coefficients, slope: Coefficients) -> Coefficients:
    """The part of one degree of w, where w' = slope u'."""
    share = _weights(pairs.degree, u) / _weights(pairs.total, u)
    return _convolved(pairs, u, slope, share)


def _weights(degrees: Any, like: Any) -> Any:
    """Degrees, (R, L), as numbers or intervals without width, beside (R, L, ...) of `like`."""
    return _exactly(like, degrees.reshape(*degrees.shape, *[1] * (like.ndim - 1)))


def _exactly(like: Any, value: Any) -> Any:
    value = jnp.asarray(value, like.dtype)
    return Interval.point(value) if isinstance(like, Interval) else value


def with_zero(series: Coefficients) -> Coefficients:
    """One more coefficient, zero, for the rows of a table that hold no pair."""
    return jax.tree.map(
        lambda leaf: jnp.concatenate([leaf, jnp.zeros((1, *leaf.shape[1:]), leaf.dtype)]), series
    )
