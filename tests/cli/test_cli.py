"""The command: a run from file to table, and bad input in one line with exit code 2."""

import json
import os

import numpy as np
import pyarrow.csv as pacsv
import pyarrow.parquet as parquet
import pytest
from runs import X, assert_one_line, decays, edit, invoke


def test_a_run_from_file_to_table(files):
    result = invoke("fit", "c.toml")
    assert result.exit_code == 0, result.output
    assert "3 of 3 data sets converged" in result.output
    table = parquet.read_table(files / "out" / "part-00000.parquet")
    assert table["id"].to_pylist() == ["u", "v", "w"]
    assert table["status"].to_pylist() == ["CONVERGED"] * 3
    assert table["num_points"].to_pylist() == [12] * 3
    assert table["dof"].to_pylist() == [9] * 3
    truth = np.random.default_rng(11).uniform((2, 0.5, 0.1), (4, 1.5, 0.5), (3, 3))
    found = np.stack([table[name].to_numpy() for name in "abc"], axis=1)
    np.testing.assert_allclose(found, truth, atol=0.05)
    assert np.isfinite(table["a_stderr"].to_numpy()).all()
    assert pacsv.read_csv(files / "out" / "fits.csv").num_rows == 3
    assert json.loads((files / "out" / "run.json").read_text())["state"] == "finished"


def test_out_wins_over_the_configuration(files):
    assert invoke("fit", "c.toml", "--out", "other/place").exit_code == 0
    assert (files / "other/place/part-00000.parquet").exists()
    assert not (files / "out").exists()


def test_bad_data_sets_are_rows_and_leave_the_others_alone(files, rounding):
    invoke("fit", "c.toml", "--out", "good")
    text = (files / "a.csv").read_text()
    bad = ["nan,0,nan", *(f"nan,{x},1" for x in X[1:])]
    bad += [f"few,{x},{x}" for x in X[:2]] + [f"empty,{x}," for x in X]
    (files / "a.csv").write_text(text + "\n".join(bad) + "\n")
    result = invoke("fit", "c.toml", "--out", "bad")
    assert result.exit_code == 0, result.output
    good = parquet.read_table(files / "good" / "part-00000.parquet")
    table = parquet.read_table(files / "bad" / "part-00000.parquet")
    assert table.column_names == good.column_names
    for name in good.column_names:  # Arrow's own comparison takes NaN for unequal
        rows = table[name].slice(0, 3).to_numpy(zero_copy_only=False)
        expected = good[name].to_numpy(zero_copy_only=False)
        if rows.dtype.kind == "f":
            np.testing.assert_allclose(rows, expected, rtol=rounding, atol=rounding)
        else:
            np.testing.assert_array_equal(rows, expected)
    assert table["id"].to_pylist()[3:] == ["nan", "few", "empty"]
    assert table["status"].to_pylist()[3:] == ["NONFINITE", "BAD_INPUT", "BAD_INPUT"]
    assert table["num_points"].to_pylist()[3:] == [12, 2, 0]
    assert None not in table["message"].to_pylist()[3:]


def test_a_missing_value_is_as_if_the_point_were_not_there(files):
    path = files / "a.csv"
    rows = path.read_text().splitlines()
    path.write_text("\n".join(rows[:3] + rows[4:]) + "\n")
    invoke("fit", "c.toml", "--out", "dropped")
    rows[3] = rows[3].rsplit(",", 1)[0] + ","
    path.write_text("\n".join(rows) + "\n")
    invoke("fit", "c.toml", "--out", "missing")
    dropped = parquet.read_table(files / "dropped" / "part-00000.parquet")
    missing = parquet.read_table(files / "missing" / "part-00000.parquet")
    assert missing["num_points"].to_pylist() == [11, 12, 12]
    for name in "abc":
        np.testing.assert_allclose(missing[name], dropped[name], rtol=1e-6)


def test_bounds_fixed_parameters_and_sigma(files):
    extra = "[parameters.a]\nmax = 1.5\n[parameters.c]\ninit = 0.25\nfixed = true\n"
    edit(files / "c.toml", "[output]", extra + "[output]")
    edit(files / "c.toml", 'y = "y"', 'y = "y"\nsigma = 0.01')
    assert invoke("fit", "c.toml").exit_code == 0
    table = parquet.read_table(files / "out" / "part-00000.parquet")
    assert (table["a"].to_numpy() <= 1.5).all()
    assert table["c"].to_pylist() == [0.25] * 3
    assert table["c_stderr"].to_pylist() == [0] * 3


@pytest.mark.parametrize("precision", ["float32", "mixed"])
def test_other_precisions(files, precision):
    edit(files / "c.toml", "[output]", f'[fit]\nprecision = "{precision}"\n[output]')
    result = invoke("fit", "c.toml")
    assert result.exit_code == 0, result.output
    table = parquet.read_table(files / "out" / "part-00000.parquet")
    assert table.schema.field("a").type == ("float" if precision == "float32" else "double")


def test_wide_and_long_give_the_same_table(files):
    y = decays(3, np.random.default_rng(11))
    np.save(files / "a.npy", y)
    names = [f"y{i}" for i in range(len(X))]
    body = "\n".join(",".join(map(repr, row)) for row in y.tolist())
    (files / "wide.csv").write_text(",".join(names) + "\n" + body + "\n")
    invoke("fit", "c.toml", "--out", "long")
    expected = parquet.read_table(files / "long" / "part-00000.parquet")
    for name, keys in (("a.npy", ""), ("wide.csv", 'layout = "wide"\ny = "y*"\n')):
        (files / "w.toml").write_text(
            f'[data]\npath = "{name}"\nx = {X.tolist()}\n{keys}'
            '[model]\nexpression = "a*exp(-b*x) + c"\n'
        )
        result = invoke("fit", "w.toml", "--out", name + ".out")
        assert result.exit_code == 0, result.output
        table = parquet.read_table(files / (name + ".out") / "part-00000.parquet")
        assert table["dataset"].to_pylist() == [0, 1, 2]
        for column in ("a", "b", "c", "a_stderr", "chi2"):
            np.testing.assert_allclose(table[column], expected[column], rtol=1e-6)


BAD = [
    ("c.toml", "[output]", "[outputt]", ("[outputt]", "output")),
    ("c.toml", "[output]", "[fit]\nmax_stepz = 3\n[output]", ("[fit] max_stepz", "max_steps")),
    ("c.toml", "[output]", "[fit]\nloss = 'hubber'\n[output]", ("[fit] loss", "linear")),
    ("c.toml", 'y = "y"', 'y = "yy"', ("[data]", "a.csv", "y = 'yy'", "did you mean y?")),
    ("a.csv", "u,0.0,", "u,zero,", ("[data]", "a.csv", "column x", "'zero'", "row 1")),
    ("c.toml", "expression = ", "name = ", ("[model] name", "not a model")),
    ("c.toml", "[output]", "[parameters.d]\ninit = 1\n[output]", ("[parameters.d]", "a, b, c")),
    (
        "c.toml",
        "[output]",
        "[parameters.a]\nmin = 2\nmax = 1\n[output]",
        ("[parameters.a]", "swap"),
    ),
    (
        "c.toml",
        "[output]",
        "[parameters.a]\nmin = 2\ninit = 1\n[output]",
        ("[parameters.a]", "move"),
    ),
    (
        "c.toml",
        "[output]",
        "".join(f"[parameters.{name}]\ninit = 1\nfixed = true\n" for name in "abc") + "[output]",
        ("[parameters]", "leave one free"),
    ),
    ("c.toml", '"a*exp', "\"__import__('os')*exp", ("[model]", "expression", "__import__")),
    ("c.toml", '"a*exp', '"a.real*exp', ("[model]", "expression", "attribute")),
    ("c.toml", '"a*exp', '"' + "a" * 10_000_000 + "*exp", ("[model]", "expression", "under 2,000")),
    ("c.toml", '"out"', '"a.csv/out"', ("[output] path", "cannot be written", "--out")),
    ("c.toml", '"out"', '"."', ("[output] path", "not of an earlier run", "--out")),
]


@pytest.mark.parametrize(("name", "old", "new", "words"), BAD, ids=range(len(BAD)))
def test_bad_input_is_one_line_and_code_2(files, name, old, new, words):
    edit(files / name, old, new)
    result = invoke("fit", "c.toml")
    assert_one_line(result, ("c.toml", *words))


def test_empty_and_missing_files(files):
    (files / "a.csv").write_text("")
    assert_one_line(invoke("fit", "c.toml"), ("c.toml", "[data]", "a.csv", "empty"))
    (files / "a.csv").unlink()
    assert_one_line(invoke("fit", "c.toml"), ("c.toml", "[data] path", "does not exist"))
    assert_one_line(invoke("fit", "d.toml"), ("d.toml", "no such file"))


def test_an_engine_that_is_not_there(files):
    assert_one_line(invoke("fit", "c.toml", "--engine", "ships"), ("--engine ships", "ray"))


def test_models():
    listed = invoke("models")
    assert listed.exit_code == 0
    assert "logistic3 (Asym, xmid, scal)\n" in listed.output
    assert "polynomial" in listed.output
    shown = invoke("models", "michaelis_menten")
    assert "Vm*x/(K + x)" in shown.output
    assert "source: " in shown.output
    assert_one_line(invoke("models", "gausian"), ("gausian", "did you mean gaussian?"))


def test_only_so_many_cores_are_used(files):
    before = os.sched_getaffinity(0)
    try:
        assert invoke("fit", "c.toml", "--devices", "1").exit_code == 0
        assert len(os.sched_getaffinity(0)) == 1
    finally:
        os.sched_setaffinity(0, before)
    assert invoke("fit", "c.toml", "--devices", "0").exit_code == 2
