"""Derivatives compared with finite differences, and in how many digits they agree."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from mvopt import _tree
from mvopt._types import Array
from mvopt.calculus.blocks import Blocks
from mvopt.calculus.derivatives import direction, real, value_and_jacobian

_SHRINK = 2.0  # from one step of the differences to the next
_STEPS = 50


class DerivativeCheck(NamedTuple):
    """Derivatives, (m, n), beside finite differences; NumPy arrays.

    `digits` is −log₁₀ of the difference relative to the largest derivative of the same output,
    16 at most; `known` the digits to which the differences themselves can be trusted.
    """

    derivative: Blocks
    differences: np.ndarray
    digits: np.ndarray
    known: np.ndarray

    @property
    def agree(self) -> bool:
        """Whether each agrees in all digits that the differences know, but for one.

        And they have to know one digit: no where nothing could be compared.
        """
        return bool((self.known >= 1).all() and (self.digits >= self.known - 1).all())

    @property
    def _verdict(self) -> str:
        if self.agree:
            return "agree"
        return "DISAGREE" if (self.digits < self.known - 1).any() else "not known"

    def __str__(self) -> str:
        row, column = np.unravel_index(np.argmin(self.digits), self.digits.shape)
        lines = [
            f"{self._verdict}: at least {self.digits.min():.1f} digits, "
            f"of {self.known[row, column]:.1f} that finite differences know there",
            f"worst: row {row}, column {column}: "
            f"{np.asarray(self.derivative)[row, column]:.10g} against "
            f"{self.differences[row, column]:.10g}",
            str(self.derivative),
        ]
        return "\n".join(lines)


def check_derivatives(
    fn: Callable[..., Any],
    x: Any,
    args: tuple = (),
    derivative: Callable[..., Any] | None = None,
) -> DerivativeCheck:
    """Whether the derivatives of `fn(x, *args)` at `x`, a pytree, are those of its values.

    derivative: one to check, written by hand: `derivative(x, *args)`, nested as `jacobian` returns
    it. Without it JAX's is checked, which is worth it for a function with a rule of its own, a
    `stop_gradient` or a branch. The differences are central and extrapolated to a step of zero
    (Ridders 1982). Raises TypeError as `jacobian` does.
    """
    x = real(x)
    value, tree = value_and_jacobian(fn)(x, *args)
    if derivative is not None:
        tree = direction(derivative(x, *args), tree, "what derivative returns", "jacobian(fn)")
    blocks = Blocks.of(tree, value, x)
    differences, errors = (np.asarray(each) for each in _differences(fn, x, args))
    exact = np.asarray(blocks, dtype=float)
    scale = np.maximum(np.abs(exact), np.abs(differences)).max(axis=1, keepdims=True)
    scale = np.where(scale > 0, scale, 1.0)
    return DerivativeCheck(
        blocks, differences, _digits(exact - differences, scale), _digits(errors, scale)
    )


def _digits(errors: np.ndarray, scale: np.ndarray) -> np.ndarray:
    relative = np.maximum(np.abs(errors) / scale, 1e-16)
    return np.where(np.isfinite(relative), -np.log10(np.where(relative > 0, relative, 1)), 0.0)


def _differences(fn: Callable[..., Any], x: Any, args: tuple) -> tuple[Array, Array]:
    """(m, n) each: central differences without a step, and an estimate of their error."""
    flat, unravel = _tree.ravel(x)
    of_flat = lambda flat: _tree.ravel(fn(unravel(flat), *args))[0]
    steps = 0.2 * jnp.maximum(jnp.abs(flat), 1.0)
    shrinks = jnp.asarray(_SHRINK ** -np.arange(float(_STEPS)), flat.dtype)

    def of_column(k: Array) -> tuple[Array, Array]:
        def slope(step: Array) -> tuple[Array, Array]:
            up, down = flat.at[k].add(step), flat.at[k].add(-step)
            values, width = (of_flat(up), of_flat(down)), up[k] - down[k]
            noise = jnp.finfo(flat.dtype).eps * jnp.maximum(*map(jnp.abs, values)) / width
            return (values[0] - values[1]) / width, noise

        return _extrapolated(*jax.vmap(slope)(steps[k] * shrinks))

    found, errors = jax.vmap(of_column)(jnp.arange(flat.size))
    return found.T, errors.T


def _extrapolated(slopes: Array, noise: Array) -> tuple[Array, Array]:
    """Of each column of slopes, (steps, m), the extrapolation that changes least, and its error."""
    steps = slopes.shape[0]
    place = jnp.arange(steps)[:, None]

    def further(order: Array, state: tuple) -> tuple:
        rows, noise, best, error, share = state
        factor = _SHRINK ** (2.0 * order)
        finer, noise = jnp.roll(rows, -1, axis=0), jnp.roll(noise, -1, axis=0)
        better = (factor * finer - rows) / (factor - 1)
        change = jnp.maximum(jnp.abs(better - finer), jnp.abs(better - rows)) + noise
        # Three in a row, for along a wave two may agree by chance.
        change = jnp.max(jnp.stack([jnp.roll(change, -k, axis=0) for k in range(3)]), axis=0)
        change = jnp.where(jnp.isfinite(change) & (place < steps - order - 2), change, jnp.inf)
        # As a share, for over many waves all slopes are small.
        size = jnp.abs(better) + jnp.abs(finer) + jnp.abs(rows)
        relative = jnp.where(change > 0, change / jnp.where(size > 0, size, 1.0), 0.0)
        least = jnp.argmin(relative, axis=0)[None]
        change, value, relative = (
            jnp.take_along_axis(each, least, 0)[0] for each in (change, better, relative)
        )
        found = (value, change, relative), (best, error, share)
        return (
            better,
            noise,
            *(jnp.where(relative < share, a, b) for a, b in zip(*found, strict=True)),
        )

    unknown = jnp.full_like(slopes[0], jnp.inf)
    start = (slopes, noise, slopes[-1], unknown, unknown)
    return jax.lax.fori_loop(1, steps, further, start)[2:4]
