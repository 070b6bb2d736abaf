"""Fits of frames and labelled arrays: as each data set alone, in the kind that came in."""

import sys

import numpy as np
import pytest
import scipy.stats

import mvopt
from mvopt import Status, tables

narwhals = pytest.importorskip("narwhals")
pandas = pytest.importorskip("pandas")
polars = pytest.importorskip("polars")
pyarrow = pytest.importorskip("pyarrow")
xarray = pytest.importorskip("xarray")

KINDS = {
    # An index of its own must not matter.
    "pandas": lambda data: pandas.DataFrame(data, index=range(7, 7 + len(data["x"]))),
    "nullable": lambda data: pandas.DataFrame(data).convert_dtypes(),
    "polars": polars.DataFrame,
    "arrow": pyarrow.table,
}
# Rows in any order; b appears first. c has too few points that count, and d none.
GROUPS = list("baabbacbabcbad")
X = [3, 0, 1, 0, 1, 4, 1, 2, None, 7, 2, 4, 5, 9]
Y = [4.1, 0.9, 3.2, 1.2, 1.8, 8.7, 1.0, None, 5.0, 8.2, None, float("nan"), 11.2, None]
SIGMA = [0.1, 0.2, 0.1, 0.2, 0.1, 0.3, 0.1, None, 0.1, 0.2, None, 0.1, 0.2, None]
DATA = {"plate": [1] * 14, "well": GROUPS, "x": X, "y": Y, "s": SIGMA}


def straight(x, b):
    return b[0] + b[1] * x


def plane(x, b):
    return b[0] + b[1] * x[0] + b[2] * x[1]


def alone(group):
    """Return x, y and sigma of the points of a group that count."""
    rows = [
        row
        for name, *row in zip(GROUPS, X, Y, SIGMA, strict=True)
        if name == group and row[0] is not None and row[1] is not None and row[1] == row[1]
    ]
    return np.array(rows, float).T


def fit_of(kind, **options):
    frame = KINDS[kind](DATA)
    return tables.fit_table(
        frame, straight, x="x", y="y", sigma="s", p0=[0.0, 1.0], absolute_sigma=True, **options
    )


def rows_of(frame):
    """Return column names, and rows with None for a missing or undefined number."""
    frame = narwhals.from_native(frame, eager_only=True)
    rows = [[None if pandas.isna(each) else each for each in row] for row in frame.rows()]
    return frame.columns, rows


@pytest.mark.parametrize("kind", list(KINDS))
def test_groups_are_fitted_as_each_alone(kind):
    found = fit_of(kind, by=["plate", "well"])
    frame = KINDS[kind](DATA)
    tidy, summary = found.tidy(level=0.9), found.summary()
    assert type(found.ids) is type(tidy) is type(summary) is type(frame)
    assert rows_of(found.ids) == (["plate", "well"], [[1, well] for well in "bacd"])

    columns, rows = rows_of(tidy)
    assert columns == ["plate", "well", "parameter", "estimate", "stderr", "lower", "upper"]
    assert [row[:3] for row in rows] == [[1, well, p] for well in "bacd" for p in ("p0", "p1")]
    for i, well in enumerate("ba"):
        x, y, sigma = alone(well)
        params, covariance = np.polyfit(x, y, 1, w=1 / sigma, cov="unscaled")
        error = np.sqrt(np.diag(covariance))[::-1]
        low, high = scipy.stats.norm.interval(0.9, params[::-1], error)
        expected = np.stack([params[::-1], error, low, high], axis=1)
        numbers = np.array([row[3:] for row in rows[2 * i : 2 * i + 2]])
        np.testing.assert_allclose(numbers, expected, rtol=1e-7)

    columns, rows = rows_of(summary)
    names = "chi2 reduced_chi2 p_value dof aic aicc bic r_squared num_points num_steps".split()
    assert columns == ["plate", "well", "status", "message", *names]
    words = [Status[name] for name in ("CONVERGED", "CONVERGED", "BAD_INPUT", "BAD_INPUT")]
    expected = [[1, well, s.name, s.sentence] for well, s in zip("bacd", words, strict=True)]
    assert [row[:4] for row in rows] == expected
    for well, row in zip("ba", rows[:2], strict=True):
        x, y, sigma = alone(well)
        residual = (y - np.polyval(np.polyfit(x, y, 1, w=1 / sigma), x)) / sigma
        figures = dict(zip(names, row[4:], strict=True))
        assert figures["num_points"] == len(x)
        assert figures["dof"] == len(x) - 2
        assert figures["chi2"] == pytest.approx(residual @ residual)
        p_value = scipy.stats.chi2.sf(residual @ residual, len(x) - 2)
        assert figures["p_value"] == pytest.approx(p_value)
    assert [row[names.index("num_points") + 4] for row in rows[2:]] == [1, 0]


def test_the_fits_can_be_asked_further():
    found = fit_of("polars", by="well")
    assert found.fit.params.shape == (4, 2)
    band = found.regression.band(found.fit, np.array([0.0, 1.0]))
    np.testing.assert_allclose(band.values[0], np.cumsum(found.fit.params[0]))


def test_missing_groups_are_a_group():
    data = {"g": [None, "a", None, "a", None, "a"], "x": [0.0, 0, 1, 1, 2, 2], "y": [1.0] * 6}
    for kind in KINDS:
        frame = KINDS[kind](data)
        found = tables.fit_table(frame, straight, x="x", y="y", by="g", p0=[0.0, 1.0])
        assert rows_of(found.ids)[1] == [[None], ["a"]], kind
        np.testing.assert_array_equal(found.fit.num_points, 3)


def test_several_variables_without_groups():
    x = np.random.default_rng(0).normal(size=(2, 9))
    frame = polars.DataFrame({"u": x[0], "v": x[1], "y": 1 + 2 * x[0] - 3 * x[1]})
    options = {"p0": [0.0, 0.0, 0.0], "precision": "float32"}
    found = tables.fit_table(frame, plane, x=["u", "v"], y="y", **options)
    assert found.ids is None
    assert found.fit.params.dtype == np.float32
    np.testing.assert_allclose(found.fit.params, [[1.0, 2.0, -3.0]], rtol=1e-5)
    assert rows_of(found.tidy())[0][0] == "parameter"
    assert len(rows_of(found.summary())[1]) == 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"x": "time"}, "no column 'time': the frame has plate, well, x, y, s"),
        ({"by": ["well", "day"]}, "no column 'day': the frame has"),
        ({"y": "well"}, "column 'well' holds String: cast it to numbers; numbers are in plate, x"),
        ({"mask": [True]}, "mask is not for tables: filter the rows"),
        ({"in_axes": 0}, "in_axes is not for tables"),
        ({"frame": polars.DataFrame(DATA).lazy()}, r"LazyFrame is no frame .*collect\(\) a lazy"),
        ({"frame": polars.DataFrame(DATA).clear()}, "no rows"),
        (
            {"frame": polars.DataFrame(DATA).rename({"well": "status"}), "by": "status"},
            "a column 'status' of their own: rename",
        ),
    ],
    ids=["x", "by", "text", "mask", "in_axes", "lazy", "empty", "clash"],
)
def test_what_cannot_be_fitted_is_named(change, message):
    arguments = {"frame": polars.DataFrame(DATA), "x": "x", "y": "y", "p0": [0.0, 1.0]} | change
    with pytest.raises(ValueError, match=message):
        tables.fit_table(arguments.pop("frame"), straight, **arguments)


@pytest.mark.parametrize("kind", list(KINDS))
def test_columns_go_straight_into_a_fit(kind):
    x, y, sigma = alone("a")
    used = np.array([True, True, True, False])
    columns = KINDS[kind]({"x": x, "y": y, "s": sigma, "m": used})
    fits = [
        mvopt.curve_fit(straight, x, y, [0.0, 1.0], s, mask=m)
        for x, y, s, m in (
            (columns["x"], columns["y"], columns["s"], columns["m"]),
            (x, y, sigma, used),
        )
    ]
    np.testing.assert_array_equal(fits[0].params, fits[1].params)


TIMES = np.array([0.0, 1.0, 2.0, 4.0, 7.0])


def image():
    """Return lines over time for 2 × 3 places, the time in the middle, and their parameters."""
    rng = np.random.default_rng(1)
    truth = rng.normal(size=(2, 3, 2))
    values = truth[..., :1] + truth[..., 1:] * TIMES + 0.1 * rng.normal(size=(2, 3, 5))
    values[1, 2, 3] = np.nan
    coords = {"time": TIMES, "row": [10, 20], "name": ("column", list("pqr")), "run": 4}
    array = xarray.DataArray(values, coords, ("row", "column", "time"))
    return array.transpose("row", "time", "column"), values


def expected_of(values, sigma):
    used = ~np.isnan(values)
    weights = np.broadcast_to(1 / np.asarray(sigma), values.shape)[used]
    return np.polyfit(TIMES[used], values[used], 1, w=weights, cov="unscaled")


@pytest.mark.parametrize("kind", ["own", "time"])
def test_an_array_is_fitted_along_a_dimension(kind):
    array, values = image()
    by_row, by_time = np.array([0.1, 0.2]), np.linspace(0.1, 0.3, 5)
    # The order of the labels is not that of the array.
    own = xarray.DataArray(by_row[::-1], {"row": [20, 10]}, "row")
    sigma = {"own": own, "time": xarray.DataArray(by_time, dims="time")}[kind]
    found = tables.fit_array(
        array, straight, "time", sigma=sigma, p0=[0.0, 1.0], absolute_sigma=True
    )
    assert found["params"].dims == ("row", "column", "param")
    assert found["covariance"].dims == ("row", "column", "cov_i", "cov_j")
    assert list(found["param"].values) == ["p0", "p1"]
    assert list(found["row"].values) == [10, 20]
    assert list(found["name"].values) == list("pqr")
    assert int(found["run"]) == 4
    assert "time" not in found.coords
    for i, j in np.ndindex(2, 3):
        size = {"own": by_row[i], "time": by_time}[kind]
        params, covariance = expected_of(values[i, j], size)
        np.testing.assert_allclose(found["params"][i, j], params[::-1], rtol=1e-7)
        np.testing.assert_allclose(found["covariance"][i, j], covariance[::-1, ::-1], rtol=1e-7)
        np.testing.assert_allclose(found["stderr"][i, j] ** 2, np.diag(covariance)[::-1], rtol=1e-7)
    np.testing.assert_array_equal(found["dof"], [[3, 3, 3], [3, 3, 2]])
    meanings = found["status"].attrs["flag_meanings"].split()
    values_of_flags = found["status"].attrs["flag_values"]
    assert meanings[values_of_flags.index(int(found["status"][0, 0]))] == "CONVERGED"


def test_an_array_of_one_dimension():
    array, values = image()
    found = tables.fit_array(
        array[0, :, 0], straight, "time", sigma=0.1, p0=[0.0, 1.0], absolute_sigma=True
    )
    assert found["chi2"].shape == ()
    assert found["params"].dims == ("param",)
    params, covariance = expected_of(values[0, 0], 0.1)
    np.testing.assert_allclose(found["params"], params[::-1], rtol=1e-7)
    np.testing.assert_allclose(found["covariance"], covariance[::-1, ::-1], rtol=1e-7)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"dim": "t"}, "no dimension 't': the array has row, time, column"),
        ({"mask": True}, "set the points to leave out to NaN"),
        ({"sigma": xarray.DataArray([0.1], dims="z")}, "sigma has the dimensions z, but the array"),
        ({"array": image()[0].rename(row="param")}, "the results have dimensions param: rename"),
        (
            {"array": image()[0].assign_coords(time=TIMES.astype("datetime64[s]"))},
            r"'time' holds datetime64\[s\]: replace it by numbers",
        ),
    ],
    ids=["dim", "mask", "sigma", "clash", "times"],
)
def test_arrays_that_cannot_be_fitted_are_named(change, message):
    arguments = {"array": image()[0], "dim": "time", "p0": [0.0, 1.0]} | change
    with pytest.raises(ValueError, match=message):
        tables.fit_array(arguments.pop("array"), straight, arguments.pop("dim"), **arguments)


@pytest.mark.parametrize(
    ("package", "extra", "fit"),
    [
        ("narwhals", "tables", lambda: tables.fit_table(DATA, straight, x="x", y="y")),
        ("xarray", "xarray", lambda: tables.fit_array(image()[0], straight, "time")),
    ],
)
def test_without_a_package_the_extra_is_named(package, extra, fit, monkeypatch):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ImportError, match=rf"pip install 'mvopt\[{extra}\]'"):
        fit()
