"""Enclosures of functions over boxes against ranges that are known exactly."""

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
