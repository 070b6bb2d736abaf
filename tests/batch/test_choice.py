"""The chosen model with its starts, bounds and fixed parameters."""

import sys

import jax.numpy as jnp
import numpy as np
import pytest

from mvopt._errors import InputError
from mvopt.batch.choice import choose
from mvopt.batch.config import Config

X = jnp.array([1.0, 2.0, 3.0])


def chosen(model, parameters=None, num_x=1):
    data = {"path": "a.csv", "x": "x", "y": "y"}
    content = {"data": data, "model": model, "parameters": parameters or {}}
    return choose(Config.model_validate(content), num_x)


def test_a_named_model_leaves_missing_starts_to_its_guess():
    choice = chosen({"name": "linear"}, {"intercept": {"init": 2, "fixed": True, "max": 3}})
    assert choice.names == ("slope", "intercept")
    assert np.isnan(choice.start[0])
    assert choice.start[1] == 2
    assert choice.bounds[1].tolist() == [np.inf, 3]
    assert choice.fixed == ("intercept",)


def test_ties_and_priors():
    limits = {"b": {"tied": "2*a"}, "c": {"prior": [1, 0.5]}}
    choice = chosen({"expression": "a*x + b + c*x**2"}, limits)
    assert choice.tied == {"b": "2*a"}
    means, deviations = choice.prior
    assert (means[2], deviations.tolist()) == (1, [np.inf, np.inf, 0.5])
    for formula, remedy in (("2*d", "parameters are"), ("2*c", "need each other"), ("2*", "2*")):
        both = {"b": {"tied": formula}, "c": {"tied": "b"}}
        with pytest.raises(InputError, match=r"\[parameters\]") as caught:
            chosen({"expression": "a*x + b + c*x**2"}, both)
        assert remedy in str(caught.value)


def test_an_expression_is_guessed_within_its_bounds():
    limits = {"b": {"min": 2, "max": 4}, "c": {"max": -5}, "d": {"init": 9}}
    choice = chosen({"expression": "a + b*x + c*x**2 + d*x**3"}, limits)
    assert np.isnan(choice.start[:3]).all()
    assert choice.start[3] == 9
    x = jnp.linspace(-1.0, 1.0, 9)
    start = choice.model.guess(x, 1 + 3 * x - 7 * x**2)
    np.testing.assert_allclose(start, [1, 3, -7, 0], atol=1e-3)
    assert chosen({"expression": "a*x"}).bounds is None


def test_the_guess_of_an_expression_goes_with_what_is_fixed():
    choice = chosen({"expression": "a*exp(-b*x)"}, {"b": {"init": 2, "fixed": True}})
    x = jnp.linspace(0.0, 1.0, 9)
    start = choice.model.guess(x, 5 * jnp.exp(-2 * x))
    np.testing.assert_allclose(start, [5, 2], rtol=1e-3)


def test_a_function_starts_at_one_or_between_its_bounds(module):
    model = {"function": f"{module}:curve", "parameters": ["a", "b"]}
    limits = [{"min": 2, "max": 4}, {"max": -5}, {"min": 7}, {"init": 9}, {}]
    starts = [chosen(model, {"a": limit}).start[0] for limit in limits]
    assert starts == [3, -6, 8, 9, 1]


def test_a_polynomial_by_its_degree():
    assert chosen({"name": "polynomial", "degree": 2}).names == ("c0", "c1", "c2")


@pytest.fixture
def module(tmp_path, monkeypatch):
    text = """
def curve(x, params):
    a, b = params
    return a + b * x

def total(x, params):
    return (params[0] * x).sum()

number = 3
"""
    (tmp_path / "own_curves.py").write_text(text)
    (tmp_path / "own_broken.py").write_text("def (")
    monkeypatch.chdir(tmp_path)
    yield "own_curves"
    sys.modules.pop("own_curves", None)


def test_a_function_of_the_current_folder(module):
    path = list(sys.path)
    choice = chosen({"function": f"{module}:curve", "parameters": ["a", "b"]})
    assert choice.names == ("a", "b")
    assert choice.model(X, jnp.array([1.0, 2.0])).tolist() == [3, 5, 7]
    assert sys.path == path


def test_a_function_that_is_a_model_brings_its_names():
    choice = chosen({"function": "mvopt.regression.models:gaussian"})
    assert choice.names == ("amplitude", "center", "sigma")


BAD = [
    ({"name": "linera"}, {}, 1, "name = 'linera' is not a model: did you mean linear?"),
    ({"name": "polynomial"}, {}, 1, "degree is missing"),
    ({"name": "linear", "degree": 1}, {}, 1, "degree is only for"),
    (
        {"name": "linear"},
        {"slpoe": {"init": 1}},
        1,
        "[parameters.slpoe] is not one of the model's 2 parameters (slope, intercept)",
    ),
    ({"name": "gaussian2d"}, {}, 1, "2 independent variables"),
    ({"name": "linear"}, {}, 2, "1 independent variables"),
    ({"expression": "a.b"}, {}, 1, "attribute"),
    ({"expression": "2*x"}, {}, 1, "no parameter"),
    ({"expression": "a*x"}, {}, 2, "write x0, x1"),
    ({"expression": "a*x"}, {"b": {}}, 1, "1 parameters (a)"),
    ({"function": "own_curves"}, {}, 1, "no such function"),
    ({"function": "own_curves:number", "parameters": ["a"]}, {}, 1, "no such function"),
    ({"function": "own_curves:curve"}, {}, 1, "parameters is missing"),
    ({"function": "own_curves:curve", "parameters": ["a"]}, {}, 1, "fails with 1 parameters"),
    ({"function": "own_curves:total", "parameters": ["a"]}, {}, 1, "returns shape ()"),
    ({"function": "own_broken:f", "parameters": ["a"]}, {}, 1, "cannot be imported"),
    ({"function": "own_none:f", "parameters": ["a"]}, {}, 1, "cannot be imported"),
    ({"function": ":f", "parameters": ["a"]}, {}, 1, "cannot be imported"),
    ({"function": "mvopt.regression.models:linear", "parameters": ["a"]}, {}, 1, "slope"),
]


@pytest.mark.parametrize(("model", "parameters", "num_x", "words"), BAD, ids=range(len(BAD)))
def test_bad_choices(module, model, parameters, num_x, words):
    with pytest.raises(InputError) as caught:
        chosen(model, parameters, num_x)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
