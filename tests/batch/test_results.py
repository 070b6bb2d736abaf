"""The rows of the table of results."""

import numpy as np
import pyarrow as pa
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
    return columns.table(pa.table({"id": list(ids)}), fit, ends)


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
