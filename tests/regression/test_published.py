"""Real data: published estimates and standard errors, and SciPy's on every data set."""

from functools import cache
from pathlib import Path

import jax
import numpy as np
import pytest
from scipy.optimize import curve_fit as scipy_fit

import mvopt
from mvopt.batch import config
from mvopt.batch.choice import choose
from mvopt.batch.fitting import Job, fit_block
from mvopt.batch.sources.opening import open_source

CONFIGS = Path(__file__).parents[2] / "configs" / "fit"
SETS = sorted(path.stem for path in CONFIGS.glob("*.toml"))

# Printed by R for the examples of its self-starting models (estimates; standard errors), from
# fits of its own: SSlogis, SSmicmen, SSasymp, SSfol, SSbiexp.
PUBLISHED = {
    ("dnase", 1): ("2.34518 1.48309 1.04146", "0.07815 0.08135 0.03227"),
    ("puromycin", "treated"): ("212.7 0.06412", "6.947 0.008281"),
    ("loblolly", 329): ("94.1282 -8.2508 -3.2176", "8.4030 1.2261 0.1386"),
    ("theoph", 1): ("-2.9196 0.5752 -3.9159", "0.1709 0.1728 0.1273"),
    ("indometh", 1): ("2.0293 0.5794 0.1916 -1.7878", "0.1099 0.1247 0.1106 0.7871"),
}
# Pinheiro and Bates (2000), section 8.1.3: the five trees by `nlsList`, in the order of the file.
ORANGE = {
    1: "154.15 627.12 362.50",
    2: "218.99 700.32 332.47",
    3: "158.83 734.85 400.95",
    4: "225.30 710.69 303.13",
    5: "207.27 861.35 379.99",
}
# Data sets that do not determine the parameters of their model, and why.
UNDETERMINED = {
    ("chickweight", 18): "2 points, of a chick that died, for 3 parameters",
    ("chickweight", 19): "growth without a sign of its end: the best curve has Asym at infinity",
    ("chickweight", 29): "growth without a sign of its end: the best curve has Asym at infinity",
}


@cache
def fitted(name):
    """Model, {id: (x, y)} and {id: row of the table of results} of a set by its configuration."""
    settings = config.load(CONFIGS / f"{name}.toml")
    (task,) = open_source(settings.data).tasks()
    data = task.load()
    choice = choose(settings, data.num_x)
    table = fit_block(Job(choice, settings.fit, settings.output), data).to_pylist()
    x = data.x[0] if data.num_x == 1 else data.x
    key = data.ids.schema.names[0]
    rows = {int(row[key]) if row[key].isdigit() else row[key]: row for row in table}
    points = {}
    for number, start, stop in zip(rows, data.offsets, data.offsets[1:], strict=False):
        points[number] = x[..., start:stop], data.y[start:stop]
    return choice.model, points, rows


def estimates(model, row):
    return np.array([row[name] for name in model.names])


def errors(model, row):
    return np.array([row[f"{name}_stderr"] for name in model.names])


def assert_printed(values, text):
    """Equal to the printed numbers, less than one unit in their last digit apart.

    Not rounded: `nls` stops at a relative offset of 1e-5, and prints 1.04146 for 1.0414547.
    """
    for value, printed in zip(values, text.split(), strict=True):
        unit = 10.0 ** -len(printed.partition(".")[2])
        assert abs(value - float(printed)) < unit, (values, text)


@pytest.mark.parametrize("case", PUBLISHED, ids=str)
def test_estimates_and_standard_errors_that_r_prints(case):
    model, _, rows = fitted(case[0])
    row = rows[case[1]]
    assert row["status"] == "CONVERGED"
    assert_printed(estimates(model, row), PUBLISHED[case][0])
    assert_printed(errors(model, row), PUBLISHED[case][1])


def test_orange_trees_and_their_pooled_errors():
    model, _, rows = fitted("orange")
    # Few points, far from the asymptote: stopping early shows in the fourth digit.
    for tree, printed in ORANGE.items():
        expected = np.array(printed.split(), float)
        np.testing.assert_allclose(estimates(model, rows[tree]), expected, rtol=2e-4)
    # `nlsList` scales the errors by the residuals of all trees together: 7.98 on 20 degrees.
    pooled = sum(row["chi2"] for row in rows.values()) / sum(row["dof"] for row in rows.values())
    assert_printed([pooled**0.5], "7.98")
    scale = np.sqrt(pooled / rows[3]["reduced_chi2"])
    assert_printed(scale * errors(model, rows[3]), "19.24 130.81 94.78")


def test_one_data_set_by_itself():
    model, points, rows = fitted("dnase")
    fit = mvopt.curve_fit(mvopt.models.logistic3, *points[1])
    assert fit.params.dtype == np.float64
    assert fit.status == mvopt.Status.CONVERGED
    assert_printed(fit.params, PUBLISHED["dnase", 1][0])
    assert_printed(fit.stderr, PUBLISHED["dnase", 1][1])
    np.testing.assert_allclose(fit.params, estimates(model, rows[1]), rtol=1e-9)


@cache
def functions(model):
    """The model as SciPy calls it, and its Jacobian."""
    value = jax.jit(model)
    jacobian = jax.jit(jax.jacfwd(model, argnums=1))
    return (
        lambda x, *params: np.asarray(value(x, np.array(params))),
        lambda x, *params: np.asarray(jacobian(x, np.array(params))),
    )


def by_scipy(model, x, y, start):
    function, jacobian = functions(model)
    tight = dict.fromkeys(("ftol", "xtol", "gtol"), 1e-15)
    params, covariance = scipy_fit(
        function, x, y, start, jac=jacobian, method="lm", maxfev=20_000, **tight
    )
    return params, np.sqrt(np.diag(covariance))


@pytest.mark.parametrize("name", SETS)
def test_every_group_equals_scipy(name):
    model, points, rows = fitted(name)
    for number, (x, y) in points.items():
        if (name, number) in UNDETERMINED:
            continue
        row = rows[number]
        assert row["status"] == "CONVERGED", number
        assert row["num_points"] == len(y)
        # From our solution, and from the guess, where SciPy finds its own way.
        for start in (estimates(model, row), np.asarray(model.guess(x, y))):
            params, stderr = by_scipy(model, x, y, start)
            np.testing.assert_allclose(estimates(model, row), params, rtol=1e-6, err_msg=number)
            np.testing.assert_allclose(errors(model, row), stderr, rtol=1e-5, err_msg=number)


@pytest.mark.parametrize("case", UNDETERMINED, ids=str)
def test_groups_that_do_not_determine_the_parameters(case):
    model, points, rows = fitted(case[0])
    row, (x, y) = rows[case[1]], points[case[1]]
    assert np.isinf(errors(model, row)[0])
    if len(y) < len(model.names):
        assert row["status"] == "BAD_INPUT"
        return
    assert row["status"] in ("MAX_STEPS", "SINGULAR")
    # SciPy finds no minimum either: the limit of the curve for Asym at infinity, an exponential,
    # is better than every curve on the way.
    with pytest.raises(RuntimeError, match="maxfev"):
        by_scipy(model, x, y, np.asarray(model.guess(x, y)))
    limit = mvopt.models.exponential_growth
    params, _ = by_scipy(limit, x, y, np.asarray(limit.guess(x, y)))
    chi2 = np.sum((functions(limit)[0](x, *params) - y) ** 2)
    assert chi2 < row["chi2"]
