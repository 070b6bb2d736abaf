"""The model that a configuration asks for: by name, by expression or by function."""

import importlib
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from modulefinder import ModuleFinder
from pathlib import Path
from types import ModuleType
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from mvopt._errors import InputError, listed, located, quoted, suggestion
from mvopt._types import Array
from mvopt.batch.config import Config, ModelTable, ParameterTable
from mvopt.regression import models
from mvopt.regression.expression import Expression, parse
from mvopt.regression.parameters import roles_of

Model = Any  # called as model(x, params), with .names


@dataclass(frozen=True)
class FunctionModel:
    """A user's function `(x, params)` with the names of its parameters."""

    function: Callable[[Any, Any], Array]
    names: tuple[str, ...]

    def __call__(self, x: Any, params: Any) -> Array:
        """Return the function's value."""
        return self.function(x, params)


@dataclass(frozen=True)
class Choice:
    """A model with the starts, the bounds and the fixed parameters that belong to it.

    `start` (n,) has NaN where the model's own guess is to be taken; `lower` and `upper` are (n,),
    or None where nothing is bounded. `prior` are means and standard deviations (n,), or None.
    """

    model: Model
    start: np.ndarray
    bounds: tuple[np.ndarray, np.ndarray] | None
    fixed: tuple[str, ...]
    tied: dict[str, str]
    prior: tuple[np.ndarray, np.ndarray] | None

    @property
    def names(self) -> tuple[str, ...]:
        """The parameters, in the model's order."""
        return tuple(self.model.names)


def choose(config: Config, num_x: int) -> Choice:
    """Return what `[model]` and `[parameters]` describe for data with `num_x` variables."""
    with located("[model]", " "):
        model = _model(config.model, num_x, config.parameters)
    return choice_of(model, config.parameters, num_x)


def choice_of(model: Model, given: Mapping[str, ParameterTable], num_x: int) -> Choice:
    """Return a model with what is given of its parameters, for data with `num_x` variables."""
    _check_variables(model, num_x)
    names = tuple(model.names)
    for name in given:
        if name not in names:
            remedy = suggestion(name, names, "parameters")
            raise InputError(
                f"[parameters.{name}] is not one of the model's {len(names)} parameters "
                f"({listed(names)}): {remedy}"
            )
    tables = [given.get(name, ParameterTable()) for name in names]
    fixed = tuple(name for name, table in zip(names, tables, strict=True) if table.fixed)
    tied = {name: table.tied for name, table in given.items() if table.tied is not None}
    try:
        roles_of(names, fixed, tied)
    except ValueError as error:
        raise InputError(f"[parameters] {error}") from None
    priors = [[0.0, np.inf] if table.prior is None else table.prior for table in tables]
    guessed = hasattr(model, "guess")
    bounds = _sides([[table.min, table.max] for table in tables])
    return Choice(
        model=_within(model, tables) if isinstance(model, Expression) else model,
        start=np.array([np.nan if guessed and t.init is None else _start(t) for t in tables]),
        bounds=bounds if np.isfinite(bounds).any() else None,
        fixed=fixed,
        tied=tied,
        prior=_sides(priors) if any(table.prior is not None for table in tables) else None,
    )


def _sides(pairs: list[list[float]]) -> tuple[np.ndarray, np.ndarray]:
    first, second = np.array(pairs).T
    return first, second


def _within(expression: Expression, tables: list[ParameterTable]) -> Expression:
    """Return the expression with the box in which its guess is to be."""
    # A fixed parameter keeps its start, and the guess of the others goes with that.
    ends = [
        (t.init, t.init) if t.fixed and isinstance(t.init, float) else (t.min, t.max)
        for t in tables
    ]
    return replace(
        expression, lower=tuple(low for low, _ in ends), upper=tuple(high for _, high in ends)
    )


def _start(table: ParameterTable) -> float:
    """Return the start of a parameter that no guess fills: 1, or a place between its bounds."""
    if isinstance(table.init, str):
        return np.nan
    if table.init is not None:
        return table.init
    low, high = table.min, table.max
    if low <= 1 <= high:
        return 1.0
    if np.isfinite([low, high]).all():
        return (low + high) / 2
    return low + 1 if np.isfinite(low) else high - 1


def _model(table: ModelTable, num_x: int, known: Iterable[str]) -> Model:
    if table.degree is not None and table.name != "polynomial":
        raise InputError("degree is only for name = 'polynomial': remove it")
    if table.expression is not None:
        return expression_of(table.expression, num_x, known)
    if table.function is not None:
        return _function(table.function, table.parameters, num_x)
    if table.name == "polynomial":
        if table.degree is None:
            raise InputError("degree is missing: give the degree of the polynomial")
        model = models.polynomial(table.degree)
    elif table.name in models.NAMED:
        model = models.NAMED[table.name]
    else:
        remedy = suggestion(str(table.name), [*models.NAMED, "polynomial"], "models")
        raise InputError(f"name = {quoted(table.name)} is not a model: {remedy}")
    return model


def _check_variables(model: Model, num_x: int) -> None:
    wanted = getattr(model, "num_x", num_x)
    if wanted != num_x:
        raise InputError(f"[model] has {wanted} independent variables: give as many in [data] x")


def expression_of(text: str, num_x: int, known: Iterable[str] = ()) -> Expression:
    """Return the model of a formula; raises `InputError` with what is wrong in it.

    known: names that are spelled in this way, see `parse`.
    """
    variables = ("x",) if num_x == 1 else tuple(f"x{i}" for i in range(num_x))
    with located("expression"):
        expression = parse(text, variables, known)
        if not expression.names:
            raise InputError("there is no parameter in it: name at least one")
        if num_x > 1 and "x" in expression.names:
            raise InputError(f"x stands for {num_x} variables here: write {listed(variables)}")
    return expression


def _function(path: str, parameters: list[str] | None, num_x: int) -> Model:
    with located(f"function = {quoted(path)}"):
        package, _, name = path.partition(":")
        function = getattr(_module(package), name, None) if name else None
        if not callable(function):
            raise InputError("there is no such function: write 'package.module:function'")
        own = getattr(function, "names", None)
        if own is not None and parameters is None:
            return function
        if not parameters:
            raise InputError("parameters is missing: list the names of its parameters")
        if own is not None and tuple(parameters) != tuple(own):
            raise InputError(f"parameters must be those of the model: {listed(own)}")
        model = function if own is not None else FunctionModel(function, tuple(parameters))
        _check_variables(model, num_x)
        _try_out(model, num_x)
        return model


def source_files(function: str) -> list[str]:
    """Return the file that a function 'package.module:function' is from, and what it imports of
    those beside it.
    """
    with located(f"function = {quoted(function)}"):
        module = _module(function.partition(":")[0])
    name, file = module.__name__, getattr(module, "__file__", None)
    if file is None:
        return []
    package = Path(file).stem == "__init__"
    folder = Path(file).resolve().parents[name.count(".") + package]
    # Of what is installed, its own package alone; the version of this library is known.
    installed = "site-packages" in folder.parts
    others = {place.stem for place in folder.iterdir()} - {name.partition(".")[0]}
    finder = ModuleFinder([str(folder)], excludes=others if installed else {"mvopt"})
    finder.import_hook(name)
    found = (getattr(each, "__file__", None) for each in finder.modules.values())
    return sorted({file, *filter(None, found)})


def _module(name: str) -> ModuleType:
    # A command that is installed does not look into the current folder by itself.
    folder = str(Path.cwd())
    sys.path.insert(0, folder)
    try:
        return importlib.import_module(name)
    except (ImportError, SyntaxError, ValueError) as error:
        raise InputError(f"it cannot be imported ({error}): check the name") from None
    finally:
        sys.path.remove(folder)


def _try_out(model: Model, num_x: int) -> None:
    """Find a wrong number of parameters before the fit, by shapes alone."""
    points = 3
    x = jnp.zeros((points,) if num_x == 1 else (num_x, points))
    count = len(model.names)
    try:
        shape = jax.eval_shape(model, x, jnp.zeros(count)).shape
    except (TypeError, ValueError, IndexError) as error:
        raise InputError(f"it fails with {count} parameters ({error}): check them") from None
    if shape != (points,):
        raise InputError(f"it returns shape {shape} for {points} points: return one value a point")
