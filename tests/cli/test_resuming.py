"""The command: a run that is broken off and goes on, inputs that change, shards of a run."""

import json
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as parquet
import pytest
from runs import CONFIG, assert_one_line, decays, edit, invoke, lines

from mvopt._errors import InputError
from mvopt.batch import blocks, fitting
from mvopt.batch.sources import tables


@pytest.fixture
def many(tmp_path, monkeypatch):
    """Nine data sets of one length in blocks of two, whose run can be broken off."""
    monkeypatch.setattr(blocks, "_DATA_SETS_A_BLOCK", 2)
    y = decays(9, np.random.default_rng(11))
    (tmp_path / "a.csv").write_text(lines(y, range(9)))
    (tmp_path / "c.toml").write_text(CONFIG)
    return tmp_path


def break_off(monkeypatch, after, error):
    """Let the block after so many fail."""
    fit_block, calls = fitting.fit_block, []

    def breaking(job, data):
        calls.append(len(data))
        if len(calls) > after:
            raise error
        return fit_block(job, data)

    monkeypatch.setattr(fitting, "fit_block", breaking)


def table(folder):
    """All parts, as arrays: Arrow's own comparison takes NaN for unequal."""
    whole = pa.concat_tables(parquet.read_table(path) for path in sorted(folder.glob("*.parquet")))
    return {name: whole[name].to_numpy() for name in whole.column_names}


@pytest.mark.parametrize("error", [KeyboardInterrupt(), InputError("cut off")])
def test_a_run_that_is_stopped_goes_on_to_the_same_table(many, monkeypatch, error):
    assert invoke("fit", "c.toml", "--out", "whole").exit_code == 0
    with monkeypatch.context() as patch:
        break_off(patch, 2, error)
        result = invoke("fit", "c.toml")
    assert result.exit_code == 2
    assert "Traceback" not in result.output
    assert json.loads((many / "out" / "run.json").read_text())["state"] == "stopped"
    assert len(list((many / "out").glob("*.parquet"))) == 2
    assert "--resume" in invoke("fit", "c.toml").stderr
    with monkeypatch.context() as patch:
        break_off(patch, 3, AssertionError("a block was fitted again"))
        result = invoke("fit", "c.toml", "--resume")
    assert result.exit_code == 0, result.output
    assert "9 of 9 data sets converged" in result.output
    np.testing.assert_equal(table(many / "out"), table(many / "whole"))
    assert pacsv.read_csv(many / "out" / "fits.csv").num_rows == 9
    again = invoke("fit", "c.toml", "--resume")  # nothing is left to do
    assert again.exit_code == 0
    assert "9 of 9 data sets converged" in again.output


def assert_ended(result, words):
    """One line, below that of the progress."""
    assert result.exit_code == 2
    *progress, said = result.stderr.splitlines()
    assert said.startswith("mvopt: ")
    assert all(line.startswith("fitting") for line in progress)
    for word in words:
        assert word in said


def test_a_file_that_vanishes_while_it_is_read(many, monkeypatch):
    monkeypatch.setattr(tables, "_SMALL_BYTES", 0)
    monkeypatch.setattr(tables, "_CSV_BLOCK_BYTES", 400)
    (many / "in").mkdir()
    y = decays(15, np.random.default_rng(12))
    for name, part in (("a.csv", slice(0, 12)), ("b.csv", slice(12, 15))):
        (many / "in" / name).write_text(lines(y[part], range(part.start, part.stop)))
    edit(many / "c.toml", '"a.csv"', '"in"')
    assert invoke("fit", "c.toml", "--out", "whole").exit_code == 0
    fit_block = fitting.fit_block

    def vanishing(job, data):
        if (many / "in" / "b.csv").exists():
            (many / "in" / "b.csv").rename(many / "b.csv")
        return fit_block(job, data)

    with monkeypatch.context() as patch:
        patch.setattr(fitting, "fit_block", vanishing)
        assert_ended(invoke("fit", "c.toml"), ("b.csv",))
    whole, kept = (len(list((many / name).glob("*.parquet"))) for name in ("whole", "out"))
    assert kept > 5
    (many / "b.csv").rename(many / "in" / "b.csv")
    with monkeypatch.context() as patch:
        break_off(patch, whole - kept, AssertionError("a block was fitted again"))
        result = invoke("fit", "c.toml", "--resume")
    assert result.exit_code == 0, result.output
    np.testing.assert_equal(table(many / "out"), table(many / "whole"))


def test_a_file_that_goes_away_at_any_other_moment(many, monkeypatch):
    def gone(*_):
        Path("gone.csv").stat()

    monkeypatch.setattr(fitting, "fit_block", gone)
    assert_ended(invoke("fit", "c.toml"), ("gone.csv: No such file", "--resume"))


def test_a_changed_input_or_configuration_is_not_continued(many, monkeypatch):
    with monkeypatch.context() as patch:
        break_off(patch, 2, InputError("cut off"))
        invoke("fit", "c.toml")
    edit(many / "c.toml", "[output]", "[fit]\nmax_steps = 99\n[output]")
    words = ("another origin", "fit: None before", "max_steps", "--restart")
    assert_one_line(invoke("fit", "c.toml", "--resume"), words)
    edit(many / "c.toml", "[fit]\nmax_steps = 99\n", "")
    with (many / "a.csv").open("a") as file:
        file.write("9,1,1\n")
    words = ("another origin", "a.csv.bytes", "--restart")
    assert_one_line(invoke("fit", "c.toml", "--resume"), words)
    assert len(list((many / "out").glob("*.parquet"))) == 2


def test_shards_are_merged_to_the_same_table(many):
    assert invoke("fit", "c.toml", "--out", "whole").exit_code == 0
    for i in (1, 2, 3):
        if i > 1:
            assert "did not finish" in invoke("merge", "out").stderr
        result = invoke("fit", "c.toml", "--shard", f"{i}/3")
        assert result.exit_code == 0, result.output
    result = invoke("merge", "out")
    assert result.exit_code == 0, result.output
    assert "9 data sets" in result.output
    np.testing.assert_equal(table(many / "out"), table(many / "whole"))
    assert not list((many / "out").glob("shard*"))
    record = json.loads((many / "out" / "run.json").read_text())
    assert (record["state"], record["statuses"]) == ("finished", {"CONVERGED": 9})


def test_bad_shards(many):
    for text in ("3", "0/2", "3/2", "a/b"):
        assert_one_line(invoke("fit", "c.toml", "--shard", text), ("--shard", "I/N"))
    assert_one_line(invoke("fit", "c.toml", "--resume", "--restart"), ("exclude each other",))
    assert_one_line(invoke("merge", "nowhere"), ("nowhere", "cannot be read"))
    invoke("fit", "c.toml", "--shard", "1/2")
    edit(many / "c.toml", "[output]", "[fit]\nmax_steps = 99\n[output]")
    invoke("fit", "c.toml", "--shard", "2/2")
    assert_one_line(invoke("merge", "out"), ("do not fit together", "max_steps"))


OWN = CONFIG.replace(
    'expression = "a*exp(-b*x) + c"', 'function = "curves:decay"\nparameters = ["a", "b", "c"]'
)


@pytest.mark.parametrize("edited", ["curves.py", "constants.py"])
def test_a_function_whose_source_has_changed_is_another(many, monkeypatch, edited):
    """Its own file, or one that it imports from beside it."""
    (many / "constants.py").write_text("FACTOR = 1.0\n")
    (many / "curves.py").write_text(
        "import jax.numpy as jnp\nfrom constants import FACTOR\n\n"
        "def decay(x, p):\n    return FACTOR * p[0] * jnp.exp(-p[1] * x) + p[2]\n"
    )
    (many / "c.toml").write_text(OWN)
    for name in ("curves", "constants"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    with monkeypatch.context() as patch:
        break_off(patch, 2, KeyboardInterrupt())
        assert invoke("fit", "c.toml").exit_code == 2
    with (many / edited).open("a") as file:
        file.write("# changed\n")
    assert_one_line(invoke("fit", "c.toml", "--resume"), ["another origin", edited, "--restart"])
    assert invoke("fit", "c.toml", "--restart").exit_code == 0
