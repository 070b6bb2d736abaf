"""Oscillations: a sine, alone or with an offset, steady or damped."""

from functools import partial

import jax
import jax.numpy as jnp

from mvopt.regression.modelling.grid import Points, combinations, extent, search
from mvopt.regression.modelling.model import Model
from mvopt.regression.models._saturation import exp_below, exp_within

Array = jax.Array

# Trial frequencies for each point: steps of 1/6 of a cycle over the whole span at most, a third of
# the width of the main lobe of a periodogram.
_FREQUENCIES_PER_POINT = 3
_MOST_FREQUENCIES = 4096


def _sine(x: Array, amplitude: Array, frequency: Array, shift: Array) -> Array:
    return amplitude * jnp.sin(frequency * x + shift)


def _sine_offset(
    x: Array, amplitude: Array, frequency: Array, shift: Array, offset: Array
) -> Array:
    return _sine(x, amplitude, frequency, shift) + offset


def _damped_sine(x: Array, amplitude: Array, frequency: Array, shift: Array, decay: Array) -> Array:
    return _sine(x, amplitude, frequency, shift) * exp_below(-decay * x)


def _damped_sine_offset(
    x: Array, amplitude: Array, frequency: Array, shift: Array, decay: Array, offset: Array
) -> Array:
    return _damped_sine(x, amplitude, frequency, shift, decay) + offset


def _frequencies(points: Points) -> tuple[Array, Array]:
    """Angular frequencies for a span of 1, up to half a cycle between points, and their step."""
    num = min(max(_FREQUENCIES_PER_POINT * len(points.y), 24), _MOST_FREQUENCIES)
    # Just below the limit: at it a sine of evenly spaced points may vanish at all of them.
    highest = 0.98 * jnp.pi * jnp.maximum(jnp.sum(points.weight) - 1, 4)
    step = highest / num
    return step * jnp.arange(1, num + 1, dtype=points.y.dtype), step


def _guess_sine(points: Points, damped: bool, offset: bool) -> Array:
    """Least squares for the sine and the cosine of each frequency (Lomb, 1976; Scargle, 1982)."""
    low, span = extent(points.x, points.weight)
    u = ((points.x - low) / span)[:, None]

    def columns(frequency: Array, decay: Array) -> list[Array]:
        envelope = jnp.exp(-decay * u)
        waves = [envelope * jnp.sin(frequency * u), envelope * jnp.cos(frequency * u)]
        return [*waves, jnp.ones_like(u)] if offset else waves

    frequencies, step = _frequencies(points)
    decays = jnp.array([0.0, 1.5, 4.0, 10.0] if damped else [0.0], u.dtype)
    (frequency, decay), _ = search(columns, combinations(frequencies, decays), points)
    frequencies = jnp.abs(frequency + step * jnp.linspace(-1, 1, 17, dtype=u.dtype))
    if damped:
        decays = decay + jnp.linspace(-0.5, 1, 7, dtype=u.dtype) * (1 + decay)
    (frequency, decay), along = search(columns, combinations(frequencies, decays), points)
    amplitude = jnp.hypot(along[0], along[1])
    frequency, decay = frequency / span, decay / span
    shift = jnp.arctan2(along[1], along[0]) - frequency * low
    shift = shift - 2 * jnp.pi * jnp.round(shift / (2 * jnp.pi))
    if not damped:
        return jnp.stack([amplitude, frequency, shift, *along[2:]])
    amplitude = amplitude * exp_within(decay * low)
    return jnp.stack([amplitude, frequency, shift, decay, *along[2:]])


_NAMES = ("amplitude", "frequency", "shift")
_MEANINGS = ("half the height of the wave", "radians for one unit of x", "phase at x = 0")
_DAMPED_MEANINGS = ("half the height at x = 0", *_MEANINGS[1:], "rate at which the height falls")

sine = Model(
    name="sine",
    names=_NAMES,
    formula="amplitude*sin(frequency*x + shift)",
    function=_sine,
    guess_function=partial(_guess_sine, damped=False, offset=False),
    source="lmfit, SineModel (Newville et al., 2014)",
    meanings=_MEANINGS,
)

sine_offset = Model(
    name="sine_offset",
    names=(*_NAMES, "offset"),
    formula="amplitude*sin(frequency*x + shift) + offset",
    function=_sine_offset,
    guess_function=partial(_guess_sine, damped=False, offset=True),
    source="lmfit, SineModel + ConstantModel (Newville et al., 2014)",
    meanings=(*_MEANINGS, "mean of the wave"),
)

damped_sine = Model(
    name="damped_sine",
    names=(*_NAMES, "decay"),
    formula="amplitude*sin(frequency*x + shift)*exp(-decay*x)",
    function=_damped_sine,
    guess_function=partial(_guess_sine, damped=True, offset=False),
    source="lmfit, expsine (Newville et al., 2014)",
    meanings=_DAMPED_MEANINGS,
)

damped_sine_offset = Model(
    name="damped_sine_offset",
    names=(*_NAMES, "decay", "offset"),
    formula="amplitude*sin(frequency*x + shift)*exp(-decay*x) + offset",
    function=_damped_sine_offset,
    guess_function=partial(_guess_sine, damped=True, offset=True),
    source="lmfit, expsine + ConstantModel (Newville et al., 2014)",
    meanings=(*_DAMPED_MEANINGS, "value after the oscillation"),
)
