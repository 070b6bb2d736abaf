"""Images: a series of values in each voxel, whose points all voxels share.

Voxels are taken in C order of their indices, the last fastest. Of a file that is not compressed
only what is asked for is read; a compressed one is held whole, in the type it is stored in.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from mvopt._errors import InputError, listed, located, quoted
from mvopt.batch.blocks import rows_a_block
from mvopt.batch.config import DataTable
from mvopt.batch.datasets import EXTRAS, DataSets, constant, of_rows
from mvopt.batch.sources.per_process import PerProcess
from mvopt.batch.sources.side_files import abscissas
from mvopt.batch.sources.slabs import Slabs
from mvopt.batch.sources.source import Slice, Wanted, every, sliced


@dataclass(frozen=True)
class Image:
    """Values as they are stored, (*grid, points), and what they stand for.

    They are multiplied by `slope`, and `intercept` is added. A value that is `blank` is missing; so
    is a NaN where the format says that of it.
    """

    stored: np.ndarray
    slope: float = 1.0
    intercept: float = 0.0
    blank: int | None = None
    nan_is_missing: bool = False

    @cached_property
    def _slabs(self) -> Slabs:
        return Slabs(self.stored)

    def values(self, places: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        """Return values (N, points) of voxels by their numbers, and which of them are there."""
        raw = self._slabs.take(places)
        values = self.slope * raw.T.astype(float, order="C") + self.intercept
        known = None if self.blank is None else np.not_equal(raw, self.blank).T
        if self.nan_is_missing:
            known = ~np.isnan(values) if known is None else known & ~np.isnan(values)
        return values, known


@dataclass(frozen=True)
class ImageFormat:
    """How images of one kind are read and written.

    `axes` are the names of a voxel's indices. `open` reads an image by its path, `open_mask` the
    values over the grid of a mask by its path and that of the image. `write` writes a map, float32
    over the grid, to a file, with what is to be kept of the image's header; `suffix` ends its name.
    """

    name: str
    suffixes: tuple[str, ...]
    axes: tuple[str, ...]
    suffix: str
    open: Callable[[str], Image]
    open_mask: Callable[[str, str], np.ndarray]
    write: Callable[[str, Path, np.ndarray], None]


class ImageSource:
    """Data sets that are the voxels of an image within a mask."""

    def __init__(self, data: DataTable, kind: ImageFormat) -> None:
        """Check the image, its mask and its abscissas against each other."""
        _check_keys(data, kind)
        self.kind, self.path = kind, data.path
        self._image = PerProcess(_opened, data.path, kind)
        stored = self._image().stored
        *grid, self._points = stored.shape
        self.grid = tuple(grid)
        self._voxels = (
            None
            if data.mask is None
            else PerProcess(_inside, str(data.mask), data.path, kind, self.grid)
        )
        self.count: Any = math.prod(grid) if self._voxels is None else len(self._voxels())
        self._x, side_files = abscissas(data.x, self._points)
        self.files = [data.path, *([] if data.mask is None else [str(data.mask)]), *side_files]
        given = {key: getattr(data, key) for key in EXTRAS}
        self._constants = {key: value for key, value in given.items() if value is not None}
        self.id_names, self.num_x = list(kind.axes), len(self._x)

    def tasks(self, wanted: Wanted = every) -> Iterator[Slice]:
        """Yield the wanted blocks."""
        return sliced(self, self.count, rows_a_block(self._points, shared_x=True), wanted)

    def read(self, start: int, stop: int) -> DataSets:
        """Return the data sets from `start` up to `stop`."""
        places = self._places(start, stop)
        values, known = self._image().values(places)
        index = np.unravel_index(places, self.grid)
        ids = dict(zip(self.id_names, map(pa.array, index), strict=True))
        extras = {key: constant(value, values.size) for key, value in self._constants.items()}
        return of_rows(pa.table(ids), self._x, values, extras, known)

    def map_of(self, values: np.ndarray) -> np.ndarray:
        """Return values (data sets,) over the grid, NaN outside the mask, in float32."""
        found = np.full(self.grid, np.nan, np.float32)
        with np.errstate(over="ignore"):  # beyond float32 is infinite
            found.reshape(-1)[self._places(0, self.count)] = values
        return found

    def _places(self, start: int, stop: int) -> np.ndarray:
        """Return the numbers of voxels in C order of the grid."""
        return np.arange(start, stop) if self._voxels is None else self._voxels()[start:stop]


def whole(kind: str, dimensions: int, values: Any) -> np.ndarray:
    """Return values of an image or a mask; raises `InputError` unless they are real numbers."""
    if values.ndim != dimensions or 0 in values.shape:
        raise InputError(f"it has shape {values.shape}: give {kind} of {dimensions} dimensions")
    if values.dtype.kind not in "fiub":
        raise InputError(f"it holds {values.dtype}: give real numbers")
    return values


def _opened(path: str, kind: ImageFormat) -> Image:
    image = kind.open(path)
    whole("an image", len(kind.axes) + 1, image.stored)
    return image


def _inside(path: str, image: str, kind: ImageFormat, grid: tuple[int, ...]) -> np.ndarray:
    """Return the numbers of the voxels within a mask."""
    with located(f"mask {path}"):
        if not Path(path).is_file():
            raise InputError("there is no such file: give that of a mask")
        npy = path.lower().endswith(".npy")
        values = whole("a mask", len(grid), _npy(path) if npy else kind.open_mask(path, image))
        if values.shape != grid:
            raise InputError(f"it has shape {values.shape} and the image {grid}: give one like it")
        places = np.flatnonzero((values != 0) & ~np.isnan(values))
        if len(places) == 0:
            raise InputError("no voxel of it counts: give a mask that is not 0 somewhere")
        return places


def _npy(path: str) -> np.ndarray:
    try:
        return np.load(path, allow_pickle=False)
    except (ValueError, OSError, EOFError) as error:
        raise InputError(f"it cannot be read ({error}): save an array of numbers") from None


def _check_keys(data: DataTable, kind: ImageFormat) -> None:
    for key in ("layout", "dataset", "y"):
        if getattr(data, key) is not None:
            raise InputError(f"{key} is not for images, whose voxels are the data sets: remove it")
    if data.starts:
        raise InputError("init: an image has no columns: give a number")
    for key in EXTRAS:
        value = getattr(data, key)
        if value is not None and not isinstance(value, float):
            raise InputError(f"{key} = {quoted(value)}: for images give one number for all points")
    suffixes = (*kind.suffixes, ".npy")
    if data.mask is None:
        return
    if not isinstance(data.mask, str) or not data.mask.lower().endswith(suffixes):
        raise InputError(
            f"mask = {quoted(data.mask)}: give a file of the image's grid that ends in "
            f"{listed(suffixes)}"
        )
