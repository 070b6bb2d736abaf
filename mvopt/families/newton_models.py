"""The quadratic model of an objective at a point, and the step that it proposes within a region.

Two forms with the same methods: `DenseModel` knows the Hessian and finds its eigenvalues,
`ProductModel` only multiplies by it.
"""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from mvopt._types import Array
from mvopt.families.objective import ObjectiveProblem
from mvopt.iteration import box
from mvopt.linalg.products import dot

# Up to this many params the Hessian is built and its eigenvalues are found.
DENSE_LIMIT = 200
# Rounds of Newton's method for the multiplier of the region; it converges quadratically.
_ROUNDS = 12
# Rounds in which bounds that a step hits are held, and the rest is solved again.
_HOLDS = 3
# Projected steps of steepest descent that are compared with it.
_DESCENTS = 6


class Move(NamedTuple):
    """A step, and what the model says of the point that it starts from."""

    step: Array  # (n,)
    predicted: Array  # (), decrease that the model promises
    length: Array  # (), ‖D δ‖
    binding: Array  # () bool: the region shortened it
    decrement: Array  # (), decrease that a Newton step would promise without a region
    convex: Array  # () bool: no direction of negative curvature beyond rounding
    nearly_convex: Array  # () bool: …beyond the square root of rounding
    flat: Array  # () bool: neither a slope nor a curvature, exactly
    hidden: Array  # (), decrease along directions whose curvature is lost in rounding


class DenseModel(NamedTuple):
    """f + g·δ + ½ δᵀH δ around `params`."""

    params: Array  # (n,)
    value: Array  # ()
    gradient: Array  # (n,)
    hessian: Array  # (n, n)
    free: Array  # (n,) bool
    scale: Array  # (n,), D

    @classmethod
    def blank(cls, params: Array) -> "DenseModel":
        """A model of this shape, before the first evaluation."""
        n, zero = params.size, jnp.zeros_like(params)
        square = jnp.zeros((n, n), params.dtype)
        return cls(params, jnp.zeros((), params.dtype), zero, square, jnp.zeros(n, bool), zero)

    @staticmethod
    def evaluate(problem: ObjectiveProblem, trial: Array) -> tuple[Array, Array, Array]:
        """Value (), gradient (n,), Hessian (n, n): one evaluation with n tangents."""

        def column(tangent: Array) -> tuple[Array, Array, Array]:
            both = jax.value_and_grad(problem.objective)
            (value, gradient), (_, dots) = jax.jvp(both, (trial,), (tangent,))
            return value, gradient, dots

        basis = jnp.eye(trial.size, dtype=trial.dtype)
        return jax.vmap(column, out_axes=(None, None, 0))(basis)

    def moved_to(
        self, problem: ObjectiveProblem, trial: Array, evaluation: tuple[Array, Array, Array]
    ) -> "DenseModel":
        """The model at the trial. D may shrink to half of what it was here, but no further.

        With D from one point alone a region that is right in one step is wrong in the next; with
        the largest D of all points, as Moré (1978) has it for least squares, a Hessian that is
        huge at a far start would stay in it.
        """
        value, gradient, hessian = evaluation
        scale = jnp.maximum(self.scale / 2, _balance(hessian))
        free = box.free(problem.bounds, trial, gradient)
        return DenseModel(trial, value, gradient, hessian, free, scale)

    def finite(self) -> Array:
        """() bool: value, gradient and Hessian are."""
        rest = jnp.isfinite(self.gradient).all() & jnp.isfinite(self.hessian).all()
        return jnp.isfinite(self.value) & rest

    def length(self, step: Array) -> Array:
        """‖D δ‖."""
        return _norm(self.positive_scale() * step)

    def slope_norm(self) -> Array:
        """‖D⁻¹ g‖ over the free parameters."""
        return _norm(jnp.where(self.free, self.gradient / self.positive_scale(), 0.0))

    def terms(self) -> Array:
        """Size of the terms, (), that a value near a minimum at `params` is a sum of."""
        x = jnp.abs(self.params)
        return dot(jnp.abs(self.gradient), x) + 0.5 * dot(x, dot(jnp.abs(self.hessian), x))

    def positive_scale(self) -> Array:
        """D, one where no curvature has been seen yet."""
        return jnp.where(self.scale > 0, self.scale, 1.0)

    def scaled(self) -> tuple[Array, Array]:
        """D⁻¹ g (n,) and D⁻¹ H D⁻¹ (n, n)."""
        scale = self.positive_scale()
        return self.gradient / scale, self.hessian / (scale[:, None] * scale)

    def move(self, problem: ObjectiveProblem, radius: Array) -> Move:
        """The step within the region and the bounds."""
        scale, (slope, matrix) = self.positive_scale(), self.scaled()
        # What the rounding of the params leaves uncertain of the slope.
        rounding = jnp.finfo(slope.dtype).eps * jnp.abs(scale * self.params)
        unsure = _norm(dot(jnp.abs(matrix), rounding))
        move = _region_step(matrix, slope, self.free, radius, unsure)
        if problem.bounds is None:
            return move._replace(step=move.step / scale)
        within = _Box(problem.bounds, self.params, scale, self.free)
        multiply = partial(dot, matrix)

        def solve(pull: Array, free: Array) -> Array:
            return _region_step(matrix, pull, free, radius, unsure).step

        return within.kept(move, slope, multiply, solve, radius)


class _Box(NamedTuple):
    """The bounds as a step in scaled variables meets them."""

    bounds: tuple[Array, Array]
    params: Array
    scale: Array
    free: Array

    def kept(
        self,
        move: Move,
        slope: Array,
        multiply: Callable[[Array], Array],
        solve: Callable[[Array, Array], Array],
        radius: Array,
    ) -> Move:
        """The move, which is scaled, with a step inside the bounds, and unscaled.

        What hits a bound is held there and the rest is solved again, by `solve(slope, free)`;
        a projected step of steepest descent takes over where the model promises more of it.
        """
        step, hit = self._cut(move.step)
        for _ in range(_HOLDS):
            held = jnp.where(self.free & ~hit, 0.0, step)
            step, hit = lax.cond(
                hit.any(),
                partial(self._again, held, hit, slope, multiply, solve),
                lambda s=(step, hit): s,
            )
        change = _change(multiply, slope, step)
        for candidate in self._descent(slope, radius):
            other = _change(multiply, slope, candidate)
            step = jnp.where(other < change, candidate, step)
            change = jnp.minimum(other, change)
        return move._replace(step=step / self.scale, predicted=-change, length=_norm(step))

    def _again(self, held, hit, slope, multiply, solve) -> tuple[Array, Array]:
        step = held + solve(slope + multiply(held), self.free & ~hit)
        step, new = self._cut(step)
        return step, hit | new

    def _descent(self, slope: Array, radius: Array) -> list[Array]:
        """Projected steps along −g, each a quarter as long as the one before."""
        downhill = -jnp.where(self.free, slope, 0.0)
        norm = _norm(downhill)
        longest = radius / jnp.where(norm > 0, norm, 1.0)
        return [self._cut(downhill * longest * 0.25**k)[0] for k in range(_DESCENTS)]

    def _cut(self, step: Array) -> tuple[Array, Array]:
        """The step cut off at the bounds, entry by entry, and which entries were cut."""
        return box.cut(self.bounds, self.params, self.scale, step)


def _region_step(matrix: Array, slope: Array, free: Array, radius: Array, unsure: Array) -> Move:
    """The minimiser of the scaled model over the free parameters within ‖u‖ ≤ radius.

    A slope that is larger than `unsure`, along which no curvature is known, leaves the decrement
    infinite. Where no parameter is free there is nothing to gain.
    """
    n, eps = slope.size, jnp.finfo(slope.dtype).eps
    both = free[:, None] & free[None, :]
    eigenvalues, vectors = jnp.linalg.eigh(jnp.where(both, matrix, 0.0))
    slope = jnp.where(free, slope, 0.0)
    along = dot(vectors.T, slope)
    top = jnp.max(jnp.abs(eigenvalues))
    noise = 10 * n * eps * top
    # An eigenvalue within the rounding of the largest says nothing, not even by its sign.
    known = jnp.where(jnp.abs(eigenvalues) < noise, noise, eigenvalues)
    step, binding = _secular(known, along, radius, noise)
    decrement = 0.5 * jnp.sum(along**2 / jnp.where(top > 0, jnp.abs(known), 1.0))
    straight = free.any() & (top == 0)
    flat = straight & (slope == 0).all()
    unknown = (jnp.abs(eigenvalues) < noise) & (jnp.abs(along) > 10 * unsure)
    # What is not free has a curvature of zero in this matrix.
    lost = (jnp.sum(jnp.abs(eigenvalues) < 0.1 * noise) > jnp.sum(~free)) & ~flat
    lowest = jnp.min(eigenvalues)
    return Move(
        step=dot(vectors, step),
        predicted=-jnp.sum(along * step + 0.5 * known * step * step),
        length=_norm(step),
        binding=binding,
        decrement=jnp.where(unknown.any() | (straight & ~flat), jnp.inf, decrement),
        convex=lowest >= -noise,
        nearly_convex=lowest >= -(eps**0.5) * top,
        flat=flat,
        hidden=jnp.where(lost, unsure**2 / (2 * noise), 0.0),
    )


def _secular(eigenvalues: Array, along: Array, radius: Array, noise: Array) -> tuple[Array, Array]:
    """Minimise along·v + ½ Σ λ v² within ‖v‖ ≤ radius; whether the radius binds.

    v = −along/(λ + μ) with the μ ≥ 0 at which ‖v‖ is the radius, found by Newton's method on
    1/‖v‖, safeguarded by an interval (Conn, Gould and Toint 2000, section 7.3). In the hard case,
    where ‖v‖ stays below the radius for every admissible μ, the eigenvector of the lowest
    eigenvalue makes up the rest.
    """
    lowest, norm = jnp.min(eigenvalues), _norm(along)
    tiny = jnp.where(noise > 0, noise, jnp.finfo(along.dtype).tiny)
    low = jnp.where(lowest > 0, 0.0, tiny - lowest)
    high = jnp.maximum(norm / radius - lowest, low)

    def at(shift: Array) -> tuple[Array, Array, Array]:
        shifted = jnp.maximum(eigenvalues + shift, tiny)
        v = -along / shifted
        return v, _norm(v), shifted

    def improve(_, carry):
        shift, low, high = carry
        v, length, shifted = at(shift)
        low = jnp.where(length > radius, jnp.maximum(low, shift), low)
        high = jnp.where(length > radius, high, jnp.minimum(high, shift))
        fall = jnp.sum(v * v / shifted) / length
        better = shift + (length - radius) / radius * length / fall
        # Not the root of the product, which may be flushed to zero.
        middle = jnp.where(low > 0, jnp.sqrt(low) * jnp.sqrt(high), 0.5 * (low + high))
        inside = (better >= low) & (better <= high)
        return jnp.where(inside, better, middle), low, high

    least, least_length, _ = at(low)
    shift, _, _ = lax.fori_loop(0, _ROUNDS, improve, (low, low, high))
    v, length, _ = at(shift)
    v = v * jnp.minimum(1.0, radius / jnp.where(length > 0, length, 1.0))
    interior = (least_length <= radius) & (lowest > 0)
    hard = (least_length <= radius) & ~(lowest > 0)
    first = jnp.arange(along.size) == jnp.argmin(eigenvalues)
    rest = jnp.sqrt(jnp.maximum(radius**2 - jnp.sum(jnp.where(first, 0.0, least) ** 2), 0.0))
    filled = jnp.where(first, jnp.where(along > 0, -rest, rest), least)
    v = jnp.where(interior, least, jnp.where(hard, filled, v))
    return v, ~interior


def _balance(hessian: Array) -> Array:
    """D (n,) so that each row of |D⁻¹ H D⁻¹| has a largest entry near one (Ruiz 2001).

    Zero for a row of zeros. Unlike the diagonal it serves where all curvature is in cross terms.
    """
    size = jnp.abs(hessian)
    inverse = jnp.ones_like(size[0])
    for _ in range(4):
        largest = jnp.max(inverse[:, None] * size * inverse, axis=1)
        inverse = inverse / jnp.sqrt(jnp.where(largest > 0, largest, 1.0))
    return jnp.where(jnp.max(size, axis=1) > 0, 1 / inverse, 0.0)


class ProductModel(NamedTuple):
    """The model by products with the Hessian, which is never built; D is the identity."""

    params: Array  # (n,)
    value: Array  # ()
    gradient: Array  # (n,)
    free: Array  # (n,) bool

    @classmethod
    def blank(cls, params: Array) -> "ProductModel":
        """A model of this shape, before the first evaluation."""
        zero = jnp.zeros((), params.dtype)
        return cls(params, zero, jnp.zeros_like(params), jnp.zeros(params.shape, bool))

    @staticmethod
    def evaluate(problem: ObjectiveProblem, trial: Array) -> tuple[Array, Array]:
        """Value () and gradient (n,)."""
        return jax.value_and_grad(problem.objective)(trial)

    def moved_to(
        self, problem: ObjectiveProblem, trial: Array, evaluation: tuple[Array, Array]
    ) -> "ProductModel":
        """The model at the trial."""
        value, gradient = evaluation
        return ProductModel(trial, value, gradient, box.free(problem.bounds, trial, gradient))

    def finite(self) -> Array:
        """() bool: value and gradient are."""
        return jnp.isfinite(self.value) & jnp.isfinite(self.gradient).all()

    def length(self, step: Array) -> Array:
        """‖δ‖."""
        return _norm(step)

    def slope_norm(self) -> Array:
        """‖g‖ over the free parameters."""
        return _norm(jnp.where(self.free, self.gradient, 0.0))

    def terms(self) -> Array:
        """Size of the linear terms, (), of a value at `params`."""
        return dot(jnp.abs(self.gradient), jnp.abs(self.params))

    def move(self, problem: ObjectiveProblem, radius: Array) -> Move:
        """The step by truncated conjugate gradients (Steihaug 1983)."""
        slope = jnp.where(self.free, self.gradient, 0.0)
        _, product = jax.linearize(jax.grad(problem.objective), self.params)

        def multiply(v: Array) -> Array:
            return jnp.where(self.free, product(jnp.where(self.free, v, 0.0)), 0.0)

        step, image, binding, convex = _steihaug(multiply, slope, radius)
        predicted = -jnp.sum(slope * step + 0.5 * step * image)
        move = Move(
            step=step,
            predicted=predicted,
            length=_norm(step),
            binding=binding,
            decrement=jnp.where(binding, jnp.inf, predicted),
            convex=convex,
            nearly_convex=convex,
            flat=jnp.zeros((), bool),
            hidden=jnp.zeros_like(predicted),
        )
        if problem.bounds is None:
            return move
        within = _Box(problem.bounds, self.params, jnp.ones_like(step), self.free)

        def solve(pull: Array, free: Array) -> Array:
            def masked(v: Array) -> Array:
                return jnp.where(free, product(jnp.where(free, v, 0.0)), 0.0)

            return _steihaug(masked, jnp.where(free, pull, 0.0), radius)[0]

        return within.kept(move, slope, product, solve, radius)


def _steihaug(multiply, slope: Array, radius: Array) -> tuple[Array, Array, Array, Array]:
    """Step, its product with the Hessian, whether the radius binds, whether H seemed convex."""
    norm = _norm(slope)
    # The forcing term that gives superlinear convergence (Nocedal and Wright 2006, section 7.1).
    target = jnp.minimum(0.1, jnp.sqrt(norm)) * norm
    limit = min(slope.size, 500)

    def running(carry):
        *_, k, done, _, _ = carry
        return ~done & (k < limit)

    def body(carry):
        step, image, rest, direction, k, _, _, _ = carry
        bent = multiply(direction)
        curvature = jnp.sum(direction * bent)
        alpha = jnp.sum(rest * rest) / jnp.where(curvature > 0, curvature, 1.0)
        beyond = (curvature <= 0) | (_norm(step + alpha * direction) >= radius)
        alpha = jnp.where(beyond, _to_boundary(step, direction, radius), alpha)
        step, image = step + alpha * direction, image + alpha * bent
        new = rest - alpha * bent
        small = _norm(new) <= target
        beta = jnp.sum(new * new) / jnp.sum(rest * rest)
        done = beyond | small
        return step, image, new, new + beta * direction, k + 1, done, beyond, curvature > 0

    zero, yes = jnp.zeros_like(slope), jnp.ones((), bool)
    start = (zero, zero, -slope, -slope, jnp.int32(0), norm == 0, ~yes, yes)
    step, image, _, _, _, _, binding, convex = lax.while_loop(running, body, start)
    return step, image, binding, convex


def _to_boundary(step: Array, direction: Array, radius: Array) -> Array:
    """The t ≥ 0 with ‖step + t direction‖ = radius."""
    a, b = jnp.sum(direction**2), jnp.sum(step * direction)
    c = jnp.maximum(radius**2 - jnp.sum(step**2), 0.0)
    root = jnp.sqrt(jnp.maximum(b * b + a * c, 0.0))
    return jnp.where(b > 0, c / jnp.where(b > 0, b + root, 1.0), (root - b) / a)


def _norm(vector: Array) -> Array:
    return jnp.sqrt(jnp.sum(vector * vector))


def _change(multiply: Callable[[Array], Array], slope: Array, step: Array) -> Array:
    """What the model changes by over a step, ()."""
    return jnp.sum(step * (slope + 0.5 * multiply(step)))
