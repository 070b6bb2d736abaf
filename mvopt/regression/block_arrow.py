"""Levenberg–Marquardt for data sets that share some parameters and have the others of their own.

The normal matrix of M members with k shared and p own parameters each is an arrow of blocks,

    ⎡ A    B₁ … B_M ⎤
    ⎢ B₁ᵀ  D₁       ⎥
    ⎢ ⋮        ⋱    ⎥
    ⎣ B_Mᵀ      D_M ⎦ ,

and eliminating the own parameters leaves the Schur complement A − Σ B D⁻¹ Bᵀ of order k: a step
costs a time linear in M (Triggs et al. 2000, "Bundle adjustment", section 6). The damping follows
Nielsen (1999).
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp

from mvopt import _tree
from mvopt._types import Array, Status
from mvopt.iteration import box
from mvopt.linalg.cholesky import cholesky
from mvopt.linalg.products import HIGHEST
from mvopt.linalg.triangular import solve_lower, solve_upper

_FIRST_DAMPING = 1e-3
# Trials in a row that may fail to bring the gradient down where the cost no longer tells.
_BLIND_TRIALS = 3


class Arrow(NamedTuple):
    """Cost, gradient and normal matrix at a point."""

    cost: Array
    shared_slope: Array  # (k,)
    own_slope: Array  # (M, p)
    corner: Array  # A, (k, k)
    edge: Array  # B, (M, k, p)
    blocks: Array  # D, (M, p, p)

    def size(self) -> Array:
        """Σ g²/H over the parameters: what undoing each of them alone could gain."""
        shared = jnp.diagonal(self.corner)
        own = jnp.diagonal(self.blocks, axis1=1, axis2=2)
        return jnp.sum(_over(self.shared_slope**2, shared)) + jnp.sum(_over(self.own_slope**2, own))


class GroupProblem(NamedTuple):
    """One group: flat params are the shared (k,) and then the own ones (M, p)."""

    arrow: Callable[[Array], Arrow]
    cost: Callable[[Array], Array]
    num_shared: int
    num_members: int
    bounds: box.Bounds = None

    def parts(self, params: Array) -> tuple[Array, Array]:
        """Shared (k,) and own (M, p)."""
        k = self.num_shared
        return params[:k], params[k:].reshape(self.num_members, -1)

    def objective(self, params: Array) -> Array:
        """The cost of all members, ()."""
        return self.cost(params)

    def free(self, params: Array, slope: Array) -> Array:
        """False where the params rest on a bound that the descent would cross."""
        return box.free(self.bounds, params, slope)

    def optimality(self, params: Array) -> Array:
        """The projected gradient."""
        return box.projected_gradient(self.bounds, params, jax.grad(self.cost)(params))


class ArrowState(NamedTuple):
    """The best point with its normal matrix, and the trial after it."""

    params: Array
    arrow: Arrow
    trial: Array
    predicted: Array
    damping: Array
    growth: Array
    rejections: Array
    optimality: Array
    status: Array

    @property
    def value(self) -> Array:
        """Cost of the best point."""
        return self.arrow.cost


@_tree.node
@dataclass(frozen=True)
class BlockArrow:
    """The solver of a `GroupProblem`."""

    num_shared: int = field(metadata={"static": True})
    num_members: int = field(metadata={"static": True})

    def blank(self, params: Array) -> ArrowState:
        """A state of this shape."""
        k, members = self.num_shared, self.num_members
        p = (params.size - k) // members
        zeros = lambda *shape: jnp.zeros(shape, params.dtype)
        arrow = Arrow(
            zeros(), zeros(k), zeros(members, p), zeros(k, k), zeros(members, k, p),
            zeros(members, p, p),
        )  # fmt: skip
        count = jnp.zeros((), jnp.int32)
        return ArrowState(
            params, arrow, params, zeros(), zeros(), zeros(), count, zeros(), count
        )  # fmt: skip

    def init(self, problem: GroupProblem, params: Array, state: ArrowState) -> ArrowState:
        """State at the start; the infinite cost marks the first step."""
        params = box.clip(problem.bounds, params)
        infinite = jnp.full_like(state.arrow.cost, jnp.inf)
        return state._replace(
            params=params,
            arrow=state.arrow._replace(cost=infinite),
            trial=params,
            damping=jnp.full_like(infinite, _FIRST_DAMPING),
            growth=jnp.full_like(infinite, 2.0),
            rejections=jnp.zeros_like(state.rejections),
            status=jnp.zeros_like(state.status),
        )

    def evaluate(self, problem: GroupProblem, state: ArrowState) -> Arrow:
        """The normal matrix at the trial."""
        return problem.arrow(state.trial)

    def step(self, problem: GroupProblem, state: ArrowState, evaluation: Arrow) -> ArrowState:
        """Accept or reject the trial, adapt the damping, choose the next trial."""
        eps = jnp.finfo(state.trial.dtype).eps
        old, new = state.arrow, evaluation
        first = jnp.isinf(old.cost)
        # A smaller decrease is lost in the rounding of the cost: the gradient has to tell.
        blind = ~first & (jnp.abs(state.predicted) <= 16 * eps * old.cost)
        threshold = jnp.where(blind, old.cost * (1 + 32 * eps), old.cost)
        accept = jnp.isfinite(new.size()) & (new.cost < threshold)
        accept = accept & (~blind | (new.size() < old.size()))
        arrow = _tree.where(accept, new, old)
        params = jnp.where(accept, state.trial, state.params)
        ratio = (old.cost - new.cost) / state.predicted
        relaxed = jnp.maximum(1 / 3, 1 - (2 * jnp.where(blind, 1.0, ratio) - 1) ** 3)
        shrunk = jnp.where(first, state.damping, state.damping * relaxed)
        damping = jnp.where(accept, shrunk, state.damping * state.growth)
        rejections = jnp.where(accept, 0, state.rejections + 1)
        slope = jnp.concatenate([arrow.shared_slope, arrow.own_slope.reshape(-1)])
        free = problem.free(params, slope)
        (shared, own), gain = solve(arrow, *problem.parts(free), damping)
        step = jnp.concatenate([shared, own.reshape(-1)])
        trial = box.clip(problem.bounds, params + step)
        decrement = gain * (1 + damping)
        converged = decrement <= (10 * eps ** (2 / 3)) ** 2 * 2 * arrow.cost
        unmoved = ~jnp.any(jnp.abs(trial - params) > eps * jnp.abs(params))
        stopped = (blind & (rejections >= _BLIND_TRIALS)) | unmoved
        nearly = decrement <= 64 * eps * arrow.cost
        status = jnp.where(stopped, Status.STALLED, Status.RUNNING)
        status = jnp.where(converged | (stopped & nearly), Status.CONVERGED, status)
        status = jnp.where(first & ~accept, Status.NONFINITE, status)
        return ArrowState(
            params=params,
            arrow=arrow,
            trial=trial,
            predicted=0.5 * gain,
            damping=damping,
            growth=jnp.where(accept, 2.0, 2 * state.growth),
            rejections=rejections,
            optimality=jnp.max(jnp.where(free, jnp.abs(slope), 0.0)),
            status=status.astype(jnp.int32),
        )

    def status(self, problem: GroupProblem, state: ArrowState) -> Array:
        """`Status` as int32 ()."""
        del problem
        return state.status

    def optimality(self, problem: GroupProblem, params: Array) -> Array:
        """Projected gradient of the cost."""
        return problem.optimality(params)


class Elimination(NamedTuple):
    """The own parameters eliminated, everything in scaled variables."""

    shared_length: Array  # (k,)
    own_length: Array  # (M, p)
    factors: Array  # of D, (M, p, p)
    solved: Array  # D⁻¹ Bᵀ, (M, p, k)
    factor: Array  # of the Schur complement, scaled, (k, k)
    diagonal: Array  # its scale, (k,)
    own_pivot: Array  # (M,), the smallest of each D
    pivot: Array  # (), the smallest of the complement


def eliminate(arrow: Arrow, free_shared: Array, free_own: Array, damping: Array) -> Elimination:
    """Factorise H + damping·diag H over the free parameters."""
    shared_length = _length(jnp.diagonal(arrow.corner), free_shared)
    own_length = _length(jnp.diagonal(arrow.blocks, axis1=1, axis2=2), free_own)
    blocks = _scaled(arrow.blocks, own_length, own_length, free_own, free_own)
    blocks = blocks + jnp.eye(own_length.shape[1]) * jnp.where(free_own, damping, 1.0)[:, None]
    factors, own_pivot = jax.vmap(cholesky)(blocks)
    edge = _scaled(arrow.edge, shared_length, own_length, free_shared, free_own)
    solved = jax.vmap(_solve)(factors, jnp.swapaxes(edge, 1, 2))
    corner = _scaled(arrow.corner, shared_length, shared_length, free_shared, free_shared)
    corner = corner + jnp.diag(jnp.where(free_shared, damping, 1.0))
    corner = corner - _sum("mkp,mpl->kl", edge, solved)
    square = jnp.diagonal(corner)
    diagonal = jnp.sqrt(jnp.maximum(square, jnp.finfo(corner.dtype).eps))
    factor, pivot = cholesky(corner / (diagonal[:, None] * diagonal))
    pivot = jnp.minimum(pivot, jnp.min(square))
    return Elimination(
        shared_length, own_length, factors, solved, factor, diagonal, own_pivot, pivot
    )


def solve(
    arrow: Arrow, free_shared: Array, free_own: Array, damping: Array
) -> tuple[tuple[Array, Array], Array]:
    """The damped step, shared and own, and twice the decrease that the model promises."""
    found = eliminate(arrow, free_shared, free_own, damping)
    shared_slope = jnp.where(free_shared, arrow.shared_slope / found.shared_length, 0.0)
    own_slope = jnp.where(free_own, arrow.own_slope / found.own_length, 0.0)
    own = -jax.vmap(_solve)(found.factors, own_slope)
    # B D⁻¹ g of each member, by way of D⁻¹ Bᵀ.
    carried = _sum("mpk,mp->k", found.solved, own_slope)
    rest = (carried - shared_slope) / found.diagonal
    shared = _solve(found.factor, rest) / found.diagonal
    own = own - _sum("mpk,k->mp", found.solved, shared)
    length = jnp.sum(shared**2) + jnp.sum(own**2)
    gain = damping * length - jnp.sum(shared * shared_slope) - jnp.sum(own * own_slope)
    return (shared / found.shared_length, own / found.own_length), gain


def inverse_blocks(found: Elimination) -> tuple[Array, Array, Array]:
    """Blocks of the inverse: shared (k, k), own with shared (M, p, k), own (M, p, p)."""
    k, p = len(found.diagonal), found.own_length.shape[1]
    shared = _solve(found.factor, jnp.eye(k)) / (found.diagonal[:, None] * found.diagonal)
    crossed = -_sum("mpk,kl->mpl", found.solved, shared)
    own = jax.vmap(lambda factor: _solve(factor, jnp.eye(p)))(found.factors)
    own = own - _sum("mpk,mqk->mpq", crossed, found.solved)

    left, right = found.shared_length, found.own_length
    return (
        shared / (left[:, None] * left),
        crossed / (right[:, :, None] * left),
        own / (right[:, :, None] * right[:, None, :]),
    )


_sum = partial(jnp.einsum, precision=HIGHEST)


def _solve(factor: Array, b: Array) -> Array:
    """(L Lᵀ)⁻¹ b, b (n,) or (n, r)."""
    return solve_upper(factor.T, solve_lower(factor, b))


def _length(square: Array, free: Array) -> Array:
    seen = free & (square > 0)
    return jnp.where(seen, jnp.sqrt(jnp.where(seen, square, 1.0)), 1.0)


def _scaled(block: Array, left: Array, right: Array, rows: Array, columns: Array) -> Array:
    inside = rows[..., :, None] & columns[..., None, :]
    return jnp.where(inside, block / (left[..., :, None] * right[..., None, :]), 0.0)


def _over(numerator: Array, denominator: Array) -> Array:
    positive = denominator > 0
    return jnp.where(positive, numerator / jnp.where(positive, denominator, 1.0), 0.0)
