"""Starts, and values of fixed parameters, that each data set has in a column."""

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as parquet
import pytest
from click.testing import CliRunner

from mvopt import fit_many
from mvopt._errors import InputError
from mvopt.batch import blocks
from mvopt.cli import main

COUNT, X = 7, np.linspace(0.0, 3.0, 9)
TRUE = np.random.default_rng(5).uniform([1, 0.5, 0.2], [3, 1.5, 0.8], (COUNT, 3))
Y = TRUE[:, :1] * np.exp(-X / TRUE[:, 1:2]) + TRUE[:, 2:]
STARTS = {"rate": TRUE[:, 1], "known": TRUE[:, 2]}
SHUFFLED = np.random.default_rng(6).permutation(COUNT * len(X))


def long(path, starts):
    table = {"id": np.repeat(np.arange(COUNT), len(X)), "x": np.tile(X, COUNT), "y": Y.reshape(-1)}
    table |= {name: np.repeat(values, len(X)) for name, values in starts.items()}
    pacsv.write_csv(pa.table(table).take(SHUFFLED), path / "a.csv")
    return "a.csv", 'dataset = "id"\nx = "x"\ny = "y"'


def wide(path, starts):
    table = {f"y{k}": Y[:, k] for k in range(len(X))} | {"id": np.arange(COUNT)} | starts
    parquet.write_table(pa.table(table), path / "a.parquet")
    return "a.parquet", f'layout = "wide"\ndataset = "id"\ny = "y?"\nx = {X.tolist()}'


def lists(path, starts):
    table = {"y": list(Y), "id": np.arange(COUNT), **starts}
    parquet.write_table(pa.table(table), path / "a.parquet")
    return "a.parquet", f'dataset = "id"\ny = "y"\nx = {X.tolist()}'


def arrays(path, starts):
    np.savez(path / "a.npz", x=X, y=Y, id=np.arange(COUNT), **starts)
    return "a.npz", 'dataset = "id"\nx = "x"'


LAYOUTS = [long, wide, lists, arrays]


def configured(path, layout, parameters, starts=STARTS, model='name = "exponential_decay_offset"'):
    """A configuration with these starts in a column."""
    file, data = layout(path, starts)
    text = f'[data]\npath = "{file}"\n{data}\n[model]\n{model}\n{parameters}\n'
    (path / "c.toml").write_text(text)


def fitted(path, monkeypatch):
    monkeypatch.chdir(path)
    result = CliRunner().invoke(main, ["fit", "c.toml", "--out", "out"])
    assert result.exit_code == 0, result.output
    parts = sorted((path / "out").glob("*.parquet"))
    table = pa.concat_tables(parquet.read_table(part) for part in parts)
    table = table.sort_by("id")
    return {name: np.asarray(table[name].to_pylist()) for name in table.column_names}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_each_data_set_has_its_own(layout, tmp_path, monkeypatch, restored_jax):
    monkeypatch.setattr(blocks, "_DATA_SETS_A_BLOCK", 3)
    keys = '[parameters.decay]\ninit = "rate"\n[parameters.offset]\ninit = "known"\nfixed = true'
    configured(tmp_path, layout, keys)
    found = fitted(tmp_path, monkeypatch)
    assert (found["status"] == "CONVERGED").all()
    np.testing.assert_array_equal(found["offset"], TRUE[:, 2])
    np.testing.assert_array_equal(found["offset_stderr"], 0)
    np.testing.assert_allclose(found["decay"], TRUE[:, 1], rtol=1e-9)


def test_a_fit_begins_at_its_start(tmp_path, monkeypatch, restored_jax):
    # Without a guess; so far from the truth that the first step says where it began.
    model = 'expression = "a*exp(-x/b) + c"\n[fit]\nmax_steps = 1'
    keys = "\n".join(f'[parameters.{p}]\ninit = "{s}"' for p, s in (("a", "one"), ("b", "two")))
    starts = {"one": np.arange(1.0, 8.0), "two": np.full(COUNT, 2.0)}
    configured(tmp_path, wide, keys + "\n[parameters.c]\ninit = 0.5", starts, model)
    found = fitted(tmp_path, monkeypatch)
    np.testing.assert_array_equal(found["a"], starts["one"])
    np.testing.assert_array_equal(found["b"], 2)


@pytest.mark.parametrize("layout", [long, arrays])
def test_a_missing_start_is_guessed_and_a_missing_value_is_not(
    layout, tmp_path, monkeypatch, restored_jax
):
    holes = {name: values.copy() for name, values in STARTS.items()}
    holes["rate"][2] = holes["known"][4] = np.nan
    keys = '[parameters.decay]\ninit = "rate"\n[parameters.offset]\ninit = "known"\nfixed = true'
    configured(tmp_path, layout, keys, holes)
    found = fitted(tmp_path, monkeypatch)
    good = np.arange(COUNT) != 4
    assert (found["status"][good] == "CONVERGED").all()
    np.testing.assert_allclose(found["decay"][good], TRUE[good, 1], rtol=1e-9)
    assert found["status"][4] != "CONVERGED"


def test_from_python(restored_jax):
    parameters = {"offset": {"init": "known", "fixed": True}, "decay": {"init": "rate"}}
    source = {"x": X, "y": Y, **STARTS}
    tables = fit_many("exponential_decay_offset", source, x="x", parameters=parameters)
    found = pa.concat_tables(tables)
    np.testing.assert_array_equal(found["offset"].to_numpy(), TRUE[:, 2])


@pytest.mark.parametrize("layout", LAYOUTS)
def test_an_unknown_column_is_named(layout, tmp_path, monkeypatch, restored_jax):
    configured(tmp_path, layout, '[parameters.decay]\ninit = "rat"')
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(main, ["fit", "c.toml"])
    assert result.exit_code == 2
    assert "init = 'rat' is no" in result.stderr
    assert "did you mean rate" in result.stderr


def test_starts_have_one_number_for_each_data_set():
    for starts, words in (
        (np.ones((COUNT, 2)), r"init has shape \(7, 2\): give \(7,\)"),
        (np.array(list("abcdefg")), "init: the array known holds"),
    ):
        source = {"y": Y, "known": starts}
        with pytest.raises(InputError, match=words):
            fit_many("exponential_decay", source, parameters={"decay": {"init": "known"}})
