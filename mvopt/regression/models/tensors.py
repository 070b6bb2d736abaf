"""Diffusion in magnetic resonance over b-value and direction: diffusion and kurtosis tensor.

The rows of x are the b-value and the components of the unit vector along the gradient.
"""

import math
from collections import Counter
from collections.abc import Sequence

import jax
import jax.numpy as jnp

from mvopt.linalg.qr import back_in_place, leading_part, pivoted_qr
from mvopt.linalg.triangular import solve_upper
from mvopt.regression.modelling.grid import Points, largest
from mvopt.regression.modelling.model import Model
from mvopt.regression.models._saturation import exp_below

Array = jax.Array

_SECOND = ("xx", "yy", "zz", "xy", "xz", "yz")
_FOURTH = "xxxx yyyy zzzz xxxy xxxz xyyy yyyz xzzz yzzz xxyy xxzz yyzz xxyz xyyz xyzz".split()


def _orderings(indices: str) -> int:
    """In how many orders the indices of a symmetric tensor's component can be written."""
    repeated = math.prod(math.factorial(count) for count in Counter(indices).values())
    return math.factorial(len(indices)) // repeated


def _monomial(gradient: Array, indices: str) -> Array:
    """The product of the components of the gradient (3, m), counted in each order: (m,)."""
    product = jnp.ones_like(gradient[0])
    for axis in indices:
        product = product * gradient["xyz".index(axis)]
    return _orderings(indices) * product


def _contracted(gradient: Array, names: Sequence[str], components: tuple[Array, ...]) -> Array:
    """The tensor along the gradient, (m,)."""
    total = jnp.zeros_like(gradient[0])
    for indices, component in zip(names, components, strict=True):
        total = total + component * _monomial(gradient, indices)
    return total


def _diffusion_tensor(x: Array, S0: Array, *tensor: Array) -> Array:
    return S0 * exp_below(-x[0] * _contracted(x[1:], _SECOND, tensor))


def _diffusion_kurtosis(x: Array, S0: Array, *tensors: Array) -> Array:
    second, fourth = tensors[: len(_SECOND)], tensors[len(_SECOND) :]
    mean = (second[0] + second[1] + second[2]) / 3
    decay = x[0] * _contracted(x[1:], _SECOND, second)
    excess = (x[0] * mean) ** 2 / 6 * _contracted(x[1:], _FOURTH, fourth)
    return S0 * exp_below(-decay + excess)


def _log_linear(points: Points, fourth: bool) -> tuple[Array, Array]:
    """S0, () and the coefficients of the logarithm of the signal, of b (6,) and b**2 (15,).

    Weighted by the signal, as its logarithm is the less accurate the smaller it is (Basser,
    Mattiello and Le Bihan, 1994).
    """
    b, gradient = points.x[0], points.x[1:]
    scale, top = largest(b, points.weight), largest(points.y, points.weight)
    u = b / scale
    # The signal of a negative S0 is negative; points of the other sign have no logarithm.
    sign = jnp.where(jnp.sum(points.y) < 0, -1, 1)
    signal = sign * points.y / top
    sound = (signal > 0) & (points.weight > 0)
    columns = [jnp.ones_like(u), *(-u * _monomial(gradient, indices) for indices in _SECOND)]
    if fourth:
        columns += [u**2 / 6 * _monomial(gradient, indices) for indices in _FOURTH]
    log_signal = jnp.log(jnp.where(sound, signal, 1))
    weight = jnp.where(sound, signal, 0)
    # In rounds of one loop: 22 columns written out take twice as long to compile.
    design = jnp.stack(columns, axis=-1) * weight[:, None]
    reduced = pivoted_qr(design, weight * log_signal)
    within, upper = leading_part(reduced.triangle, len(u))
    along = solve_upper(upper, jnp.where(within, reduced.rotated, 0))
    along = back_in_place(along, reduced.order)
    second, rest = along[1:7] / scale, along[7:] / scale**2
    return sign * top * jnp.exp(along[0]), jnp.concatenate([second, rest])


def _guess_diffusion_tensor(points: Points) -> Array:
    signal, tensor = _log_linear(points, fourth=False)
    return jnp.concatenate([signal[None], tensor])


def _guess_diffusion_kurtosis(points: Points) -> Array:
    signal, tensors = _log_linear(points, fourth=True)
    second, fourth = tensors[:6], tensors[6:]
    mean = jnp.sum(second[:3]) / 3
    mean = jnp.where(mean == 0, 1, mean)
    return jnp.concatenate([signal[None], second, fourth / mean / mean])


def _terms(letter: str, names: Sequence[str]) -> str:
    """The tensor along the gradient as a formula: '4*Wxxxy*gx**3*gy + …'."""
    parts = []
    for indices in names:
        powers = [
            f"g{axis}**{count}" if count > 1 else f"g{axis}"
            for axis, count in Counter(indices).items()
        ]
        number = [str(_orderings(indices))] if _orderings(indices) > 1 else []
        parts.append("*".join([*number, letter + indices, *powers]))
    return " + ".join(parts)


_X_NAMES = ("b", "gx", "gy", "gz")
_SECOND_NAMES = tuple("D" + indices for indices in _SECOND)
_FOURTH_NAMES = tuple("W" + indices for indices in _FOURTH)
_SECOND_MEANINGS = tuple(f"component {indices} of the diffusion tensor" for indices in _SECOND)
_FOURTH_MEANINGS = tuple(f"component {indices} of the kurtosis tensor" for indices in _FOURTH)
_S0 = "signal without diffusion weighting"

diffusion_tensor = Model(
    name="diffusion_tensor",
    names=("S0", *_SECOND_NAMES),
    formula=f"S0*exp(-b*({_terms('D', _SECOND)}))",
    function=_diffusion_tensor,
    guess_function=_guess_diffusion_tensor,
    source="Basser, Mattiello and Le Bihan (1994)",
    num_x=4,
    x_names=_X_NAMES,
    meanings=(_S0, *_SECOND_MEANINGS),
)

diffusion_kurtosis = Model(
    name="diffusion_kurtosis",
    names=("S0", *_SECOND_NAMES, *_FOURTH_NAMES),
    formula=(
        f"S0*exp(-b*({_terms('D', _SECOND)})"
        f" + b**2*((Dxx + Dyy + Dzz)/3)**2/6*({_terms('W', _FOURTH)}))"
    ),
    function=_diffusion_kurtosis,
    guess_function=_guess_diffusion_kurtosis,
    source="Jensen et al. (2005)",
    num_x=4,
    x_names=_X_NAMES,
    meanings=(_S0, *_SECOND_MEANINGS, *_FOURTH_MEANINGS),
)
