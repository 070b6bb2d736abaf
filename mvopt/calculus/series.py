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
from mvopt.calculus.convolution import Looped, Written, convolution
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
        way = convolution(self.table, u)
        return way.convolved(self.table.pairs, way.opened(u), way.opened(v))

    def square(self, u: Coefficients) -> Coefficients:
        """u²; its constant term is not negative, which an interval knows."""
        return joined([library(u).integer_pow(u[:1], 2), self.multiply(u, u)[1:]])

    def divide(self, u: Coefficients, v: Coefficients) -> Coefficients:
        """u / v."""
        way = convolution(self.table, u)
        known, divisor = way.opened(u), way.opened(v)

        def of_degree(pairs: Pairs, w: Coefficients) -> Coefficients:
            behind = way.convolved(pairs, divisor, w)
            return (way.rows(known, pairs.rows) - behind) / v[:1]

        return _alone(way, u[0] / v[0], of_degree)

    def integer_power(self, u: Coefficients, power: int) -> Coefficients:
        """u^power by repeated squaring."""
        if power < 0:
            return self.power(u, power, library(u).integer_pow(u[0], power))
        if power == 0:
            return self.of_constant(library(u).integer_pow(u[0], 0))
        half = self.square(self.integer_power(u, power // 2)) if power > 1 else None
        if half is None:
            return u
        product = self.multiply(half, u) if power % 2 else half
        return joined([library(u).integer_pow(u[:1], power), product[1:]])

    def power(self, u: Coefficients, power: Any, first: Any) -> Coefficients:
        """u^a from its constant term: u w' = a u' w."""
        way = convolution(self.table, u)
        base = way.opened(u)

        def of_degree(pairs: Pairs, w: Coefficients) -> Coefficients:
            degree, total = (way.numbers(each, base) for each in (pairs.degree, pairs.total))
            one = way.numbers(np.ones((1, 1)), base)
            weights = ((one + power) * degree - total) / total
            return way.convolved(pairs, base, w, weights) / u[:1]

        return _alone(way, first, of_degree)

    def exp(self, u: Coefficients, first: Any = None) -> Coefficients:
        """w' = w u'."""
        first = library(u).exp(u[0]) if first is None else first
        way = convolution(self.table, u)
        inner = way.opened(u)
        return _alone(way, first, lambda pairs, w: _integrated(way, pairs, inner, w))

    def expm1(self, u: Coefficients) -> Coefficients:
        """exp u − 1, accurate near zero."""
        return joined([library(u).expm1(u[:1]), self.exp(u)[1:]])

    def log(self, u: Coefficients, first: Any = None) -> Coefficients:
        """u w' = u'."""
        first = library(u).log(u[0]) if first is None else first
        way = convolution(self.table, u)
        inner = way.opened(u)

        def of_degree(pairs: Pairs, w: Coefficients) -> Coefficients:
            rest, total = (
                way.numbers(each, inner) for each in (pairs.total - pairs.degree, pairs.total)
            )
            behind = way.convolved(pairs, inner, w, rest / total)
            return (way.rows(inner, pairs.rows) - behind) / u[:1]

        return _alone(way, first, of_degree)

    def log1p(self, u: Coefficients) -> Coefficients:
        """log (1 + u), accurate near zero."""
        return self.log(self.shifted(u, 1.0), library(u).log1p(u[0]))

    def sine_and_cosine(
        self, u: Coefficients, first: tuple[Any, Any], sign: float
    ) -> tuple[Coefficients, Coefficients]:
        """s' = c u', c' = sign s u': the circular functions, or with +1 the hyperbolic ones."""
        way = convolution(self.table, u)
        inner = way.opened(u)

        def of_degree(pairs: Pairs, sine: Any, cosine: Any) -> tuple[Any, Any]:
            falling = _integrated(way, pairs, inner, sine)
            return _integrated(way, pairs, inner, cosine), falling if sign > 0 else -falling

        return way.together(first, of_degree)

    def from_slope(
        self, first: Any, u: Coefficients, slope: Callable[[Any, Any], Any], constant: float
    ) -> Coefficients:
        """w' = g(w) u' with g = constant + slope(w, w²), where `slope` is linear."""
        way = convolution(self.table, u)
        inner = way.opened(u)
        start = slope(first, library(u).integer_pow(first, 2)) + constant

        def of_degree(pairs: Pairs, w: Any, g: Any) -> tuple[Any, Any]:
            new = _integrated(way, pairs, inner, g)
            w = way.put(w, pairs.rows, new)
            whole = way.of_degree(self.table.by_degree, pairs.total.max())
            return new, slope(new, way.convolved(whole, w, w))

        return way.together((first, start), of_degree)[0]

    def integral(self, first: Any, u: Coefficients, slope: Coefficients) -> Coefficients:
        """w' = g u' with a g that is known."""
        way = convolution(self.table, u)
        inner, slope = way.opened(u), way.opened(slope)
        return _alone(way, first, lambda pairs, _: _integrated(way, pairs, inner, slope))

    def shifted(self, u: Coefficients, by: float) -> Coefficients:
        """u + a number."""
        return joined([u[:1] + by, u[1:]])


def _alone(way: Written | Looped, first: Any, of_degree: Callable[[Pairs, Any], Any]) -> Any:
    """One series degree by degree, each coefficient from those before it."""
    (found,) = way.together((first,), lambda pairs, w: (of_degree(pairs, w),))
    return found


def _integrated(way: Written | Looped, pairs: Pairs, u: Any, slope: Any) -> Coefficients:
    """The part of one degree of w, where w' = slope u'."""
    share = way.numbers(pairs.degree, u) / way.numbers(pairs.total, u)
    return way.convolved(pairs, u, slope, share)
