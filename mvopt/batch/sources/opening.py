"""From what a configuration describes to the source that reads it."""

from collections.abc import Callable
from pathlib import Path

from mvopt._errors import InputError, listed, located
from mvopt.batch.config import FITS, NIFTI, TIFF, DataTable
from mvopt.batch.sources import tables
from mvopt.batch.sources.arrays import open_npy
from mvopt.batch.sources.fits_images import open_cube
from mvopt.batch.sources.fits_tables import open_table
from mvopt.batch.sources.hdf5 import open_hdf5
from mvopt.batch.sources.labelled import open_netcdf
from mvopt.batch.sources.lists import ListSource
from mvopt.batch.sources.long import LongSource
from mvopt.batch.sources.nifti import open_nifti
from mvopt.batch.sources.source import Source
from mvopt.batch.sources.tiff import open_tiff
from mvopt.batch.sources.wide import WideSource
from mvopt.batch.sources.zarr import open_zarr


def _open_fits(data: DataTable) -> Source:
    return open_cube(data) if data.is_image else open_table(data)


# By the end of the file's name; everything else is a table, or many of them.
_READERS: dict[tuple[str, ...], Callable[[DataTable], Source]] = {
    (".npy", ".npz"): open_npy,
    (".h5", ".hdf5"): open_hdf5,
    (".zarr",): open_zarr,
    (".nc",): open_netcdf,
    NIFTI: open_nifti,
    TIFF: open_tiff,
    FITS: _open_fits,
}

_TABLES: dict[str, Callable[..., Source]] = {
    "long": LongSource,
    "wide": WideSource,
    "lists": ListSource,
}


def open_source(data: DataTable) -> Source:
    """Open what `[data]` describes; raises `InputError` for files and columns that do not fit."""
    for suffixes, reader in _READERS.items():
        if data.path.rstrip("/").lower().endswith(suffixes):
            with located(f"[data] in {data.path}"):
                _check_single(Path(data.path))
                return reader(data)
    with located("[data]", " "):
        _check_kind(Path(data.path))
        files = tables.find(data.path)
        known = tables.schema(files[0])
    with located(f"[data] in {files[0]}"):
        layout = data.layout or ("lists" if tables.is_list(known, data.y) else "long")
        return _TABLES[layout](data, files, known)


def _check_single(path: Path) -> None:
    if not path.exists():
        raise InputError("there is no such file: of this kind one is read, not those of a pattern")
    if path.is_file() and path.stat().st_size == 0:
        raise InputError("the file is empty: give one with data")


def _check_kind(path: Path) -> None:
    if path.is_file() and not path.name.endswith(tables.TABLE_SUFFIXES):
        known = [*tables.TABLE_SUFFIXES, *(end for ends in _READERS for end in ends)]
        # In two parts: a list of more than a dozen would be cut.
        raise InputError(
            f"{path} is of an unknown kind: give a file that ends in {listed(known[:8])}, "
            f"{listed(known[8:])}"
        )
