"""The homogeneous embedding of a convex quadratic program, and Newton's step for it.

With x/τ in the place of x the conditions of Karush, Kuhn and Tucker always have a solution:

    P x + q τ = Aᵀy + Wᵀz,   A x = b τ,   W x + o τ = s,   xᵀP x/τ + q·x − b·y + o·z + κ = 0

with z s = 0 and κ τ = 0. Where τ > 0 it solves the program; where κ > 0 it proves that there is
nothing to solve, y and z or x being the certificate (Ye, Todd and Mizuno 1994; with a curved
objective Andersen and Ye 1999; in this form Goulart and Chen 2024).
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from mvopt import _tree
from mvopt._types import Array
from mvopt.families.barrier import longest
from mvopt.families.program import Program
from mvopt.linalg.graded import Graded, graded
from mvopt.linalg.products import dot

_LEAST = 1e-2  # of slacks and multipliers at the start, in natural sizes
_NEAREST = 0.995  # share of the way to a wall
# No product may be less than this of their mean, or Mehrotra's method can go round in a circle,
# which 4 of 15,000 programs did (Salahi, Peng and Terlaky 2007). A step is cut to one of so many
# shares for it.
_EVEN, _SHARES = 1e-2, 10

Sides = tuple[Array, Array, Array]  # of the first three equations: (n,), (m,), (k + 2n,)


class Iterate(NamedTuple):
    """A point of the embedding; where there is no wall, s is one and z zero."""

    x: Array  # (n,)
    y: Array  # (m,)
    s: Array  # (k + 2n,)
    z: Array  # (k + 2n,)
    tau: Array  # ()
    kappa: Array  # ()

    @classmethod
    def unit(cls, program: Program) -> "Iterate":
        """Ones at the walls: with these weights Mehrotra's start is found."""
        one = jnp.ones((), program.q.dtype)
        z = program.walls().astype(one.dtype)
        x, y = jnp.zeros_like(program.q), jnp.zeros_like(program.b)
        return cls(x, y, jnp.ones_like(z), z, one, one)

    def finite(self) -> Array:
        """() bool: all of it is."""
        return jnp.stack([jnp.isfinite(part).all() for part in self]).all()

    def moved(self, step: "Iterate", length: Array) -> "Iterate":
        """The point after a step."""
        return jax.tree.map(lambda at, change: at + length * change, self, step)

    def reach(self, step: "Iterate", share: float) -> Array:
        """How far all that is positive remains so."""
        positive = lambda at: jnp.concatenate([at.s, at.z, jnp.stack([at.tau, at.kappa])])
        return longest(positive(self), positive(step), share)


class Newton(NamedTuple):
    """Newton's equations at a point, factorised.

    P dx − Aᵀdy − Wᵀdz = r_x,   A dx = r_y,   W dx + (s/z) dz = r_w
    """

    program: Program
    at: Iterate
    walls: Array  # (k + 2n,) bool
    offsets: Array  # (k + 2n,), o
    stiff: Array  # (k + 2n,), z/s
    factors: Graded

    @classmethod
    def of(cls, program: Program, at: Iterate) -> "Newton":
        """Factorised; what the two bounds of a variable do is one row."""
        walls = program.walls()
        stiff = jnp.where(walls, at.z / at.s, 0.0)
        rows, low, high = program.split(stiff)
        still = (~program.movable()).astype(stiff.dtype)
        one = jnp.eye(len(still), dtype=stiff.dtype)
        factors = graded(
            program.P,
            program.A,
            jnp.concatenate([-program.G, one]),
            jnp.concatenate([rows, low + high + still]),
        )
        return cls(program, at, walls, program.offsets(), stiff, factors)

    def next(self, begun: Array) -> tuple[Iterate, Array]:
        """The point after a step, before the first Mehrotra's start; and what may be a ray (n,)."""
        at, program, missed = self.at, self.program, self.residuals()
        no_x, no_y, no_w = (jnp.zeros_like(each) for each in missed[:3])
        first = (no_x, program.b, -self.offsets), (-program.q, no_y, no_w)
        later = self.towards(missed, 0.0, -at.s * at.z), self.column(missed)
        pair = jax.tree.map(lambda *sides: jnp.stack(sides), *_tree.where(begun, later, first))
        x, y, z = jax.vmap(self.solve)(*pair)
        one, other = ((x[i], y[i], z[i]) for i in range(2))
        after = _tree.where(begun, self.stepped(missed, one, other), self.started(one, other))
        # What nothing holds follows the slope from the start.
        return after, jnp.where(begun, after.x, other[0])

    def solve(self, x: Array, y: Array, w: Array) -> Sides:
        """(dx, dy, dz) for these right-hand sides."""
        w, low, high = self.program.split(w)
        _, stiff_low, stiff_high = self.program.split(self.stiff)
        stiff = stiff_low + stiff_high
        both = (stiff_low * low - stiff_high * high) / jnp.where(stiff > 0, stiff, 1.0)
        dx, dy, short = self.factors.solve(x, y, jnp.concatenate([w, both]))
        rows, left = short[: len(w)], short[len(w) :]
        short = jnp.concatenate([rows, left + (low - both), high + both - left])
        return dx, dy, self.stiff * short

    def equations(self) -> tuple[Array, Array]:
        """(m,) bool: those that do not follow from others; y (m,) of the worst that contradicts."""
        factors, b = self.factors, self.program.b
        if not len(b):
            return jnp.zeros(0, bool), b
        lacking = b - dot(factors.equal, factors.particular(b))
        worst = jnp.arange(len(b)) == jnp.argmax(jnp.abs(lacking))
        others = factors.multipliers(dot(worst.astype(b.dtype), factors.equal))
        y = worst - others
        return factors.independent(), jnp.where(dot(y, b) < 0, -y, y)

    def started(self, least: Sides, forces: Sides) -> Iterate:
        """Mehrotra's start (1992), from the shortest slacks and the shortest multipliers.

        They are shifted until they are positive. A free variable has none, and one that is fixed
        does not take part.
        """
        walls, number = self.walls, jnp.sum(self.walls)
        s, z = (
            each + jnp.maximum(-1.5 * jnp.min(each, where=walls, initial=jnp.inf), 0.0)
            for each in (-least[2], forces[2])
        )
        s, z = jnp.where(walls, s, 0.0), jnp.where(walls, z, 0.0)
        half, sums = 0.5 * dot(s, z), (jnp.sum(z), jnp.sum(s))
        more = (jnp.maximum(half / jnp.where(each > 0, each, 1.0), _LEAST) for each in sums)
        s, z = (each + shift for each, shift in zip((s, z), more, strict=True))
        s, z = jnp.where(walls, s, 1.0), jnp.where(walls, z, 0.0)
        kappa = jnp.where(number > 0, dot(s, z) / jnp.maximum(number, 1), 1.0)
        return Iterate(least[0], forces[1], s, z, jnp.ones_like(kappa), kappa)

    def stepped(self, missed: tuple, ahead: Sides, column: Sides) -> Iterate:
        """The point after Mehrotra's step, from what solves `towards` with μ = 0, and `column`."""
        program, at = self.program, self.at
        here = at.x / at.tau, at.y / at.tau, at.z / at.tau
        along = tuple(map(jnp.add, here, column))
        soft = jnp.where(self.walls, at.s / jnp.where(self.walls, at.z, 1.0), 0.0)
        bend = dot(column[0], dot(program.P, column[0]))
        steep = at.kappa / at.tau + dot(soft, along[2] ** 2) + bend
        slope = program.q + 2 * dot(program.P, here[0])

        def whole(ahead: Sides, centering: Array | float, products: Array, last: Array) -> Iterate:
            lean = dot(slope, ahead[0]) - dot(program.b, ahead[1]) + dot(self.offsets, ahead[2])
            tau = ((1 - centering) * missed[3] + last / at.tau + lean) / steep
            x, y, z = (one + tau * each for one, each in zip(ahead, along, strict=True))
            s = jnp.where(self.walls, self._share(products) - soft * z, 0.0)
            return Iterate(x, y, s, z, tau, (last - at.kappa * tau) / at.tau)

        guess = whole(ahead, 0.0, -at.s * at.z, -at.tau * at.kappa)
        centering = (1 - at.reach(guess, 1.0)) ** 3
        mu = centering * self.mean(at)
        products = mu - at.s * at.z - guess.s * guess.z
        last = mu - at.tau * at.kappa - guess.tau * guess.kappa
        ahead = self.solve(*self.towards(missed, centering, products))
        step = whole(ahead, centering, products, last)
        lengths = at.reach(step, _NEAREST) * jnp.linspace(1.0, 0.1, _SHARES, dtype=mu.dtype)
        even = jax.vmap(lambda length: self.evenness(at.moved(step, length)))(lengths)
        enough = even >= jnp.minimum(_EVEN, self.evenness(at))
        return at.moved(step, jnp.max(jnp.where(enough, lengths, lengths[-1])))

    def towards(self, missed: tuple, centering: Array | float, products: Array) -> Sides:
        """Right-hand sides that leave `centering` of what is missed; s dz + z ds is `products`."""
        x, y, w, _ = missed
        left = centering - 1
        return left * x, left * y, left * w + self._share(products)

    def column(self, missed: tuple) -> Sides:
        """Right-hand sides of the part of a step that is proportional to that of τ.

        They are those of what it is beside the point over τ: near a solution that is little, and
        is found without differences of large numbers.
        """
        x, y, w, _ = missed
        doubled = 2 * jnp.where(self.walls, self.at.s, 0.0)
        return -x / self.at.tau, -y / self.at.tau, -(w + doubled) / self.at.tau

    def residuals(self) -> tuple[Array, Array, Array, Array]:
        """By how much the four equations are missed."""
        program, (x, y, s, z, tau, kappa) = self.program, self.at
        bend = dot(program.P, x)
        gap = dot(x, bend) / tau + dot(program.q, x) - dot(program.b, y) + dot(self.offsets, z)
        return (
            bend + program.q * tau - dot(y, program.A) - program.pull(z),
            dot(program.A, x) - program.b * tau,
            jnp.where(self.walls, program.rows(x) + self.offsets * tau - s, 0.0),
            gap + kappa,
        )

    def mean(self, at: Iterate) -> Array:
        """μ, the mean of all products, ()."""
        return (dot(at.s, at.z) + at.tau * at.kappa) / (1 + jnp.sum(self.walls))

    def evenness(self, at: Iterate) -> Array:
        """The least product over the mean of all, ()."""
        least = jnp.min(at.s * at.z, where=self.walls, initial=jnp.inf)
        return jnp.minimum(least, at.tau * at.kappa) / self.mean(at)

    def _share(self, products: Array) -> Array:
        """Products over z, zero where there is no wall."""
        return jnp.where(self.walls, products / jnp.where(self.walls, self.at.z, 1.0), 0.0)
