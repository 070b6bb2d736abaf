"""Response of damped oscillators over the frequency."""

import jax
import jax.numpy as jnp

from mvopt.regression.modelling.grid import Points, combinations, geometric, largest, search
from mvopt.regression.modelling.model import Model

Array = jax.Array


def _damped_oscillator(x: Array, amplitude: Array, center: Array, sigma: Array) -> Array:
    return amplitude * _resonance(x, center, sigma)


def _resonance(x: Array, center: Array, sigma: Array) -> Array:
    tiny = jnp.finfo(x.dtype).tiny
    ratio = x / jnp.maximum(jnp.abs(center), tiny)
    square = (1 - ratio**2) ** 2 + (2 * sigma * ratio) ** 2
    return 1 / jnp.sqrt(jnp.maximum(square, tiny))


def _damped_harmonic_oscillator(
    x: Array, amplitude: Array, center: Array, sigma: Array, gamma: Array
) -> Array:
    return amplitude * sigma / jnp.pi * _two_sided(x, center, sigma, gamma)


def _two_sided(x: Array, center: Array, sigma: Array, gamma: Array) -> Array:
    """Difference of two Lorentzians over 1 - exp(-x/gamma), continuous at x = 0."""
    near, far = (x - center) ** 2 + sigma**2, (x + center) ** 2 + sigma**2
    return 4 * center * (_bose(x, gamma) / near) / far  # their product may overflow


def _bose(x: Array, gamma: Array) -> Array:
    """x / (1 - exp(-x/gamma)), with its limit gamma at x = 0, for gamma > 0 down to 0."""
    # From 60 gamma on the exponential does not show beside 1, and for a tiny gamma its argument
    # and, worse, the derivative of that overflow.
    far = jnp.abs(x) > 60 * jnp.abs(gamma)
    z = jnp.where(far, 1, x) / jnp.where(far | (x == 0), 1, gamma)
    small = jnp.abs(z) < 0.05
    square = jnp.where(small, z, 0) ** 2
    series = 1 + jnp.where(small, z, 0) / 2 + square / 12 * (1 - square / 60 * (1 - square / 42))
    far_from_zero = jnp.where(small, 1, z)
    relative = jnp.where(small, series, far_from_zero / -jnp.expm1(-far_from_zero))
    return jnp.where(far, jnp.maximum(x * jnp.sign(gamma), 0) * jnp.sign(gamma), gamma * relative)


def _extremes(u: Array, points: Points) -> Array:
    """Positions of the highest and of the lowest point in use, (2,), without their signs."""
    used = points.weight > 0
    high = jnp.argmax(jnp.where(used, points.y, -jnp.inf))
    low = jnp.argmin(jnp.where(used, points.y, jnp.inf))
    return jnp.abs(u[jnp.stack([high, low]), 0])


def _centers(u: Array, points: Points, num: int) -> Array:
    """Even steps, and the extremes, which place a narrow resonance."""
    steps = jnp.linspace(0.05, 1.3, num, dtype=u.dtype)
    return jnp.concatenate([jnp.maximum(_extremes(u, points), 0.01), steps])


def _guess_damped_oscillator(points: Points) -> Array:
    scale = largest(points.x, points.weight)
    u = (points.x / scale)[:, None]

    def columns(center: Array, sigma: Array) -> list[Array]:
        return [sigma * _resonance(u, center, sigma)]

    sigmas = geometric(0.005, 2.0, 12).astype(u.dtype)
    (center, sigma), _ = search(columns, combinations(_centers(u, points, 26), sigmas), points)
    centers = center + (0.05 + 0.3 * sigma) * jnp.linspace(-1, 1, 15, dtype=u.dtype)
    fine = combinations(jnp.maximum(centers, 0.01), sigma * geometric(0.5, 2.0, 8).astype(u.dtype))
    (center, sigma), along = search(columns, fine, points)
    return jnp.stack([along[0] * sigma, center * scale, sigma])


def _guess_damped_harmonic_oscillator(points: Points) -> Array:
    scale = largest(points.x, points.weight)
    u = (points.x / scale)[:, None]

    def columns(center: Array, sigma: Array, gamma: Array) -> list[Array]:
        return [sigma**2 / (1 + gamma) * _two_sided(u, center, sigma, gamma)]

    sigmas, gammas = geometric(0.01, 1.0, 8), geometric(0.03, 10.0, 7)
    grid = combinations(_centers(u, points, 26), sigmas.astype(u.dtype), gammas.astype(u.dtype))
    (center, sigma, gamma), _ = search(columns, grid, points)
    grid = combinations(
        jnp.abs(center + (0.02 + 0.4 * sigma) * jnp.linspace(-1, 1, 9, dtype=u.dtype)),
        sigma * geometric(0.6, 1.6, 7).astype(u.dtype),
        gamma * geometric(0.5, 2.0, 7).astype(u.dtype),
    )
    (center, sigma, gamma), along = search(columns, grid, points)
    # Center and widths are in units of the scale, of which the function holds the inverse square.
    amplitude = along[0] * jnp.pi * sigma / (1 + gamma) * scale
    return jnp.stack([amplitude, center * scale, sigma * scale, gamma * scale])


damped_oscillator = Model(
    name="damped_oscillator",
    names=("amplitude", "center", "sigma"),
    formula="amplitude/sqrt((1 - (x/center)**2)**2 + (2*sigma*x/center)**2)",
    function=_damped_oscillator,
    guess_function=_guess_damped_oscillator,
    source="lmfit, DampedOscillatorModel (Newville et al., 2014)",
    meanings=("value at x = 0", "frequency without damping", "damping ratio"),
)

damped_harmonic_oscillator = Model(
    name="damped_harmonic_oscillator",
    names=("amplitude", "center", "sigma", "gamma"),
    formula=(
        "amplitude*sigma/pi*(1/((x - center)**2 + sigma**2) - 1/((x + center)**2 + sigma**2))"
        "/(1 - exp(-x/gamma))"
    ),
    function=_damped_harmonic_oscillator,
    guess_function=_guess_damped_harmonic_oscillator,
    source="lmfit, DampedHarmonicOscillatorModel (Newville et al., 2014)",
    meanings=(
        "area of each of the two Lorentzians",
        "frequency of the oscillator",
        "half width at half maximum",
        "temperature in units of x",
    ),
)
