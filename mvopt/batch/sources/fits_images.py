"""FITS cubes, of shape (points, y, x) as NumPy counts their axes."""

import warnings
from pathlib import Path
from typing import Any

import numpy as np

from mvopt._errors import InputError
from mvopt.batch.config import FITS, DataTable
from mvopt.batch.sources.damage import read_whole
from mvopt.batch.sources.fits import opened
from mvopt.batch.sources.images import Image, ImageFormat, ImageSource
from mvopt.batch.sources.optional import library


def open_cube(data: DataTable) -> ImageSource:
    """Open a cube and what belongs to it."""
    return ImageSource(data, _FORMAT)


def _first(units: Any, dimensions: int) -> Any:
    """Return the first image of so many dimensions; axes of length 1 in front do not count."""
    shapes = []
    for unit in units:
        if unit.is_image and len(unit.shape) >= dimensions:
            if set(unit.shape[:-dimensions]) <= {1}:
                return unit
            shapes.append(unit.shape)
    found = f"only those of shapes {shapes}" if shapes else "none"
    raise InputError(f"there is no image of {dimensions} dimensions but {found}: give one")


def _read(path: str, dimensions: int) -> tuple[np.ndarray, Any]:
    """Return values as they are stored and their header."""
    compressed = path.lower().endswith(".gz")
    with opened(path) as units:
        unit = _first(units, dimensions)
        shape = unit.shape[-dimensions:]
        if compressed or type(unit).__name__ == "CompImageHDU":
            # What its decompression raises is a class that astropy keeps to itself.
            with read_whole("a whole FITS file", Exception):
                return np.array(unit.data).reshape(shape), unit.header
        # Mapped by ourselves: a mapping of astropy keeps the file open.
        start, header = unit.fileinfo()["datLoc"], unit.header.copy()
        kind = library("astropy.io.fits", "fits").BITPIX2DTYPE[header["BITPIX"]]
        values = np.memmap(path, np.dtype(kind).newbyteorder(">"), "r", start, shape)
    return np.asarray(values), header


def _image(path: str) -> Image:
    stored, header = _read(path, 3)
    return Image(
        np.moveaxis(stored, 0, -1),
        slope=float(header.get("BSCALE", 1)),
        intercept=float(header.get("BZERO", 0)),
        blank=header.get("BLANK") if stored.dtype.kind in "iu" else None,
        nan_is_missing=True,  # as the standard says, 5.3
    )


def _mask(path: str, image: str) -> np.ndarray:
    del image
    stored, header = _read(path, 2)
    values = stored * float(header.get("BSCALE", 1)) + float(header.get("BZERO", 0))
    return np.where(stored == header["BLANK"], 0, values) if "BLANK" in header else values


def _write(image: str, file: Path, values: np.ndarray) -> None:
    fits = library("astropy.io.fits", "fits")
    with opened(image) as units:
        header = _celestial(_first(units, 3).header)
    with file.open("wb") as stream:
        fits.PrimaryHDU(values, header).writeto(stream)


def _celestial(header: Any) -> Any:
    """Return the header of the coordinates on the sky, or None where y and x are no such."""
    wcs = library("astropy.wcs", "fits")
    with warnings.catch_warnings():
        # About headers that are not quite of the standard, which it puts right.
        warnings.simplefilter("ignore", wcs.FITSFixedWarning)
        try:
            world = wcs.WCS(header)
            if {world.wcs.lng, world.wcs.lat} != {0, 1}:
                return None
            return world.celestial.to_header(relax=True)
        except (ValueError, MemoryError, wcs.WcsError):
            return None


_FORMAT = ImageFormat(
    name="FITS",
    suffixes=FITS,
    axes=("y", "x"),
    suffix=".fits",
    open=_image,
    open_mask=_mask,
    write=_write,
)
