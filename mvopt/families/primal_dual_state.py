"""What the primal-dual method carries from one trial to the next."""

from typing import NamedTuple

import jax.numpy as jnp

from mvopt._types import Array, Certificate
from mvopt.families.barrier import Barrier, Forces, Point
from mvopt.families.constrained import ConstrainedProblem, Functions, Sizes
from mvopt.families.extent import Extent, Shares
from mvopt.families.filter import Filter
from mvopt.families.units import Units

FIRST, FORCED, SEARCH, CORRECTION = range(4)


class Trial(NamedTuple):
    """Where to evaluate next."""

    x: Array  # (n,)
    s: Array  # (k,)
    forces: Forces


class PrimalDualState(NamedTuple):
    """The last point accepted, the trial after it, and how the search stands."""

    phase: Array  # () int32
    point: Point
    forces: Forces
    trial: Trial
    units: Units
    extent: Extent  # not scaled, of the points accepted
    shares: Shares  # of the tolerance, at the point
    mu: Array  # ()
    elastic: Array  # () bool
    corners: Filter
    length: Array  # (), of the step to the trial
    reach: Array  # (), the longest that the direction allows
    slope: Array  # (), of φ along the direction
    pull: tuple[Array, ...]  # (m,) and (k,), what a correction is to take back
    worst: Array  # (), violation that the next correction must improve on
    corrections: Array  # () int32
    shift: Array  # ()
    idle: Array  # () int32, steps in a row that gained nothing that rounding does not hide
    least: Array  # (), smallest error of the barrier problem so far
    outer_mu: Array  # (), while elastic: of the problem to return to
    outer_violation: Array  # (), where it was left
    restorations: Array  # () int32
    residuals: Certificate  # at the point, not scaled but counted in shares
    status: Array  # () int32
    w: Array  # all unknowns at the point, not scaled

    @property
    def params(self) -> Array:
        """All unknowns, w."""
        return self.w

    @property
    def value(self) -> Array:
        """The objective, ()."""
        return self.point.at.f / self.units.f

    @property
    def optimality(self) -> Array:
        """The largest residual of the conditions, ()."""
        return self.residuals.residual

    def barrier(self, problem: ConstrainedProblem) -> Barrier:
        """The barrier problem that is being solved."""
        return Barrier(self.mu, self.elastic, *problem.box())


def blank_state(params: Array, sizes: Sizes) -> PrimalDualState:
    """A state for params of this shape."""
    n, m, k, _ = sizes
    zero, no = jnp.zeros((), params.dtype), jnp.zeros((), bool)
    count = jnp.zeros((), jnp.int32)
    of = lambda *shape: jnp.zeros(shape, params.dtype)
    functions = Functions(zero, of(m), of(k), of(n), of(m, n), of(k, n))
    forces = Forces(of(m), of(k), of(n), of(n))
    return PrimalDualState(
        phase=count,
        point=Point(of(n), of(k), functions, of(n, n)),
        forces=forces,
        trial=Trial(of(n), of(k), forces),
        units=Units(zero, of(m), of(k)),
        extent=Extent.none(n, m + k, params.dtype),
        shares=Shares.whole(n, m + k, params.dtype),
        mu=zero,
        elastic=no,
        corners=Filter.empty(zero),
        length=zero,
        reach=zero,
        slope=zero,
        pull=(of(m), of(k)),
        worst=zero,
        corrections=count,
        shift=zero,
        idle=count,
        least=zero,
        outer_mu=zero,
        outer_violation=zero,
        restorations=count,
        residuals=Certificate(*(zero,) * 6),
        status=count,
        w=params,
    )
