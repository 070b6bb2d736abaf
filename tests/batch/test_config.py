"""Configurations: defaults, paths, and one line that names the field and the remedy."""

import math
from pathlib import Path

import pytest

from mvopt._errors import InputError
from mvopt.batch.config import load
from mvopt.least_squares import DEFAULT_MAX_STEPS

BASE = '[data]\npath = "a.csv"\nx = "x"\ny = "y"\n[model]\nname = "linear"\n'


@pytest.fixture
def written(tmp_path):
    (tmp_path / "a.csv").write_text("x,y\n1,2\n")

    def write(text: str) -> Path:
        path = tmp_path / "c.toml"
        path.write_text(text)
        return path

    return write


def test_defaults(written):
    config = load(written(BASE + "[parameters.slope]\ninit = 1\n"))
    assert config.fit.precision == "float64"
    assert config.fit.max_steps == DEFAULT_MAX_STEPS
    assert not config.output.csv
    slope = config.parameters["slope"]
    assert (slope.init, slope.min, slope.max, slope.fixed) == (1.0, -math.inf, math.inf, False)


BAD = [
    (BASE + "[fit]\nmax_stepz = 3", "[fit] max_stepz", "did you mean max_steps?"),
    (BASE + "[fits]\nloss = 'x'", "[fits]", "did you mean fit?"),
    (BASE + "[parameters.a]\nmaximum = 3", "[parameters.a] maximum", "max"),
    (BASE + "[fit]\nmax_steps = 0", "[fit] max_steps = 0", "whole number"),
    (BASE + "[fit]\nmax_steps = '9'", "[fit] max_steps = '9'", "whole number"),
    (BASE + "[fit]\nprecision = 'half'", "[fit] precision", '"float64"'),
    (BASE + "[fit]\nloss = 'hubber'", "[fit] loss = 'hubber'", '"linear"'),
    (BASE + "[output]\ncsv = 'yes'", "[output] csv", "true or false"),
    (BASE.replace('"x"', "3"), "[data] x = 3", "list of numbers"),
    (BASE.replace('"x"', "['x', 3]"), "[data] x", "list of numbers"),
    (BASE.replace('path = "a.csv"', ""), "[data] path", "missing"),
    ("fit = 3\n" + BASE, "[fit]", "table"),
    (BASE + "[parameters]\na = 3", "[parameters.a]", "table"),
    ("[model]\nname = 'linear'", "[data]", "missing"),
    (BASE + "expression = 'a*x'", "[model]", "exactly one"),
    (BASE.replace('name = "linear"', ""), "[model]", "exactly one"),
    (BASE + "parameters = ['a']", "[model] parameters", "function"),
    (BASE + "[parameters.a]\nmin = 3.0\nmax = 1.0", "[parameters.a]", "swap"),
    (BASE + "[parameters.a]\nmin = 3\ninit = 1", "[parameters.a]", "outside"),
    (BASE + "[parameters.a]\nmin = nan", "[parameters.a]", "nan"),
    (BASE + "[parameters.a]\ninit = inf", "[parameters.a]", "finite"),
    (BASE + "[parameters.a]\nfixed = true", "[parameters.a]", "init"),
    (BASE.replace("a.csv", "b.csv"), "[data] path = 'b.csv'", "does not exist"),
    (BASE.replace("a.csv", "b" * 5000), "[data] path = 'bbb", "does not exist"),
    ("[data", "not valid TOML", "correct"),
    (BASE + "[fit]\nthreshold = 2.0", "[fit] threshold", "huber"),
    (BASE + "[fit]\nloss = 'huber'\nscale = 0", "[fit] scale = 0", "above 0"),
    (BASE + "[fit]\nloss = 'tukey'\n[output]\nintervals = 'profile'", "[output] intervals", "'t'"),
    (BASE + "[output]\nlevel = 95", "[output] level = 95", "between 0 and 1"),
    (BASE + "[output]\nfigures = ['aicd']", "[output] figures", "aicc"),
    (BASE.replace("[model]", "trials = 9\n[model]"), "[data] trials", "binomial"),
    (
        BASE.replace("[model]", "sigma = 9\n[model]") + "[fit]\nloss = 'poisson'",
        "[data] sigma",
        "remove",
    ),
    (BASE + "[parameters.slope]\nprior = [1, 2, 3]", "[parameters.slope] prior", "[mean, "),
    (BASE + "[parameters.slope]\nprior = [1, 0]", "[parameters.slope] prior", "above 0"),
    (BASE + "[parameters.slope]\ntied = '2'\nmin = 0", "[parameters.slope]", "remove min"),
    (BASE + "[fit]\nloss = '" + "x" * 10_000_000 + "'\nbad = 1", "[fit] loss", '"linear"'),
]


@pytest.mark.parametrize(("text", "field", "remedy"), BAD, ids=range(len(BAD)))
def test_bad_input_is_one_line(written, text, field, remedy):
    path = written(text)
    with pytest.raises(InputError) as caught:
        load(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert field in message
    assert remedy in message
    assert "\n" not in message
    assert len(message) <= 600


def test_no_file_and_no_text(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        load(tmp_path / "none.toml")
    (tmp_path / "b.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(InputError, match="UTF-8"):
        load(tmp_path / "b.toml")
    with pytest.raises(InputError, match="cannot be read"):
        load(tmp_path)


def test_data_is_looked_for_upwards_and_last_in_the_current_folder(tmp_path, monkeypatch):
    (tmp_path / "top/configs/fit").mkdir(parents=True)
    (tmp_path / "here/data").mkdir(parents=True)
    path = tmp_path / "top/configs/fit/c.toml"
    path.write_text(BASE.replace("a.csv", "data/a.csv"))
    monkeypatch.chdir(tmp_path / "here")
    for place in ("here", "top", "top/configs", "top/configs/fit"):
        folder = tmp_path / place / "data"
        folder.mkdir(exist_ok=True)
        (folder / "a.csv").write_text("x,y\n1,2\n")
        assert load(path).data.path == str(folder / "a.csv")


def test_a_glob_is_found(tmp_path):
    (tmp_path / "part-1.csv").write_text("x,y\n1,2\n")
    (tmp_path / "c.toml").write_text(BASE.replace("a.csv", "part-*.csv"))
    assert load(tmp_path / "c.toml").data.path == str(tmp_path / "part-*.csv")
