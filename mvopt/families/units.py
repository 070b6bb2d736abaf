"""Between the functions as they are given and the scaled ones that a method works with.

f, c and d are each divided so that no gradient at the start is larger than 100 (Wächter and Biegler
2006, section 3.8); the multipliers scale along. What a method reports is not scaled.
"""

from typing import NamedTuple

import jax.numpy as jnp

from mvopt._types import Array, Certificate
from mvopt.families.barrier import Forces, Point
from mvopt.families.constrained import ConstrainedProblem, Functions, Sizes, Unknowns, measure
from mvopt.families.extent import Shares
from mvopt.linalg.products import dot

_LARGEST_SLOPE = 100.0
_LEAST = 1e-8


class Units(NamedTuple):
    """By what the functions are multiplied."""

    f: Array  # ()
    c: Array  # (m,)
    d: Array  # (k,)

    @classmethod
    def of(cls, jacobian: Array, sizes: Sizes) -> "Units":
        """From the derivatives of all functions at the start, (1 + m + k, n)."""
        size = jnp.max(jnp.abs(jacobian), axis=1)
        scale = _LARGEST_SLOPE / jnp.maximum(size, _LARGEST_SLOPE)
        return cls.split(jnp.maximum(scale, _LEAST), sizes)

    @classmethod
    def split(cls, values: Array, sizes: Sizes) -> "Units":
        """From one vector (1 + m + k,)."""
        end = 1 + sizes.equalities
        return cls(values[0], values[1:end], values[end:])

    def flat(self) -> Array:
        """One vector (1 + m + k,)."""
        return jnp.concatenate([self.f[None], self.c, self.d])

    def functions(self, values: Array, jacobian: Array, sizes: Sizes) -> Functions:
        """The scaled functions, from values (1 + m + k,) and derivatives as they are."""
        scale = self.flat()
        return Functions.of(values * scale, jacobian * scale[:, None], sizes)

    def forces(self, given: Forces) -> Forces:
        """Multipliers of the scaled functions."""
        y, z, p, q = given
        return Forces(y * self.f / self.c, z * self.f / self.d, p * self.f, q * self.f)

    def unknowns(self, point: Point, forces: Forces) -> Unknowns:
        """Variables and multipliers as they are reported."""
        y, z, p, q = forces
        return Unknowns(point.x, y * self.c / self.f, z * self.d / self.f, p / self.f, q / self.f)

    def terms(self, point: Point) -> tuple[Array, Array, Array]:
        """x and ∇f (n,), and the sizes of the terms of c and d, (m + k,), as they are given."""
        at = point.at
        rows = jnp.abs(jnp.concatenate([at.dc / self.c[:, None], at.dd / self.d[:, None]]))
        return point.x, at.df / self.f, dot(rows, jnp.abs(point.x))

    def certificate(
        self, problem: ConstrainedProblem, point: Point, unknowns: Unknowns, shares: Shares
    ) -> Certificate:
        """By how much the conditions are missed there, counted in shares."""
        at, (_, y, z, p, q) = point.at, unknowns
        x, df, reach = self.terms(point)
        slope = df - dot(y, at.dc / self.c[:, None]) - dot(z, at.dd / self.d[:, None]) - p + q
        lower, upper = problem.box()
        constraints = at.c / self.c, at.d / self.d
        rooms = x - lower, upper - x
        return measure(df, slope, constraints, reach, unknowns, rooms, shares)
