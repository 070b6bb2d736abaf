"""A convex quadratic program as a method sees it: its matrices, from any point, in any units.

    minimise ½ xᵀP x + q·x  subject to  A x = b,  W x + o ≥ 0

x is counted from a point of the box that is given as `origin`. The rows of W are those of −G, of
the identity and of its negative: inequalities, lower and upper bounds.
"""

from typing import NamedTuple

import jax.numpy as jnp
from jax import lax

from mvopt._types import Array
from mvopt.families.constrained import ConstrainedProblem, Functions, Sizes, Unknowns
from mvopt.linalg.products import dot

_ROUNDS = 10  # of equilibration, as many as OSQP makes


class Program(NamedTuple):
    """The arrays; without a side, `h`, `below` and `above` are infinite."""

    P: Array  # (n, n)
    q: Array  # (n,)
    A: Array  # (m, n)
    b: Array  # (m,)
    G: Array  # (k, n)
    h: Array  # (k,)
    below: Array  # (n,), how far the origin is above the lower bounds
    above: Array  # (n,), and below the upper ones

    @classmethod
    def of(
        cls, problem: ConstrainedProblem, origin: Array, evaluation: tuple[Array, Array, Array]
    ) -> "Program":
        """As it is given, from what `problem.curved` says of the origin."""
        values, jacobian, hessian = evaluation
        at = Functions.of(values, jacobian, problem.sizes)
        lower, upper = problem.box()
        return cls(
            hessian, at.df, at.dc, -at.c, -at.dd, at.d,
            jnp.broadcast_to(origin - lower, origin.shape),
            jnp.broadcast_to(upper - origin, origin.shape),
        )  # fmt: skip

    def finite(self) -> Array:
        """() bool: all entries are numbers, but for sides that there are not."""
        parts = jnp.stack([jnp.isfinite(part).all() for part in self[:5]])
        sides = jnp.concatenate([self.h, self.below + self.above])
        return parts.all() & (sides > -jnp.inf).all()

    def objective(self, x: Array) -> Array:
        """Its change from the origin to x (n,), ()."""
        return dot(self.q + 0.5 * dot(self.P, x), x)

    def movable(self) -> Array:
        """(n,) bool: variables whose bounds do not fix them."""
        return self.below + self.above > 0

    def walls(self) -> Array:
        """(k + 2n,) bool: where there is a row of W."""
        movable = self.movable()
        finite = jnp.isfinite(jnp.concatenate([self.h, self.below, self.above]))
        return finite & jnp.concatenate([jnp.ones(len(self.h), bool), movable, movable])

    def offsets(self) -> Array:
        """o (k + 2n,), zero where there is no row."""
        return jnp.where(self.walls(), jnp.concatenate([self.h, self.below, self.above]), 0.0)

    def rows(self, x: Array) -> Array:
        """W x, (k + 2n,), zero where there is no row."""
        return jnp.where(self.walls(), jnp.concatenate([-dot(self.G, x), x, -x]), 0.0)

    def pull(self, z: Array) -> Array:
        """Wᵀz, (n,), of multipliers that are zero where there is no row."""
        z, p, r = self.split(z)
        return p - r - dot(z, self.G)

    def split(self, z: Array) -> tuple[Array, Array, Array]:
        """Those of the inequalities (k,), of lower and of upper bounds (n,)."""
        k, n = self.G.shape
        return z[:k], z[k : k + n], z[k + n :]

    def without(self, dependent: Array, objective: Array) -> "Program":
        """Without the equations that are `dependent` (m,), and without the objective if so."""
        return self._replace(
            P=jnp.where(objective, 0.0, self.P),
            q=jnp.where(objective, 0.0, self.q),
            A=jnp.where(dependent[:, None], 0.0, self.A),
            b=jnp.where(dependent, 0.0, self.b),
        )


class Scaling(NamedTuple):
    """The units of a method: x = size·columns·x̂, each row times `rows` over size, f times `cost`.

    A column is zero where the variable cannot move.
    """

    rows: Array  # (m + k,)
    columns: Array  # (n,)
    cost: Array  # ()
    size: Array  # ()

    @classmethod
    def of(cls, program: Program) -> "Scaling":
        """Rows and columns of the matrix of the conditions get a largest entry of about one.

        By a fixed number of rounds (Ruiz 2001; Stellato et al. 2020, algorithm 2), to powers of
        two, so that the scaling itself rounds nothing. `size` makes the largest right-hand side
        about one, or the farthest bound if all of them are zero, and `cost` the largest entry of
        the objective.
        """
        P, matrix = jnp.abs(program.P), jnp.abs(jnp.concatenate([program.A, program.G]))
        one = jnp.where(program.movable(), 1.0, 0.0).astype(P.dtype)

        def balance(_: Array, scales: tuple[Array, Array]) -> tuple[Array, Array]:
            rows, columns = scales
            scaled = matrix * rows[:, None] * columns
            across = jnp.max(scaled, axis=0, initial=0.0)
            across = jnp.maximum(across, jnp.max(P * columns[:, None] * columns, axis=0))
            along = jnp.max(scaled, axis=1)
            return rows / jnp.sqrt(_positive(along)), columns / jnp.sqrt(_positive(across))

        rows, columns = lax.fori_loop(0, _ROUNDS, balance, (jnp.ones_like(matrix[:, 0]), one))
        held = jnp.where(jnp.max(matrix, axis=1) > 0, rows, 0.0)
        fits = jnp.abs(jnp.concatenate([program.b, program.h])) * held
        bounds = jnp.maximum(*map(_finite, (program.below, program.above))) / _positive(columns)
        slope, bend = _objective(program, columns)
        free = slope / jnp.where(bend > 0, bend, jnp.inf)
        size = _power(_first(jnp.max(_finite(fits), initial=0.0), jnp.max(bounds), free))
        # What can move but little is small, and the rows are balanced once more.
        columns = jnp.minimum(columns, (program.below + program.above) / size)
        columns = jnp.where(one > 0, _power(columns), 0.0)
        rows = _power(1 / _positive(jnp.max(matrix * columns, axis=1)))
        slope, bend = _objective(program, columns)
        return cls(rows, columns, 1 / _power(jnp.maximum(slope / size, bend)), size)

    def apply(self, program: Program) -> Program:
        """The program in these units."""
        m = len(program.b)
        columns = self.columns
        equal, unequal = self.rows[:m], self.rows[m:]
        far = self.size * jnp.where(columns > 0, columns, 1.0)
        return Program(
            P=self.cost * columns[:, None] * columns * program.P,
            q=self.cost / self.size * columns * program.q,
            A=equal[:, None] * columns * program.A,
            b=equal / self.size * program.b,
            G=unequal[:, None] * columns * program.G,
            h=unequal / self.size * program.h,
            below=program.below / far,
            above=program.above / far,
        )

    def variables(self, x: Array) -> Array:
        """x (n,) as it was given."""
        return self.size * self.columns * x

    def multipliers(self, y: Array, z: Array) -> tuple[Array, Array]:
        """Those of the equations (m,) and inequalities (k,) as they were given."""
        worth = self.size / self.cost * self.rows
        return worth[: len(y)] * y, worth[len(y) :] * z

    def against_slacks(self, sizes: Sizes) -> Unknowns:
        """By what multipliers are multiplied to be compared with slacks as in these units."""
        rows = self.cost / self.rows[sizes.equalities :] ** 2
        bounds = self.cost * self.columns**2
        return Unknowns(self.columns, self.rows[: sizes.equalities], rows, bounds, bounds)

    def slopes(self) -> Array:
        """Natural sizes of derivatives of the objective, (n,), infinite where nothing moves."""
        return self.size / (self.cost * self.columns)


def _positive(value: Array) -> Array:
    return jnp.where(value > 0, value, 1.0)


def _power(value: Array) -> Array:
    """The nearest power of two, one for zero."""
    exponent = jnp.round(jnp.log2(_positive(value)))
    return jnp.ldexp(jnp.ones_like(value), exponent.astype(jnp.int32))


def _first(*values: Array) -> Array:
    """The first that is positive, or zero."""
    found = jnp.zeros_like(values[0])
    for value in reversed(values):
        found = jnp.where(value > 0, value, found)
    return found


def _objective(program: Program, columns: Array) -> tuple[Array, Array]:
    """The largest entries of its slope and of its curvature, () each."""
    bend = jnp.abs(program.P) * columns[:, None] * columns
    return jnp.max(jnp.abs(program.q) * columns), jnp.max(bend)


def _finite(values: Array) -> Array:
    return jnp.where(jnp.isfinite(values), values, 0.0)
