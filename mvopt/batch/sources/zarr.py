"""Zarr: a folder that holds one array, or a group of arrays by name."""

from typing import Any

from mvopt._errors import located
from mvopt.batch.config import DataTable
from mvopt.batch.sources.arrays import ArraySource
from mvopt.batch.sources.damage import read_whole
from mvopt.batch.sources.optional import library
from mvopt.batch.sources.per_process import PerProcess
from mvopt.batch.sources.stored import Read, StoredArray, open_stored

_WANTED = "a whole Zarr array or group"


def open_zarr(data: DataTable) -> ArraySource:
    """Open the arrays that `[data]` names; an array that is not in a group is y."""
    file = PerProcess(_reader, data.path)
    arrays = _arrays(data.path)
    held = {name: StoredArray(name, a.shape, a.dtype, file) for name, a in arrays.items()}
    return open_stored(data, held)


def _arrays(path: str) -> dict[str, Any]:
    zarr = library("zarr", "zarr")
    with read_whole(_WANTED):
        opened = zarr.open(path, mode="r")
        if isinstance(opened, zarr.Array):
            return {"y": opened}
        members = opened.members(max_depth=None)
    return {name: item for name, item in members if isinstance(item, zarr.Array)}


def _reader(path: str) -> Read:
    arrays = _arrays(path)

    def read(name: str, index: Any) -> Any:
        with located(f"{path}: {name}"), read_whole(_WANTED):
            return arrays[name][index]

    return read
