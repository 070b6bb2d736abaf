"""Sums and products of models: names, values, and guesses that tell the parts apart."""

import pickle
from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import least_squares

from mvopt.regression import models

X = np.linspace(0.0, 1.0, 50)
SUM = models.gaussian + models.linear
TWO = models.gaussian(prefix="a_") + models.gaussian(prefix="b_") + models.constant
PRODUCT = models.sine * models.exponential_decay(prefix="e_")


def gauss(x, amplitude, center, sigma):
    return amplitude * np.exp(-((x - center) ** 2) / (2 * sigma**2))


def by_numpy(model, x, params):
    if model is SUM:
        return gauss(x, *params[:3]) + params[3] * x + params[4]
    if model is TWO:
        return gauss(x, *params[:3]) + gauss(x, *params[3:6]) + params[6]
    amplitude, frequency, shift, height, decay = params
    return amplitude * np.sin(frequency * x + shift) * height * np.exp(-x / decay)


def draw(model, rng):
    sign = rng.choice([-1, 1])
    if model is SUM:
        peak = [sign * rng.uniform(0.5, 2), rng.uniform(0.1, 0.9), rng.uniform(0.05, 0.15)]
        return [*peak, *rng.uniform(-2, 2, 2)]
    if model is TWO:
        widths = rng.uniform(0.03, 0.1, 2)
        first = rng.uniform(0.15, 0.45)
        second = first + rng.uniform(2, 3) * widths.sum()
        heights = sign * rng.uniform(0.5, 2, 2)
        return [heights[0], first, widths[0], heights[1], second, widths[1], rng.uniform(-2, 2)]
    return [1.0, rng.uniform(10, 50), rng.uniform(-3, 3), rng.uniform(0.5, 2), rng.uniform(0.2, 1)]


def noisy(model, rng):
    truth = np.array(draw(model, rng))
    clean = by_numpy(model, X, truth)
    return clean + 0.02 * np.ptp(clean) * rng.normal(size=X.size), truth


@cache
def guessed(model):
    """Data, truth and guesses, in one compilation: the last ones are the first, changed."""
    rng = np.random.default_rng(4)
    y, truth = map(np.array, zip(*(noisy(model, rng) for _ in range(10)), strict=True))
    mask = np.ones_like(y, bool)
    mask[:, 7] = False
    spoilt = y[:1].copy()
    spoilt[0, 7] = np.nan
    more = np.concatenate([y, spoilt, 1e6 * y[:1], np.ones_like(y[:1]), np.nan * y[:1]])
    x = np.tile(X, (len(more), 1))
    mask = np.concatenate([mask, mask[:4]])
    return y, truth, mask, np.asarray(jax.jit(jax.vmap(model.guess))(x, more, mask))


def bottom(model, y, start, mask):
    residual = lambda params: (by_numpy(model, X, params) - y)[mask]
    return 2 * least_squares(residual, start, x_scale="jac", max_nfev=2000).cost


@pytest.mark.parametrize("model", [SUM, TWO, PRODUCT], ids=["sum", "two", "product"])
def test_fits_from_the_guess_reach_the_best_optimum(model):
    y, truth, mask, starts = guessed(model)
    reached = 0
    for row, true, used, start in zip(y, truth, mask, starts, strict=False):
        best = bottom(model, row, true, used)
        reached += bottom(model, row, start, used) <= 1.001 * best
    assert reached == len(y)


def test_two_peaks_come_out_as_two():
    _, truth, _, starts = guessed(TWO)
    found = np.sort(starts[: len(truth)][:, [1, 4]], axis=1)
    np.testing.assert_allclose(found, np.sort(truth[:, [1, 4]], axis=1), atol=0.02)


@pytest.mark.parametrize("model", [SUM, TWO, PRODUCT], ids=["sum", "two", "product"])
def test_masked_points_units_and_degenerate_data(model):
    y, _, _, starts = guessed(model)
    spoilt, scaled, *degenerate = starts[len(y) :]
    np.testing.assert_array_equal(spoilt, starts[0])
    linear = {SUM: [0, 3, 4], TWO: [0, 3, 6], PRODUCT: []}[model]
    expected = starts[0].copy()
    expected[linear] *= 1e6
    if model is PRODUCT:
        pair = scaled[0] * scaled[3] / (starts[0][0] * starts[0][3])
        np.testing.assert_allclose(pair, 1e6, rtol=1e-3)
    else:
        np.testing.assert_allclose(scaled, expected, rtol=1e-4)
    assert np.isfinite(degenerate).all()


@pytest.mark.parametrize("model", [SUM, TWO, PRODUCT], ids=["sum", "two", "product"])
def test_values_formula_and_parts(model):
    params = np.array(draw(model, np.random.default_rng(0)))
    expected = by_numpy(model, X, params)
    np.testing.assert_allclose(model(X, params), expected, rtol=1e-11, atol=1e-14)
    parsed = models.expression(model.formula)
    own = dict(zip(model.names, params, strict=True))
    assert set(parsed.names) == set(model.names)
    np.testing.assert_allclose(parsed(X, own), expected, rtol=1e-11, atol=1e-14)
    curves = list(model.evaluate_parts(X, own).values())
    whole = np.prod(curves, axis=0) if model is PRODUCT else np.sum(curves, axis=0)
    np.testing.assert_allclose(whole, expected, rtol=1e-11, atol=1e-14)


def test_names_meanings_and_sources():
    assert TWO.names == (
        *("a_amplitude", "a_center", "a_sigma"),
        *("b_amplitude", "b_center", "b_sigma", "c"),
    )
    assert TWO.name == "a_gaussian + b_gaussian + constant"
    assert TWO.meanings == (*models.gaussian.meanings * 2, *models.constant.meanings)
    assert TWO.source == f"{models.gaussian.source}; {models.constant.source}"
    assert list(TWO.evaluate_parts(X, np.ones(7))) == ["a_gaussian", "b_gaussian", "constant"]
    assert [len(part.names) for part in TWO.parts] == [3, 3, 1]
    assert models.gaussian.parts == (models.gaussian,)


def test_a_prefix_goes_to_whole_identifiers_only():
    renamed = models.lorentzian(prefix="x_")
    assert renamed.formula == "x_amplitude/(1 + ((x - x_center)/x_sigma)**2)"
    assert renamed.function is models.lorentzian.function
    assert models.exponential_decay(prefix="p").formula == "pamplitude*exp(-x/pdecay)"
    assert models.gaussian() is models.gaussian
    both = PRODUCT(prefix="q_")
    assert both.names == tuple("q_" + name for name in PRODUCT.names)
    assert both.formula == (
        "(q_amplitude*sin(q_frequency*x + q_shift))*(q_e_amplitude*exp(-x/q_e_decay))"
    )


def test_sums_of_products_keep_their_parts():
    whole = PRODUCT + models.linear
    assert whole.parts == (PRODUCT, models.linear)
    values = PRODUCT(X, np.ones(5)) + X + 1
    np.testing.assert_allclose(whole(X, np.ones(7)), values, rtol=1e-12)
    other = models.linear * (models.sine + models.constant)
    assert other.formula == "(slope*x + intercept)*(amplitude*sin(frequency*x + shift) + c + 0*x)"


def test_equal_by_their_parts_and_static():
    same = pickle.loads(pickle.dumps(SUM))
    assert same == SUM == models.gaussian + models.linear
    assert hash(same) == hash(SUM)
    assert models.gaussian + models.constant != SUM
    assert models.sine * models.linear != models.sine + models.linear
    assert models.gaussian(prefix="a_") != models.gaussian(prefix="b_")
    called = jax.jit(lambda model, params: model(X, params), static_argnums=0)
    np.testing.assert_allclose(called(same, np.ones(5)), SUM(X, np.ones(5)), rtol=1e-12)


def test_what_does_not_go_together():
    with pytest.raises(ValueError, match=r"share the parameters amplitude: give prefix="):
        models.gaussian + models.sine
    with pytest.raises(ValueError, match="independent variables"):
        models.gaussian2d + models.linear
    with pytest.raises(TypeError):
        models.gaussian + 1


def test_a_guess_from_float32_is_float32():
    x = jax.ShapeDtypeStruct((12,), jnp.float32)
    assert jax.eval_shape(SUM.guess, x, x).dtype == jnp.float32
