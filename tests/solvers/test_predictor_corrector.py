"""Programs of all scales whose answer is known: planted by their multipliers, or from SciPy.

All are of one shape, so that one compiled program solves them: six variables, three equations, four
inequalities. What a program has not of these is a row of zeros, or a side at infinity.
"""

from typing import NamedTuple

import numpy as np
import pytest
from scipy.optimize import linprog

from mvopt import Status, quadratic_program

N, M, K = 6, 3, 4
EACH = 24  # of a kind


class Planted(NamedTuple):
    P: np.ndarray
    q: np.ndarray
    A: np.ndarray
    b: np.ndarray
    G: np.ndarray
    h: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    x: np.ndarray  # a solution, or without one what it was made from


def solvable(rng, curved=False, degenerate=False, dependent=False, fixed=False):
    """A program with the solution that its multipliers say: a vertex, or if curved any point."""
    A, G = rng.normal(size=(M, N)), rng.normal(size=(K, N))
    if dependent:
        A[2] = 2 * A[0] - A[1]
    lower = np.where(rng.uniform(size=N) < 0.2, -np.inf, rng.normal(size=N))
    low = np.where(np.isfinite(lower), lower, 0.0)
    upper = np.where(rng.uniform(size=N) < 0.4, low + rng.uniform(0.5, 2, N), np.inf)
    x = low + rng.uniform(0.1, 0.4, N)
    reduced, z = np.zeros(N), np.zeros(K)
    bounded = [j for j in range(N) if np.isfinite(lower[j]) or np.isfinite(upper[j])]
    held = [*(("bound", j) for j in bounded), *(("row", i) for i in range(K))]
    order = rng.permutation(len(held))
    number = rng.integers(0, N - M + 1) if curved else N - M + 2 * degenerate
    for rank, (kind, index) in enumerate(held[i] for i in order[:number]):
        force = 0.0 if degenerate and rank < 2 else rng.uniform(0.1, 2)
        if kind == "row":
            z[index] = force
        elif np.isfinite(lower[index]):
            x[index], reduced[index] = lower[index], force
        else:
            x[index], reduced[index] = upper[index], -force
    active = [index for kind, index in (held[i] for i in order[:number]) if kind == "row"]
    if fixed:
        lower[0] = upper[0] = x[0]
    h = G @ x + np.where(np.isin(np.arange(K), active), 0.0, rng.uniform(0.2, 2, K))
    root = rng.normal(size=(N, rng.integers(1, N + 1))) * curved
    P = root @ root.T
    q = A.T @ rng.normal(size=M) - G.T @ z + reduced - P @ x
    return Planted(P, q, A, A @ x, G, h, lower, upper, x)


def contradicted(rng, curved=False, against="rows"):
    """One inequality, or one equation, says the opposite of a sum of others."""
    made = solvable(rng, curved)
    if against == "equations":
        made.A[2], made.b[2] = 2 * made.A[0] - made.A[1], 2 * made.b[0] - made.b[1] - 0.3
    elif against == "rows":
        z = rng.uniform(0.1, 1, K - 1)
        made.G[-1], made.h[-1] = -z @ made.G[:-1], -z @ made.h[:-1] - 0.3
    else:
        z = rng.uniform(0.1, 1, N) * np.isfinite(made.lower)
        made.G[-1], made.h[-1] = z, z @ np.where(z > 0, made.lower, 0.0) - 0.3
    return made


def endless(rng, curved=False, feasible=True):
    """Along `way` no row changes for the worse, and the objective falls."""
    made = solvable(rng, curved)
    ends = np.isfinite(made.lower), np.isfinite(made.upper)
    way = np.where(ends[0], ~ends[1], np.where(ends[1], -1.0, 1.0)) * rng.uniform(0.2, 1, N)
    made.lower[0], made.upper[0], way[0] = -np.inf, np.inf, 1.0
    along = way / (way @ way)
    A = made.A - np.outer(made.A @ way, along)
    G = made.G - np.outer(np.maximum(made.G @ way, 0), along)
    h = G @ made.x + rng.uniform(0, 1, K)
    if not feasible:
        z = rng.uniform(0.1, 1, K - 1)
        G[-1], h[-1] = -z @ G[:-1], -z @ h[:-1] - 0.3
    across = np.eye(N) - np.outer(way, along)
    q = across @ rng.normal(size=N) - along
    P = across @ made.P @ across
    return made._replace(P=(P + P.T) / 2, q=q, A=A, b=A @ made.x, G=G, h=h)


def transport(rng):
    """Three demands from two supplies, the second exhausted; two rows are not there."""
    supply, demand = rng.uniform(100, 1000, 2), rng.uniform(10, 1000, 3)
    demand *= supply.sum() / demand.sum() * rng.uniform(0.5, 1)
    A, G = np.tile(np.eye(3), 2), np.zeros((K, N))
    G[0, :3] = G[1, 3:] = 1
    h = np.array([*supply, np.inf, np.inf])
    cost = rng.integers(1, 20, N).astype(float)
    best = linprog(cost, G[:2], supply, A, demand).x
    lower, upper = np.zeros(N), np.full(N, np.inf)
    return Planted(np.zeros((N, N)), cost, A, demand, G, h, lower, upper, best)


def in_other_units(rng, made, low=-6, high=9):
    """Variables, rows, objective and right-hand sides times powers of ten."""
    scale = lambda *size: 10 ** rng.uniform(low, high, size)
    D, E, F, cost, size = scale(N), scale(M), scale(K), *scale(2)
    return Planted(
        cost * made.P / np.outer(D, D), cost * size * made.q / D,
        made.A / D * E[:, None], made.b * E * size, made.G / D * F[:, None], made.h * F * size,
        made.lower * D * size, made.upper * D * size, made.x * D * size,
    )  # fmt: skip


KINDS = {
    "linear": (solvable, {}),
    "degenerate": (solvable, {"degenerate": True}),
    "dependent equations": (solvable, {"dependent": True}),
    "a fixed variable": (solvable, {"fixed": True}),
    "curved": (solvable, {"curved": True}),
    "curved, dependent equations": (solvable, {"curved": True, "dependent": True}),
    "transport": (transport, {}),
    "equations that contradict": (contradicted, {"against": "equations"}),
    "rows that contradict": (contradicted, {}),
    "a row that contradicts bounds": (contradicted, {"against": "bounds"}),
    "curved, rows that contradict": (contradicted, {"curved": True}),
    "endless": (endless, {}),
    "curved and endless": (endless, {"curved": True}),
    "endless and contradictory": (endless, {"feasible": False}),
}


@pytest.fixture(scope="module")
def solved():
    """Programs and solutions of each kind; the first half of them in units of one."""
    rng = np.random.default_rng(0)
    made = [make(rng, **how) for make, how in KINDS.values() for _ in range(EACH)]
    made = [each if i % 2 else in_other_units(rng, each) for i, each in enumerate(made)]
    *arrays, lower, upper = (
        np.stack(each) for each in zip(*(one[:8] for one in made), strict=True)
    )
    found = quadratic_program(*arrays, bounds=(lower, upper), in_axes=(0,) * 6)
    return {kind: range(i * EACH, (i + 1) * EACH) for i, kind in enumerate(KINDS)}, made, found


def of_kind(solved, kind, status):
    """Each program of a kind with its x and multipliers, which must have ended so."""
    where, made, found = solved
    assert [Status(int(found.status[i])).name for i in where[kind]] == [status.name] * EACH
    for i in where[kind]:
        multipliers = [np.asarray(each[i]) for each in found.multipliers]
        yield made[i], np.asarray(found.params[i]), multipliers


def value(one, x):
    return one.q @ x + 0.5 * x @ one.P @ x


def assert_feasible(one, x, tol):
    """Relative to the terms of each row."""
    terms = np.abs(one.A) @ np.abs(x) + np.abs(one.b)
    np.testing.assert_array_less(np.abs(one.A @ x - one.b) - tol * terms, 1e-300)
    there = np.isfinite(one.h)
    terms = (np.abs(one.G) @ np.abs(x) + np.abs(one.h))[there]
    np.testing.assert_array_less((one.G @ x - one.h)[there] - tol * terms, 1e-300)
    np.testing.assert_array_equal(np.clip(x, one.lower, one.upper), x)


@pytest.mark.parametrize("kind", list(KINDS)[:7])
def test_programs_of_all_scales_are_solved(solved, kind):
    for one, x, _ in of_kind(solved, kind, Status.CONVERGED):
        np.testing.assert_allclose(value(one, x), value(one, one.x), rtol=1e-7)
        assert_feasible(one, x, 1e-8)


@pytest.mark.parametrize("kind", [*list(KINDS)[7:11], "endless and contradictory"])
def test_infeasible_means_that_the_multipliers_prove_it(solved, kind):
    for one, _, (y, z, p, r) in of_kind(solved, kind, Status.INFEASIBLE):
        assert min(z.min(), p.min(), r.min()) >= 0
        slope = one.A.T @ y - one.G.T @ z + p - r
        terms = np.abs(one.A).T @ np.abs(y) + np.abs(one.G).T @ z + p + r
        np.testing.assert_array_less(np.abs(slope), 1e-8 * terms)
        low, high = (np.where(np.isfinite(side), side, 0.0) for side in (one.lower, one.upper))
        assert p[~np.isfinite(one.lower)].sum() == r[~np.isfinite(one.upper)].sum() == 0
        np.testing.assert_allclose(one.b @ y - one.h @ z + low @ p - high @ r, 1, rtol=1e-6)


@pytest.mark.parametrize("kind", ["endless", "curved and endless"])
def test_unbounded_means_a_feasible_point_far_along_a_ray(solved, kind):
    for one, x, _ in of_kind(solved, kind, Status.UNBOUNDED):
        assert value(one, x) < -1e6 * np.abs(value(one, one.x))
        assert_feasible(one, x, 1e-7)
