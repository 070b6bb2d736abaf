"""The comparisons of minimisers and root finders run, without peers, on a few problems."""

import json

import jax
import numpy as np
import pytest

from benchmarks import peers
from benchmarks.problems import constrained_batches, decays
from benchmarks.report import cores
from benchmarks.workloads import (
    basins,
    constrained,
    constrained_overhead,
    minimize,
    published,
    root,
)

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
    settings = ("jax_enable_x64", "jax_disable_most_optimizations")
    before = [jax.config.read(name) for name in settings]
    yield
    assert [jax.config.read(name) for name in settings] == before


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
    (problem,) = published.chosen(published.PROBLEMS, ["wood"], 1)
    objective = published.movable(problem)
    copies = list(published.cases(problem, [1, 100], True))
    assert [copy.group for copy in copies] == ["mgh ×1", "mgh ×100", "mgh moved"]
    values = [float(objective(copy.start, *copy.move)) for copy in copies]
    assert values[0] == 19192
    assert values[2] == pytest.approx(19192, rel=1e-12)
    with pytest.raises(ValueError, match="unknown woods"):
        published.chosen(published.PROBLEMS, ["woods"], 1)


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
        "systems": one | {"solvers": ["mvopt"], "every": 21},
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


CONSTRAINED = {
    "dtypes": ["float64", "float32"],
    "solvers": ["mvopt"],
    "problems": ["hs071"],
    "close": 1e-6,
    "value": {"float64": 1e-6, "float32": 1e-4},
    "violation": {"float64": 1e-8, "float32": 1e-4},
    "certified": {"float64": 1e-8, "float32": 1e-3},
    "false_violation": {"float64": 1e-6, "float32": 1e-3},
    "false_residual": {"float64": 1e-4, "float32": 1e-2},
}


def test_constrained_problems_are_certified_and_counted(restored, monkeypatch, tmp_path):
    monkeypatch.setattr(peers, "available", lambda name: name == "scipy")
    of_peers = {"scipy": {"SLSQP": {"ftol": 1e-12}}, "ipopt": {}}
    config = {"parts": ["published"], "published": CONSTRAINED, "peers": of_peers}
    report = constrained.run(config, ["scipy", "ipopt"])
    found = metrics(report)
    assert found["published.mvopt.float64.certified"] == 100
    assert found["published.mvopt.float64.best"] == 100
    assert found["published.mvopt.float32.accurate"] == 100
    assert found["published.scipy-slsqp.float64.best"] == 100
    assert found["published.scipy-trust.float64.broken"] == 0
    assert not any(name.startswith("published.scipy-slsqp.float32") for name in found)
    assert report.outcomes["mvopt"] == report.outcomes["scipy-trust"] == "measured"
    assert report.outcomes["ipopt"] == "skipped: not installed (pip install cyipopt)"
    assert not report.failed
    report.write(tmp_path / "page")
    failures = json.loads((tmp_path / "page.json").read_text())["details"]["failures"]
    assert {failure["method"] for failure in failures} <= {"scipy-slsqp", "scipy-trust"}


def test_ipopt_solves_what_we_solve(restored):
    # An optional peer without wheels for every platform: its library has to be built.
    pytest.importorskip("cyipopt", reason="Ipopt is a library of its own, installed apart")
    options = CONSTRAINED | {"dtypes": ["float64"], "solvers": []}
    config = {"parts": ["published"], "published": options, "peers": {"ipopt": {}}}
    found = metrics(constrained.run(config, ["ipopt"]))
    assert found["published.ipopt.float64.best"] == 100


def test_members_of_a_batch_are_certified_and_an_infeasible_one_says_so(restored):
    batch = {"problems": 16, "seed": 1, "infeasible": 0.1, "kinds": ["inequality"]}
    batch |= {"repetitions": 1, "certified": 1e-8, "violation": 1e-5}
    config = {"parts": ["batch"], "batch": batch | {"peers": {"scipy": {"subset": 4}}}}
    report = constrained.run(config, ["scipy"])
    found = metrics(report)
    assert found["batch.inequality.mvopt.certified"] == 100
    assert found["batch.inequality.gap.scipy-slsqp"] < 1e-4
    assert found["batch.inequality.ratio.scipy-slsqp"] > 0
    assert found["batch.mixed.named"] == 100
    assert found["batch.mixed.apart"] < 1e-12
    assert report.outcomes["batch.inequality.scipy-slsqp"] == "measured"
    assert not report.failed


@pytest.mark.parametrize("name", constrained_batches.MAKERS)
def test_a_batch_is_the_same_in_numpy_and_drawn_once_and_for_all(name):
    batch, again = (constrained_batches.MAKERS[name](3, 5) for _ in range(2))
    np.testing.assert_array_equal(batch.starts, again.starts)
    x, args = batch.starts[1] + 0.1, batch.row(1)
    value, gradient = batch.plain.objective(x, *args)
    assert value == pytest.approx(float(batch.objective(x, *args)))
    np.testing.assert_allclose(gradient, jax.grad(batch.objective)(x, *args))
    for kind, function in (("eq", batch.equality), ("ineq", batch.inequality)):
        assert (kind in batch.plain.constraints) == (function is not None)
        if function is not None:
            values, jacobian = (each(x, *args) for each in batch.plain.constraints[kind])
            np.testing.assert_allclose(values, function(x, *args))
            np.testing.assert_allclose(jacobian, jax.jacfwd(function)(x, *args))


def test_the_cost_of_a_step_is_told_in_evaluations(restored, monkeypatch):
    monkeypatch.setattr(constrained_overhead, "SIZE", 2)
    monkeypatch.setattr(constrained_overhead, "SHAPES", np.full((2, 2), 0.5))
    options = {"lanes": [1], "seed": 1, "steps": [3, 6], "chunks": [1, 4], "repetitions": 2}
    report = constrained.run({"parts": ["overhead"], "overhead": options}, [])
    many = constrained_overhead.members(8 * cores(), 1)
    seconds, how = constrained_overhead.evaluation_seconds(*many, options)
    assert "overhead.1.ratio" in metrics(report)
    assert seconds > 0
    assert "chunks of" in how
