"""`curve_fit` against SciPy's, with masks, fixed params, bounds and bad data sets."""

from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.optimize
import scipy.stats

from mvopt import LevenbergMarquardt, Status, curve_fit, models

M = 16
X = np.linspace(0, 3, M)
START = np.array([2.0, 1.0, 0.0])
SIGMA = np.linspace(0.5, 2, M)
MATRIX = 0.3 * np.exp(-np.abs(X[:, None] - X)) * np.sqrt(np.outer(SIGMA, SIGMA))
SIGMAS = {"none": None, "vector": SIGMA, "matrix": MATRIX}


def decay(x, b):
    return b[0] * jnp.exp(-b[1] * x) + b[2]


def decay_of_tree(x, p):
    return p["height"] * jnp.exp(-p["rate"] * x["t"]) + p["floor"]


def by_numpy(x, height, rate, floor):
    return height * np.exp(-rate * x) + floor


def arrays_of(fit):
    return {name: value for name, value in vars(fit).items() if name != "about"}


def data(size, seed=0):
    rng = np.random.default_rng(seed)
    truth = rng.uniform([1, 0.5, -1], [4, 1.5, 1], (size, 3))
    clean = truth[:, :1] * np.exp(-truth[:, 1:2] * X) + truth[:, 2:]
    return clean + 0.05 * rng.normal(size=clean.shape)


DATA = data(40, 9)


@cache
def fitted(kind, absolute=False):
    """The fits of `DATA`, which several tests compare with others."""
    options = {"absolute_sigma": absolute, "precision": "float64" if kind == "none" else None}
    return curve_fit(decay, X, DATA, START, SIGMAS[kind], in_axes=(None, 0), **options)


@pytest.mark.parametrize(
    ("kind", "absolute"),
    [("none", False), ("vector", False), ("vector", True), ("matrix", True)],
    ids=["none-relative", "vector-relative", "vector-absolute", "matrix-absolute"],
)
def test_equals_scipy(kind, absolute):
    sigma, y, fit = SIGMAS[kind], DATA, fitted(kind, absolute)
    for i in range(2):
        options = {"sigma": sigma, "absolute_sigma": absolute, "xtol": 1e-14, "ftol": 1e-14}
        params, covariance = scipy.optimize.curve_fit(by_numpy, X, y[i], START, **options)
        np.testing.assert_allclose(fit.params[i], params, rtol=1e-6)
        # SciPy differentiates by finite differences.
        np.testing.assert_allclose(fit.covariance[i], covariance, rtol=1e-5)
        np.testing.assert_allclose(fit.stderr[i], np.sqrt(np.diag(covariance)), rtol=1e-5)
        difference = y[i] - by_numpy(X, *np.asarray(fit.params[i]))
        whole = np.eye(M) if sigma is None else np.diag(sigma**2) if sigma.ndim == 1 else sigma
        chi2 = difference @ np.linalg.solve(whole, difference)
        np.testing.assert_allclose(fit.chi2[i], chi2, rtol=1e-9)
        np.testing.assert_allclose(fit.reduced_chi2[i], chi2 / 13, rtol=1e-9)
        p_value = np.nan if sigma is None else scipy.stats.chi2.sf(chi2, 13)
        np.testing.assert_allclose(fit.p_value[i], p_value, rtol=1e-8)
    np.testing.assert_array_equal(fit.dof, 13)
    np.testing.assert_array_equal(fit.status, Status.CONVERGED)


def test_one_data_set_is_a_batch_of_one():
    one = curve_fit(decay, X, DATA[0], START)
    for name, several in arrays_of(fitted("none")).items():
        np.testing.assert_allclose(arrays_of(one)[name], several[0], rtol=1e-9, err_msg=name)


@pytest.mark.parametrize("kind", ["vector", "matrix"])
def test_a_mask_is_as_good_as_dropping_the_points(kind):
    sigma, y = SIGMAS[kind], data(1, 3)[0]
    mask = np.ones(M, bool)
    mask[[0, 4, 9]] = False
    ruined_x, ruined_y = np.where(mask, X, np.nan), np.where(mask, y, np.inf)
    fit = curve_fit(decay, ruined_x, ruined_y, START, sigma, mask=mask)
    kept = sigma[mask] if sigma.ndim == 1 else sigma[np.ix_(mask, mask)]
    expected = curve_fit(decay, X[mask], y[mask], START, kept)
    assert fit.status == Status.CONVERGED
    assert fit.dof == 10
    for name, other in arrays_of(expected).items():
        if name != "num_steps":
            np.testing.assert_allclose(arrays_of(fit)[name], other, rtol=1e-7, err_msg=name)


def test_fixed_params_stay_and_have_no_error():
    y = data(1)[0]
    fit = curve_fit(decay, X, y, np.array([2.0, 1.0, 0.25]), fixed=[False, False, True])
    params, covariance = scipy.optimize.curve_fit(
        lambda x, a, b: by_numpy(x, a, b, 0.25), X, y, START[:2], xtol=1e-14, ftol=1e-14
    )
    assert fit.params[2] == 0.25
    assert fit.stderr[2] == 0
    assert fit.dof == M - 2
    np.testing.assert_allclose(fit.params[:2], params, rtol=1e-6)
    np.testing.assert_allclose(fit.covariance[:2, :2], covariance, rtol=1e-5)
    np.testing.assert_array_equal(fit.covariance[2], 0)


def test_fixed_names_and_starts_by_name_for_a_named_model():
    y = data(1)[0]
    model = models.exponential_decay
    names = model.names
    free = curve_fit(model, X, y)
    assert free.status == Status.CONVERGED
    held = float(free.params[-1]) + 0.1
    start = {names[-1]: held}
    found = curve_fit(model, X, y, start, fixed=(names[-1],))
    assert found.params[-1] == held
    assert found.stderr[-1] == 0
    assert found.chi2 > free.chi2
    same = curve_fit(model, X, y, [np.nan] * (len(names) - 1) + [held], fixed={names[-1]: True})
    np.testing.assert_allclose(same.params, found.params, rtol=1e-9)


def test_trees_of_params_and_of_x():
    start = {"height": 2.0, "rate": 1.0, "floor": 0.0}
    fit = curve_fit(decay_of_tree, {"t": X}, DATA, start, in_axes=(None, 0))
    expected = fitted("none")
    order = ["height", "rate", "floor"]
    for i, name in enumerate(order):
        np.testing.assert_allclose(fit.params[name], expected.params[:, i], rtol=1e-8)
        np.testing.assert_allclose(fit.stderr[name], expected.stderr[:, i], rtol=1e-7)
    places = [sorted(order).index(name) for name in order]
    permuted = np.asarray(fit.covariance)[:, places][:, :, places]
    np.testing.assert_allclose(permuted, expected.covariance, rtol=1e-7)


def test_bounds_as_scipy():
    y = data(1, 5)[0]
    bounds = (np.array([0.0, 0.0, -5.0]), np.array([1.5, 3.0, 5.0]))
    fit = curve_fit(decay, X, y, START, bounds=bounds)
    params, _ = scipy.optimize.curve_fit(
        by_numpy, X, y, [1.0, 1.0, 0.0], bounds=bounds, xtol=1e-15, ftol=1e-15, gtol=1e-15
    )
    assert fit.status == Status.CONVERGED
    assert fit.params[0] == 1.5
    np.testing.assert_allclose(fit.params, params, rtol=1e-5)
    np.testing.assert_array_equal(np.isinf(fit.stderr), [True, False, False])


BAD = {
    "nan": (Status.NONFINITE, {"y": np.nan}),
    "infinite x": (Status.NONFINITE, {"x": np.inf}),
    "empty mask": (Status.BAD_INPUT, {"mask": False}),
    "too few points": (Status.BAD_INPUT, {"mask": np.arange(M) < 2}),
    "infinite sigma": (Status.BAD_INPUT, {"sigma": np.inf}),
    "negative sigma": (Status.BAD_INPUT, {"sigma": -1.0}),
    "sigma of zero": (Status.BAD_INPUT, {"sigma": 0.0}),
    "sigma of nan": (Status.BAD_INPUT, {"sigma": np.nan}),
    "nan everywhere": (Status.BAD_INPUT, {"y": np.nan, "mask": False, "sigma": np.nan}),
    "nan start": (Status.NONFINITE, {"p0": np.nan}),
}
PLACES = [3 * i + 1 for i in range(len(BAD))]
CONSTANT = 30
ROWS = 96  # a batch without the bad rows is padded to as many: it finds its program compiled


@pytest.fixture(scope="module")
def batch():
    return {
        "x": np.tile(X, (ROWS, 1)),
        "y": data(ROWS, 7),
        "p0": np.tile(START, (ROWS, 1)),
        "sigma": np.full((ROWS, M), 0.05),
        "mask": np.ones((ROWS, M), bool),
    }


def fit_batch(batch):
    return curve_fit(decay, **batch, absolute_sigma=True, in_axes=0)


@pytest.fixture(scope="module")
def ruined(batch):
    parts = {name: part.copy() for name, part in batch.items()}
    for place, (_, changes) in zip(PLACES, BAD.values(), strict=True):
        for name, value in changes.items():
            parts[name][place] = value
    parts["y"][CONSTANT] = 5.0
    return parts


@pytest.fixture(scope="module")
def fit_of_ruined(ruined):
    return fit_batch(ruined)


def assert_rows_identical(found, expected, rows, other_rows, rounding):
    for name, other in arrays_of(expected).items():
        one = arrays_of(found)[name]
        np.testing.assert_allclose(
            one[rows], other[other_rows], rtol=rounding, atol=rounding, err_msg=name
        )


@pytest.mark.parametrize("kind", list(BAD))
def test_a_bad_data_set_ends_in_its_status(fit_of_ruined, kind):
    place = PLACES[list(BAD).index(kind)]
    assert Status(int(fit_of_ruined.status[place])) == BAD[kind][0]
    assert jnp.isinf(fit_of_ruined.stderr[place]).all()
    assert fit_of_ruined.num_steps[place] <= 1000


def test_fewer_points_than_params():
    fit = curve_fit(decay, X[:2], data(1)[0, :2], START)
    assert fit.status == Status.BAD_INPUT
    assert fit.dof == -1
    assert jnp.isinf(fit.stderr).all()


def test_a_data_set_of_constants_does_not_determine_the_rate(fit_of_ruined):
    fit = jax.tree.map(lambda leaf: leaf[CONSTANT], fit_of_ruined)
    assert fit.status in (Status.SINGULAR, Status.CONVERGED)
    assert fit.chi2 <= 1e-12
    assert jnp.isinf(fit.stderr).any() or fit.stderr[1] > 10


def test_bad_data_sets_change_no_bit_of_the_others(batch, fit_of_ruined, rounding):
    good = np.setdiff1d(np.arange(ROWS), [*PLACES, CONSTANT])
    expected = fit_batch(batch)
    assert (expected.status == Status.CONVERGED).all()
    assert_rows_identical(fit_of_ruined, expected, good, good, rounding)


def test_without_the_bad_data_sets_no_bit_is_different(ruined, fit_of_ruined, rounding):
    good = np.setdiff1d(np.arange(ROWS), [*PLACES, CONSTANT])
    without = fit_batch({name: part[good] for name, part in ruined.items()})
    assert_rows_identical(without, fit_of_ruined, slice(None), good, rounding)


def test_precisions():
    found = {}
    for precision in ("float64", "float32", "mixed"):
        fit = curve_fit(decay, X, DATA, START, in_axes=(None, 0), precision=precision)
        found[precision] = fit
        expected = found["float64"]
        wide = precision != "float32"
        assert fit.params.dtype == fit.covariance.dtype == (jnp.float64 if wide else jnp.float32)
        assert (fit.status == Status.CONVERGED).all()
        tolerance = 1e-8 if wide else 2e-3
        np.testing.assert_allclose(fit.params, expected.params, rtol=tolerance, atol=tolerance)
        np.testing.assert_allclose(fit.stderr, expected.stderr, rtol=50 * tolerance)
    assert found["mixed"].num_steps.sum() < 0.6 * found["float64"].num_steps.sum()


def test_float32_data_stay_float32():
    parts = [np.asarray(part, np.float32) for part in (X, data(1)[0], START, SIGMA)]
    fit = curve_fit(decay, *parts)
    floats = [
        leaf.dtype for leaf in jax.tree.leaves(fit) if jnp.issubdtype(leaf.dtype, jnp.floating)
    ]
    assert floats == [jnp.float32] * 8
    assert fit.status == Status.CONVERGED


def test_only_values_changed_means_nothing_compiled(compiled):
    def run(seed, scale, gtol, budget):
        return curve_fit(
            decay,
            X,
            data(5, seed),
            START * scale,
            SIGMA * scale,
            bounds=(np.full(3, -9.0 * scale), np.full(3, 9.0)),
            solver=LevenbergMarquardt(gtol=gtol),
            max_steps=budget,
            in_axes=(None, 0),
        )

    run(0, 1.0, 1e-6, 50)
    assert compiled
    compiled.clear()
    for changed in ((1, 1.0, 1e-6, 50), (0, 1.1, 1e-6, 50), (0, 1.0, 1e-3, 50), (0, 1.0, 1e-6, 60)):
        assert run(*changed).params.shape == (5, 3)
    assert not compiled


NAMED = models.exponential_decay


@pytest.mark.parametrize(
    ("model", "p0", "options", "message"),
    [
        (decay, None, {}, "no guess of its own: give p0"),
        (decay, START, {"loss": "hubber"}, "not known: use one of linear"),
        (decay, START, {"precision": "double"}, "use one of float32, float64, mixed"),
        (decay, START, {"fixed": ("rate",)}, "the model has none: give Booleans like p0"),
        (decay, START, {"fixed": [True] * 3}, "every parameter is fixed: leave one free"),
        (decay, START, {"fixed": [True] + [False] * 4}, "fixed has more entries than the 3"),
        (decay, START, {"bounds": (np.ones(3), np.zeros(3))}, "lower bound is above its upper"),
        (decay, START, {"in_axes": (0,) * 6}, "in_axes has 6 entries"),
        (decay, START, {"in_axes": (None, None)}, "give one a batch axis"),
        (decay, START, {"in_axes": (None, 1)}, "in_axes of y is 1"),
        (lambda x, b: b[0], START, {}, r"returns shape \(\), but y has shape \(16,\)"),
        (NAMED, {"nonsense": 1.0}, {}, r"p0 names \['nonsense'\], but the parameters are"),
        (NAMED, None, {"fixed": ("nonsense",)}, r"fixed names \['nonsense'\], but the param"),
    ],
    ids=lambda item: None,
)
def test_errors_say_what_to_do(model, p0, options, message):
    with pytest.raises(ValueError, match=message):
        curve_fit(model, X, data(1)[0], p0, **options)


def test_sigma_and_mask_of_a_wrong_shape_are_named():
    y = data(1)[0]
    with pytest.raises(ValueError, match="sigma"):
        curve_fit(decay, X, y, START, np.ones(M + 1))
    with pytest.raises(ValueError, match="mask"):
        curve_fit(decay, X, y, START, mask=np.ones(M - 1, bool))


def test_float64_without_x64_says_how_to_get_it():
    message = r'call jax.config.update\("jax_enable_x64", True\)'
    with jax.enable_x64(False), pytest.raises(ValueError, match=message):
        curve_fit(decay, X, data(1)[0], START, precision="mixed")


def test_ragged_data_sets_with_x_and_sigma_of_their_own_are_fitted_as_alone():
    """What fills the rows up may be NaN: an x, a y or a sigma that is masked is never looked at."""
    rng = np.random.default_rng(12)
    lengths = np.array([M, 9, 5])
    mask = np.arange(M) < lengths[:, None]
    x = np.sort(rng.uniform(0, 3, (3, M)), axis=1)
    y = by_numpy(x, 2.0, 1.0, 0.3) + 0.05 * rng.normal(size=x.shape)
    sigma = rng.uniform(0.5, 2, x.shape)
    padded = [np.where(mask, part, np.nan) for part in (x, y)]
    fits = curve_fit(
        decay, *padded, START, np.where(mask, sigma, np.nan), mask=mask, in_axes=(0, 0, None, 0, 0)
    )
    np.testing.assert_array_equal(fits.status, Status.CONVERGED)
    np.testing.assert_array_equal(fits.dof, lengths - 3)
    for row, length in enumerate(lengths):
        parts = [part[row, :length] for part in (x, y, sigma)]
        params, covariance = scipy.optimize.curve_fit(
            by_numpy, *parts[:2], START, parts[2], xtol=1e-14, ftol=1e-14
        )
        np.testing.assert_allclose(fits.params[row], params, rtol=1e-6)
        np.testing.assert_allclose(fits.covariance[row], covariance, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("known", [True, False])
def test_a_parameter_on_its_bound_counts_as_held_there(known):
    """All statistics are those of SciPy's fit of the other parameters."""
    x, sigma = np.arange(6.0), np.full(6, 0.3)
    y = np.array([1.1, 0.4, 0.9, 1.6, 1.2, 2.3])
    parabola = lambda x, p: p[0] + p[1] * x + p[2] * x**2
    fit = curve_fit(
        parabola, x, y, [1.0, 0.1, 0.1], sigma, bounds=(0.0, np.inf), absolute_sigma=known
    )
    assert fit.params[1] == 0
    held = lambda x, a, c: a + c * x**2
    params, covariance = scipy.optimize.curve_fit(held, x, y, sigma=sigma, absolute_sigma=known)
    np.testing.assert_allclose(fit.params[np.array([0, 2])], params, rtol=1e-6)
    np.testing.assert_allclose(
        fit.stderr[np.array([0, 2])], np.sqrt(np.diag(covariance)), rtol=1e-6
    )
    chi2 = np.sum(((y - held(x, *params)) / sigma) ** 2)
    assert fit.dof == 4
    np.testing.assert_allclose(fit.reduced_chi2, chi2 / 4, rtol=1e-9)
    np.testing.assert_allclose(fit.p_value, scipy.stats.chi2.sf(chi2, 4), rtol=1e-9)
    assert fit.num_estimated == (2 if known else 3)
