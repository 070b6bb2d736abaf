"""The configuration of a run: a TOML file, checked before anything is read or computed."""

import glob
import math
import tomllib
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, ValidationError
from pydantic_core import ErrorDetails

from mvopt import losses
from mvopt._errors import InputError, listed, located, quoted, suggestion
from mvopt.least_squares import DEFAULT_MAX_STEPS

# How far above the configuration's folder a relative data path is looked for.
_PARENTS = 2

# By these ends of their names files are known as images; FITS also holds tables.
NIFTI = (".nii", ".nii.gz")
TIFF = (".tif", ".tiff")
FITS = (".fits", ".fits.gz")

Column = str
Numbers = list[float] | list[list[float]]
Positive = Annotated[float, Field(gt=0)]


ROBUST = tuple(name for name, kind in losses.NAMED.items() if isinstance(kind(), losses.Robust))


class _Table(BaseModel):
    # Strict: "yes" is no truth value and "3" no number. An unknown key is an error.
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class DataTable(_Table):
    """`[data]`: where the data sets are and which columns (or arrays) hold what."""

    path: str = Field(description="a file, a folder or a glob")
    layout: Literal["long", "wide", "lists"] | None = Field(
        default=None, description='"long", "wide" or "lists"'
    )
    dataset: Column | list[Column] | None = Field(
        default=None, description="the column, or a list of columns, that tells data sets apart"
    )
    x: Column | list[Column] | Numbers | None = Field(
        default=None,
        description="a column, an expression, a list of either, or a list of numbers; "
        "images: also a file of numbers, or a list of files",
    )
    y: Column | list[Column] | None = Field(
        default=None, description="a column or an expression; wide: a list of columns or a glob"
    )
    sigma: Column | list[Column] | float | None = Field(
        default=None,
        description="a column, an expression, or a number; wide: also a list of columns",
    )
    sigma_x: Column | list[Column] | float | None = Field(
        default=None, description="a column or a number; wide: also a list of columns"
    )
    trials: Column | list[Column] | float | None = Field(
        default=None, description="a column or a number; wide: also a list of columns"
    )
    mask: Column | list[Column] | None = Field(
        default=None,
        description="a column that is true (or not 0) where the point counts; images: a file",
    )

    # From the names of parameters to the columns of their starts, as [parameters.NAME] init says.
    _starts: dict[str, Column] = PrivateAttr(default_factory=dict)

    @property
    def starts(self) -> dict[str, Column]:
        """The columns that hold a start for each data set, by the parameters' names."""
        return self._starts

    def with_starts(self, parameters: Mapping[str, "ParameterTable"]) -> "DataTable":
        """Return the table with the columns that `init` names."""
        same = self.model_copy()
        inits = {name: table.init for name, table in parameters.items()}
        same._starts = {name: init for name, init in inits.items() if isinstance(init, str)}
        return same

    @property
    def is_image(self) -> bool:
        """Whether the data sets are the voxels of an image."""
        # FITS is read as a table where y names columns.
        name = self.path.lower()
        return name.endswith((*NIFTI, *TIFF)) or (name.endswith(FITS) and self.y is None)

    @property
    def datasets(self) -> list[Column]:
        """The columns of the ids; none where there is only one data set, or one a row."""
        return [self.dataset] if isinstance(self.dataset, str) else list(self.dataset or [])


class ModelTable(_Table):
    """`[model]`: exactly one of name, expression and function."""

    name: str | None = Field(default=None, description="a model's name as `mvopt models` lists it")
    degree: Annotated[int, Field(ge=0, le=20)] | None = Field(
        default=None, description="the degree of the polynomial, 0 to 20"
    )
    expression: str | None = Field(default=None, description='a formula such as "a*exp(-b*x) + c"')
    function: str | None = Field(
        default=None, description='a function as "package.module:function"'
    )
    parameters: list[str] | None = Field(
        default=None, description="the names, in order, of a function's parameters"
    )


class ParameterTable(_Table):
    """`[parameters.NAME]`: start and bounds; what is missing the model's guess fills."""

    init: float | Column | None = Field(
        default=None, description="a number, or a column that has one for each data set"
    )
    min: float = Field(default=-math.inf, description="a number")
    max: float = Field(default=math.inf, description="a number")
    fixed: bool = Field(default=False, description="true or false")
    tied: str | None = Field(
        default=None, description='an expression of other parameters such as "2*a"'
    )
    prior: Annotated[list[float], Field(min_length=2, max_length=2)] | None = Field(
        default=None, description="[mean, standard deviation]"
    )


class FitTable(_Table):
    """`[fit]`: how to fit."""

    loss: Literal["linear", "huber", "soft_l1", "cauchy", "tukey", "poisson", "binomial"] = Field(
        default="linear", description=f'"linear" or one of {", ".join(losses.NAMED)}'
    )
    threshold: Positive | None = Field(default=None, description="a number above 0")
    scale: Positive | None = Field(default=None, description="a number above 0")
    absolute_sigma: bool = Field(default=False, description="true or false")
    nan_policy: Literal["propagate", "omit"] = Field(
        default="propagate", description='"propagate" or "omit"'
    )
    max_steps: Annotated[int, Field(ge=1, le=1_000_000)] = Field(
        default=DEFAULT_MAX_STEPS, description="a whole number from 1 to 1,000,000"
    )
    precision: Literal["float32", "float64", "mixed"] = Field(
        default="float64", description='"float32", "float64" or "mixed"'
    )


class OutputTable(_Table):
    """`[output]`: where the table of results goes."""

    path: str = Field(default="results", description="a folder, relative to the current one")
    csv: bool = Field(default=False, description="true or false")
    intervals: Literal["t", "profile"] | None = Field(default=None, description='"t" or "profile"')
    level: Annotated[float, Field(gt=0, lt=1)] = Field(
        default=0.95, description="a number between 0 and 1"
    )
    figures: list[Literal["r_squared", "log_likelihood", "aic", "aicc", "bic"]] = Field(
        default=[], description="a list of r_squared, log_likelihood, aic, aicc, bic"
    )
    maps: bool | None = Field(default=None, description="true or false")


class Config(_Table):
    """A whole configuration; `data.path` is resolved to an existing file, folder or glob.

    So are the mask and the files of x, where the data are an image.
    """

    data: DataTable
    model: ModelTable
    parameters: dict[str, ParameterTable] = {}
    fit: FitTable = FitTable()
    output: OutputTable = OutputTable()


def load(path: Path) -> Config:
    """Read and check the configuration; raises `InputError` that names file, field, remedy."""
    with located(str(path)):
        config = _validated(_read(path))
        _check_model(config.model)
        _check_fit(config)
        for name, parameter in config.parameters.items():
            with located(f"[parameters.{name}]", " "):
                _check_parameter(parameter)
        data = _resolved(config.data, path.parent).with_starts(config.parameters)
    return config.model_copy(update={"data": data})


def _resolved(data: DataTable, folder: Path) -> DataTable:
    """Return the table with the places of its files."""
    found: dict[str, Any] = {"path": resolve(data.path, folder)}
    if data.is_image:
        if isinstance(data.mask, str):
            found["mask"] = resolve(data.mask, folder, "mask")
        if isinstance(data.x, str):
            found["x"] = _resolve_side(data.x, folder)
        elif data.x and isinstance(data.x[0], str):
            found["x"] = [_resolve_side(str(text), folder) for text in data.x]
    return data.model_copy(update=found)


def _resolve_side(text: str, folder: Path) -> str:
    """Return where a file of x leads, of which a column may be named behind a colon."""
    try:
        return resolve(text, folder, "x")
    except InputError:
        file, colon, column = text.rpartition(":")
        if not colon:
            raise
    return f"{resolve(file, folder, 'x')}:{column}"


def resolve(pattern: str, folder: Path, key: str = "path") -> str:
    """Return where a relative path, that of a key of `[data]`, leads.

    It is looked for in the configuration's folder, in up to two folders above, and last in the
    current one; the first hit counts.
    """
    wanted = Path(pattern).expanduser()
    folder = folder.resolve()
    places = [folder, *list(folder.parents)[:_PARENTS], Path.cwd()]
    for place in places:
        candidate = place / wanted  # an absolute path stays itself
        with suppress(OSError):  # no file has so long a name
            if candidate.exists() or any(glob.iglob(str(candidate), recursive=True)):
                return str(candidate)
    raise InputError(
        f"[data] {key} = {quoted(pattern)} does not exist: give a path relative to {folder} or to "
        "the current folder"
    )


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_bytes().decode())
    except FileNotFoundError:
        raise InputError("there is no such file: give the path of a TOML configuration") from None
    except OSError as error:
        raise InputError(f"the file cannot be read ({error.strerror}): check it") from None
    except UnicodeDecodeError:
        raise InputError("the file is not text in UTF-8: give a TOML configuration") from None
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise InputError(f"the file is not valid TOML: {error}; correct that line") from None


def _validated(content: dict[str, Any]) -> Config:
    try:
        return Config.model_validate(content)
    except ValidationError as error:
        raise InputError(_one_line(error.errors(include_url=False)[0])) from None


def _one_line(error: ErrorDetails) -> str:
    """Turn the validator's first complaint into: the field, what is wrong, what to write."""
    first, *keys = (str(part) for part in error["loc"])
    kind = error["type"]
    if not keys and kind == "extra_forbidden":
        return f"[{first}] is not a known table: {suggestion(first, Config.model_fields, 'tables')}"
    if not keys and kind == "missing":
        return f"the table [{first}] is missing: add it"
    table, fields = first, _TABLES[first].model_fields
    if first == "parameters" and keys:
        table, *keys = f"parameters.{keys[0]}", *keys[1:]
    if not keys:
        return f"[{table}] must be a table: write [{table}] with its keys below"
    name = keys[0]
    if kind == "extra_forbidden":
        return f"[{table}] {name} is not a known key: {suggestion(name, fields, 'keys')}"
    wanted = fields[name].description
    if kind == "missing":
        return f"[{table}] {name} is missing: give {wanted}"
    return f"[{table}] {name} = {quoted(error['input'])} does not fit: give {wanted}"


_TABLES: dict[str, type[BaseModel]] = {
    "data": DataTable,
    "model": ModelTable,
    "parameters": ParameterTable,
    "fit": FitTable,
    "output": OutputTable,
}


def _check_model(model: ModelTable) -> None:
    given = [key for key in ("name", "expression", "function") if getattr(model, key) is not None]
    if len(given) != 1:
        what = " and ".join(given) if given else "nothing"
        raise InputError(f"[model] gives {what}: give exactly one of name, expression, function")
    if model.parameters is not None and model.function is None:
        raise InputError("[model] parameters is only for a function: remove it")
    names = model.parameters or []
    if len(set(names)) != len(names):
        raise InputError("[model] parameters names one twice: give each its own name")


def _check_fit(config: Config) -> None:
    fit = config.fit
    for key in ("threshold", "scale"):
        if getattr(fit, key) is not None and fit.loss not in ROBUST:
            raise InputError(f"[fit] {key} is for a robust loss ({listed(ROBUST)}): remove it")
    if fit.loss in ROBUST and config.output.intervals == "profile":
        raise InputError(
            f"[output] intervals: {fit.loss} is no likelihood and has no profile: write 't'"
        )
    if config.data.trials is not None and fit.loss != "binomial":
        raise InputError("[data] trials is for [fit] loss = 'binomial': remove it")
    counts = fit.loss in ("poisson", "binomial")
    for key in ("sigma", "sigma_x"):
        if counts and getattr(config.data, key) is not None:
            raise InputError(f"[data] {key}: counts have no such errors: remove it")


def _check_parameter(parameter: ParameterTable) -> None:
    low, high, init = parameter.min, parameter.max, parameter.init
    if math.isnan(low) or math.isnan(high):
        raise InputError("min or max is nan: give a number, or leave it out")
    init = None if isinstance(init, str) else init
    if init is not None and not math.isfinite(init):
        raise InputError(f"init ({init}) is not finite: give a number, or leave it out")
    if low > high:
        raise InputError(f"min ({low}) is greater than max ({high}): swap them")
    if init is not None and not low <= init <= high:
        raise InputError(f"init ({init}) is outside min ({low}) and max ({high}): move one of them")
    if parameter.fixed and parameter.init is None:
        raise InputError("fixed = true needs the value to hold: give init")
    if parameter.prior is not None and not parameter.prior[1] > 0:
        raise InputError(f"prior = {parameter.prior}: its standard deviation must be above 0")
    others = {"init", "min", "max", "fixed", "prior"} & parameter.model_fields_set
    if parameter.tied is not None and others:
        raise InputError(f"a tied parameter follows from others: remove {listed(sorted(others))}")
