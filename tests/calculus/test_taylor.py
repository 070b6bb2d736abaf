"""Taylor series of pytrees: beside sympy's, their arithmetic, and how far they are trusted."""

from itertools import product
from math import factorial, pi, sqrt
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest
import scipy.special
import sympy
from scipy.optimize import brentq

from mvopt import UnsupportedError, jacobian, taylor

# Of jax.numpy or of sympy, by the number of variables: one expansion for all of one number.
FUNCTIONS = {
    2: {
        "exp": lambda m, x, y: m.exp(x * y),
        "sqrt": lambda m, x, y: m.sqrt(x + y**2),
        "quotient": lambda m, x, y: x * y / (x + y),
        "sin": lambda m, x, y: m.sin(x + 2 * y),
        "tanh": lambda m, x, y: m.tanh(x) * m.cos(y),
        "power": lambda m, x, y: x**y,
        "angle": lambda m, x, y: m.atan2(y, x),
    },
    3: {
        "wave": lambda m, x, y, z: x * m.sin(y * z) / z,
        "log": lambda m, x, y, z: m.log(x + y * z),
        "cos": lambda m, x, y, z: m.exp(x - y) * m.cos(z - x),
    },
}
PLACE = [0.5, 0.75, 1.25]  # binary fractions: sympy and JAX get the same numbers
DEGREE = 6

# Of the series of sin and of exp, or of their values.
ALGEBRA = {
    "sum": lambda s, e: 2 + s + e + 0.5,
    "difference": lambda s, e: 2 - (s - e) - 0.5,
    "product": lambda s, e: 2 * (s * e) * np.float64(0.3),
    "quotient": lambda s, e: s / e / 3,
    "reciprocal": lambda s, e: -1 / e,
    "all at once": lambda s, e: (1 - 2 * s) * e / (3 + s * s),
}

AT = {"a": jnp.asarray(0.7), "b": jnp.asarray([1.0, -2.0])}
POINTS = jnp.asarray([0.1, 0.8, -0.4])


def outputs(x):
    return {"sum": x["b"] @ x["b"] * x["a"], "rows": jnp.exp(x["b"] * x["a"])}


def assert_same(found, expected):
    assert jax.tree.structure(found) == jax.tree.structure(expected)
    for one, other in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        assert np.shape(one) == np.shape(other)
        np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-14)


def assert_same_series(found, expected):
    assert found.order == expected.order
    assert_same((found.at, found.series), (expected.at, expected.series))


@pytest.fixture(scope="module")
def given():
    return SimpleNamespace(
        sin_at_zero=taylor(jnp.sin, 0.0, 5),
        sin=taylor(jnp.sin, 0.3, 5),
        exp=taylor(jnp.exp, 0.3, 5),
        tree=taylor(outputs, AT, 3),
        batch=jax.vmap(lambda a: taylor(jnp.sin, a, 4))(POINTS),
    )


def by_sympy(fn, n):
    """All coefficients by powers: exact derivatives, evaluated with 30 digits."""
    x = sympy.symbols(f"x:{n}")
    known = {(0,) * n: fn(sympy, *x)}
    for powers in product(range(DEGREE + 1), repeat=n):
        if 0 < sum(powers) <= DEGREE:
            last = max(np.flatnonzero(powers))
            before = tuple(p - (k == last) for k, p in enumerate(powers))
            known[powers] = known[before].diff(x[last])
    with mpmath.workdps(30):
        of = sympy.lambdify(x, list(known.values()), "mpmath", cse=True)
        values = of(*map(mpmath.mpf, PLACE[:n]))
        scales = [mpmath.fprod(map(mpmath.factorial, powers)) for powers in known]
        return {p: float(v / s) for p, v, s in zip(known, values, scales, strict=True)}


@pytest.mark.parametrize("n", FUNCTIONS)
def test_all_coefficients_are_those_of_sympy(n):
    fn = lambda x: {name: each(jnp, *x) for name, each in FUNCTIONS[n].items()}
    coefficients = taylor(fn, PLACE[:n], DEGREE).coefficients
    for name, each in FUNCTIONS[n].items():
        expected = by_sympy(each, n)
        assert coefficients.keys() == expected.keys()
        for degree in range(DEGREE + 1):
            here = [powers for powers in expected if sum(powers) == degree]
            exact = np.array([expected[powers] for powers in here])
            found = np.array([coefficients[powers][name] for powers in here])
            # What is small by cancellation has the rounding errors of what cancelled.
            size = np.maximum(np.abs(exact), 1e-3 * np.abs(exact).max())
            assert (np.abs(found - exact) <= 1e-12 * size).all(), (name, degree)


def test_one_variable_is_evaluated_at_arrays(given):
    x = np.linspace(-1, 2, 12).reshape(3, 4)
    polynomial = np.polynomial.Polynomial(np.asarray(given.exp.coefficients))
    np.testing.assert_allclose(given.exp(x), polynomial(x - 0.3), rtol=1e-13)


def test_pytrees_are_evaluated_with_axes_in_front(given):
    rng = np.random.default_rng(0)
    x = {"a": rng.normal(size=(2, 3)), "b": rng.normal(size=(2, 3, 2))}
    steps = np.concatenate([(x["a"] - AT["a"])[..., None], x["b"] - AT["b"]], axis=-1)
    expected = {"sum": 0.0, "rows": 0.0}
    for powers, each in given.tree.coefficients.items():
        term = np.prod(steps ** np.array(powers), axis=-1)
        expected["sum"] += term * each["sum"]
        expected["rows"] += term[..., None] * each["rows"]
    assert_same(given.tree(x), expected)
    assert_same(jax.jit(lambda series, x: series(x))(given.tree, x), expected)


def test_arguments_are_passed_on():
    series = taylor(lambda x, k, shift: k * x**2 + shift["by"], 1.0, 2, (3.0, {"by": 0.5}))
    np.testing.assert_allclose(series.coefficients, [3.5, 6, 3])
    assert series.bound(0.0, 3.0, "sampled") < 1e-13


def test_many_points_at_once(given):
    x = POINTS + 0.2
    found = jax.jit(jax.vmap(lambda series, x: series(x)))(given.batch, x)
    each = [taylor(jnp.sin, a, 4) for a in POINTS]
    np.testing.assert_allclose(found, [t(b) for t, b in zip(each, x, strict=True)], rtol=1e-14)
    np.testing.assert_allclose(given.batch.series, [t.series for t in each], rtol=1e-14)


def test_derivatives_of_the_polynomial(given):
    np.testing.assert_allclose(jax.grad(given.sin)(0.9), given.sin.derivative()(0.9), rtol=1e-13)
    x = {"a": jnp.asarray(0.9), "b": jnp.asarray([1.5, -1.0])}
    slopes = given.tree.derivative()
    assert_same(slopes(x), jax.jacfwd(given.tree)(x))
    assert_same_series(slopes, taylor(jacobian(outputs), AT, 2))
    assert_same(slopes.function(x), jax.jacfwd(outputs)(x))


def test_algebra(given):
    fn = lambda x: {name: of(jnp.sin(x), jnp.exp(x)) for name, of in ALGEBRA.items()}
    for name, expected in taylor(fn, 0.3, 5).series.items():
        found = ALGEBRA[name](given.sin, given.exp)
        assert_same(found.series, expected)
        assert_same(found.function(0.8, *found.args), ALGEBRA[name](np.sin(0.8), np.exp(0.8)))


def test_integral_and_the_order_of_a_sum(given):
    found = given.sin.integral()
    np.testing.assert_allclose(found.series[1:], given.sin.series / np.arange(1, 7), rtol=1e-15)
    np.testing.assert_allclose(found(0.35), np.cos(0.3) - np.cos(0.35), rtol=1e-9)
    assert_same(found.bound(0.0, 0.5, "last-term"), abs(found.series[6]) * 0.3**6)
    assert_same_series(found.derivative(), given.sin)
    assert (found + given.sin.derivative()).order == 4


def test_compose(given):
    found = taylor(jnp.exp, jnp.sin(0.3), 5).compose(given.sin)
    fn = lambda x: jnp.exp(jnp.sin(x))
    assert_same_series(found, taylor(fn, 0.3, 5))
    assert_same(found.function(0.8, *found.args), fn(0.8))

    inner = lambda x: {"u": x[0] * x[1], "v": jnp.sin(x[0])}
    outer = lambda v: v["u"] * jnp.exp(v["v"])
    at = jnp.asarray([0.5, 0.75])
    found = taylor(outer, inner(at), 4).compose(taylor(inner, at, 4))
    assert_same_series(found, taylor(lambda x: outer(inner(x)), at, 4))


def test_revert(given):
    assert_same_series(given.sin.revert(), taylor(jnp.arcsin, jnp.sin(0.3), 5))
    identity = given.sin.compose(given.sin.revert()).series
    np.testing.assert_allclose(identity, [np.sin(0.3), 1, 0, 0, 0, 0], atol=1e-14)
    vector = taylor(lambda x: jnp.sin(x[0]), [0.3], 2)
    np.testing.assert_allclose(vector.revert()(jnp.sin(0.3)), [0.3])
    assert vector.compose(vector.revert()).order == 2


def test_outputs_of_other_shapes_are_lined_up(given):
    pair = taylor(lambda x: jnp.stack([x, 2 * x + 5]), 0.3, 2)
    assert_same_series(given.sin * pair, taylor(lambda x: jnp.sin(x) * pair.function(x), 0.3, 2))
    assert_same_series(pair / given.exp, taylor(lambda x: pair.function(x) / jnp.exp(x), 0.3, 2))
    assert_same((np.ones(2) * given.sin).series, jnp.stack([given.sin.series] * 2, axis=-1))


def test_the_last_term_of_polynomials(given):
    np.testing.assert_allclose(given.sin_at_zero.bound(-0.5, 0.7, "last-term"), 0.7**5 / 120)
    fn = lambda x: {"two": x[0] * x[1] - 5 * x[0] ** 2, "one": x[0] - 7, "none": 4.0}
    found = taylor(fn, [0.0, 0.0], 3).bound(-2.0, [1.0, 3.0], "last-term")
    assert_same(found, {"two": 2 * 3 + 5 * 2**2, "one": 2, "none": 0})


# The last box does not contain the point of expansion.
@pytest.mark.parametrize("box", [(-0.5, 0.7), (-1.0, 1.5), (-2.0, -0.1), (1.0, 1.5)])
def test_a_sample_is_exact_and_an_enclosure_above_it(given, box):
    largest = max(abs(np.sin(x) - x + x**3 / 6 - x**5 / 120) for x in box)
    np.testing.assert_allclose(given.sin_at_zero.bound(*box, "sampled"), largest, rtol=1e-6)
    assert largest * (1 - 1e-10) <= given.sin_at_zero.bound(*box) <= 1.1 * largest


def test_a_sample_finds_what_is_inside_the_box():
    # To order 0 the error is |sin| itself, largest at π/2.
    np.testing.assert_allclose(taylor(jnp.sin, 0.0, 0).bound(0.2, 3.0, "sampled"), 1, rtol=1e-6)


def test_bounds_of_pytrees_and_beside_a_pole():
    series = taylor(lambda x: {"rows": x["b"] * x["a"]}, AT, 1)
    upper = jax.tree.map(lambda leaf: leaf + 0.5, AT)
    sampled, proved = (series.bound(-2.5, upper, kind)["rows"] for kind in ("sampled", "enclosure"))
    exact = 3.2 * np.array([3.5, 0.5])  # |Δa Δb| in a corner
    np.testing.assert_allclose(sampled, exact, rtol=1e-9)
    assert (sampled <= proved).all()
    assert (proved <= 1.1 * exact).all()
    # Beside a pole nothing is proved.
    assert taylor(jnp.reciprocal, 0.5, 1).bound(-1.0, 1.0) == jnp.inf


def test_radius(dtype):
    series = taylor(jnp.sin, jnp.zeros((), dtype), 5)
    found = series.radius(1e-3)
    assert found.dtype == series(0.5).dtype == dtype
    error = lambda r: abs(np.sin(r) - (r - r**3 / 6 + r**5 / 120))
    largest = brentq(lambda r: error(r) - 1e-3, 0.1, 3)
    assert 0.9 * largest <= found <= largest


def test_a_kink_between_the_sides_of_the_box_and_the_point_is_seen():
    """|x| about 0, where its series is that of x: the other side is off by 2 |x|."""
    found = taylor(jnp.abs, 0.0, 1)
    assert found.bound(-0.5, 0.0) >= 1.0
    assert found.radius(0.5) <= 0.25
    assert taylor(jnp.abs, 0.5, 1).bound(0.0, 1.0) <= 1e-14


def test_a_polynomial_about_no_value_is_infinitely_wrong():
    for fn, at in ((jnp.log, -1.0), (jnp.sqrt, 0.0), (lambda x: 1 / x, 0.0)):
        found = taylor(fn, at, 1)
        assert found.bound(at, at + 1.0) == np.inf
        assert found.radius(1.0) == 0


# An estimate: the coefficients of two complex poles swing about their trend.
@pytest.mark.parametrize(
    ("fn", "at", "expected"),
    [
        (jnp.log1p, 0.0, 1),
        (jnp.tan, 0.0, pi / 2),
        (lambda x: 1 / (1 + x**2), 0.5, sqrt(1.25)),
        (lambda x: (1 - x) ** 3, 0.5, np.inf),
        (lambda x: 1 / (1 - x[0] - x[1]), [0.0, 0.0], 0.5),
    ],
)
def test_convergence_radius(fn, at, expected):
    np.testing.assert_allclose(taylor(fn, at, 10).convergence_radius(), expected, rtol=0.1)


def test_nested_derivatives_where_there_is_no_rule():
    series = taylor(jax.scipy.special.gammaln, 1.5, 3)
    slopes = [scipy.special.polygamma(k, 1.5) / factorial(k + 1) for k in range(3)]
    assert_same(series.coefficients, np.array([scipy.special.gammaln(1.5), *slopes]))
    with pytest.raises(UnsupportedError, match="lgamma"):
        series.bound(1.0, 2.0)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda _: taylor(jnp.sin, 1, 3), "write 3.0 instead of 3"),
        (lambda _: taylor(jnp.sin, 1j, 3), "complex"),
        (lambda _: taylor(jnp.sin, 1.0, -1), "not -1"),
        (lambda _: taylor(jnp.sin, 1.0, 2.5), "not 2.5"),
        (lambda _: taylor(jnp.sin, 1.0, True), "not True"),
        (lambda _: taylor(jnp.sum, jnp.ones(100), 4), "4,598,126 coefficients.*lower the order"),
        (lambda g: g.sin.bound(0.0, 1.0, "guess"), 'use one of "last-term", "sampled"'),
        (lambda g: g.sin.bound(1.0, 0.0), "lower must be at most upper"),
        (lambda g: g.tree.bound(jnp.zeros(3), 1.0), "lower must be like the point"),
        (lambda g: g.sin.radius(0.0), "tol must be positive"),
        (lambda g: g.sin.integral().bound(0.0, 1.0), 'is not known.*"last-term"'),
        (lambda g: (1 + g.sin.revert()).radius(1.0), "is not known"),
        (lambda g: (g.sin_at_zero * g.sin_at_zero).revert(), "without a linear term"),
        (lambda g: g.tree.revert(), "one number, not 3"),
        (lambda g: g.exp.compose(g.sin), "about the value of the inner one"),
        (lambda g: g.sin + g.sin_at_zero, "about the same point"),
        (lambda g: g.sin + taylor(lambda x: {"a": x}, 0.3, 1), "the outputs differ"),
        (lambda g: g.batch * g.batch, "a batch of series"),
        (lambda g: g.batch.bound(0.0, 1.0, "last-term"), "a batch of series"),
        (lambda _: taylor(jnp.sum, {}, 2), "holds no numbers"),
        (lambda g: g.batch(0.3), r"a batch of series: map over it, jax\.vmap"),
        (lambda g: g.tree({"a": 1.0, "b": jnp.ones(3)}), r"end in the shape of `at`, \(2,\)"),
    ],
)
def test_errors_say_what_to_do(given, call, message):
    kind = TypeError if message in ("write 3.0 instead of 3", "complex") else ValueError
    with pytest.raises(kind, match=message):
        call(given)


def test_text(given):
    assert str(given.sin_at_zero) == "x − 0.166667 x³ + 0.00833333 x⁵ + O(x⁶)"
    assert str(0 * given.sin_at_zero) == "0 + O(x⁶)"
    assert str(taylor(jnp.reciprocal, 2.0, 1)) == "0.5 − 0.25 (x − 2) + O((x − 2)²)"
    fn = lambda x: {"y": x["b"][0] * x["a"] ** 2, "z": x["b"] - 3}
    assert str(taylor(fn, {"a": -1.0, "b": jnp.zeros(2)}, 2)).splitlines() == [
        "y = b[0] − 2 (a + 1) b[0] + O(h³)",
        "z[0] = −3 + b[0] + O(h³)",
        "z[1] = −3 + b[1] + O(h³)",
    ]
    assert str(given.batch) == "a batch of Taylor series of order 4"
