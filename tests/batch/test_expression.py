"""Expressions: what the whitelist allows, and that everything else is one line."""

import random

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mvopt._errors import InputError
from mvopt.regression.expression import FUNCTIONS, parse

X = jnp.linspace(0.1, 0.9, 5)


def test_parameters_in_order_of_first_appearance():
    expression = parse("b*exp(-a*x) + pi*b + x0", ("x",))
    assert expression.names == ("b", "a", "x0")


def test_value_against_numpy():
    expression = parse("a*exp(-b*x)**2 / (1 + x**-2) - sqrt(abs(c)) + e", ("x",))
    a, b, c = 2.0, 0.5, -4.0
    x = np.asarray(X)
    expected = a * np.exp(-b * x) ** 2 / (1 + x**-2.0) - 2 + np.e
    np.testing.assert_allclose(expression(X, jnp.array([a, b, c])), expected, rtol=1e-5)


@pytest.mark.parametrize("name", [n for n, count in FUNCTIONS.items() if count == 1])
def test_every_function_agrees_over_columns_and_as_a_model(name):
    expression = parse(f"a*{name}(x)", ("x",))
    columns = parse(f"a*{name}(x)").over_columns({"a": np.array(2.0), "x": np.asarray(X)})
    np.testing.assert_allclose(expression(X, jnp.array([2.0])), columns, rtol=1e-5)


def test_where_compares():
    expression = parse("where(x < a, minimum(x, 1), maximum(b, 2))", ("x",))
    assert expression(jnp.array([0.0, 3.0]), jnp.array([1.0, 5.0])).tolist() == [0.0, 5.0]


def test_several_variables_and_a_constant_model_have_the_shape_of_x():
    two = parse("a*x0 + b*x1", ("x0", "x1"))
    assert two(jnp.stack([X, X]), jnp.array([1.0, 2.0])).shape == X.shape
    assert parse("c", ("x",))(X, jnp.array([1.0])).shape == X.shape


def test_is_a_static_argument_and_differentiable_at_negative_x():
    first, second = parse("a*x**3", ("x",)), parse(" a*x**3 ", ("x",))
    assert first == second
    assert hash(first) == hash(second)
    slope = jax.grad(lambda x: first(x, jnp.array([1.0]))[()])(-2.0)
    assert slope == pytest.approx(12.0)


FORBIDDEN = [
    ("__import__('os').system('true')", "not a function's name"),
    ("__import__('os')", "__import__"),
    ("x.real", "attribute"),
    ("x[0]", "subscript"),
    ("lambda: 1", "lambda"),
    ("[a for a in x]", "comprehension"),
    ("'text'", "text"),
    ("f'{x}'", "text"),
    ("a if b else c", "if"),
    ("a and b", "and"),
    ("a < b", "comparison"),
    ("where(a, b, c)", "comparison"),
    ("where(a < b < c, 1, 2)", "comparison"),
    ("x ^ 2", "**"),
    ("x // 2", "operator"),
    ("True", "truth"),
    ("1j", "1j"),
    ("(a, b)", "tuple"),
    ("exp(x, x)", "takes 1"),
    ("exp(*x)", "unpacking"),
    ("exp(x=x)", "takes 1"),
    ("exp", "exp(...)"),
    ("exq(x)", "did you mean exp"),
    ("_a", "start with a letter"),
    ("a := b", "position"),
    ("a = b", "position"),
    ("a +", "position"),
    ("9**9**9**9", "not finite"),
    ("1/0", "not finite"),
    ("1e999", "not finite"),
    ("log(-1)", "not finite"),
    ("9" * 1900, "not finite"),
    ("(" * 500 + "x" + ")" * 500, "cannot be read"),
    ("-" * 1900 + "x", "deep"),
    ("+".join(["x"] * 900), "deep"),
    ("x" * 10_000_000, "10,000,000 characters"),
    ("", "empty"),
    ("\0", "cannot be read"),
    ("\ud800", "cannot be read"),
]


@pytest.mark.parametrize(("text", "words"), FORBIDDEN, ids=range(len(FORBIDDEN)))
def test_forbidden_is_one_short_line(text, words):
    with pytest.raises(InputError) as caught:
        parse(text, ("x",))
    message = str(caught.value)
    assert words in message
    assert "\n" not in message
    assert len(message) <= 600


def test_random_text_parses_or_is_an_input_error(float64):
    pieces = [*"+-*/()[]{}.,:;<>=!@#%^&|~'\"\\ \t\n0123456789xab_", "**", "exp", "where", "lambda "]
    pieces += [
        "1e5",
        "if ",
        "else ",
        "for ",
        "in ",
        "not ",
        "0x",
        "b'",
        "f'",
        "\0",
        "é",
        "__class__",
    ]
    chance = random.Random(20240)
    parsed = 0
    for _ in range(1500):
        text = "".join(chance.choices(pieces, k=chance.randint(1, 12)))
        try:
            expression = parse(text, ("x",))
        except InputError:
            continue
        parsed += 1
        assert expression(X, jnp.ones(len(expression.names))).shape == X.shape
    assert parsed > 20


def test_a_comment_ends_with_its_line():
    text = "a*exp(-b*x)  # the decay\n + c # and its end\n# nothing more"
    assert parse(text, ("x",)) == parse("a*exp(-b*x) + c", ("x",))
    assert parse(text, ("x",)).names == ("a", "b", "c")


MICRO, MU = "\u00b5", "\u03bc"


def test_names_are_spelled_as_they_are_given():
    """Python turns the micro sign into the Greek letter, which looks the same."""
    assert parse(f"a*{MICRO}*x", ("x",)).names == ("a", MICRO)
    assert parse(f"a*{MICRO}*x + {MU}", ("x",)).names == ("a", MICRO)
    columns = {f"{MICRO}M": np.array([1.0, np.e])}
    for letter in (MICRO, MU):
        formula = parse(f"log({letter}M)", known=list(columns))
        np.testing.assert_allclose(formula.over_columns(columns), [0, 1])
    assert parse(f"2*{MU}", (MICRO,)).names == ()
