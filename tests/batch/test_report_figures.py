"""What the report gathers from the parts of a run, and the figures it makes of that."""

import base64
import json
import re

import numpy as np
import plotly.graph_objects as go
import pyarrow as pa
import pyarrow.parquet as parquet
import pytest
import scipy.stats

from mvopt import Status
from mvopt._errors import InputError
from mvopt.batch.report import figures, gathering
from mvopt.batch.report.images import NOTHING, open_images
from mvopt.batch.report.ranges import shown_range
from mvopt.batch.results import Columns


def unpacked(array):
    return np.frombuffer(base64.b64decode(array["bdata"]), array["dtype"])


# What is gathered.


def test_counts_best_and_worst_are_exact_and_the_sample_bounded(tmp_path, monkeypatch):
    rng = np.random.default_rng(3)
    monkeypatch.setattr(gathering, "SAMPLE", 200)
    chi2 = rng.gamma(3, 1, (10, 300))
    codes = rng.choice([1, 1, 1, 2, 4], chi2.shape)
    chi2[codes == 4] = np.nan
    numbers = np.arange(chi2.size).reshape(chi2.shape)
    for i in range(10):
        part = pa.table(
            {
                "dataset": numbers[i],
                "a": 1.0 + numbers[i],
                "a_stderr": np.ones(300),
                "chi2": chi2[i],
                "reduced_chi2": chi2[i],
                "p_value": np.full(300, 0.5),
                "status": [Status(code).name for code in codes[i]],
            }
        )
        parquet.write_table(part, tmp_path / f"part-{i:05d}.parquet")

    found = gathering.gather(tmp_path)

    assert found.counts == {
        name: int((codes == Status[name]).sum()) for name in ("CONVERGED", "MAX_STEPS", "NONFINITE")
    }
    good = np.where(codes == 1, chi2, np.nan)
    order = np.argsort(good, axis=None)[: found.converged]
    as_places = lambda flat: [divmod(int(each), 300) for each in flat]
    assert found.chosen["best"] == as_places(order[:12])
    assert found.chosen["worst"] == as_places(order[:-13:-1])
    assert found.chosen["MAX_STEPS"] == as_places(np.flatnonzero(codes == 2)[:6])
    assert found.chosen["NONFINITE"] == as_places(np.flatnonzero(codes == 4)[:6])
    assert "CONVERGED" not in found.chosen
    assert found.sample.shape == (200, 3)
    drawn = found.sample[:, 0].astype(int) - 1
    assert len(set(drawn)) == 200
    assert (codes.ravel()[drawn] == 1).all()
    np.testing.assert_array_equal(found.sample[:, 1], chi2.ravel()[drawn])
    # Each part has about the same share of it.
    assert scipy.stats.chisquare(np.bincount(drawn // 300, minlength=10)).pvalue > 0.001
    middle = [chi2[place] for place in found.chosen["typical"]]
    distance = np.sort(np.abs(found.sample[:, 1] - np.median(found.sample[:, 1])))
    np.testing.assert_allclose(np.abs(middle - np.median(found.sample[:, 1])), distance[:12])


def test_the_columns_are_told_from_their_order():
    names = ["plate", "a_stderr", "b", "b_stderr", "b_low", "b_high", "c", "c_stderr", "chi2"]
    names += ["reduced_chi2", "p_value", "dof", "status"]
    found = gathering.layout_of(pa.schema([(name, pa.float64()) for name in names]))
    assert found == gathering.Layout(["plate", "a_stderr"], ["b", "c"])
    with pytest.raises(InputError, match="no table of fits"):
        gathering.layout_of(pa.schema([("chi2", pa.float64())]))


@pytest.mark.parametrize("intervals", [False, True])
def test_the_columns_are_those_that_the_command_writes(intervals):
    columns = Columns(("a", "b"), intervals, ("aic", "r_squared"))
    names = columns.names(["row", "column"])
    found = gathering.layout_of(pa.schema([(name, pa.float64()) for name in names]))
    assert found == gathering.Layout(["row", "column"], ["a", "b"])


def images_of(tmp_path, ids, num_figures=1):
    file = tmp_path / "ids.parquet"
    parquet.write_table(pa.table(ids), file)
    return open_images([parquet.read_metadata(file)], list(ids), num_figures)


def test_a_map_puts_each_data_set_in_its_place(tmp_path):
    row, column = (each.ravel() for each in np.mgrid[5:9, -2:4])
    values = 100.0 * row + column
    status = np.where(row == 8, Status.STALLED, Status.CONVERGED)
    table = {"row": row, "column": column}
    images = images_of(tmp_path, table)
    order = np.random.default_rng(0).permutation(len(row))[:-1]  # one is not there
    shown = np.where(status == Status.CONVERGED, values, np.nan)
    images.add(pa.table(table).take(order), shown[order, None], status[order])
    codes, low, high, log = images.coded(0)
    assert not log
    decoded = np.where(codes == NOTHING, np.nan, low + codes / 254 * (high - low)).ravel()
    expected = np.full(24, np.nan)
    expected[order] = np.clip(shown[order], low, high)
    np.testing.assert_allclose(decoded, expected, atol=(high - low) / 254)
    assert images.status.ravel()[order].tolist() == status[order].tolist()
    found = figures.maps(images, ["a"])
    assert (found["vertical"]["name"], found["vertical"]["first"]) == ("row", 5)
    assert found["maps"][-1]["labels"] == ["CONVERGED", "STALLED"]


def test_a_map_of_decades_shows_logarithms(tmp_path):
    row, column = (each.ravel() for each in np.mgrid[0:20, 0:30])
    images = images_of(tmp_path, {"y": row, "x": column})
    values = 10.0 ** (row - 8)
    images.add(pa.table({"y": row, "x": column}), values[:, None], np.full(600, 1))
    codes, low, high, log = images.coded(0)
    assert log
    decoded = low + codes.ravel() / 254 * (high - low)
    np.testing.assert_allclose(decoded, np.clip(row - 8.0, low, high), atol=(high - low) / 254)


def test_large_volumes_are_thinned_around_the_middle_slice(tmp_path):
    i, j, k = (each.ravel() for each in np.mgrid[0:200, 0:180, 0:41])
    images = images_of(tmp_path, {"i": i, "j": j, "k": k}, num_figures=24)
    slices, vertical, horizontal = images.grid.axes
    assert [axis.name for axis in images.grid.axes] == ["k", "j", "i"]
    assert (vertical.count, horizontal.count) == (180, 200)  # 25 maps leave room for one slice
    assert (slices.first, slices.count) == (20, 1)
    images = images_of(tmp_path, {"i": i, "j": j, "k": k}, num_figures=1)
    slices, *_ = images.grid.axes
    assert (slices.first, slices.step, slices.count) == (0, 3, 14)
    kept = slice(None, None, 97)
    table = pa.table({"i": i[kept], "j": j[kept], "k": k[kept]})
    images.add(table, (1.0 + k[kept])[:, None], np.full(table.num_rows, 1))
    for place, number in enumerate(range(0, 41, 3)):
        values = images.values[0, place]
        assert set(values[np.isfinite(values)]) == {1.0 + number}


@pytest.mark.parametrize(
    "ids",
    [
        {"dataset": np.arange(50)},
        {"plate": list("aabb"), "well": np.arange(4)},
        {"patient": np.arange(50) ** 2, "visit": np.arange(50) % 7},
        {"x": np.array([0.0, 1.0]), "y": np.array([0.0, 1.0])},
    ],
)
def test_other_ids_are_no_image(tmp_path, ids):
    assert images_of(tmp_path, ids) is None


# Figures.


def check_valid(figure):
    """Raise for what Plotly does not know, once the colours of the page are in it."""
    go.Figure(json.loads(re.sub(r'"--\w+"', '"red"', json.dumps(figure))))


def test_a_histogram_counts_what_lies_in_its_range():
    rng = np.random.default_rng(1)
    values = np.concatenate([rng.normal(5, 1, 5000), [1e6, -1e6, np.nan, np.inf]])
    figure, note = figures.histogram(values, line=5.0)
    check_valid(figure)
    edges, counts = (unpacked(figure["data"][0][key]) for key in "xy")
    known = values[np.isfinite(values)]
    inside = known[(known >= edges[0]) & (known <= edges[-1])]
    assert counts[:-1].sum() == len(inside)
    assert note.startswith(f"{len(known) - len(inside)} further out")
    np.testing.assert_array_equal(counts[:-1], np.histogram(inside, edges)[0])
    assert edges[0] > 1
    assert edges[-1] < 9
    assert figure["layout"]["shapes"][0]["x0"] == 5.0


@pytest.mark.parametrize("scale", [1e-200, 1.0, 1e200])
def test_what_is_far_out_is_left_out_but_not_much(scale):
    rng = np.random.default_rng(4)
    normal = rng.normal(0, scale, 10_000)
    assert shown_range(normal) == tuple(np.quantile(normal, [0.005, 0.995]))
    some = np.append(normal, np.full(100, 500 * scale))  # one in a hundred
    assert shown_range(some)[1] < 10 * scale
    many = np.append(normal, np.full(1000, 500 * scale))
    assert shown_range(many)[1] == 500 * scale
    one = np.append(np.zeros(10_000), scale)
    assert shown_range(one) == (0.0, scale)


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (np.random.default_rng(0).uniform(0, 1, 3000), "linear"),
        (np.random.default_rng(0).exponential(1e-9, 3000), "linear"),
        (10 ** np.random.default_rng(0).uniform(-3, 3, 3000), "log"),
        (np.append(10 ** np.random.default_rng(0).uniform(-3, 3, 3000), 0.0), "linear"),
    ],
)
def test_the_axis_is_logarithmic_where_the_values_span_decades(values, kind):
    assert figures.histogram(values)[0]["layout"]["xaxis"]["type"] == kind


def test_nothing_to_draw():
    assert figures.histogram(np.full(5, 2.0)) is None
    assert figures.histogram(np.array([np.nan, np.inf])) is None
    assert figures.p_values(np.full(5, np.nan)) is None
    assert figures.pairs(["a", "b"], np.stack([np.arange(5.0), np.full(5, 2.0)], axis=1)) is None


def test_p_values_with_their_expected_number():
    figure = figures.p_values(np.linspace(0, 1, 1000))
    check_valid(figure)
    assert figure["layout"]["shapes"][0]["y0"] == 50
    assert unpacked(figure["data"][0]["y"])[:-1].tolist() == [50] * 20


def test_pairs_show_each_parameter_over_each_other():
    rng = np.random.default_rng(2)
    values = rng.normal(size=(3000, 8))
    values[:, 1] = 7.0
    figure, about = figures.pairs([f"<p{i}>" for i in range(8)], values)
    check_valid(figure)
    assert about.startswith("the first 6 of 7 parameters that vary, of 375 fits")
    assert len(figure["data"]) == 15
    last = figure["data"][-1]
    np.testing.assert_array_equal(unpacked(last["y"]), values[::8, 6])
    np.testing.assert_array_equal(unpacked(last["x"]), values[::8, 5])
    titles = [
        figure["layout"][last[f"{side}axis"][0] + "axis" + last[f"{side}axis"][1:]] for side in "xy"
    ]
    assert [each["title"]["text"] for each in titles] == ["&lt;p5&gt;", "&lt;p6&gt;"]
