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
import numpy as np
from jax import lax

from mvopt.calculus import interval
from mvopt.calculus.interval import Interval
from mvopt.calculus.monomials import Monomials

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
        return self.part(u, v, slice(0, self.table.size))

    def square(self, u: Coefficients) -> Coefficients:
        """u²; its constant term is not negative, which an interval knows."""
        return joined([library(u).integer_pow(u[:1], 2), self.multiply(u, u)[1:]])

    def divide(self, u: Coefficients, v: Coefficients) -> Coefficients:
        """u / v."""
        return self._by_degree(
            u[0] / v[0], lambda k, w: (u[self._of(k)] - self._convolved(k, v, w)) / v[:1]
        )

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
        """u^a from its constant term: u w' = a u' w. In one sum where `power` is a plain number."""

        def of_degree(k: int, w: Coefficients) -> Coefficients:
            if isinstance(power, int | float):
                factor = lambda i: (power + 1) * i - k
                return self._convolved(k, u, w, factor) / (float(k) * u[:1])
            ahead = self._convolved(k, u, w, lambda i: i) * (power + 1)
            return (ahead - self._convolved(k, u, w, lambda i: 0 * i + k)) / (float(k) * u[:1])

        return self._by_degree(first, of_degree)

    def exp(self, u: Coefficients, first: Any = None) -> Coefficients:
        """w' = w u'."""
        first = library(u).exp(u[0]) if first is None else first
        return self._by_degree(first, lambda k, w: self._integrated(k, u, w))

    def expm1(self, u: Coefficients) -> Coefficients:
        """exp u − 1, accurate near zero."""
        return joined([library(u).expm1(u[:1]), self.exp(u)[1:]])

    def log(self, u: Coefficients, first: Any = None) -> Coefficients:
        """u w' = u'."""
        first = library(u).log(u[0]) if first is None else first

        def of_degree(k: int, w: Coefficients) -> Coefficients:
            behind = self._convolved(k, u, w, lambda i: k - i) / float(k)
            return (u[self._of(k)] - behind) / u[:1]

        return self._by_degree(first, of_degree)

    def log1p(self, u: Coefficients) -> Coefficients:
        """log (1 + u), accurate near zero."""
        return self.log(self.shifted(u, 1.0), library(u).log1p(u[0]))

    def sine_and_cosine(
        self, u: Coefficients, first: tuple[Any, Any], sign: float
    ) -> tuple[Coefficients, Coefficients]:
        """s' = c u', c' = sign s u': the circular functions, or with +1 the hyperbolic ones."""
        sine, cosine = [first[0][None]], [first[1][None]]
        for k in range(1, self.table.order + 1):
            s, c = joined(sine), joined(cosine)
            sine.append(self._integrated(k, u, c))
            cosine.append(sign * self._integrated(k, u, s))
        return joined(sine), joined(cosine)

    def from_slope(
        self, first: Any, u: Coefficients, slope: Callable[[int, Coefficients], Coefficients]
    ) -> Coefficients:
        """w' = g(w) u', where `slope(k, w)` is the part of degree k of g(w)."""
        parts: list[Any] = []

        def of_degree(k: int, w: Coefficients) -> Coefficients:
            parts.append(slope(k - 1, w))
            return self._integrated(k, u, joined(parts))

        return self._by_degree(first, of_degree)

    def integral(self, first: Any, u: Coefficients, slope: Coefficients) -> Coefficients:
        """w' = g u' with a g that is known."""
        return self._by_degree(first, lambda k, _: self._integrated(k, u, slope))

    def shifted(self, u: Coefficients, by: float) -> Coefficients:
        """u + a number."""
        return joined([u[:1] + by, u[1:]])

    def _of(self, degree: int) -> slice:
        return self.table.of_degree(degree)

    def _by_degree(
        self, first: Any, of_degree: Callable[[int, Coefficients], Coefficients]
    ) -> Coefficients:
        """Coefficients degree by degree, each from those before it."""
        parts = [first[None]]
        for k in range(1, self.table.order + 1):
            parts.append(of_degree(k, joined(parts)))
        return joined(parts)

    def _convolved(
        self, k: int, u: Coefficients, w: Coefficients, weight: Callable = np.ones_like
    ) -> Coefficients:
        """The part of degree k of u w without the constant term of u, weighted by its degree.

        w needs to be known up to degree k − 1 only.
        """
        return self.part(u, w, self._of(k), weight)

    def _integrated(self, k: int, u: Coefficients, slope: Coefficients) -> Coefficients:
        """The part of degree k of w, where w' = slope u'."""
        return self._convolved(k, u, slope, lambda i: i) / float(k)

    def part(
        self, u: Coefficients, w: Coefficients, rows: slice, weight: Callable | None = None
    ) -> Coefficients:
        """The coefficients in `rows` of u w; with a weight, without the constant term of u."""
        left, right = (each[rows] for each in self.table.pairs)
        known, nothing = w.shape[0], self.table.size
        degree = np.append(self.table.degrees, 0)[left]
        if weight is not None:
            left, right = (np.where(degree > 0, each, nothing) for each in (left, right))
        used = (left != nothing).any(axis=0)
        left, right, degree = left[:, used], right[:, used], degree[:, used]
        left = np.where(left == nothing, u.shape[0], left)
        right = np.where(right == nothing, known, right)
        products = _with_zero(u)[left] * _with_zero(w)[right]
        if weight is not None:
            weights = weight(degree)
            factor = np.asarray(weights, products.dtype)
            factor = factor.reshape(factor.shape + (1,) * (products.ndim - 2))
            if isinstance(products, Interval) and weights.dtype.kind == "f":
                # (a + 1) i − k is rounded, by less than this many units of its largest term, even
                # where it comes out whole. Integers are exact.
                slack = 4 * np.finfo(factor.dtype).eps * (np.abs(factor) + 2 * self.table.order)
                products = products * Interval(
                    jnp.asarray(factor - slack), jnp.asarray(factor + slack)
                )
            else:
                products = products * factor
        return products.sum(axis=1)


def _with_zero(series: Coefficients) -> Coefficients:
    """One more coefficient, zero, for the places of a table that hold no pair."""
    return jax.tree.map(
        lambda leaf: jnp.concatenate([leaf, jnp.zeros((1, *leaf.shape[1:]), leaf.dtype)]), series
    )
