"""The filter of a line search: pairs of violation and merit that no later point may be beyond.

A trial is acceptable when it is better than each pair, and than the point that it is tried from, in
one of the two at least (Fletcher and Leyffer 2002; Wächter and Biegler 2006, whose constants
these are).
"""

from typing import NamedTuple

import jax.numpy as jnp

from mvopt._types import Array

# Pairs that are remembered; the oldest makes room. Few are ever needed before μ changes.
_LENGTH = 12
_LESS_VIOLATION = 1e-5
_LESS_MERIT = 1e-8
_DECREASE = 1e-8
_SHORTEST = 0.05
# Far from the constraints a shorter step than this crawls along their curvature; it is better to
# minimise the violation itself (ours).
_CRAWLING = 1e-2
_POWER_OF_VIOLATION, _POWER_OF_SLOPE = 1.1, 2.3


class Filter(NamedTuple):
    """Corners, and the violations that bound it."""

    violations: Array  # (K,)
    merits: Array  # (K,)
    used: Array  # () int32
    most: Array  # (), no trial may violate the constraints by more
    small: Array  # (), below this a decrease of the merit counts for itself

    @classmethod
    def empty(cls, violation: Array) -> "Filter":
        """Before anything was tried, from a start with this violation."""
        nothing = jnp.full(_LENGTH, jnp.inf, violation.dtype)
        size = jnp.maximum(1.0, violation)
        return cls(nothing, nothing, jnp.zeros((), jnp.int32), 1e4 * size, 1e-4 * size)

    def cleared(self, when: Array) -> "Filter":
        """Without its corners, where `when`."""
        nothing = jnp.full_like(self.merits, jnp.inf)
        return self._replace(
            violations=jnp.where(when, nothing, self.violations),
            merits=jnp.where(when, nothing, self.merits),
            used=jnp.where(when, 0, self.used),
        )

    def extended(self, when: Array, violation: Array, merit: Array) -> "Filter":
        """With one more corner, where `when`."""
        place = (jnp.arange(_LENGTH) == self.used % _LENGTH) & when
        corner = (1 - _LESS_VIOLATION) * violation, merit - _LESS_MERIT * violation
        return self._replace(
            violations=jnp.where(place, corner[0], self.violations),
            merits=jnp.where(place, corner[1], self.merits),
            used=self.used + when,
        )

    def accepts(self, violation: Array, merit: Array) -> Array:
        """() bool: better than every corner in one of the two."""
        slack = _rounding(merit)
        better = (violation <= self.violations) | (merit - slack <= self.merits)
        return better.all() & (violation <= self.most)


def descends(corners: Filter, violation: Array, slope: Array, length: Array) -> Array:
    """() bool: so nearly feasible that the step is one of descent, judged by the merit."""
    gain = length * jnp.maximum(-slope, 0.0) ** _POWER_OF_SLOPE
    likely = (slope < 0) & (gain > violation**_POWER_OF_VIOLATION)
    return likely & (violation <= corners.small)


def enough(merit: Array, new: Array, slope: Array, length: Array) -> Array:
    """() bool: the merit falls by a share of what its slope promises, up to rounding."""
    return new - merit - _rounding(merit) <= _DECREASE * length * slope


def improves(old: tuple[Array, Array], new: tuple[Array, Array]) -> Array:
    """() bool: of two pairs (violation, merit), the new one is better in one of them."""
    less = new[0] <= (1 - _LESS_VIOLATION) * old[0]
    lower = new[1] - old[1] - _rounding(old[1]) <= -_LESS_MERIT * old[0]
    return less | lower


def shortest(corners: Filter, violation: Array, slope: Array) -> Array:
    """The length of step below which none is likely to be accepted."""
    fall = jnp.where(slope < 0, -slope, 1.0)
    least = jnp.minimum(_LESS_VIOLATION, _LESS_MERIT * violation / fall)
    switch = violation**_POWER_OF_VIOLATION / fall**_POWER_OF_SLOPE
    least = jnp.where(violation <= corners.small, jnp.minimum(least, switch), least)
    least = _SHORTEST * jnp.where(slope < 0, least, _LESS_VIOLATION)
    return jnp.where(violation <= corners.small, least, jnp.maximum(least, _CRAWLING))


def _rounding(merit: Array) -> Array:
    return 10 * jnp.finfo(merit.dtype).eps * jnp.abs(merit)
