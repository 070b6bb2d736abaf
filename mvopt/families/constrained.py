"""A function to be minimised under constraints, and how far a point is from solving it.

    minimise f(x)  subject to  c(x) = 0,  d(x) ≥ 0,  lower ≤ x ≤ upper

The unknowns are w = (x, y, z, p, q): the variables and the multipliers of the constraints in that
order, of lower and of upper bounds. The multipliers are those of the Lagrangian

    L = f − y·c − z·d − p·(x − lower) − q·(upper − x),

so that at a solution ∇f = Jᵀy + … and z, p, q are not negative.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from mvopt._types import Array, Certificate
from mvopt.families.extent import Shares
from mvopt.iteration import box
from mvopt.linalg.products import dot

# Entries of a Jacobian that is still built to judge what rounding leaves of the constraints.
_LARGEST_JACOBIAN = 1_000_000


class Sizes(NamedTuple):
    """How many of each there are; hashable."""

    variables: int
    equalities: int
    inequalities: int
    bounded: bool  # there are bounds, possibly infinite

    @property
    def unknowns(self) -> int:
        """The length of w."""
        bounds = 2 * self.variables if self.bounded else 0
        return self.variables + self.equalities + self.inequalities + bounds


class Unknowns(NamedTuple):
    """The parts of w; without bounds their multipliers are zero."""

    x: Array  # (n,)
    y: Array  # (m,)
    z: Array  # (k,)
    p: Array  # (n,)
    q: Array  # (n,)

    @classmethod
    def of(cls, w: Array, sizes: Sizes) -> "Unknowns":
        """From the flat vector."""
        n, m, k, bounded = sizes
        x, y, z = w[:n], w[n : n + m], w[n + m : n + m + k]
        if not bounded:
            return cls(x, y, z, jnp.zeros_like(x), jnp.zeros_like(x))
        return cls(x, y, z, w[-2 * n : -n], w[-n:])

    def flat(self, sizes: Sizes) -> Array:
        """The flat vector."""
        return jnp.concatenate(self if sizes.bounded else self[:3])


class Functions(NamedTuple):
    """Values of all functions at a point and their first derivatives."""

    f: Array  # ()
    c: Array  # (m,)
    d: Array  # (k,)
    df: Array  # (n,)
    dc: Array  # (m, n)
    dd: Array  # (k, n)

    @classmethod
    def of(cls, values: Array, jacobian: Array, sizes: Sizes) -> "Functions":
        """From the values (1 + m + k,) and the Jacobian (1 + m + k, n) of all of them."""
        end = 1 + sizes.equalities
        return cls(values[0], values[1:end], values[end:],
                   jacobian[0], jacobian[1:end], jacobian[end:])  # fmt: skip

    def finite(self) -> Array:
        """() bool: all of them are."""
        return jnp.stack([jnp.isfinite(part).all() for part in self]).all()


class ConstrainedProblem(NamedTuple):
    """`functions` maps x (n,) to (f, c, d) in one vector (1 + m + k,)."""

    functions: Callable[[Array], Array]
    sizes: Sizes
    bounds: box.Bounds = None  # of x
    # Values, Jacobian and Hessian of f at x, where they are at hand and the constraints are linear.
    known: Callable[[Array], tuple[Array, Array, Array]] | None = None

    def box(self) -> tuple[Array, Array]:
        """Lower and upper bounds of x, infinite where there are none; () each without any."""
        if self.bounds is None:
            return jnp.array(-jnp.inf), jnp.array(jnp.inf)
        return self.bounds

    def objective(self, w: Array) -> Array:
        """f at the variables of w, ()."""
        return self.functions(w[: self.sizes.variables])[0]

    def curved(self, x: Array, weights: Array) -> tuple[Array, Array, Array]:
        """Values (1 + m + k,), Jacobian (1 + m + k, n), Hessian (n, n) of weights·values."""
        if self.known is not None:
            values, jacobian, hessian = self.known(x)
            return values, jacobian, weights[0] * hessian

        def both(x: Array) -> tuple[Array, Array]:
            values, pull = jax.vjp(self.functions, x)
            return values, pull(weights)[0]

        def column(tangent: Array) -> tuple[Array, Array, Array]:
            (values, _), (dots, bends) = jax.jvp(both, (x,), (tangent,))
            return values, dots, bends

        return jax.vmap(column, out_axes=(None, -1, -1))(jnp.eye(x.size, dtype=x.dtype))

    def optimality(self, w: Array, units: Unknowns | None = None) -> Array:
        """Zero at a solution, of the length of w: the conditions that hold as equations.

        An inequality counts as one while its multiplier, times its unit if there are units, is
        larger than its slack; otherwise it is the multiplier that is zero. Where both are zero the
        solution has no derivative, and what comes out is that of the problem without the
        constraint.
        """
        at = Unknowns.of(w, self.sizes)
        values, pull = jax.vjp(self.functions, at.x)
        weights = jnp.concatenate([jnp.ones(1, w.dtype), -at.y, -at.z])
        slope = pull(weights)[0] - at.p + at.q
        end = 1 + self.sizes.equalities
        c, d = values[1:end], values[end:]
        lower, upper = self.box()
        below, above = at.x - lower, upper - at.x
        fixed = jnp.broadcast_to(lower >= upper, below.shape)
        force = at if units is None else Unknowns(*map(jnp.multiply, at, units))
        rows = Unknowns(
            x=slope,
            y=c,
            z=jnp.where(_binds(force.z, d), d, at.z),
            p=jnp.where(fixed | (_binds(force.p, below) & (at.p >= at.q)), below, at.p),
            q=jnp.where(~fixed & _binds(force.q, above), above, at.q),
        )
        return rows.flat(self.sizes)


def _binds(force: Array, slack: Array) -> Array:
    """Whether the constraint holds the solution."""
    large, small = lax.stop_gradient((force, slack))
    return large > small


def residuals(problem: ConstrainedProblem, w: Array) -> Certificate:
    """How far w is from a solution, from the functions alone; a large Jacobian is not built."""
    at, sizes = Unknowns.of(w, problem.sizes), problem.sizes
    values, pull = jax.vjp(problem.functions, at.x)
    end = 1 + sizes.equalities
    f_alone = jnp.zeros_like(values).at[0].set(1.0)
    slope = pull(jnp.concatenate([f_alone[:1], -at.y, -at.z]))[0] - at.p + at.q
    if values.size * at.x.size <= _LARGEST_JACOBIAN:
        rows = jax.vmap(lambda weights: pull(weights)[0])(jnp.eye(values.size, dtype=w.dtype))
        reach = dot(jnp.abs(rows[1:]), jnp.abs(at.x))
    else:
        reach = jnp.abs(jax.jvp(problem.functions, (at.x,), (at.x,))[1][1:])
    lower, upper = problem.box()
    return measure(
        pull(f_alone)[0],
        slope,
        (values[1:end], values[end:]),
        reach,
        at,
        (at.x - lower, upper - at.x),
        Shares.whole(at.x.size, len(reach), w.dtype),
    )


def measure(
    df: Array,
    slope: Array,
    constraints: tuple[Array, Array],
    reach: Array,
    at: Unknowns,
    rooms: tuple[Array, Array],
    shares: Shares,
) -> Certificate:
    """The residuals from ∇f and ∇L, each (n,), c and d, and the distances to the bounds, (n,) each.

    reach: sizes of the terms that c and d are sums of, (m + k,). shares: what a residual is counted
    in.
    """
    eps = jnp.finfo(at.x.dtype).eps
    (c, d), (below, above) = constraints, rooms
    fixed = below + above <= 0
    rows = jnp.concatenate([jnp.abs(c), -d]) / shares.rows
    short = jnp.concatenate([rows, -below, -above])
    slack = finite_gaps(jnp.concatenate([d, below, above]))
    forces = jnp.concatenate([at.z, jnp.where(fixed, 0, at.p), jnp.where(fixed, 0, at.q)])
    return Certificate(
        stationarity=_most(jnp.where(fixed, 0.0, jnp.abs(slope) / shares.slopes)),
        feasibility=_most(short),
        complementarity=_most(jnp.abs(forces * slack)) / shares.value,
        sign=_most(-forces),
        # Not of the multipliers: large ones that cancel each other are no excuse.
        slope_rounding=eps * _most(jnp.abs(df) / shares.slopes),
        value_rounding=eps * jnp.maximum(_most(reach / shares.rows), _most(jnp.abs(at.x))),
    )


def finite_gaps(gaps: Array) -> Array:
    """Infinite gaps, whose multipliers are zero, as zero."""
    return jnp.where(jnp.isfinite(gaps), gaps, 0.0)


def _most(values: Array) -> Array:
    """The largest entry, zero if none is positive."""
    return jnp.max(values, initial=0.0)
