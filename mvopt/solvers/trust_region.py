"""The step of a Gauss–Newton model within a trust region: Moré's form of Levenberg–Marquardt.

Minimise ½‖r + J δ‖² subject to ‖D δ‖ ≤ Δ. The solution is the undamped step if that is short
enough, else (JᵀJ + λD²) δ = −Jᵀr with the λ at which ‖D δ‖ = Δ. λ is found by the iteration of
Hebden (1973) and Moré (1978, "The Levenberg–Marquardt algorithm", eq. 5.5), which converges so fast
that a fixed number of rounds serves: no lane waits for another.
"""

import jax.numpy as jnp
from jax import lax

from mvopt._types import Array
from mvopt.linalg.cholesky import cholesky
from mvopt.linalg.qr import HIGHEST, pivoted_qr
from mvopt.linalg.triangular import diagonal_of, solve_lower, solve_upper
from mvopt.solvers.linearization import LeastSquaresProblem, Linearization

# With two rounds 53 of the 54 NIST starts are solved, with three and more all.
_ROUNDS = 3
# A step is as good as on the boundary of the region within this share of the radius (Moré 1978).
_SLACK = 1.1


def trust_region_step(
    model: Linearization, scale: Array, radius: Array, damping: Array
) -> tuple[Array, Array]:
    """Scaled step u (n,) with ‖scale·u‖ about `radius` or less, and the damping λ it took.

    scale: D relative to the column norms. damping: the λ of the step before, a first guess.
    """
    slope = model.slope()
    start = (slope, scale, radius, damping)
    fast = _search(_normal_solve, (model.matrix, slope, model.free), *start)
    step, damping = lax.cond(
        model.ill,
        lambda: _search(_orthogonal_solve, (model.matrix, model.vector), *start),
        lambda: fast,
    )
    return jnp.where(model.free, step, 0.0), damping


def _search(solve, operands, slope, scale, radius, damping):
    ceiling = jnp.sqrt(jnp.sum((slope / scale) ** 2)) / radius
    floor = jnp.finfo(damping.dtype).eps * ceiling
    guess = damping

    def improve(k, carry):
        """Measure the step at `damping`, then correct it; the first round is undamped."""
        damping, undamped, inside, _ = carry
        step, curvature = solve(operands, damping * scale * scale, scale)
        length = jnp.sqrt(jnp.sum((scale * step) ** 2))
        undamped = jnp.where(k == 0, step, undamped)
        inside = jnp.where(k == 0, length <= _SLACK * radius, inside)
        better = damping + (length - radius) / radius * length * length / curvature
        better = jnp.where(jnp.isfinite(better), better, damping)
        lowest = jnp.where(k == 0, jnp.maximum(guess, floor), 1e-3 * damping)
        close = (k > 0) & (jnp.abs(length - radius) <= 0.1 * radius)
        corrected = jnp.where(close, damping, jnp.clip(better, lowest, ceiling))
        shrunk = step * jnp.minimum(1.0, radius / jnp.where(length > 0, length, 1.0))
        last = k == _ROUNDS
        return jnp.where(last, damping, corrected), undamped, inside, shrunk

    zero = jnp.zeros_like(damping)
    start = (zero, jnp.zeros_like(scale), jnp.zeros((), bool), jnp.zeros_like(scale))
    damping, undamped, inside, step = lax.fori_loop(0, _ROUNDS + 1, improve, start)
    return jnp.where(inside, undamped, step), jnp.where(inside, 0.0, damping)


def _normal_solve(operands, penalty, scale):
    """u = −(G + penalty)⁻¹ slope, and ‖L⁻¹ scale² u‖² with G + penalty = L Lᵀ."""
    gram, slope, free = operands
    added = jnp.where(free, penalty, 1.0)
    diagonal = jnp.eye(len(slope), dtype=bool)
    lower, _ = cholesky(jnp.where(diagonal, gram + added, gram))
    step = -solve_upper(lower.T, solve_lower(lower, slope))
    return step, jnp.sum(solve_lower(lower, scale * scale * step) ** 2)


def _orthogonal_solve(operands, penalty, scale):
    """The same from R and Qᵀr, by a QR of R on top of the square root of the penalty."""
    factor, rotated = operands
    rows = jnp.concatenate([factor, jnp.diag(jnp.sqrt(penalty))])
    again = pivoted_qr(rows, jnp.concatenate([rotated, jnp.zeros_like(rotated)]))
    triangle, order = again.triangle, again.order
    diagonal = diagonal_of(triangle)
    upper = triangle + jnp.diag(jnp.where(diagonal > 0, 0.0, 1.0))
    solved = -solve_upper(upper, jnp.where(diagonal > 0, again.rotated, 0.0))
    step = jnp.zeros_like(solved).at[order].set(solved)
    image = solve_lower(upper.T, (scale * scale * step)[order])
    return step, jnp.sum(image**2)


def bounded_step(
    problem: LeastSquaresProblem, model: Linearization, step: Array, penalty: Array
) -> Array:
    """A scaled step kept inside the box: what hits a bound stays there, the rest is solved again.

    Two rounds; what still crosses a bound after them is clipped.
    """
    if problem.lower is None:
        return step
    inside = _clipped(problem, model, step)
    gram, slope = model.gram(), model.slope()
    for _ in range(2):
        held = (inside != step) | ~model.free
        fixed = jnp.where(held, inside, 0.0)
        pull = slope + jnp.dot(gram, fixed, precision=HIGHEST)
        moving = ~(held[:, None] | held[None, :])
        operands = (jnp.where(moving, gram, 0.0), jnp.where(held, 0.0, pull), ~held)
        solved, _ = _normal_solve(operands, penalty, jnp.ones_like(step))
        step = jnp.where(held, inside, solved)
        inside = _clipped(problem, model, step)
    return inside


def _clipped(problem, model, step):
    trial = problem.clip(model.params + step / model.lengths)
    return (trial - model.params) * model.lengths
