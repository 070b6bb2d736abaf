"""How many problems a set of methods solves, and at which price: two kinds of profile.

A performance profile (Dolan and Moré 2002) shows for each method the share of problems that it
solves at no more than τ times the price of the best method for that problem. A data profile (Moré
and Wild 2009) shows the share that it solves within κ·(n + 1) evaluations, n being the number of
variables of the problem. A problem that is not solved has an infinite price; one that none solves
counts all the same.
"""

from collections.abc import Iterable

import numpy as np

from benchmarks.figures import Figure, Points

# A method's name, the problem with its start, the price (infinite if not solved), the variables.
Price = tuple[str, str, float, int]


def profiles(prices: Iterable[Price], name: str, of: str) -> list[Figure]:
    """Both kinds; `of` says whose problems these are."""
    methods, table, variables = _table(prices)
    if table.size == 0:
        return []
    best = np.min(table, axis=0)
    with np.errstate(invalid="ignore"):
        ratios = np.where(np.isfinite(table), table / np.maximum(best, 1.0), np.inf)
    simplexes = table / (variables + 1)
    return [
        Figure(
            f"{name}-performance",
            f"Performance profile: {of}",
            "evaluations over those of the best method",
            "share of problems solved",
            _shares(methods, ratios, first=1.0),
            log_x=True,
            style="stairs",
        ),
        Figure(
            f"{name}-data",
            f"Data profile: {of}",
            "evaluations over (variables + 1)",
            "share of problems solved",
            _shares(methods, simplexes, first=_least(simplexes)),
            log_x=True,
            style="stairs",
        ),
    ]


def _table(prices: Iterable[Price]) -> tuple[list[str], np.ndarray, np.ndarray]:
    """Methods, prices (methods, problems) and variables (problems,)."""
    rows = list(prices)
    methods = list(dict.fromkeys(method for method, *_ in rows))
    problems = list(dict.fromkeys(problem for _, problem, *_ in rows))
    table = np.full((len(methods), len(problems)), np.inf)
    variables = np.zeros(len(problems))
    for method, problem, price, n in rows:
        column = problems.index(problem)
        # A method that is at the solution when it starts has paid for one evaluation.
        table[methods.index(method), column] = max(price, 1.0)
        variables[column] = n
    return methods, table, variables


def _least(costs: np.ndarray) -> float:
    finite = costs[np.isfinite(costs)]
    return float(finite.min()) if finite.size else 1.0


def _shares(methods: list[str], costs: np.ndarray, first: float) -> dict[str, Points]:
    """For each method the share of costs up to each of its own, drawn on to a common end."""
    finite = costs[np.isfinite(costs)]
    end = 1.1 * float(finite.max()) if finite.size else 10.0
    curves = {}
    for method, row in zip(methods, costs, strict=True):
        steps = np.unique(row[np.isfinite(row)])
        xs = [first, *(float(step) for step in steps if step > first), end]
        curves[method] = [(x, float(np.mean(row <= x))) for x in xs]
    return curves
