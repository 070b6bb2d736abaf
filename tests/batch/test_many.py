"""`fit_many`: tables of parameters from files and arrays, in the order of the source."""

import jax.numpy as jnp
import numpy as np
import pyarrow as pa
import pyarrow.parquet as parquet
import pytest

import mvopt
from mvopt._errors import InputError
from mvopt.batch import blocks, fitting
from mvopt.batch.fitting import Part
from mvopt.batch.many import _in_order

X = np.linspace(0, 5, 8)
COUNT = 40


def decay(x, params):
    return params[0] * jnp.exp(-params[1] * x)


STARTS = {"height": {"init": 1.0}, "rate": {"init": 1.0, "min": 0.0}}


@pytest.fixture
def truth(monkeypatch):
    """Parameters of data sets in blocks of 16."""
    monkeypatch.setattr(blocks, "_DATA_SETS_A_BLOCK", 16)
    return np.random.default_rng(2).uniform(1, 2, (COUNT, 2))


def values(truth):
    return truth[:, :1] * np.exp(-truth[:, 1:] * X)


def rows(tables):
    whole = pa.concat_tables(tables)
    assert set(whole["status"].to_pylist()) == {"CONVERGED"}
    return np.stack([whole["height"], whole["rate"]], axis=1)


def test_arrays_files_and_functions(truth, tmp_path):
    y = values(truth)
    arrays = {"y": y, "t": X, "name": np.arange(COUNT)}
    tables = list(mvopt.fit_many(decay, arrays, x="t", dataset="name", parameters=STARTS))
    assert [len(table) for table in tables] == [16, 16, 8]
    assert pa.concat_tables(tables)["name"].to_pylist() == list(range(COUNT))
    np.testing.assert_allclose(rows(tables), truth, rtol=1e-7)

    cells = pa.FixedSizeListArray.from_arrays(pa.array(y.ravel()), len(X))
    parquet.write_table(pa.table({"y": cells}), tmp_path / "a.parquet")
    found = mvopt.fit_many(
        decay, tmp_path / "a.parquet", x=X.tolist(), y="y", parameters=STARTS, figures=["aic"]
    )
    tables = list(found)
    assert "aic" in tables[0].column_names
    np.testing.assert_allclose(rows(tables), truth, rtol=1e-7)


def test_what_the_device_cannot_hold_is_fitted_by_halves(truth, monkeypatch):
    whole = fitting._fit_bucket
    sizes = []

    def small_device(bucket, job):
        sizes.append(len(bucket.index))
        if len(bucket.index) > 4:
            raise MemoryError
        return whole(bucket, job)

    monkeypatch.setattr(fitting, "_fit_bucket", small_device)
    found = mvopt.fit_many(decay, {"y": values(truth)[:8], "x": X}, x="x", parameters=STARTS)
    np.testing.assert_allclose(rows(list(found)), truth[:8], rtol=1e-7)
    assert sizes == [8, 4, 4]


def test_errors_other_than_memory_are_raised(truth, monkeypatch):
    def broken(bucket, job):
        raise RuntimeError("broken")

    monkeypatch.setattr(fitting, "_fit_bucket", broken)
    with pytest.raises(RuntimeError, match="broken"):
        list(mvopt.fit_many(decay, {"y": values(truth)}, parameters=STARTS))


@pytest.mark.parametrize(
    ("model", "settings", "words"),
    [
        (decay, {}, "parameters is missing"),
        ("a*exp(-b*x", {}, "expression"),
        ("a*exp(-b*x)", {"losses": "huber"}, "losses is no setting"),
        ("a*exp(-b*x)", {"loss": "hubber"}, "loss: Input should be"),
        ("a*exp(-b*x)", {"y": "z"}, "y = 'z' is no array"),
        ("a*exp(-b*x)", {"parameters": {"c": {}}}, r"\[parameters.c\] is not one of"),
        ("a*exp(-b*x)", {"engine": "ships"}, "--engine ships"),
    ],
)
def test_bad_input(model, settings, words):
    with pytest.raises(InputError, match=words):
        mvopt.fit_many(model, {"y": np.ones((2, 8))}, **settings)


def test_tables_that_are_early_wait():
    early = [(number, Part("abcd"[number], 0.0)) for number in (2, 0, 1, 3)]
    assert list(_in_order(iter(early))) == list("abcd")
