"""The barrier problem of a constrained minimisation, and Newton's step for its conditions.

Each inequality d(x) ≥ 0 has a slack s > 0 with d(x) = s, and

    minimise φ = f − μ (Σ ln s + Σ ln (x − lower) + Σ ln (upper − x))  subject to  c = 0,  d = s

is solved for smaller and smaller μ. Newton's method is applied to the primal-dual form of its
conditions, z s = μ and so on (Wächter and Biegler 2006; Nocedal and Wright 2006, chapter 19).

Where the constraints cannot be met step by step, feasibility is restored by the same method
applied to another problem, called elastic here: f gives way to ½‖c‖² + ½‖d − s‖² without
constraints but s > 0 and the bounds.
"""

from typing import NamedTuple

import jax.numpy as jnp
from jax import lax

from mvopt._types import Array
from mvopt.families.constrained import Functions
from mvopt.linalg.null_space import Definite, Equations, definite, equations, reduced
from mvopt.linalg.products import dot

LARGEST_MULTIPLIER = 1e3  # of an estimate (Wächter and Biegler 2006)


class Point(NamedTuple):
    """Variables and slacks, the functions and the Hessian of the Lagrangian there, all scaled."""

    x: Array  # (n,)
    s: Array  # (k,)
    at: Functions
    hessian: Array  # (n, n)

    def gap(self) -> Array:
        """d − s, (k,)."""
        return self.at.d - self.s

    def equations(self) -> Array:
        """c and d − s, (m + k,)."""
        return jnp.concatenate([self.at.c, self.gap()])

    def violation(self) -> Array:
        """‖c‖₁ + ‖d − s‖₁."""
        return jnp.sum(jnp.abs(self.equations()))

    def finite(self) -> Array:
        """() bool: functions and Hessian are."""
        return self.at.finite() & jnp.isfinite(self.hessian).all()


class Forces(NamedTuple):
    """Multipliers of c = 0 and d = s, of the lower and of the upper bounds, all scaled."""

    y: Array  # (m,)
    z: Array  # (k,)
    p: Array  # (n,)
    q: Array  # (n,)


class Barrier(NamedTuple):
    """Which problem is being solved."""

    mu: Array  # ()
    elastic: Array  # () bool
    lower: Array  # (n,), or () without bounds, like `upper`
    upper: Array

    def below(self, x: Array) -> Array:
        """x − lower, (n,)."""
        return x - self.lower

    def above(self, x: Array) -> Array:
        """upper − x, (n,)."""
        return self.upper - x

    def room(self, x: Array) -> tuple[Array, Array]:
        """Both, infinite for variables that cannot move."""
        movable = self.movable(x)
        below, above = self.below(x), self.above(x)
        return jnp.where(movable, below, jnp.inf), jnp.where(movable, above, jnp.inf)

    def movable(self, x: Array) -> Array:
        """(n,) bool: variables whose bounds do not fix them."""
        return jnp.broadcast_to(self.lower < self.upper, x.shape)

    def walls(self, x: Array, s: Array) -> tuple[Array, Array, Array]:
        """Ones where there is a wall: at the slacks, lower and upper bounds."""
        below, above = self.room(x)
        low, high = (jnp.isfinite(room).astype(x.dtype) for room in (below, above))
        return jnp.ones_like(s), low, high

    def mean_product(self, x: Array, s: Array, forces: "Forces") -> Array:
        """The mean of distance times multiplier over all walls, (); zero without any."""
        there = self.walls(x, s)
        rooms = s, self.below(x), self.above(x)
        products = [
            jnp.sum(jnp.where(one > 0, z * jnp.where(one > 0, room, 1.0), 0.0))
            for one, z, room in zip(there, forces[1:], rooms, strict=True)
        ]
        number = sum(jnp.sum(one) for one in there)
        return sum(products) / jnp.maximum(number, 1.0)

    def reaches(
        self, point: Point, forces: "Forces", step: "Direction", share: Array | float
    ) -> tuple[Array, Array]:
        """How far the variables may go along a step, and how far the multipliers."""
        rooms = jnp.concatenate([point.s, *self.room(point.x)])
        moves = jnp.concatenate([step.s, step.x, -step.x])
        primal = longest(rooms, jnp.where(jnp.isfinite(rooms), moves, 0.0), share)
        walls, changes = jnp.concatenate(forces[1:]), jnp.concatenate(step.forces[1:])
        return primal, longest(walls, changes, share)

    def slacks(self, d: Array, s: Array) -> Array:
        """The slacks, (k,), that a trial with slacks `s` had better had for these inequalities.

        Where d is larger, taking it for the slack lowers both the violation and φ (Nocedal and
        Wright 2006, section 19.3), however far d has curved away. Those of the elastic problem are
        at the minimum of ½ (d − s)² − μ ln s.
        """
        root = jnp.sqrt(d * d + 4 * self.mu)
        best = jnp.where(d > 0, 0.5 * (d + root), 2 * self.mu / (root - jnp.minimum(d, 0.0)))
        return jnp.where(self.elastic, best, jnp.maximum(s, d))

    def violation(self, point: Point) -> Array:
        """By how much the equations are violated; the elastic problem has none."""
        return jnp.where(self.elastic, 0.0, point.violation())

    def merit(self, point: Point) -> Array:
        """φ, ()."""
        squares = 0.5 * (jnp.sum(point.at.c**2) + jnp.sum(point.gap() ** 2))
        first = jnp.where(self.elastic, squares, point.at.f)
        return first - self.mu * (
            jnp.sum(jnp.log(point.s))
            + jnp.sum(_log(self.below(point.x), self.movable(point.x)))
            + jnp.sum(_log(self.above(point.x), self.movable(point.x)))
        )

    def slopes(self, point: Point) -> tuple[Array, Array]:
        """Derivatives of φ by x (n,) and s (k,)."""
        x, s = self.smooth_slopes(point)
        walls = self.mu / self.below(point.x) - self.mu / self.above(point.x)
        return x - jnp.where(self.movable(x), walls, 0.0), s - self.mu / point.s

    def smooth_slopes(self, point: Point) -> tuple[Array, Array]:
        """Those without the logarithms."""
        at, gap = point.at, point.gap()
        pull = dot(at.c, at.dc) + dot(gap, at.dd)
        x = jnp.where(self.elastic, pull, at.df)
        return jnp.where(self.movable(x), x, 0.0), jnp.where(self.elastic, -gap, 0.0)

    def misses(self, point: Point, forces: Forces) -> "Misses":
        """How far the conditions are from being met; the elastic ones while those are solved."""
        at, x = point.at, point.x
        slope, pull = self.smooth_slopes(point)
        y, z = jnp.where(self.elastic, 0.0, forces.y), jnp.where(self.elastic, 0.0, forces.z)
        dual = slope - dot(y, at.dc) - dot(z, at.dd) - forces.p + forces.q
        dual = jnp.where(self.movable(x), dual, 0.0)
        slack = jnp.where(self.elastic, pull - forces.z, 0.0)
        equations = jnp.where(self.elastic, 0.0, _largest(point.equations()))
        rooms = jnp.concatenate([point.s, self.below(x), self.above(x)])
        walls = jnp.concatenate(forces[1:])
        held = jnp.isfinite(rooms) & (walls > 0)
        products = walls * jnp.where(held, rooms, 1.0)
        total, count = jnp.sum(walls), max(walls.size, 1)
        every = total + jnp.sum(jnp.abs(y))
        relief = jnp.maximum(1.0, every / (100 * (count + at.c.size)))
        return Misses(
            jnp.maximum(jnp.maximum(_largest(dual), _largest(slack)) / relief, equations),
            jnp.max(jnp.where(held, products, -jnp.inf)),
            jnp.min(jnp.where(held, products, jnp.inf)),
            jnp.maximum(1.0, total / (100 * count)),
        )


class Misses(NamedTuple):
    """What the error of a barrier problem is made of, for any μ; () each."""

    others: Array  # of stationarity and equations
    highest: Array  # of the products of distances and multipliers
    lowest: Array
    easing: Array

    def error(self, mu: Array | float) -> Array:
        """The largest violation of the conditions, relative to the forces as Ipopt's is."""
        off = jnp.maximum(self.highest - mu, mu - self.lowest)
        return jnp.maximum(self.others, off / self.easing)


class System(NamedTuple):
    """The linear equations for Newton's step at a point, factorised.

    Near a bound its variable is held by a force many orders of magnitude stiffer than the rest.
    The unknowns are therefore u = D x, with D the larger the stiffer, before the null space of the
    equations mixes them. No D is smaller than one: the equations hold to rounding in x as well.
    """

    stiff: Array  # (k,), z/s
    share: Array  # (k,), of a change of d that its slack takes
    dc: Array  # (m, n), like `dd` zero for variables that cannot move
    dd: Array  # (k, n)
    size: Array  # (n,), D
    matrix: Array  # (n, n), D⁻¹ M D⁻¹
    rows: Array  # (m, n), A D⁻¹
    along: Equations | None  # A D⁻¹ u = moved; None without equations
    factors: Definite  # of the matrix along the null space

    @classmethod
    def of(cls, barrier: Barrier, point: Point, forces: Forces, last_shift: Array) -> "System":
        """The matrix is raised where it bends down along the equations."""
        at, movable = point.at, barrier.movable(point.x)
        below, above = barrier.room(point.x)
        stiff = forces.z / point.s
        # An elastic constraint gives: its slack takes a part of the change alone.
        share = jnp.where(barrier.elastic, 1 / (1 + stiff), 1.0)
        wall = forces.p / below + forces.q / above
        dc, dd = (jnp.where(movable, j, 0.0) for j in (at.dc, at.dd))
        matrix = jnp.where(movable[:, None] & movable, point.hessian, 0.0)
        size = _sizes(jnp.where(movable, wall, 0.0), matrix)
        matrix = matrix + jnp.diag(jnp.where(movable, wall, 1.0))
        matrix = matrix + dot(dd.T, (stiff * share)[:, None] * dd)
        matrix = matrix + jnp.where(barrier.elastic, dot(dc.T, dc), 0.0)
        matrix, rows = matrix / (size[:, None] * size), dc / size
        along, inner = None, matrix
        if len(rows):
            along = equations(rows)
            along = along._replace(rank=jnp.where(barrier.elastic, 0, along.rank))
            inner = reduced(matrix, along)
        factors = definite(inner, last_shift)
        return cls(stiff, share, dc, dd, size, matrix, rows, along, factors)

    def solve(self, right: Array, moved: Array) -> tuple[Array, Array]:
        """x and y with M x − Aᵀy = right and A x = moved."""
        right, along = right / self.size, self.along
        if along is None:
            return self.factors.solve(right) / self.size, moved
        start = along.particular(moved)
        across = along.along(right - dot(self.matrix, along.vector(start)))
        rest = self.factors.solve(jnp.where(along.determined(), 0.0, across))
        u = along.vector(jnp.where(along.determined(), start, rest))
        y = along.multipliers(along.along(dot(self.matrix, u) - right))
        return u / self.size, y


def _sizes(wall: Array, hessian: Array) -> Array:
    """D (n,), from the stiffness of the bounds (n,) beside that of the Lagrangian (n, n)."""
    bend = jnp.max(jnp.abs(hessian))
    least = jnp.min(jnp.where(wall > 0, wall, jnp.inf))
    beside = jnp.where(bend > 0, bend, jnp.where(jnp.isfinite(least), least, 1.0))
    return jnp.sqrt(1 + wall / beside)


class Direction(NamedTuple):
    """Newton's step, for the multipliers too."""

    x: Array
    s: Array
    forces: Forces


def direction(
    system: System,
    barrier: Barrier,
    point: Point,
    forces: Forces,
    pull: tuple[Array, ...],
    targets: tuple[Array, ...],
) -> Direction:
    """The step to where the linearised c and d − s are changed by −`pull`, (m,) and (k,).

    targets: what the products of s and z, of the distances to the bounds and p, q are to become.
    """
    movable = barrier.movable(point.x)
    below, above = barrier.room(point.x)
    to_s, to_p, to_q = targets[0] / point.s, targets[1] / below, targets[2] / above
    # Solved for the change of y: near a solution what is left of the right side is then small.
    slope = jnp.where(movable, dot(forces.y, system.dc) - point.at.df, 0.0)
    right = jnp.where(barrier.elastic, -dot(pull[0], system.dc), slope)
    right = right + dot(system.share * (to_s - system.stiff * pull[1]), system.dd) + to_p - to_q
    x, y = system.solve(right, -pull[0])
    ds = system.share * (dot(system.dd, x) + pull[1] + jnp.where(barrier.elastic, to_s, 0.0))
    return Direction(
        x=x,
        s=ds,
        forces=Forces(
            y=jnp.where(barrier.elastic, 0.0, y),
            z=to_s - forces.z - system.stiff * ds,
            p=to_p - forces.p - forces.p / below * x,
            q=to_q - forces.q + forces.q / above * x,
        ),
    )


def balanced(barrier: Barrier, point: Point, forces: Forces, when: Array) -> Array:
    """The y (m,) that best balances the other forces, where that is asked for and moderate.

    Zero where it is not, and everywhere without equations.
    """
    at = point.at
    if not len(at.c):
        return forces.y

    def fitted() -> Array:
        movable = barrier.movable(point.x)
        rest = at.df - dot(forces.z, at.dd) - forces.p + forces.q
        along = equations(jnp.where(movable, at.dc, 0.0))
        y = along.multipliers(along.along(jnp.where(movable, rest, 0.0)))
        return jnp.where(_largest(y) <= LARGEST_MULTIPLIER, y, 0.0)

    return lax.cond(when, fitted, lambda: jnp.zeros_like(at.c))


def longest(values: Array, steps: Array, share: Array | float) -> Array:
    """The largest t ≤ 1 that takes positive values, by t·steps, not beyond `share` of the way."""
    ratio = -share * values / jnp.where(steps < 0, steps, -1.0)
    return jnp.min(jnp.where(steps < 0, ratio, 1.0), initial=1.0)


def inside(bounds: tuple[Array, Array], x: Array, push: Array | float) -> Array:
    """x at least so far from the bounds, relative to them and to their distance."""
    lower, upper = bounds
    width = upper - lower
    low = lower + push * jnp.minimum(jnp.maximum(1.0, jnp.abs(lower)), width)
    high = upper - push * jnp.minimum(jnp.maximum(1.0, jnp.abs(upper)), width)
    x = jnp.where(jnp.isfinite(lower), jnp.maximum(x, low), x)
    return jnp.where(jnp.isfinite(upper), jnp.minimum(x, high), x)


def _log(gaps: Array, movable: Array) -> Array:
    counted = movable & jnp.isfinite(gaps)
    return jnp.where(counted, jnp.log(jnp.where(counted, gaps, 1.0)), 0.0)


def _largest(values: Array) -> Array:
    return jnp.max(jnp.abs(values), initial=0.0)
