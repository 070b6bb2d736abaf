"""`fit_array`: fits along one dimension of an array with named dimensions, for all the others."""

from collections.abc import Callable, Hashable
from typing import Any

import numpy as np

from mvopt._errors import listed
from mvopt._types import Array, Status
from mvopt.regression.curve_fit import curve_fit
from mvopt.regression.fit import Fit
from mvopt.regression.report import columns, labels

_FIGURES = (
    "chi2",
    "reduced_chi2",
    "p_value",
    "dof",
    "status",
    "num_steps",
    "num_points",
    "aic",
    "aicc",
    "bic",
    "r_squared",
)
# As `xarray.DataArray.curvefit` names the dimensions of its results.
_PARAMETER, _COVARIANCE = "param", ("cov_i", "cov_j")


def fit_array(
    array: Any,
    model: Callable[[Any, Any], Array],
    dim: Hashable,
    *,
    sigma: Any = None,
    **options: Any,
) -> Any:
    """Fit `model` along `dim` of an `xarray.DataArray`, for all its other dimensions at once.

    x is the coordinate of `dim`, or 0, 1, … without one. sigma: a number, or a DataArray with some
    of the dimensions of `array`. options: those of `curve_fit`, the same for all fits. A point
    where `array` is NaN is left out.

    Returns an `xarray.Dataset` over the other dimensions, their coordinates kept: `params` and
    `stderr` with a further dimension `param` of the names, `covariance` with `cov_i` and `cov_j`,
    and χ² and the like under the names of `Fit`; `status` lists its meanings in its attributes.
    Raises ValueError for a dimension that is not there, or whose coordinate holds no numbers.
    """
    xarray = _xarray()
    _check(array, dim, options)
    x = np.asarray(array[dim])
    others = [each for each in array.dims if each != dim]
    y = _rows(array.transpose(*others, dim))
    used = ~np.isnan(y)
    rows = None if sigma is None else _sigma(xarray, sigma, array, others, dim)
    fit = curve_fit(
        model,
        x,
        y,
        sigma=rows,
        mask=None if used.all() else used,
        in_axes=(None, 0, None, None if rows is None or rows.ndim < 2 else 0, 0),
        **options,
    )
    return _dataset(xarray, fit, array.isel({dim: 0}, drop=True), others)


def _rows(array: Any) -> np.ndarray:
    """Values with all dimensions but the last as one."""
    values = np.asarray(array)
    values = values if values.dtype == np.float32 else values.astype(float)
    return values.reshape(-1, values.shape[-1])


def _sigma(xarray: Any, sigma: Any, array: Any, others: list, dim: Hashable) -> np.ndarray:
    """One number, (m,) for all fits, or (N, m)."""
    sigma = xarray.DataArray(sigma)
    unknown = [each for each in sigma.dims if each not in array.dims]
    if unknown:
        raise ValueError(
            f"sigma has the dimensions {listed(unknown)}, but the array has {listed(array.dims)}: "
            "give a number, or a DataArray with some of these"
        )
    if set(sigma.dims) <= {dim}:
        return np.asarray(sigma)
    # Aligned by coordinates: an outer join would leave points without a sigma.
    whole, _ = xarray.broadcast(*xarray.align(sigma, array, join="right"))
    return _rows(whole.transpose(*others, dim))


def _dataset(xarray: Any, fit: Fit, frame: Any, others: list) -> Any:
    """The fields of a fit over the dimensions and coordinates of `frame`."""
    shape = frame.shape
    names = list(labels(fit))

    def variable(values: Any, *own: Hashable) -> tuple:
        values = np.asarray(values)
        return (*others, *own), values.reshape((*shape, *values.shape[1:]))

    data = {
        "params": variable(columns(fit, fit.params), _PARAMETER),
        "stderr": variable(columns(fit, fit.stderr), _PARAMETER),
        "covariance": variable(fit.covariance, *_COVARIANCE),
        **{name: variable(getattr(fit, name)) for name in _FIGURES},
    }
    coordinates = dict.fromkeys((_PARAMETER, *_COVARIANCE), names)
    dataset = xarray.Dataset(data, {**frame.coords, **coordinates})
    # The convention of CF for flags, section 3.5.
    dataset["status"].attrs = {
        "flag_values": [int(each) for each in Status],
        "flag_meanings": " ".join(each.name for each in Status),
    }
    return dataset


def _check(array: Any, dim: Hashable, options: dict[str, Any]) -> None:
    for option in ("mask", "in_axes"):
        if option in options:
            raise ValueError(f"{option} is not for arrays: set the points to leave out to NaN")
    if dim not in array.dims:
        raise ValueError(f"there is no dimension {dim!r}: the array has {listed(array.dims)}")
    taken = {_PARAMETER, *_COVARIANCE} & {*array.dims, *array.coords}
    if taken:
        raise ValueError(f"the results have dimensions {listed(sorted(taken))}: rename the array's")
    kind = array[dim].dtype
    if not np.issubdtype(kind, np.number):
        raise ValueError(
            f"the coordinate {dim!r} holds {kind}: replace it by numbers, for times such as "
            f"(t - t[0]) / np.timedelta64(1, 's'), with assign_coords"
        )


def _xarray() -> Any:
    try:
        import xarray  # noqa: PLC0415
    except ImportError as error:
        raise ImportError("labelled arrays need xarray: pip install 'mvopt[xarray]'") from error
    return xarray
