"""Tracer kinetics of perfusion imaging: tissue fed by an arterial curve given with the data.

The arterial plasma concentration `Cp` is the second row of x, sampled at the times of the data.
It is a straight line between samples and 0 before the first. `convolved(Cp, rate, time)` in the
formulas is ∫ Cp(s) exp(-rate (time - s)) ds from the first time on.
"""

import jax
import jax.numpy as jnp

from mvopt.regression.modelling.grid import (
    Points,
    extent,
    geometric,
    largest,
    ordered_pairs,
    search,
)
from mvopt.regression.modelling.model import Model
from mvopt.regression.models._convolution import convolved, in_order

Array = jax.Array


def _patlak(x: Array, Ktrans: Array, vp: Array) -> Array:
    time, cp, back = in_order(*x)
    return Ktrans * convolved(time, cp, jnp.zeros_like(time[0]))[back] + vp * x[1]


def _tofts(x: Array, Ktrans: Array, ve: Array) -> Array:
    time, cp, back = in_order(*x)
    return Ktrans * convolved(time, cp, Ktrans / ve)[back]


def _extended_tofts(x: Array, Ktrans: Array, ve: Array, vp: Array) -> Array:
    return _tofts(x, Ktrans, ve) + vp * x[1]


def _tissue_uptake(x: Array, Ktrans: Array, vp: Array, Fp: Array) -> Array:
    time, cp, back = in_order(*x)
    first_pass = (Fp - Ktrans) * convolved(time, cp, Fp**2 / (vp * (Fp - Ktrans)))
    return (first_pass + Ktrans * convolved(time, cp, jnp.zeros_like(time[0])))[back]


def _two_compartment_exchange(x: Array, Ktrans: Array, ve: Array, vp: Array, Fp: Array) -> Array:
    time, cp, back = in_order(*x)
    surface = Ktrans * Fp / (Fp - Ktrans)  # PS: the product of permeability and surface
    washout = Fp / vp
    total = washout + surface / vp + surface / ve
    # The roots of a quadratic, the smaller one by the product of both: no cancellation. Physical
    # parameters give two real roots; at equal ones the derivative of the square root is infinite.
    product = washout * surface / ve
    square = total**2 / 4 - product
    distinct = square > jnp.finfo(square.dtype).eps * total**2
    gap = jnp.sqrt(jnp.where(distinct, square, jnp.finfo(square.dtype).eps * total**2))
    fast = total / 2 + gap
    slow = product / fast
    share = (fast - washout) / (2 * gap)
    rates = jnp.stack([fast, slow])
    parts = convolved(time, cp, rates)[back]
    return Fp * ((1 - share) * parts[:, 0] + share * parts[:, 1])


class _Scaled:
    """Data in units of their own range, with the arterial curve in order."""

    def __init__(self, points: Points):
        time, cp = points.x
        low, self.span = extent(time, points.weight)
        self.top = largest(cp, points.weight)
        self.cp = (cp / self.top)[:, None]
        self.time, self.curve, self.back = in_order((time - low) / self.span, cp / self.top)

    def convolved(self, rate: Array) -> Array:
        """Of order 1 for each rate (grid,): (m, grid)."""
        return (1 + rate) * convolved(self.time, self.curve, rate)[self.back]

    def plasma(self, rate: Array) -> list[Array]:
        return [self.convolved(rate), self.cp]

    def factor(self, along: Array, rate: Array) -> Array:
        """Coefficient of the convolution itself in units of the data."""
        return along * (1 + rate) / (self.top * self.span)

    def rates(self, num: int) -> Array:
        return geometric(0.02, 300.0, num).astype(self.cp.dtype)


def _guess_patlak(points: Points) -> Array:
    scaled = _Scaled(points)
    (rate,), along = search(scaled.plasma, (jnp.zeros_like(scaled.cp[0]),), points)
    return jnp.stack([scaled.factor(along[0], rate), along[1] / scaled.top])


def _guess_tofts(points: Points) -> Array:
    scaled = _Scaled(points)
    (rate,), along = search(lambda rate: [scaled.convolved(rate)], (scaled.rates(48),), points)
    transfer = scaled.factor(along[0], rate)
    return jnp.stack([transfer, transfer * scaled.span / rate])


def _guess_extended_tofts(points: Points) -> Array:
    scaled = _Scaled(points)
    (rate,), along = search(scaled.plasma, (scaled.rates(48),), points)
    transfer = scaled.factor(along[0], rate)
    return jnp.stack([transfer, transfer * scaled.span / rate, along[1] / scaled.top])


def _guess_tissue_uptake(points: Points) -> Array:
    scaled = _Scaled(points)

    def columns(rate: Array) -> list[Array]:
        return [scaled.convolved(rate), scaled.convolved(0 * rate)]

    (rate,), along = search(columns, (scaled.rates(48),), points)
    transfer = jnp.abs(scaled.factor(along[1], 0 * rate))
    flow = _above(transfer + scaled.factor(along[0], rate), transfer)
    volume = flow**2 / (flow - transfer) * scaled.span / rate
    return jnp.stack([transfer, volume, flow])


def _guess_two_compartment_exchange(points: Points) -> Array:
    scaled = _Scaled(points)

    def columns(slow: Array, fast: Array) -> list[Array]:
        return [scaled.convolved(slow), scaled.convolved(fast)]

    (slow, fast), along = search(columns, ordered_pairs(scaled.rates(20)), points)
    # The response to a bolus is a sum of two decays with positive coefficients that add to Fp;
    # its initial slope is -Fp**2/vp, the product of its rates washout * PS/ve.
    floor = jnp.max(jnp.abs(scaled.factor(along, jnp.stack([slow, fast])))) * 1e-3
    parts = jnp.maximum(scaled.factor(along, jnp.stack([slow, fast])), floor)
    slow, fast = slow / scaled.span, fast / scaled.span
    flow = parts[0] + parts[1]
    washout = (parts[0] * slow + parts[1] * fast) / flow
    vp = flow / washout
    return_rate = slow * fast / washout  # PS/ve
    surface = (slow + fast - washout - return_rate) * vp
    return jnp.stack(
        [flow * surface / (flow + surface), surface / return_rate, vp, flow],
    )


def _above(value: Array, bound: Array) -> Array:
    """At least 1.001 times the bound: a flow must exceed what it transfers."""
    return jnp.maximum(value, 1.001 * bound)


_KTRANS = "transfer from plasma to tissue for one unit of time"
_VE = "volume fraction of the extravascular space"
_VP = "volume fraction of the plasma"
_FP = "flow of plasma for one unit of time"

patlak = Model(
    name="patlak",
    names=("Ktrans", "vp"),
    formula="Ktrans*convolved(Cp, 0, time) + vp*Cp",
    function=_patlak,
    guess_function=_guess_patlak,
    source="Gpufit, PATLAK; Patlak, Blasberg and Fenstermacher (1983)",
    num_x=2,
    x_names=("time", "Cp"),
    meanings=(_KTRANS, _VP),
)

tofts = Model(
    name="tofts",
    names=("Ktrans", "ve"),
    formula="Ktrans*convolved(Cp, Ktrans/ve, time)",
    function=_tofts,
    guess_function=_guess_tofts,
    source="Gpufit, TOFTS; Tofts and Kermode (1991)",
    num_x=2,
    x_names=("time", "Cp"),
    meanings=(_KTRANS, _VE),
)

extended_tofts = Model(
    name="extended_tofts",
    names=("Ktrans", "ve", "vp"),
    formula="Ktrans*convolved(Cp, Ktrans/ve, time) + vp*Cp",
    function=_extended_tofts,
    guess_function=_guess_extended_tofts,
    source="Gpufit, TOFTS_EXTENDED; Tofts (1997)",
    num_x=2,
    x_names=("time", "Cp"),
    meanings=(_KTRANS, _VE, _VP),
)

tissue_uptake = Model(
    name="tissue_uptake",
    names=("Ktrans", "vp", "Fp"),
    formula=(
        "(Fp - Ktrans)*convolved(Cp, Fp**2/(vp*(Fp - Ktrans)), time)"
        " + Ktrans*convolved(Cp, 0, time)"
    ),
    function=_tissue_uptake,
    guess_function=_guess_tissue_uptake,
    source="Gpufit, TISSUE_UPTAKE; Sourbron and Buckley (2012)",
    num_x=2,
    x_names=("time", "Cp"),
    meanings=(_KTRANS, _VP, _FP),
)

two_compartment_exchange = Model(
    name="two_compartment_exchange",
    names=("Ktrans", "ve", "vp", "Fp"),
    formula=(
        "Fp*exchanged(Cp, Fp/vp, Ktrans*Fp/(Fp - Ktrans)/vp, Ktrans*Fp/(Fp - Ktrans)/ve, time)"
    ),
    function=_two_compartment_exchange,
    guess_function=_guess_two_compartment_exchange,
    source="Gpufit, TWO_COMPARTMENT_EXCHANGE; Brix et al. (2004)",
    num_x=2,
    x_names=("time", "Cp"),
    meanings=(_KTRANS, _VE, _VP, _FP),
)
