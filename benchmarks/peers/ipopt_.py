"""Ipopt by cyipopt: the interior-point method of Wächter and Biegler (2006), in C++."""

from typing import Any

import cyipopt
import numpy as np

from benchmarks.judging import Reached, Solve
from benchmarks.judging_constrained import Prepare, box
from benchmarks.peers.derivatives import Exact, exact
from benchmarks.problems.constrained import ConstrainedProblem

SOLVED = 0  # "Optimal Solution Found"


class Callbacks:
    """What cyipopt asks for, by the names that it asks by; all matrices are dense."""

    def __init__(self, n: int, objective: Exact, constraints: list[tuple[Exact, int]]) -> None:
        self._n, self._objective, self._constraints = n, objective, constraints
        self.evaluations = 0

    def objective(self, x: np.ndarray) -> float:
        self.evaluations += 1
        return float(self._objective.value(x))

    def gradient(self, x: np.ndarray) -> np.ndarray:
        return self._objective.jacobian(x)

    def constraints(self, x: np.ndarray) -> np.ndarray:
        return np.concatenate([np.zeros(0), *(each.value(x) for each, _ in self._constraints)])

    def jacobian(self, x: np.ndarray) -> np.ndarray:
        rows = [each.jacobian(x) for each, _ in self._constraints]
        return np.concatenate([np.zeros((0, self._n)), *rows]).ravel()

    def hessianstructure(self) -> tuple[np.ndarray, np.ndarray]:
        return np.tril_indices(self._n)

    def hessian(self, x: np.ndarray, multipliers: np.ndarray, factor: float) -> np.ndarray:
        total = self._objective.curvature(x, factor)
        first = 0
        for each, size in self._constraints:
            total = total + each.curvature(x, multipliers[first : first + size])
            first += size
        return total[self.hessianstructure()]


def constrained_methods(options: dict[str, Any], dtype: str) -> dict[str, Prepare]:
    """In float64 alone; the options are Ipopt's."""
    if dtype != "float64":
        return {}

    def prepare(problem: ConstrainedProblem) -> Solve:
        objective = exact(problem.objective)
        kinds = (problem.equality, 0.0), (problem.inequality, np.inf)
        given = [exact(each) for each, _ in kinds if each]
        most = [high for each, high in kinds if each]
        lower, upper = box(problem)

        def solve(x0: np.ndarray) -> Reached:
            sizes = [each.value(x0).size for each in given]
            callbacks = Callbacks(x0.size, objective, list(zip(given, sizes, strict=True)))
            asked = cyipopt.Problem(
                n=x0.size,
                m=sum(sizes),
                problem_obj=callbacks,
                lb=lower,
                ub=upper,
                cl=np.zeros(sum(sizes)),
                cu=np.repeat(most, sizes),
            )
            for name, value in {"print_level": 0, "sb": "yes", **options}.items():
                asked.add_option(name, value)
            x, told = asked.solve(x0)
            message = told["status_msg"].decode()
            return Reached(x, told["status"] == SOLVED, message, callbacks.evaluations)

        return solve

    return {"ipopt": prepare}
