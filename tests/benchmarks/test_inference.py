"""The workload of inference runs in small, and what it counts and marks is right."""

import json

import jax
import numpy as np
import pytest

from benchmarks.workloads import inference, inference_against
from benchmarks.workloads.inference_coverage import held
from benchmarks.workloads.inference_rows import Row

HEIGHTS = {"seed": 178, "people": 2000, "bins": 28, "step_size": 1e-3, "steps": 600}


def test_a_small_configuration(tmp_path):
    before = jax.config.read("jax_enable_x64")
    report = inference.run({"parts": ["heights"], "heights": HEIGHTS}, [])
    assert jax.config.read("jax_enable_x64") == before
    found = {metric.name: metric.value for metric in report.metrics}
    assert found["heights.descent.apart"] < 1e-6
    assert found["heights.steps.apart"] < 1e-6
    assert found["line.curve_fit.apart"] < 1e-10
    assert found["line.linear_fit.apart"] < 1e-10
    assert not report.failed
    report.write(tmp_path / "page")
    assert json.loads((tmp_path / "page.json").read_text())["outcomes"] == {"heights": "measured"}


def test_rows_are_counted_and_a_group_may_be_skipped_or_fail(monkeypatch):
    rows = {
        "given_scale": [Row("close", "scipy", 1.0, 1.0, 0.1), Row("far", "scipy", 2.0, 1.0, 0.1)],
        "shared": [Row("shapes", "scipy", [1.0], [1.0, 2.0], 0.1)],
    }
    monkeypatch.setattr(inference_against, "maker", lambda group, config: lambda: rows[group])
    config = {"parts": ["against"], "against": {"groups": ["given_scale", "shared", "told"]}}
    report = inference.run(config, ["scipy"])
    assert {metric.name: metric.value for metric in report.metrics} == {
        "against.rows": 2,
        "against.beyond": 1,
    }
    assert report.metrics[1].note == "far"
    assert report.outcomes["against.given_scale"] == "measured"
    assert report.outcomes["against.shared"].startswith("failed: ValueError: shapes")
    assert report.outcomes["against.told"] == "skipped: lmfit not asked for"
    assert report.failed


@pytest.mark.parametrize(
    ("ours", "theirs", "unit", "apart", "beyond"),
    [
        ([1.0, 2.0], [1.0, 2.1], None, 0.1 / 2.1, True),
        ([1.0, 2.0], [1.0, 2.1], 10.0, 0.01, False),
        ([0.0, np.inf], [0.0, np.inf], None, 0.0, False),
        ([1.0, np.nan], [1.0, 2.0], None, np.inf, True),
        ([np.inf, 1.0], [2.0, 1.0], None, np.inf, True),
    ],
)
def test_a_row_is_marked_where_it_is_beyond_its_limit(ours, theirs, unit, apart, beyond):
    row = Row("it", "peer", ours, theirs, 0.02, unit)
    assert row.worst()[2] == pytest.approx(apart)
    assert row.beyond is beyond
    assert (row.cells()[-1] == "BEYOND") is beyond


def test_arrays_of_two_shapes_are_not_compared():
    with pytest.raises(ValueError, match="shape"):
        Row("it", "peer", np.zeros((2, 1)), np.zeros(2), 1.0).worst()


def test_coverage_counts_what_holds_the_truth_and_did_converge():
    lower, upper = (
        np.array([[0.0], [2.0], [-np.inf], [0.0]]),
        np.array([[2.0], [3.0], [9.0], [2.0]]),
    )
    found = held("data", "t", 0.5, (lower, upper), np.array([1.0]), [True, True, True, False])
    assert found.shares == [0.5]
    assert found.off == 0
    assert found.chance == pytest.approx(0.25)
    own = held("data", "t", 0.5, (lower, upper), np.array([[1.0], [2.5], [1.0], [1.0]]), [True] * 4)
    assert own.shares == [1.0]
    assert own.cells()[3] == "100.00 (+2.0)"
