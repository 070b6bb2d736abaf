"""The table of results: one row a data set."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from mvopt._errors import InputError, listed
from mvopt._types import Status
from mvopt.regression.fit import Fit

_FIGURES = ("chi2", "reduced_chi2", "p_value", "dof", "num_points", "num_steps")


@dataclass(frozen=True)
class Columns:
    """The columns of the table: those of each parameter, figures of the fit, and its status."""

    parameters: tuple[str, ...]
    intervals: bool = False  # the ends of each parameter's interval
    figures: tuple[str, ...] = ()  # of a `Fit`, besides those that are always there

    def names(self, ids: list[str]) -> list[str]:
        """Return all names; raises `InputError` where two columns would be called the same."""
        kinds = ("", "_stderr", "_low", "_high") if self.intervals else ("", "_stderr")
        estimates = [f"{name}{kind}" for name in self.parameters for kind in kinds]
        names = [*ids, *estimates, *_FIGURES, *self.figures, "status", "message"]
        double = sorted({name for name in names if names.count(name) > 1})
        if double:
            raise InputError(
                f"the table of results would have two columns {listed(double)}: rename one"
            )
        return names

    def table(
        self, ids: pa.Table, fit: Fit, ends: tuple[np.ndarray, np.ndarray] | None
    ) -> pa.Table:
        """Return the rows of a block from its fits, whose arrays lie in the memory of the host."""
        columns = [*ids.columns]
        for i in range(len(self.parameters)):
            kinds = (fit.params, fit.stderr, *(ends if ends is not None else ()))
            columns += [pa.array(values[:, i]) for values in kinds]
        columns += [pa.array(fit.chi2), pa.array(fit.reduced_chi2), pa.array(fit.p_value)]
        columns += [pa.array(fit.dof), pa.array(fit.num_points), pa.array(fit.num_steps)]
        columns += [pa.array(np.asarray(getattr(fit, name))) for name in self.figures]
        columns += [_texts(fit.status, {s: s.name for s in Status})]
        failures: dict[Status, str] = {s: s.sentence for s in Status if s is not Status.CONVERGED}
        columns += [_texts(fit.status, failures)]
        return pa.table(columns, names=self.names(ids.schema.names))


def _texts(status: Any, texts: dict[Status, str]) -> pa.Array:
    # By NumPy: the first use of a function of pyarrow.compute costs 50 ms.
    choices = np.array([texts.get(code) for code in Status], object)
    return pa.array(choices[np.asarray(status)], pa.string())
