"""FITS files, opened with what can go wrong in one line."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mvopt.batch.sources.damage import read_whole
from mvopt.batch.sources.optional import library


@contextmanager
def opened(path: str) -> Iterator[Any]:
    """Yield the units of a file, images as they are stored; `InputError` for a damaged one."""
    fits = library("astropy.io.fits", "fits")
    own = fits.verify.VerifyError, Warning
    with read_whole("a whole FITS file", *own), warnings.catch_warnings():
        warnings.filterwarnings("error", message="File may have been truncated")
        # Opened here, for astropy does not close a file in which it finds a fault.
        with (
            Path(path).open("rb") as file,
            fits.open(file, memmap=True, do_not_scale_image_data=True) as units,
        ):
            yield units
