"""The folder of results: parts, the CSV, the record, and what it refuses to overwrite."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as parquet
import pytest

from mvopt._errors import InputError
from mvopt._types import Status
from mvopt.batch import results
from mvopt.regression.fit import Fit

COLUMNS = results.Columns(("a", "b"))


def rows(ids=(1, 2), columns=COLUMNS, ends=None):
    count = len(ids)
    fit = Fit(
        params=np.arange(2.0 * count).reshape(count, 2),
        covariance=np.zeros((count, 2, 2)),
        stderr=np.full((count, 2), np.inf),
        chi2=np.ones(count),
        reduced_chi2=np.ones(count),
        p_value=np.ones(count),
        dof=np.full(count, 3),
        status=np.array([1, 5] * count)[:count],
        num_steps=np.full(count, 4),
        log_likelihood=np.zeros(count),
        num_points=np.full(count, 5),
        num_estimated=np.full(count, 3),
        r_squared=np.ones(count),
    )
    return columns.table(pa.table({"id": list(ids)}), fit, ends, np.full(count, 5))


def test_columns_and_messages():
    table = rows()
    assert table.column_names == COLUMNS.names(["id"])
    assert table["status"].to_pylist() == ["CONVERGED", "SINGULAR"]
    assert table["message"].to_pylist() == [None, Status.SINGULAR.sentence]
    assert table["b"].to_pylist() == [1, 3]
    assert table["num_points"].to_pylist() == [5, 5]


def test_two_columns_of_one_name_are_refused():
    with pytest.raises(InputError, match="two columns a"):
        results.Columns(("a",)).names(["a"])


def test_intervals_and_more_figures_are_columns():
    columns = results.Columns(("a", "b"), intervals=True, figures=("r_squared", "aic"))
    table = rows((7,), columns, (np.array([[-1.0, -2.0]]), np.array([[3.0, 4.0]])))
    assert table.column_names == columns.names(["id"])
    (row,) = table.to_pylist()
    ends = [row[name] for name in ("a_low", "a_high", "b_low", "b_high")]
    assert ends == [-1, 3, -2, 4]
    assert (row["r_squared"], row["aic"]) == (1, 6)


def test_parts_csv_and_record(tmp_path):
    folder = tmp_path / "new" / "out"
    with results.Writer(folder, True, {"config": {}}) as writer:
        writer.write(rows())
        writer.write(rows((3,)))
        writer.finish({"data_sets": 3})
    names = ["fits.csv", "part-00000.parquet", "part-00001.parquet", "run.json"]
    assert sorted(path.name for path in folder.iterdir()) == names
    table = parquet.read_table(folder / "part-00001.parquet")
    assert table["id"].to_pylist() == [3]
    assert pacsv.read_csv(folder / "fits.csv")["id"].to_pylist() == [1, 2, 3]
    record = json.loads((folder / "run.json").read_text())
    assert record["state"] == "finished"
    assert record["parts"] == 2


def test_what_is_written_stays_when_the_run_breaks(tmp_path):
    def broken():
        with results.Writer(tmp_path, True, {}) as writer:
            writer.write(rows())
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        broken()
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["fits.csv", "part-00000.parquet", "run.json"]
    assert json.loads((tmp_path / "run.json").read_text())["state"] == "stopped"


def test_an_earlier_run_is_replaced(tmp_path):
    for count in (2, 1):
        with results.Writer(tmp_path, count == 2, {}) as writer:
            for _ in range(count):
                writer.write(rows())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["part-00000.parquet", "run.json"]


@pytest.mark.parametrize("name", ["thesis.txt", "part-00000.parquet", "run.json"])
def test_files_of_others_are_never_replaced(tmp_path, name):
    (tmp_path / name).write_text("mine")
    with pytest.raises(InputError, match="not of an earlier run"):
        results.Writer(tmp_path, False, {})
    assert (tmp_path / name).read_text() == "mine"


def test_a_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    for folder in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(InputError, match=r"cannot be written .*--out"):
            results.Writer(folder, False, {})
