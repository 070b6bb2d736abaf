"""The comparisons of minimisers and root finders run, without peers, on a few problems."""

import json

import jax
import numpy as np
import pytest

from benchmarks.problems import decays
from benchmarks.workloads import basins, minimize, published, root

OURS = ["mvopt", "mvopt-bfgs"]
PUBLISHED = {
    "dtypes": ["float64", "float32"],
    "factors": [1, 10],
    "moved": True,
    "solvers": OURS,
    "float32_without": ["mvopt-bfgs"],
    "peer_steps": 100,
    "simplex_steps": 100,
    "problems": ["rosenbrock", "himmelbg"],
    "tolerance": {"float64": 1e-6, "float32": 1e-4},
    "improvement": {"float64": 1e-6, "float32": 1e-3},
}


def metrics(report):
    return {metric.name: metric.value for metric in report.metrics}


@pytest.fixture
def restored():
    """JAX's settings are afterwards what they were before."""
    before = jax.config.jax_enable_x64
    yield
    assert jax.config.jax_enable_x64 == before
    assert not jax.config.read("jax_disable_most_optimizations")


def test_published_problems_are_solved_and_counted(restored, tmp_path):
    report = minimize.run({"parts": ["published"], "published": PUBLISHED}, [])
    found = metrics(report)
    # Rosenbrock from two starts and moved, the other once and moved.
    assert {metric.unit for metric in report.metrics if "false" in metric.name} == {"of 5"}
    assert found["mvopt.float64.solved"] == found["mvopt-bfgs.float64.solved"] == 100
    assert found["mvopt.float32.of_float64"] == 100
    assert "mvopt-bfgs.float32.solved" not in found
    assert not report.failed
    report.write(tmp_path / "page")
    assert json.loads((tmp_path / "page.json").read_text())["details"] == {"failures": []}


def test_a_failure_is_listed_by_name(restored):
    options = PUBLISHED | {"dtypes": ["float64"], "solvers": ["mvopt-neldermead"]}
    options |= {"problems": ["rosenbrock"], "simplex_steps": 3, "moved": False, "factors": [1]}
    report = minimize.run({"parts": ["published"], "published": options}, [])
    (failure,) = report.details["failures"]
    assert failure["problem"] == "rosenbrock"
    assert (failure["verdict"], failure["status"]) == ("failed", "MAX_STEPS")
    assert metrics(report)["mvopt-neldermead.float64.solved"] == 0


def test_all_copies_of_a_problem_are_one_function():
    (problem,) = published.chosen(["wood"], 1)
    objective = published.movable(problem)
    copies = list(published.cases(problem, [1, 100], True))
    assert [copy.group for copy in copies] == ["mgh ×1", "mgh ×100", "mgh moved"]
    values = [float(objective(copy.start, *copy.move)) for copy in copies]
    assert values[0] == 19192
    assert values[2] == pytest.approx(19192, rel=1e-12)
    with pytest.raises(ValueError, match="unknown woods"):
        published.chosen(["woods"], 1)


def test_a_batch_and_a_growing_problem(restored):
    batch = {"problems": 64, "seed": 1, "dtypes": ["float32"], "limit": {"float32": 1e-3}}
    growing = {"sizes": [4], "solvers": ["mvopt-bfgs"], "max_steps": 1000, "without": []}
    config = {
        "parts": ["many", "growing"],
        "many": batch | {"repetitions": 1, "peer_steps": 100},
        "growing": growing | {"repetitions": 1},
    }
    report = minimize.run(config, [])
    found = metrics(report)
    assert found["many.mvopt-bfgs.float32.accurate"] == 100
    assert found["growing.mvopt-bfgs.4"] > 0
    assert not report.failed


def test_counts_of_decays_are_drawn_once_and_for_all():
    one, again = decays.make(5, 3, "float64"), decays.make(5, 3, "float64")
    np.testing.assert_array_equal(one.counts, again.counts)
    values = jax.vmap(decays.objective)(one.starts, one.counts)
    assert np.all(np.isfinite(values))
    assert decays.objective(one.starts[0].astype("float32"), one.counts[0].astype("float32")).dtype


def test_roots_are_found_and_counted(restored):
    one = {"factors": [1], "tolerance": 1e-9, "peer_steps": 100}
    config = {
        "parts": ["systems", "brackets", "basins"],
        "systems": one | {"solvers": ["mvopt"], "every": 20},
        "brackets": one | {"solvers": ["mvopt-chandrupatla"], "every": 30},
        "basins": {"starts": 500, "dtypes": ["float64"], "repetitions": 1},
    }
    report = root.run(config, [])
    found = metrics(report)
    assert found["systems.mvopt.solved"] == 100
    assert found["brackets.mvopt-chandrupatla.solved"] == 100
    assert found["basins.float64.classified"] == 100
    assert found["basins.float64.false"] == 0
    assert not report.failed


def test_the_polynomial_has_two_real_roots():
    np.testing.assert_allclose(basins.polynomial(basins.real_roots()), 0, atol=1e-9)
    reached = basins.classify(basins.real_roots() + [0, 0.1], np.ones(2, bool), "float64")
    np.testing.assert_array_equal(reached, [0, -1])
