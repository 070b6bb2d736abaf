"""What a point and its multipliers prove of a program, judged by its data as they are given.

All numbers are relative: a residual is measured by the terms that it is a sum of, a proof by the
natural sizes of the variables. In other units of a row or a variable they stay the same.
"""

from typing import NamedTuple

import jax.numpy as jnp

from mvopt._types import Array
from mvopt.families.barrier import Forces
from mvopt.families.constrained import finite_gaps
from mvopt.families.program import Program, Scaling
from mvopt.linalg.products import dot

_ROUNDINGS = 64  # so many of a natural size are no residual
# No residual is measured by more natural sizes than eps to this power, 1,350 in float64 and 24 in
# float32: far enough out every row is met.
_FARTHEST = -0.2
# On a way that is judged as a ray the objective falls by this power of eps, 1.2e-4 and 0.02, of its
# natural size at least: by less it may be rounding that falls.
_FLATTEST = 0.25


class Judge(NamedTuple):
    """A program as it is given, and the sizes by which it is judged."""

    program: Program
    origin: Array  # (n,), from where its x is counted
    unit: Array  # (n,), natural sizes of the variables
    steep: Array  # (n,), natural sizes of the slopes, infinite where nothing moves
    tol: Array  # ()

    @classmethod
    def of(cls, program: Program, origin: Array, scaling: Scaling, tol: Array) -> "Judge":
        """With the units of a method as natural sizes."""
        return cls(program, origin, scaling.variables(jnp.ones_like(origin)), scaling.slopes(), tol)

    def proof(self) -> Array:
        """The largest number, (), that `infeasible` and `unbounded` may give a proof."""
        return jnp.asarray(jnp.finfo(self.unit.dtype).eps ** 0.75)

    def solved(
        self, value: Array, x: Array, y: Array, z: Array
    ) -> tuple[Array, Array, tuple[Array, Array]]:
        """How far x within its bounds, with y and z ≥ 0, is from feasible and from best.

        value: the objective there, (). Best is what leaves no slope, and no gap between its value
        and that of the dual program, which is a bound below all values (Wolfe 1961). Also returns
        the multipliers of lower and upper bounds, (n,) each.
        """
        program, unit, eps = self.program, self.unit, jnp.finfo(x.dtype).eps
        floor = _ROUNDINGS * eps / self.tol
        rows, sides = self._rows()
        slack, bend = program.h - dot(program.G, x), dot(program.P, x)
        short = jnp.concatenate([jnp.abs(dot(program.A, x) - program.b), -slack])
        near = jnp.minimum(jnp.abs(x), eps**_FARTHEST * unit)
        feasible = jnp.max(short / _sure(dot(rows, near + floor * unit) + sides), initial=0.0)
        feasible = jnp.where(jnp.any(program.below + program.above < 0), jnp.inf, feasible)

        slopes = jnp.abs(program.q) + dot(jnp.abs(program.P), near)
        pulls = dot(jnp.concatenate([jnp.abs(y), z]), rows)
        terms = slopes + jnp.minimum(pulls, eps**_FARTHEST * self.steep)
        slope = program.q + bend - dot(y, program.A) + dot(z, program.G)
        # Rounding, times the distance to a bound that is far away, is not a gap.
        low, high, left = _split(program, _beyond_rounding(slope, terms))
        gap = dot(z, finite_gaps(jnp.maximum(slack, 0.0))) + dot(jnp.abs(left), jnp.abs(x))
        gap = gap + dot(low, finite_gaps(program.below + x))
        gap = gap + dot(high, finite_gaps(program.above - x))
        reach = 2 * jnp.abs(self.origin) + near + floor * unit + self._alone()
        gap = gap / _sure(jnp.abs(value) + floor * dot(slopes, reach))
        steepness = jnp.max(jnp.abs(left) / _sure(terms + floor * self.steep))
        return feasible, jnp.maximum(steepness, gap), (low, high)

    def _rows(self) -> tuple[Array, Array]:
        """Sizes of the entries of rows (m + k, n), and of what is given besides (m + k,)."""
        program = self.program
        rows = jnp.abs(jnp.concatenate([program.A, program.G]))
        sides = finite_gaps(jnp.abs(jnp.concatenate([program.b, program.h])))
        return rows, sides + 2 * dot(rows, jnp.abs(self.origin))

    def _alone(self) -> Array:
        """Natural sizes (n,), no larger than the sides of rows ask of a variable alone.

        Parts of a program that share no row have one unit together, in which what is 10⁻¹² of it
        in one of them would pass for rounding.
        """
        rows, sides = self._rows()
        alone = jnp.max(sides[:, None] / jnp.where(rows > 0, rows, jnp.inf), axis=0, initial=0.0)
        return jnp.where(alone > 0, jnp.minimum(self.unit, alone), self.unit)

    def infeasible(self, y: Array, z: Array) -> tuple[Array, Forces]:
        """Whether the rows with multipliers y (m,) and z (k,) ≥ 0 add up to what cannot be.

        The sum is slope·x ≥ total > 0 (Farkas 1902), and the bounds take what they can of the
        slope. What may be the rounding of its terms is none; a point that meets the sum is farther
        away, in natural sizes, than one over the number returned. Also returns the four
        multipliers for which total is one.
        """
        program, origin = self.program, jnp.abs(self.origin)
        slope = dot(z, program.G) - dot(y, program.A)
        pulls = dot(z, jnp.abs(program.G)) + dot(jnp.abs(y), jnp.abs(program.A))
        low, high, left = _split(program, _beyond_rounding(slope, pulls))
        crossed = program.below + program.above < 0
        cross = jnp.any(crossed)  # then no row is needed
        forces = (
            *(jnp.where(cross, 0.0, each) for each in (y, z)),
            *(jnp.where(cross, crossed, each) for each in (low, high)),
        )
        sides = [program.b, -program.h, -program.below, -program.above]
        sides = [finite_gaps(each) for each in sides]
        sizes = *(dot(jnp.abs(each), origin) for each in (program.A, program.G)), origin, origin
        total = sum(map(dot, forces, sides))
        terms = sum(
            dot(jnp.abs(force), jnp.abs(side) + size)
            for force, side, size in zip(forces, sides, sizes, strict=True)
        )
        proves = total > self.tol * terms
        scale = 1 / jnp.where(proves, total, 1.0)
        far = jnp.where(cross, 0.0, scale * dot(jnp.abs(left), self.unit))
        return jnp.where(proves, far, jnp.inf), Forces(*(force * scale for force in forces))

    def unbounded(self, x: Array) -> tuple[Array, Array]:
        """Whether the objective falls for ever along x (n,), while no row changes.

        The number is the largest change of a row, or of the slope relative to it, on a way of one
        natural size, or of as many as the objective needs to fall by a small part of its own. With
        a curved objective both go down but slowly: they are measured by `tol` there. Also returns
        that way, within the bounds.
        """
        program, unit, eps = self.program, self.unit, jnp.finfo(x.dtype).eps
        x = jnp.where(jnp.isfinite(program.below), jnp.maximum(x, 0.0), x)
        x = jnp.where(jnp.isfinite(program.above), jnp.minimum(x, 0.0), x)
        fall, slopes = -dot(program.q, x), jnp.abs(program.q)
        falls = fall > self.tol * dot(slopes, jnp.abs(x))
        length = jnp.max(jnp.abs(x) / _sure(unit))
        length = jnp.minimum(length, fall / _sure(dot(slopes, unit)) / eps**_FLATTEST)
        fall, way = (each / jnp.where(falls, length, 1.0) for each in (fall, x))
        rows = jnp.concatenate([program.A, -program.A, program.G])
        sides = jnp.concatenate([program.b, -program.b, program.h])
        change = _beyond_rounding(dot(rows, way), dot(jnp.abs(rows), jnp.abs(way)))
        change = change / _sure(dot(jnp.abs(rows), unit))
        worst = jnp.max(change, where=sides < jnp.inf, initial=0.0)
        bend = jnp.abs(dot(way, dot(program.P, way))) / jnp.where(falls, fall, 1.0)
        worst = jnp.maximum(worst, bend)
        worst = jnp.where(jnp.any(program.P != 0), worst * self.proof() / self.tol, worst)
        return jnp.where(falls, worst, jnp.inf), way


def _split(program: Program, slope: Array) -> tuple[Array, Array, Array]:
    """Multipliers of lower and upper bounds (n,) that balance a slope (n,), and what they leave."""
    low = jnp.where(jnp.isfinite(program.below), jnp.maximum(slope, 0.0), 0.0)
    high = jnp.where(jnp.isfinite(program.above), jnp.maximum(-slope, 0.0), 0.0)
    return low, high, slope - low + high


def _beyond_rounding(total: Array, terms: Array) -> Array:
    """A sum, zero if it may be the rounding of its terms."""
    return jnp.where(jnp.abs(total) <= 8 * jnp.finfo(total.dtype).eps * terms, 0.0, total)


def _sure(size: Array) -> Array:
    """A divisor: one for zero, beside which there is nothing."""
    return jnp.where(size > 0, size, 1.0)
