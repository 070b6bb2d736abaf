"""What cannot be an argument is refused in a line that says what to do; what can be is taken."""

import datetime
from decimal import Decimal

import jax.numpy as jnp
import numpy as np
import pytest

import mvopt
from mvopt import BFGS, Status, curve_fit, least_squares, minimize, quadratic_program, root

X = np.linspace(0, 1, 10)
Y = 2 * X + 1


def line(x, p):
    return p[0] * x + p[1]


def square(p, *args):
    return jnp.sum(p**2)


def fit(x=X, y=Y, p0=(1.0, 1.0), model=line, **options):
    return curve_fit(model, x, y, p0, **options)


REFUSED = {
    "a negative number of steps": (lambda: minimize(square, [1.0], max_steps=-1), "max_steps=-1"),
    "half a step": (lambda: root(square, 1.0, max_steps=1.5), "max_steps=1.5"),
    "NaN steps": (lambda: fit(max_steps=float("nan")), "max_steps=nan"),
    "no step": (lambda: quadratic_program(np.eye(2), np.ones(2), max_steps=0), "max_steps=0"),
    "a solver's class": (lambda: minimize(square, [1.0], solver=BFGS), r"write BFGS\(\)"),
    "a class with constraints": (
        lambda: minimize(square, [1.0], solver=mvopt.InteriorPoint, inequality=lambda p: p),
        r"write InteriorPoint\(\)",
    ),
    "a solver's name": (lambda: minimize(square, [1.0], solver="BFGS"), "no solver"),
    "args as a mapping": (lambda: minimize(square, [1.0], args={"a": 1.0}), r"args=\(it,\)"),
    "args as an array": (lambda: root(lambda p, a: p - a, 1.0, np.ones(1)), r"args=\(it,\)"),
    "args as a number, with constraints": (
        lambda: minimize(square, [1.0], 1.0, equality=lambda p, a: p),
        r"args=\(it,\)",
    ),
    "a model without a value": (lambda: fit(model=lambda x, p: None), "return one array"),
    "a model with two": (lambda: fit(model=lambda x, p: (x, x)), "return one array"),
    "no parameters": (lambda: fit(p0=[]), "p0 is empty"),
    "no unknowns": (lambda: minimize(square, []), "x0 holds no number"),
    "no unknowns of equations": (lambda: root(lambda p: p, None), "x0 holds no number"),
    "an objective of two values": (lambda: minimize(lambda p: (p[0], 1), [1.0]), "has_aux=True"),
    "an objective without a value": (lambda: minimize(lambda p: None, [1.0]), "returns None"),
    "no data": (lambda: fit([], []), "y is empty"),
    "no y": (lambda: fit(y=None), "y is None"),
    "bounds of another name": (
        lambda: least_squares(lambda p: p["a"], {"a": 1.0}, bounds=({"b": 0.0}, None)),
        "bounds hold b",
    ),
}
NO_NUMBERS = {
    "objects": (lambda: fit(X.astype(object)), "x: "),
    "decimals": (lambda: fit(y=[Decimal(1)] * 10), "y: "),
    "texts": (lambda: fit(sigma=np.array(["1"] * 10)), "sigma: "),
    "an object in args": (lambda: minimize(square, [1.0], (object(),)), r"args\[0\]: "),
    "a text in a batch": (lambda: minimize(square, X, (X.astype(str),), in_axes=0), r"args\[0\]: "),
    "a text as start": (lambda: minimize(square, "abc"), "abc"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused_with_a_line_that_says_what_to_do(name):
    call, words = REFUSED[name]
    with pytest.raises((TypeError, ValueError), match=words) as caught:
        call()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", NO_NUMBERS)
def test_what_is_no_number_is_named(name):
    call, place = NO_NUMBERS[name]
    with pytest.raises(TypeError, match=place + ".*no array of numbers"):
        call()


@pytest.mark.parametrize("form", ["dates", "list of dates", "durations", "list of durations"])
def test_times_are_seconds(form):
    """Dates since the earliest of them, whatever their order."""
    seconds = np.array([30, 0, 10, 20, 40, 70, 50, 60])
    begin = datetime.datetime(2024, 2, 29, 12)
    durations = [datetime.timedelta(seconds=int(s)) for s in seconds]
    x = {
        "dates": np.datetime64(begin) + seconds.astype("timedelta64[s]"),
        "list of dates": [begin + each for each in durations],
        "durations": seconds.astype("timedelta64[s]"),
        "list of durations": durations,
    }[form]
    found = fit(x, 0.25 * seconds + 3)
    np.testing.assert_allclose(found.params, [0.25, 3], rtol=1e-10)


def test_bounds_for_some_of_the_params():
    """A key that is left out or None is unbounded, and so is a side."""

    def distance(p):
        return (p["a"] - 2) ** 2 + (p["b"] + 3) ** 2

    start = {"a": 0.5, "b": 0.5}
    for bounds in (({"a": 0.0}, {"a": 1.0}), (None, {"a": 1.0, "b": None})):
        found = minimize(distance, start, bounds=bounds)
        np.testing.assert_allclose([found.params["a"], found.params["b"]], [1, -3], atol=1e-7)

    model = lambda x, p: p["a"] * x + p["b"]
    found = fit(p0=start, model=model, bounds=({"b": 1.5}, None))
    np.testing.assert_allclose(found.params["b"], 1.5)
    assert found.status == Status.CONVERGED


def test_params_of_any_structure_and_dtype():
    nested = {"a": {"b": np.float32(1.0)}, "c": [np.zeros(1), 0]}
    found = fit(p0=nested, model=lambda x, p: p["a"]["b"] * x + p["c"][0] + 0 * p["c"][1])
    np.testing.assert_allclose([found.params["a"]["b"], found.params["c"][0][0]], [2, 1], rtol=1e-9)
