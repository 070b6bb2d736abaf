"""What a configuration asks of a fit reaches it: the table holds what the library finds."""

import numpy as np
import pyarrow as pa
import pytest

import mvopt
from mvopt import losses
from mvopt.batch.choice import choose
from mvopt.batch.config import Config
from mvopt.batch.fitting import Job, fit_block
from mvopt.batch.sources.opening import open_source

pytestmark = pytest.mark.usefixtures("float64")


@pytest.fixture
def run(tmp_path):
    """The rows of the table for a long table of these columns."""

    def fitted(columns, data, model, **tables):
        path = tmp_path / "a.parquet"
        pa.parquet.write_table(pa.table(columns), path)
        keys = {"path": str(path), "dataset": "id", "x": "x", "y": "y", **data}
        config = Config.model_validate({"data": keys, "model": model, **tables})
        source = open_source(config.data)
        (task,) = source.tasks()
        choice = choose(config, source.num_x)
        return fit_block(Job(choice, config.fit, config.output), task.load()).to_pylist()

    return fitted


def ragged(rng, lengths=(9, 12, 11)):
    """Columns id and x of data sets of these lengths."""
    ids = np.repeat(np.arange(len(lengths)), lengths)
    return ids, rng.uniform(0.1, 3, len(ids))


def check(rows, fit, names):
    """All fits converged, and the first is this one: each length is a compilation."""
    assert {row["status"] for row in rows} == {"CONVERGED"}
    row = rows[0]
    np.testing.assert_allclose([row[name] for name in names], fit.params, rtol=1e-7)
    np.testing.assert_allclose([row[f"{name}_stderr"] for name in names], fit.stderr, rtol=1e-5)


def test_successes_of_trials_with_a_tied_parameter(run):
    rng = np.random.default_rng(3)
    ids, x = ragged(rng)
    trials = rng.integers(20, 40, len(x)).astype(float)
    y = rng.binomial(trials.astype(int), 0.8 * np.exp(-0.4 * x)).astype(float)
    columns = {"id": ids, "x": x, "y": y, "n": trials}
    model = {"expression": "a*exp(-b*x) + c"}
    tied = {"c": {"tied": "a/10"}, "a": {"init": 0.5}, "b": {"init": 0.5}}
    rows = run(columns, {"trials": "n"}, model, fit={"loss": "binomial"}, parameters=tied)
    row = rows[0]
    own = ids == 0
    fit = mvopt.curve_fit(
        mvopt.models.expression("a*exp(-b*x) + c"),
        x[own],
        y[own],
        {"a": 0.5, "b": 0.5, "c": 0.05},
        tied={"c": "a/10"},
        loss=losses.Binomial(trials[own]),
    )
    check(rows, fit, ("a", "b", "c"))
    assert row["c"] == pytest.approx(row["a"] / 10)


def test_errors_in_x_with_a_prior(run):
    rng = np.random.default_rng(4)
    ids, x = ragged(rng)
    y = 3 * np.exp(-x) + rng.normal(0, 0.05, len(x))
    columns = {"id": ids, "x": x + rng.normal(0, 0.1, len(x)), "y": y, "sx": np.full(len(x), 0.1)}
    data = {"sigma": 0.05, "sigma_x": "sx"}
    starts = {"a": {"init": 3, "prior": [3.0, 0.1]}, "b": {"init": 1}}
    fit_table = {"absolute_sigma": True}
    rows = run(columns, data, {"expression": "a*exp(-b*x)"}, fit=fit_table, parameters=starts)
    own = ids == 0
    fit = mvopt.curve_fit(
        mvopt.models.expression("a*exp(-b*x)"),
        columns["x"][own],
        y[own],
        [3.0, 1.0],
        0.05,
        sigma_x=0.1,
        prior={"a": (3.0, 0.1)},
        absolute_sigma=True,
    )
    check(rows, fit, ("a", "b"))


def test_a_robust_loss_with_its_settings_and_other_figures(run):
    rng = np.random.default_rng(5)
    ids, x = ragged(rng)
    y = 1 + 2 * x + rng.normal(0, 0.1, len(x))
    y[::7] += 5
    settings = {"loss": "huber", "threshold": 2.0, "scale": 0.1}
    output = {"intervals": "t", "level": 0.9, "figures": ["r_squared", "bic"]}
    columns = {"id": ids, "x": x, "y": y}
    rows = run(columns, {}, {"name": "linear"}, fit=settings, output=output)
    row = rows[0]
    own = ids == 0
    loss = losses.Huber(2.0, 0.1)
    fit = mvopt.curve_fit(mvopt.models.linear, x[own], y[own], loss=loss)
    check(rows, fit, ("slope", "intercept"))
    low, high = fit.intervals(0.9)
    np.testing.assert_allclose([row["slope_low"], row["slope_high"]], [low[0], high[0]])
    np.testing.assert_allclose([row["r_squared"], row["bic"]], [fit.r_squared, fit.bic])


def test_profile_intervals(run):
    rng = np.random.default_rng(6)
    ids, x = ragged(rng, (12, 11, 12))
    y = 3 * np.exp(-x) + rng.normal(0, 0.1, len(x))
    output, starts = {"intervals": "profile"}, {"a": {"init": 1}, "b": {"init": 1}}
    tied = {"c": {"tied": "0*a"}}
    model = {"expression": "a*exp(-b*x) + c"}
    rows = run({"id": ids, "x": x, "y": y}, {}, model, output=output, parameters={**starts, **tied})
    row = rows[0]
    own = ids == 0
    regression = mvopt.Regression(
        mvopt.models.expression("a*exp(-b*x)"), x[own], y[own], [1.0, 1.0]
    )
    found = regression.intervals(regression.fit())
    ends = [[row["a_low"], row["b_low"]], [row["a_high"], row["b_high"]]]
    np.testing.assert_allclose(ends, [found.lower, found.upper], rtol=1e-5)
    assert np.isnan(row["c_low"])


def test_points_with_a_nan_are_left_out_if_so_wanted(run):
    rng = np.random.default_rng(6)
    ids, x = ragged(rng, (9, 9))
    y = 3 * np.exp(-x) + rng.normal(0, 0.05, len(x))
    x[2], y[4] = np.nan, np.nan
    columns, model = {"id": ids, "x": x, "y": y}, {"expression": "a*exp(-b*x)"}
    parameters = {"a": {"init": 1.0}, "b": {"init": 1.0}}
    row = run(columns, {}, model, parameters=parameters)[0]
    assert row["status"] == "NONFINITE"
    assert np.isnan(row["a"])
    row = run(columns, {}, model, fit={"nan_policy": "omit"}, parameters=parameters)[0]
    kept = np.isfinite(x) & np.isfinite(y) & (ids == 0)
    fit = mvopt.curve_fit(lambda x, p: p[0] * np.e ** (-p[1] * x), x[kept], y[kept], [1.0, 1.0])
    assert row["num_points"] == 7
    np.testing.assert_allclose([row["a"], row["b"]], fit.params, rtol=1e-7)
