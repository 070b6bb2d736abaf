"""The summary of a run from its parts: counts, a sample, the worst rows."""

import numpy as np
import pyarrow as pa

from mvopt.batch import summary
from mvopt.batch.summary import summarize


def parts(chi2, status, sizes):
    rows = pa.table(
        {
            "id": np.arange(len(chi2)),
            "a": np.asarray(chi2) + 100,
            "reduced_chi2": chi2,
            "status": status,
        }
    )
    ends = np.cumsum(sizes)
    return [rows.slice(end - size, size) for end, size in zip(ends, sizes, strict=True)]


def test_the_worst_do_not_depend_on_the_parts():
    rng = np.random.default_rng(1)
    chi2 = rng.integers(0, 12, 90).astype(float)  # with many that are as bad as others
    chi2[[5, 50]] = np.nan
    status = np.full(90, "CONVERGED", object)
    status[[5, 30, 70]] = ["NONFINITE", "MAX_STEPS", "SINGULAR"]
    failed = [70, 30] if chi2[70] > chi2[30] else [30, 70]
    converged = [i for i in np.argsort(-chi2, kind="stable") if status[i] == "CONVERGED"]
    expected = [*failed, 5, *converged][:10]
    for sizes in ([90], [30] * 3, [1] * 90):
        found = summarize(parts(chi2, status, sizes), ["a"])
        assert found.worst["id"].to_pylist() == expected
        assert found.counts == {
            "CONVERGED": 87,
            "MAX_STEPS": 1,
            "NONFINITE": 1,
            "SINGULAR": 1,
        }
        expected_sample = np.sort(chi2[status == "CONVERGED"] + 100)
        np.testing.assert_array_equal(np.sort(found.sample["a"]), expected_sample)


def test_more_rows_than_the_sample_are_drawn_evenly(monkeypatch):
    monkeypatch.setattr(summary, "_SAMPLE", 1000)
    chi2 = np.linspace(0, 1, 20_000)
    found = summarize(parts(chi2, np.full(20_000, "CONVERGED", object), [5000] * 4), ["a"])
    sample = found.sample["reduced_chi2"]
    assert len(sample) == 1000
    assert len(np.unique(sample)) == 1000
    assert np.abs(np.percentile(sample, [25, 50, 75]) - [0.25, 0.5, 0.75]).max() < 0.05
    np.testing.assert_allclose(found.sample["a"], sample + 100)


def test_no_parts():
    assert summarize([], ["a"]).total == 0
