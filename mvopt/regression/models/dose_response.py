"""Dose and response: log-logistic curves with two to five parameters, Hill's and the Emax model."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import lax

from mvopt.linalg.qr import back_in_place, pivoted_qr
from mvopt.linalg.triangular import solve_upper
from mvopt.regression.modelling.grid import (
    Points,
    combinations,
    fit_columns,
    geometric,
    largest,
    search,
)
from mvopt.regression.modelling.model import Model
from mvopt.regression.models._saturation import exp_below

Array = jax.Array

# Stands for the logarithm of dose 0: a slope of 0.001 already gives the limit exactly, and the
# derivatives there are 0, not infinity times 0.
_LOG_ZERO = -1e5
# Steps after which the better one of two families of curves is known.
_DESCENT = 30


def _log_ratio(x: Array, middle: Array) -> Array:
    """log(x / middle), with a finite stand-in at x = 0; the sign of the middle is ignored."""
    positive = x > 0
    log_x = jnp.where(positive, jnp.log(jnp.where(positive, x, 1)), _LOG_ZERO)
    size = jnp.abs(middle)
    return log_x - jnp.log(jnp.maximum(size, jnp.finfo(size.dtype).tiny))


def _dose_response2(x: Array, b: Array, e: Array) -> Array:
    return jax.nn.sigmoid(-b * _log_ratio(x, e))


def _dose_response3(x: Array, b: Array, d: Array, e: Array) -> Array:
    return d * _dose_response2(x, b, e)


def _dose_response4(x: Array, b: Array, c: Array, d: Array, e: Array) -> Array:
    return c + (d - c) * _dose_response2(x, b, e)


def _dose_response5(x: Array, b: Array, c: Array, d: Array, e: Array, f: Array) -> Array:
    return c + (d - c) * _asymmetric(b * _log_ratio(x, e), f)


def _asymmetric(z: Array, power: Array) -> Array:
    """1 / (1 + exp(z))**power, without overflow."""
    return exp_below(-power * jax.nn.softplus(z))


def _hill(x: Array, Vmax: Array, k: Array, n: Array) -> Array:
    return Vmax * jax.nn.sigmoid(n * _log_ratio(x, k))


def _emax(x: Array, E0: Array, Emax: Array, EC50: Array) -> Array:
    return E0 + Emax * x / (EC50 + x)


def _log_doses(points: Points) -> tuple[Array, Array]:
    """log(dose / highest dose), (m, 1), and the highest dose."""
    scale = largest(points.x, points.weight)
    return _log_ratio(points.x, scale)[:, None], scale


def _middles(log_u: Array, points: Points, num: int) -> Array:
    """Logarithms of candidate middles: a little beyond the doses on both sides."""
    used = (points.weight > 0) & (points.x > 0)
    lowest = jnp.maximum(jnp.min(log_u[:, 0], where=used, initial=0), jnp.log(1e-6))
    return jnp.linspace(lowest - 1, 1.5, num, dtype=log_u.dtype)


def _slopes(num: int, dtype: jnp.dtype, signed: bool) -> Array:
    slopes = geometric(0.25, 12.0, num).astype(dtype)
    return jnp.concatenate([slopes, -slopes]) if signed else slopes


def _guess_dose_response2(points: Points) -> Array:
    log_u, scale = _log_doses(points)
    y, weight = points.y[:, None], points.weight[:, None]
    middles, slopes = _middles(log_u, points, 24), _slopes(8, log_u.dtype, signed=True)
    slope, middle = combinations(slopes, middles)
    # No parameter is linear: the candidates are compared as they are.
    residual = weight * (jax.nn.sigmoid(-slope * (log_u - middle)) - y)
    best = jnp.argmin(jnp.sum(residual**2, axis=0))
    return jnp.stack([slope[best], jnp.exp(middle[best]) * scale])


def _step_search(points: Points, offset: bool) -> tuple[Array, Array, Array]:
    """Slope, middle and coefficients of (1 +) 1/(1 + (x/middle)**slope)."""
    log_u, scale = _log_doses(points)
    one = jnp.ones_like(log_u)

    def columns(slope: Array, middle: Array) -> list[Array]:
        fall = jax.nn.sigmoid(-slope * (log_u - middle))
        return [one, fall] if offset else [fall]

    # With both limits free a rising curve is a falling one, its limits exchanged.
    slopes = _slopes(8, log_u.dtype, signed=not offset)
    grid = combinations(slopes, _middles(log_u, points, 24))
    (slope, middle), _ = search(columns, grid, points)
    fine = _around(slope, middle)
    (slope, middle), along = search(columns, fine, points)
    return slope, jnp.exp(middle) * scale, along


def _around(slope: Array, middle: Array) -> tuple[Array, ...]:
    slopes = slope * geometric(0.6, 1.7, 8).astype(slope.dtype)
    return combinations(slopes, middle + jnp.linspace(-0.4, 0.4, 8, dtype=middle.dtype))


def _guess_dose_response3(points: Points) -> Array:
    slope, middle, along = _step_search(points, offset=False)
    return jnp.stack([slope, along[0], middle])


def _guess_hill(points: Points) -> Array:
    slope, middle, along = _step_search(points, offset=False)
    return jnp.stack([along[0], middle, -slope])


def _guess_dose_response4(points: Points) -> Array:
    slope, middle, along = _step_search(points, offset=True)
    return jnp.stack([slope, along[0], along[0] + along[1], middle])


def _guess_dose_response5(points: Points) -> Array:
    """The better one of two families: the exponent slows the approach to d or that to c.

    A slope of the other sign with an exponent near the reciprocal is almost the same curve, so
    both are searched closely before they are compared.
    """
    log_u, scale = _log_doses(points)

    def columns(slope: Array, middle: Array, power: Array) -> list[Array]:
        return [jnp.ones_like(log_u), _asymmetric(slope * (log_u - middle), power)]

    def family(sign: Array) -> tuple[Array, ...]:
        def curve(logs: Array) -> tuple[Array, Array, Array]:
            head, tail = jnp.exp(logs[0]), jnp.exp(logs[1])
            return _by_half(sign * head, logs[2], tail / head)

        rates = jnp.log(_slopes(7, log_u.dtype, signed=False))
        grid = combinations(rates, rates, _middles(log_u, points, 16))
        best, _ = search(lambda *logs: columns(*curve(jnp.stack(logs))), grid, points)
        return curve(_descended(lambda logs: columns(*curve(logs)), jnp.stack(best), points))

    both = jax.vmap(family)(jnp.array([1, -1], log_u.dtype))
    (slope, middle, power), along = search(columns, both, points)
    middle = jnp.exp(middle) * scale
    return jnp.stack([slope, along[0], along[0] + along[1], middle, power])


def _descended(columns: Callable[[Array], list[Array]], start: Array, points: Points) -> Array:
    """The nearest minimum over the nonlinear parameters (n,), the others at their best for each.

    Damped Gauss–Newton steps with variable projection (Golub and Pereyra, 1973).
    """
    weight = points.weight
    y = points.y / largest(points.y, weight)

    def residual(params: Array) -> Array:
        parts = [jnp.broadcast_to(part[:, 0], y.shape) for part in columns(params[:, None])]
        along, _ = fit_columns(parts, y, weight)
        fitted = sum(coefficient * part for coefficient, part in zip(along, parts, strict=True))
        return weight * (fitted - y)

    def improve(carry: tuple[Array, Array], _: None) -> tuple[tuple[Array, Array], None]:
        params, damping = carry
        now, slopes = residual(params), jax.jacfwd(residual)(params)
        damped = jnp.concatenate(
            [slopes, jnp.sqrt(damping) * jnp.eye(len(params), dtype=slopes.dtype)]
        )
        reduced = pivoted_qr(damped, jnp.concatenate([-now, jnp.zeros_like(params)]))
        step = back_in_place(solve_upper(reduced.triangle, reduced.rotated), reduced.order)
        trial = params + jnp.clip(step, -1, 1)
        better = jnp.sum(residual(trial) ** 2) < jnp.sum(now**2)
        damping = damping * jnp.where(better, 0.2, 5.0)
        return (jnp.where(better, trial, params), jnp.clip(damping, 1e-7, 1e3)), None

    carry = (start, jnp.asarray(0.01, start.dtype))
    return lax.scan(improve, carry, length=_DESCENT)[0][0]


def _by_half(slope: Array, half: Array, power: Array) -> tuple[Array, Array, Array]:
    """Slope, middle and exponent of the curve that is half way at `half`.

    A search in the place of half the height and the rates at the two ends, slope and slope *
    power, can go axis by axis: the middle itself moves with both.
    """
    return slope, half - jnp.log(jnp.expm1(jnp.log(2) / power)) / slope, power


def _guess_emax(points: Points) -> Array:
    scale = largest(points.x, points.weight)
    u = (points.x / scale)[:, None]

    def columns(half: Array) -> list[Array]:
        return [jnp.ones_like(u), u / (half + u)]

    (half,), along = search(columns, (geometric(0.0005, 50.0, 48).astype(u.dtype),), points)
    return jnp.stack([along[0], along[1], half * scale])


_SLOPE = "slope: positive where the curve falls from d"
_LOWER, _UPPER = "limit of a falling curve at high dose", "limit of a falling curve at dose 0"
_MIDDLE = "dose half way between the limits"


def _log_logistic(
    num: int,
    formula: str,
    function: Callable[..., Array],
    guess: Callable[[Points], Array],
    **meanings: str,
) -> Model:
    return Model(
        name=f"dose_response{num}",
        names=tuple(meanings),
        formula=formula,
        function=function,
        guess_function=guess,
        source=f"R, drc, LL.{num} (Ritz, Baty, Streibig and Gerhard, 2015)",
        meanings=tuple(meanings.values()),
    )


dose_response2 = _log_logistic(
    2, "1/(1 + (x/e)**b)", _dose_response2, _guess_dose_response2, b=_SLOPE, e=_MIDDLE
)

dose_response3 = _log_logistic(
    3,
    "d/(1 + (x/e)**b)",
    _dose_response3,
    _guess_dose_response3,
    b=_SLOPE,
    d=_UPPER,
    e=_MIDDLE,
)

dose_response4 = _log_logistic(
    4,
    "c + (d - c)/(1 + (x/e)**b)",
    _dose_response4,
    _guess_dose_response4,
    b=_SLOPE,
    c=_LOWER,
    d=_UPPER,
    e=_MIDDLE,
)

dose_response5 = _log_logistic(
    5,
    "c + (d - c)/(1 + (x/e)**b)**f",
    _dose_response5,
    _guess_dose_response5,
    b=_SLOPE,
    c=_LOWER,
    d=_UPPER,
    e="dose at the middle where f = 1",
    f="asymmetry: 1 for the symmetric curve",
)

hill = Model(
    name="hill",
    names=("Vmax", "k", "n"),
    formula="Vmax/(1 + (k/x)**n)",
    function=_hill,
    guess_function=_guess_hill,
    source="Hill (1910)",
    meanings=("limit for large x", "x at half the limit", "cooperativity"),
)

emax = Model(
    name="emax",
    names=("E0", "Emax", "EC50"),
    formula="E0 + Emax*x/(EC50 + x)",
    function=_emax,
    guess_function=_guess_emax,
    source="Holford and Sheiner (1981)",
    meanings=("effect at dose 0", "largest change of the effect", "dose of half the change"),
)
