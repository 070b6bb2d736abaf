"""TIFF stacks: a page per point, each of rows and columns."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from mvopt._errors import InputError
from mvopt.batch.config import TIFF, DataTable
from mvopt.batch.sources.damage import read_whole
from mvopt.batch.sources.images import Image, ImageFormat, ImageSource
from mvopt.batch.sources.optional import library


def open_tiff(data: DataTable) -> ImageSource:
    """Open a stack and what belongs to it."""
    return ImageSource(data, _FORMAT)


def _image(path: str) -> Image:
    pages = _pages(path)
    return Image(np.moveaxis(pages, 0, -1))


def _mask(path: str, image: str) -> np.ndarray:
    del image
    pages = _pages(path)
    return pages[0] if len(pages) == 1 else pages


def _pages(path: str) -> np.ndarray:
    """Return (pages, rows, columns): mapped where the file allows that, or else read."""
    tifffile = library("tifffile", "tiff")
    with read_whole("a whole TIFF file"), _strictly(), tifffile.TiffFile(path) as file:
        stack = file.series[0]
        if len(file.series) == 1 and stack.axes.endswith("YX"):
            values = _mapped(tifffile, path, stack)
            return values.reshape(-1, *values.shape[-2:])
        shapes = {(page.shape, page.dtype) for page in file.pages}
        if len(shapes) > 1 or len(file.pages[0].shape) != 2:
            raise InputError(
                f"it has pages of {stack.axes} and shape {stack.shape}: give gray pages of one size"
            )
        return np.stack([page.asarray() for page in file.pages])


class _Collecting(logging.Handler):
    """Keeps what is logged as an error."""

    def __init__(self, said: list[logging.LogRecord]) -> None:
        super().__init__(logging.ERROR)
        self._said = said

    def emit(self, record: logging.LogRecord) -> None:
        """Keep one."""
        self._said.append(record)


@contextmanager
def _strictly() -> Iterator[None]:
    """Raise what tifffile only logs: a file that is cut off would come out with fewer pages."""
    said: list[logging.LogRecord] = []
    logger = logging.getLogger("tifffile")
    handler = _Collecting(said)
    before = logger.propagate
    logger.addHandler(handler)
    logger.propagate = False
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.propagate = before
    if said:
        raise ValueError(said[0].getMessage())


def _mapped(tifffile: Any, path: str, stack: Any) -> np.ndarray:
    if stack.dataoffset is None:  # compressed, or in pieces
        return stack.asarray()
    return np.asarray(tifffile.memmap(path, mode="r"))


def _write(image: str, file: Path, values: np.ndarray) -> None:
    del image
    tifffile = library("tifffile", "tiff")
    tifffile.imwrite(file, values, photometric="minisblack", metadata=None)


_FORMAT = ImageFormat(
    name="TIFF",
    suffixes=TIFF,
    axes=("row", "column"),
    suffix=".tif",
    open=_image,
    open_mask=_mask,
    write=_write,
)
