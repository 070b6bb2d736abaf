"""`fit_many`: what the command does, from Python and without a folder."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from os import PathLike
from pathlib import Path
from typing import Any

import pyarrow as pa
from pydantic import BaseModel, ValidationError

from mvopt._errors import InputError
from mvopt.batch.choice import FunctionModel, choice_of, expression_of
from mvopt.batch.config import DataTable, FitTable, OutputTable, ParameterTable, resolve
from mvopt.batch.engines import engine as engine_of
from mvopt.batch.fitting import Job, Part, fit_timed
from mvopt.batch.sources.arrays import ArraySource
from mvopt.batch.sources.opening import open_source
from mvopt.regression import models


def fit_many(
    model: str | Callable[[Any, Any], Any],
    source: str | PathLike | Mapping[str, Any],
    *,
    parameters: Mapping[str, Mapping[str, Any]] | Sequence[str] = (),
    engine: str = "local",
    **settings: Any,
) -> Iterator[pa.Table]:
    """Fit a model to all data sets of a source that need not fit into memory.

    model: one of `mvopt.models`, the name of one, a formula such as "a*exp(-b*x)", or your own
    function `(x, params)`.
    source: the path of a file, a folder or a glob, as in `[data] path`; or a mapping of names to
    arrays with a row per data set (NumPy's, or any that can be sliced, such as those of h5py and
    zarr), by default "y" of shape (data sets, points).
    parameters: names to the keys of `[parameters.NAME]` (init, min, max, fixed, tied, prior); for a
    function of your own that has no `names`, all of them in order.
    settings: the keys of `[data]` (x, y, dataset, sigma, …), `[fit]` (loss, precision, …) and
    `[output]` (intervals, level, figures).

    Yields Arrow tables with the columns that the command writes, a row per data set in the order of
    the source. Raises ValueError for what cannot be used.
    """
    path = "" if isinstance(source, Mapping) else resolve(str(source), Path.cwd())
    data = _table(DataTable, {"path": path, **_taken(DataTable, settings)})
    fit = _table(FitTable, _taken(FitTable, settings))
    output = _table(OutputTable, _taken(OutputTable, settings))
    if settings:
        raise InputError(f"{next(iter(settings))} is no setting: see the tables of the command")
    given = parameters if isinstance(parameters, Mapping) else {name: {} for name in parameters}
    tables = {name: _table(ParameterTable, dict(keys)) for name, keys in given.items()}
    data = data.with_starts(tables)
    opened = ArraySource(data, source) if isinstance(source, Mapping) else open_source(data)
    choice = choice_of(_model(model, tuple(given), opened.num_x), tables, opened.num_x)
    job = Job(choice, fit, output)
    job.columns.names(opened.id_names)
    return _in_order(engine_of(engine)(partial(fit_timed, job), opened.tasks()))


def _model(model: Any, parameters: tuple[str, ...], num_x: int) -> Any:
    if isinstance(model, str):
        return (
            models.NAMED[model]
            if model in models.NAMED
            else expression_of(model, num_x, parameters)
        )
    if hasattr(model, "names"):
        return model
    if not parameters:
        raise InputError("parameters is missing: list the names of the function's parameters")
    return FunctionModel(model, parameters)


def _taken(table: type[BaseModel], settings: dict[str, Any]) -> dict[str, Any]:
    """Take the keys of a table out of the settings."""
    return {key: settings.pop(key) for key in list(settings) if key in table.model_fields}


def _table(table: Any, content: dict[str, Any]) -> Any:
    try:
        return table.model_validate(content, strict=False)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise InputError(f"{first['loc'][0]}: {first['msg']}") from None


def _in_order(parts: Iterator[tuple[int, Part]]) -> Iterator[pa.Table]:
    """Yield the tables by their numbers; those that are early wait."""
    waiting, due = {}, 0
    for number, part in parts:
        waiting[number] = part.rows
        while due in waiting:
            yield waiting.pop(due)
            due += 1
