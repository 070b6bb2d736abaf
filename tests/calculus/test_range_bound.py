"""Enclosures of functions over boxes against ranges that are known exactly."""

import copy
import pickle

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mvopt.calculus.range_bound import range_bound
from mvopt.calculus.values import UnsupportedError

BOXES = {"wide": (0.0, 3.0), "unit": (0.0, 1.0), "positive": (0.1, 1.0), "across": (-1.0, 1.0)}
SINE, PARABOLA, NOTHING, HYPERBOLA = range(4)


def curves(x):
    return jnp.stack([jnp.sin(x), x * (1 - x), x - x, 1 / x])


def valley(p, scale):
    """Rosenbrock's function, and where it is measured from."""
    return {"height": scale * (p["y"] - p["x"] ** 2) ** 2 + (1 - p["x"]) ** 2}


@pytest.fixture(scope="module")
def ranges():
    """Of `curves` over each box, (2, 4): mapped and compiled."""
    lower, upper = jnp.array(list(BOXES.values())).T
    found = jax.jit(jax.vmap(lambda a, b: range_bound(curves, a, b)))(lower, upper)
    return dict(zip(BOXES, np.stack(found, axis=1), strict=True))


def test_a_hill_inside_of_the_box_is_found(ranges):
    lower, upper = ranges["wide"][:, SINE]
    np.testing.assert_allclose([lower, upper], [0, 1], rtol=1e-12, atol=1e-300)
    assert lower <= 0
    assert upper >= 1
    lower, upper = ranges["unit"][:, PARABOLA]
    np.testing.assert_allclose(lower, 0, atol=1e-300)
    assert 0.25 <= upper <= 0.251


def test_a_variable_minus_itself_is_nothing(ranges):
    for found in ranges.values():
        np.testing.assert_allclose(found[:, NOTHING], 0, atol=1e-300)


def test_a_monotone_function_is_bounded_by_its_ends(ranges):
    lower, upper = ranges["positive"][:, HYPERBOLA]
    np.testing.assert_allclose([lower, upper], [1, 10], rtol=1e-12)
    assert lower <= 1
    assert upper >= 10
    np.testing.assert_allclose(ranges["across"][:, SINE], np.sin([-1, 1]), rtol=1e-12)


@pytest.mark.parametrize("box", ["wide", "unit", "across"])
def test_beside_a_pole_nothing_is_proved(ranges, box):
    assert ranges[box][:, HYPERBOLA].tolist() == [-np.inf, np.inf]
    assert np.isfinite(ranges[box][:, :HYPERBOLA]).all()


@pytest.mark.parametrize("box", BOXES)
def test_all_values_are_inside(ranges, box):
    x = np.linspace(*BOXES[box], 1001)
    values = np.asarray(curves(jnp.asarray(x[x != 0]))).T
    slack = 4e-16 * np.abs(values)  # they are rounded themselves
    lower, upper = ranges[box]
    assert (lower <= values + slack).all()
    assert (values - slack <= upper).all()


def beside(x):
    """Functions that no proof may follow over a pole, a jump or the end of a domain."""
    return {
        "tan": jnp.tan(x),
        "exp tan": jnp.exp(jnp.tan(x)),
        "atan tan": jnp.arctan(jnp.tan(x)),
        "a jump at the end": jnp.where(x >= 2.0, 5.0, 1.0),
        "a truth": (x >= 2.0).astype(x.dtype),
        "whole numbers": jnp.where(x >= 2.0, 3, 1) * 1.0,
        "cond": jax.lax.cond(x >= 2.0, lambda: 5.0, lambda: 1.0),
        "a choice of truths": jnp.where(jnp.where(x > 1.5, x >= 2.0, x < 1.0), 5.0, 1.0),
        "the cut of an angle": jnp.arctan2(x - 2.0, -1.0),
        "the root of a subnormal": jnp.sqrt((x - 2.0) * 0.0 + 1e-310),
    }


def test_what_jumps_or_has_a_pole_in_the_box():
    lower, upper, defined = jax.tree.leaves(
        range_bound(beside, 1.0, 2.0), is_leaf=lambda e: type(e) is dict
    )
    assert {name for name, each in defined.items() if not each} == {"tan", "exp tan", "atan tan"}
    for name in ("tan", "exp tan", "atan tan"):
        assert (lower[name], upper[name]) == (-np.inf, np.inf)
    for name, most in {
        "a jump at the end": 5,
        "a truth": 1,
        "whole numbers": 3,
        "cond": 5,
        "a choice of truths": 5,
        "the cut of an angle": np.pi,
        "the root of a subnormal": 1e-155,
    }.items():
        assert lower[name] <= beside(jnp.asarray(1.5))[name] < most <= upper[name], name


def test_a_range_is_a_pair_with_a_flag():
    """Of log over [−1, 2], which has no value there, and of exp over [0, 800], which overflows."""
    nowhere, huge = range_bound(jnp.log, -1.0, 2.0), range_bound(jnp.exp, 0.0, 800.0)
    assert tuple(nowhere) == (-np.inf, np.inf)
    assert not nowhere.defined
    assert 0 <= huge.lower <= 1
    assert huge.upper == np.inf
    assert huge.defined
    assert not copy.deepcopy(nowhere).defined
    assert not pickle.loads(pickle.dumps(nowhere)).defined


def test_what_is_done_with_whole_numbers_that_depend_on_a_comparison_is_named():
    """Bits, a choice among three and a number with fewer digits: those of the ends tell nothing."""
    number = lambda x: jnp.where(x > 0.5, jnp.int32(2), jnp.int32(1))
    for fn, name in {
        (lambda x: jnp.arange(2.0)[(x > 0.5).astype(int)], "add"),
        (lambda x: jnp.sum(jnp.stack([x, 2 * x]) > 0.5) * x, "reduce_sum"),
        (lambda x: (number(x) & 1) * x, "and"),
        (lambda x: ~number(x) * x, "not"),
        (lambda x: jax.lax.select_n(number(x), x, 1 + x, 2 + x), "select_n"),
        (lambda x: number(x).astype(jnp.uint8) * x, "convert_element_type"),
    }:
        with pytest.raises(UnsupportedError, match=r"depends? on a comparison") as caught:
            range_bound(fn, 0.0, 1.0)
        assert caught.value.primitive == name


def test_rosenbrock_over_a_box_of_named_numbers():
    """The least value is 0 at (1, 1), the largest 100 (−1 − 2²)² + (1 − 2)² at (2, −1)."""
    found = range_bound(valley, {"x": -1.0, "y": -1.0}, {"x": 2.0, "y": 2.0}, (100.0,))
    lower, upper = found
    assert lower is found.lower
    assert upper is found.upper
    assert list(lower) == ["height"]
    assert -1e-9 <= lower["height"] <= 0
    assert 2501 <= upper["height"] <= 2501 * (1 + 1e-12)
    # The same program, another box, which is a point.
    lower, upper = range_bound(valley, {"x": 2.0, "y": -1.0}, {"x": 2.0, "y": -1.0}, (100.0,))
    assert lower["height"] <= 2501 <= upper["height"]
    np.testing.assert_allclose(lower["height"], upper["height"], rtol=1e-12)


@pytest.mark.parametrize(
    ("lower", "upper", "error", "message"),
    [
        (1.0, 0.0, ValueError, "empty or not finite"),
        (0.0, jnp.inf, ValueError, "empty or not finite"),
        (-jnp.inf, 0.0, ValueError, "empty or not finite"),
        (0.0, jnp.nan, ValueError, "empty or not finite"),
        (jnp.zeros(2), jnp.ones(3), ValueError, "upper must be like"),
        (0, 3, TypeError, "write 3.0 instead of 3"),
        (0.0, 3, TypeError, "write 3.0 instead of 3"),
        (0j, 3.0, TypeError, "complex"),
    ],
)
def test_boxes_that_are_none(lower, upper, error, message):
    with pytest.raises(error, match=message):
        range_bound(jnp.sin, lower, upper)


def test_an_operation_without_a_rule_is_named():
    with pytest.raises(UnsupportedError, match="'lgamma'") as caught:
        range_bound(jax.scipy.special.gammaln, 1.0, 3.0)
    assert caught.value.primitive == "lgamma"


def test_integers_have_no_range():
    with pytest.raises(TypeError, match="what fn returns is int"):
        range_bound(lambda x: jnp.rint(x).astype(int), 0.0, 3.0)


def test_jumps_and_kinks_of_two_numbers_on_an_edge_or_across_a_box():
    """The angle over boxes that the negative x axis bounds or crosses; max(x, y) − x."""

    def fn(p):
        return {"angle": jnp.arctan2(p[1], p[0]), "larger": jnp.maximum(p[0], p[1]) - p[0]}

    lower = jnp.array([[-2.0, -1.0], [-2.0, -1.0], [-2.0, 0.0], [-2.0, -1.0]])
    upper = jnp.array([[-1.0, 0.9], [-1.0, 0.0], [-1.0, 1.0], [1.0, 1.0]])
    found = jax.jit(jax.vmap(lambda a, b: range_bound(fn, a, b)))(lower, upper)
    assert found.defined["angle"].all()
    assert (found.upper["angle"] >= np.pi).all()
    assert (found.lower["angle"] <= jnp.array([-np.pi, -np.pi, 0.75 * np.pi, -np.pi])).all()
    assert (found.lower["larger"] <= jnp.array([0.0, 0.0, 1.0, 0.0])).all()
    assert (found.upper["larger"] >= (upper[:, 1] - lower[:, 0])).all()
