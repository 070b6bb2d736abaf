"""What is particular to single models of curves, against SciPy and published fits."""

from itertools import pairwise

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import quad, solve_ivp
from scipy.optimize import least_squares

from benchmarks.problems.formulas import by_numpy
from mvopt.regression import models
from mvopt.regression.models._convolution import mean_decay

TIMES = np.array([0.0, 0.1, 0.25, 0.3, 0.6, 1.0, 1.7, 3.0])
ARTERY = np.array([0.0, 2.0, 6.0, 5.0, 3.0, 2.0, 1.5, 1.0])
SHUFFLED = np.random.default_rng(2).permutation(len(TIMES))


def artery(time):
    return np.interp(time, TIMES, ARTERY)


def by_equations(equations, start):
    """The solution of d(amounts)/dt = equations(t, amounts) at TIMES, (m, n)."""
    rows = [start]
    for low, high in pairwise(TIMES):  # the artery has a kink at each
        found = solve_ivp(equations, (low, high), rows[-1], rtol=1e-11, atol=1e-12)
        rows.append(found.y[:, -1])
    return np.array(rows)


def tissue(name, params):
    """The model at TIMES, evaluated with the points in another order."""
    x = np.stack([TIMES, ARTERY])[:, SHUFFLED]
    values = np.empty(len(TIMES))
    values[SHUFFLED] = jax.jit(models.NAMED[name])(x, jnp.array(params))
    return values


def assert_finite_derivatives(model, x, params):
    assert jnp.all(jnp.isfinite(jax.jit(jax.jacfwd(model, argnums=1))(x, jnp.asarray(params))))


@pytest.mark.parametrize("rate", [-3.0, -0.5, -0.01, 0.0, 1e-9, 0.49, 0.51, 20.0, 100.0])
def test_weights_of_a_line_in_a_decay(rate):
    # The decay is over within a small part of the interval: the quadrature must look there.
    places = [1 - min(1, 40 / max(abs(rate), 40)), 1]
    expected = [
        quad(lambda s, p=power: s**p * np.exp(-rate * (1 - s)), 0, 1, points=places, epsabs=0)[0]
        for power in (0, 1)
    ]
    np.testing.assert_allclose(mean_decay(jnp.asarray(rate)), expected, rtol=3e-14)


def test_tofts_is_a_convolution_with_the_lines_between_samples():
    transfer, space, plasma = 0.9, 0.3, 0.05
    expected = []
    for time in TIMES:
        kinks = TIMES[(TIMES > 0) & (time > TIMES)]
        response = quad(
            lambda s, time=time: artery(s) * np.exp(-transfer / space * (time - s)),
            0,
            time,
            points=kinks if kinks.size else None,
            epsabs=1e-13,
        )[0]
        expected.append(transfer * response)
    np.testing.assert_allclose(tissue("tofts", [transfer, space]), expected, rtol=1e-11)
    found = tissue("extended_tofts", [transfer, space, plasma])
    np.testing.assert_allclose(found, expected + plasma * ARTERY, rtol=1e-11)


def test_patlak_is_the_integral_by_trapezoids():
    area = [np.trapezoid(ARTERY[: i + 1], TIMES[: i + 1]) for i in range(len(TIMES))]
    found = tissue("patlak", [0.2, 0.1])
    np.testing.assert_allclose(found, 0.2 * np.array(area) + 0.1 * ARTERY, rtol=1e-13)


@pytest.mark.parametrize("name", ["two_compartment_exchange", "tissue_uptake"])
def test_exchange_solves_its_differential_equations(name):
    flow, surface, plasma, space = 1.2, 0.5, 0.15, 0.3
    returning = 0 if name == "tissue_uptake" else surface / space

    def equations(time, amounts):
        leaving = surface / plasma * amounts[0] - returning * amounts[1]
        return [flow * artery(time) - flow / plasma * amounts[0] - leaving, leaving]

    expected = by_equations(equations, [0, 0]).sum(axis=1)
    transfer = flow * surface / (flow + surface)
    params = [transfer, plasma, flow]
    if name == "two_compartment_exchange":
        params.insert(1, space)
    np.testing.assert_allclose(tissue(name, params), expected, rtol=1e-8)


@pytest.mark.parametrize(
    ("name", "params"),
    [
        ("tissue_uptake", [2.0, 0.1, 1.0]),
        ("two_compartment_exchange", [2.0, 0.3, 0.1, 1.0]),
        ("two_compartment_exchange", [0.5, 0.25, -0.2, 1.0]),
    ],
)
def test_impossible_flows_leave_the_tissue_finite(name, params):
    x = np.stack([TIMES, ARTERY])
    assert_finite_derivatives(models.NAMED[name], x.astype(np.float32), np.float32(params))


def test_infusion_solves_its_differential_equation():
    dose, duration, volume, rate = 5.0, 0.25, 2.0, 1.3

    def equation(time, amount):
        return [dose / duration * (time < duration) - rate * amount[0]]

    # TIMES holds the end of the infusion, at which the right side jumps.
    expected = by_equations(equation, [0])[:, 0] / volume
    x = np.stack([np.full(8, dose), np.full(8, duration), TIMES])
    found = models.one_compartment_infusion(x, jnp.array([volume, rate]))
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-9)


def test_an_infusion_without_duration_is_a_bolus():
    params = jnp.array([2.0, 1.3])
    dose = np.full(8, 5.0)
    infusion = models.one_compartment_infusion(np.stack([dose, 0 * dose, TIMES]), params)
    bolus = models.one_compartment_bolus(np.stack([dose, TIMES]), params)
    np.testing.assert_allclose(infusion, bolus, rtol=1e-14)


@pytest.mark.parametrize("slope", [-3.0, -0.01, 0.01, 3.0])
def test_dose_zero_gives_a_limit_exactly(slope):
    x = jnp.array([0.0, 1.0])
    limit = 7.0 if slope > 0 else 2.0
    assert models.dose_response4(x, [slope, 2.0, 7.0, 1.0])[0] == limit
    assert models.dose_response5(x, [slope, 2.0, 7.0, 1.0, 0.5])[0] == limit
    assert models.dose_response3(x, [slope, 7.0, 1.0])[0] == (7.0 if slope > 0 else 0)
    assert models.hill(x, [7.0, 1.0, slope])[0] == (0 if slope > 0 else 7.0)
    assert_finite_derivatives(models.dose_response5, x, [slope, 2.0, 7.0, 1.0, 0.5])


def test_harmonic_oscillator_at_rest_and_in_the_cold():
    model = models.damped_harmonic_oscillator
    amplitude, center, sigma, gamma = 2.0, 0.7, 0.2, 0.5
    at_zero = 4 * amplitude * sigma / np.pi * gamma * center / (center**2 + sigma**2) ** 2
    x = jnp.array([0.0, 1e-9, 1.0, -1.0])
    found = model(x, [amplitude, center, sigma, gamma])
    np.testing.assert_allclose(found[:2], at_zero, rtol=1e-8)
    # Detailed balance: creation and absorption of a quantum.
    np.testing.assert_allclose(found[2] / found[3], np.exp(1 / gamma), rtol=1e-13)
    cold = jnp.array([amplitude, center, sigma, 1e-30])
    lorentzians = 1 / ((1 - center) ** 2 + sigma**2) - 1 / ((1 + center) ** 2 + sigma**2)
    expected = [0, amplitude * sigma / np.pi * lorentzians, 0]
    np.testing.assert_allclose(
        model(x[jnp.array([0, 2, 3])], cold), expected, rtol=1e-13, atol=1e-28
    )
    assert_finite_derivatives(model, x, cold)
    assert_finite_derivatives(model, x.astype(jnp.float32), cold.astype(jnp.float32))


def test_frequency_of_many_cycles_at_uneven_points():
    rng = np.random.default_rng(4)
    x = rng.uniform(50, 60, 60)
    frequency = 2 * np.pi * 2.3  # 23 cycles in the data
    y = 3 * np.sin(frequency * x + 1) + 0.3 * rng.normal(size=60)
    amplitude, found, shift = models.sine.guess(x, y)
    # Within the finer of the steps: no part of the data is out of phase by a tenth of a cycle.
    assert abs(found - frequency) * 10 < 0.2 * np.pi
    np.testing.assert_allclose(amplitude, 3, rtol=0.1)
    np.testing.assert_allclose(np.cos(found * 55 + shift), np.cos(frequency * 55 + 1), atol=0.3)


def test_shape_parameters_at_their_limit():
    x = jnp.linspace(0, 3, 7)
    shapes = [0.0, 1e-7, -1e-7]
    growth = np.exp(-np.exp(1 - np.asarray(x) / 0.8))
    decline = np.exp(-2 * np.asarray(x))
    for shape in shapes:
        richards = models.richards(x, [1.0, 0.8, 0.8, shape])
        np.testing.assert_allclose(richards, growth, rtol=1e-6)
        found = models.hyperbolic_decline(x, [1.0, 2.0, shape])
        np.testing.assert_allclose(found, decline, rtol=1e-5)
    assert_finite_derivatives(models.richards, x, [1.0, 0.8, 0.8, 0.0])
    # d/db of (1 + b z)**(-1/b) at b = 0 is exp(-z) z**2/2.
    slope = jax.jacfwd(models.hyperbolic_decline, argnums=1)(x, jnp.array([1.0, 2.0, 0.0]))[:, 2]
    np.testing.assert_allclose(slope, decline * (2 * x) ** 2 / 2, rtol=1e-12)
    # A negative exponent ends the decline at x = -1/(b Di).
    ended = models.hyperbolic_decline(x, [1.0, 1.0, -0.5])
    np.testing.assert_allclose(ended, np.maximum(1 - np.asarray(x) / 2, 0) ** 2, atol=1e-15)
    assert_finite_derivatives(models.hyperbolic_decline, x, [1.0, 1.0, -0.5])


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("name", ["diffusion_tensor", "diffusion_kurtosis"])
def test_tensors_without_noise_are_guessed_exactly(name, sign):
    rng = np.random.default_rng(3)
    model = models.NAMED[name]
    directions = rng.normal(size=(3, 60))
    directions /= np.linalg.norm(directions, axis=0)
    b = np.where(np.arange(60) < 4, 0, np.where(np.arange(60) % 2, 800, 1800))
    second = 1e-3 * np.array([1.2, 0.7, 0.5, 0.2, -0.1, 0.05])
    fourth = np.concatenate([np.full(3, 0.9), 0.05 * rng.normal(size=6), np.full(3, 0.3), [0] * 3])
    truth = [sign * 500, *second, *(fourth if name == "diffusion_kurtosis" else [])]
    x = np.stack([b, *directions])
    y = np.asarray(model(x, jnp.array(truth)))
    # Contracted index by index, without counting orders.
    tensor = np.diag(second[:3])
    tensor[[0, 0, 1], [1, 2, 2]] = tensor[[1, 2, 2], [0, 0, 1]] = second[3:]
    decay = b * np.einsum("im,jm,ij->m", directions, directions, tensor)
    first = decay if name == "diffusion_tensor" else decay[:4]
    np.testing.assert_allclose(y[: len(first)], truth[0] * np.exp(-first), rtol=1e-12)
    np.testing.assert_allclose(model.guess(x, y), truth, rtol=1e-6, atol=1e-6)


def test_arrhenius_at_absolute_zero():
    x = jnp.array([0.0, 300.0])
    assert models.arrhenius(x, [1e10, 5e4])[0] == 0
    assert_finite_derivatives(models.arrhenius, x, [1e10, 5e4])


def test_small_angles_and_short_repetitions_are_accurate_in_float32():
    x = np.stack([np.array([0.0, 0.05, 0.5, 2.0]), np.full(4, 3e-3)])
    params = np.array([1000.0, 4.0])
    expected = models.spgr(x, params)
    found = models.spgr(x.astype(np.float32), params.astype(np.float32))
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    assert found[0] == 0
    assert_finite_derivatives(models.spgr, 0 * x, params)


RYEGRASS_DOSE = np.repeat([0, 0.94, 1.88, 3.75, 7.5, 15, 30], [6, 3, 3, 3, 3, 3, 3])
RYEGRASS_LENGTH = (
    "7.58 8 8.3285714 7.25 7.375 7.9625 8.3555556 6.9142857 7.75 6.8714286 6.45 5.9222222 "
    "1.925 2.8857143 4.2333333 1.1875 0.8571429 1.0571429 0.6875 0.525 0.825 0.25 0.22 0.44"
)
CO2_CONC, CO2_UPTAKE = "95 175 250 350 500 675 1000", "16 30.4 34.8 37.2 35.3 39.2 39.7"
# Data of R's packages drc (ryegrass) and datasets (CO2, plant Qn1), with the estimates their
# documentation prints (Ritz et al., 2015; Pinheiro and Bates, 2000).
PUBLISHED = {
    "dose_response4": (RYEGRASS_DOSE, RYEGRASS_LENGTH, [2.98222, 0.48141, 7.79296, 3.05795], 2e-5),
    "asymptotic_offset": (CO2_CONC, CO2_UPTAKE, [38.14, -4.38, 51.22], 5e-3),
}


@pytest.mark.parametrize("name", list(PUBLISHED))
def test_published_estimates_of_r(name):
    x, y, expected, tolerance = PUBLISHED[name]
    x = np.array(x.split(), float) if isinstance(x, str) else x
    model, y = models.NAMED[name], np.array(y.split(), float)
    start = np.asarray(model.guess(x, y))
    found = least_squares(lambda params: by_numpy(model, x, params) - y, start, x_scale="jac").x
    np.testing.assert_allclose(found, expected, rtol=0, atol=tolerance)
