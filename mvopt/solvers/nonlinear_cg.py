"""Nonlinear conjugate gradients, for very many parameters: nothing but a few vectors is kept."""

import os
from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp

from mvopt._types import Array
from mvopt.solvers.descent import DescentMethod

MODE = os.environ.get("CG", "A")


class LastStep(NamedTuple):
    """What the last step leaves for the next direction."""

    step: Array  # (n,)
    change: Array  # ()
    weight: Array  # (), multiple of that step in the next direction
    length: Array  # (), inverse curvature along it
    slope: Array


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class NonlinearCG(DescentMethod):
    flatness = 0.1
    two_sided = True

    def nothing_learnt(self, params: Array) -> LastStep:
        zero = jnp.zeros((), params.dtype)
        return LastStep(jnp.zeros_like(params), jnp.zeros_like(params), zero, jnp.ones_like(zero), zero)

    def learn(self, memory: LastStep, step: Array, change: Array, gradient: Array) -> LastStep:
        curvature = jnp.sum(step * change)
        square = jnp.sum(step * step)
        steepness = jnp.sum(change * change)
        along = jnp.sum(step * gradient)
        weight = (jnp.sum(change * gradient) - 2 * steepness * along / curvature) / curvature
        least = 0.4 * (along - curvature) / square
        if "P" in MODE:  # polak-ribiere plus, g_old^2 = |g-y|^2 ; d = -g + beta d_old ; d_old ~ s
            old = gradient - change
            # beta d_old, with s = t c d_old unknown scale: use  HS form
            weight = jnp.maximum(jnp.sum(change * gradient) / curvature, 0)
            least = -jnp.inf
        if "D" in MODE:  # dai-kou
            weight = (jnp.sum(change * gradient) - steepness * along / curvature) / curvature
            least = 0.5 * along / square
        length = square / curvature
        if "2" in MODE:
            length = curvature / steepness
        if "G" in MODE:
            length = jnp.sqrt(square / steepness)
        return LastStep(step, change, jnp.maximum(weight, least), length, along - curvature)

    def forget(self, memory: LastStep) -> LastStep:
        return memory._replace(step=jnp.zeros_like(memory.step), weight=jnp.zeros_like(memory.weight), slope=jnp.zeros_like(memory.slope))

    def downhill(self, memory: LastStep, gradient: Array, free: Array) -> Array:
        s = jnp.where(free, memory.step, 0.0)
        g = jnp.where(free, gradient, 0.0)
        if "M" in MODE:  # memoryless bfgs
            y = jnp.where(free, memory.change, 0)
            sy = jnp.sum(s * y)
            ok = sy > 0
            rho = jnp.where(ok, 1 / jnp.where(ok, sy, 1), 0)
            a = rho * jnp.sum(s * g)
            q = (g - a * y) * memory.length
            b = rho * jnp.sum(y * q)
            return -(q + (a - b) * s)
        d = memory.weight * s - g
        if "R" in MODE:
            slope = jnp.sum(d * g)
            ratio = memory.slope / slope
            return d * jnp.where((ratio > 0) & (ratio < jnp.inf), jnp.minimum(ratio, 1e3 * memory.length), memory.length)
        return d * memory.length
