"""NIfTI images of four dimensions, of which the last is that of the points."""

import gzip
from pathlib import Path
from typing import Any

import numpy as np

from mvopt._errors import InputError
from mvopt.batch.config import NIFTI, DataTable
from mvopt.batch.sources.damage import read_whole
from mvopt.batch.sources.images import Image, ImageFormat, ImageSource
from mvopt.batch.sources.optional import library

_WANTED = "a whole NIfTI file"
# By how much, in units of the affines, two that were written by different programs may differ.
_AFFINE_TOLERANCE = 1e-3


def open_nifti(data: DataTable) -> ImageSource:
    """Open an image and what belongs to it."""
    return ImageSource(data, _FORMAT)


def _opened(path: str) -> Any:
    nibabel = library("nibabel", "nifti")
    own = nibabel.filebasedimages.ImageFileError, nibabel.spatialimages.HeaderDataError
    with read_whole(_WANTED, *own):
        opened = nibabel.load(path)
        # A file of another format of the library's would have no such scaling.
        if not isinstance(opened, nibabel.Nifti1Image):
            raise ValueError(f"it is a {type(opened).__name__}")
        return opened


def _stored(opened: Any) -> np.ndarray:
    """Return the values as they are stored: mapped, or of a compressed file read."""
    with read_whole(_WANTED):
        return opened.dataobj.get_unscaled()


def _image(path: str) -> Image:
    opened = _opened(path)
    proxy = opened.dataobj
    return Image(np.asarray(_stored(opened)), float(proxy.slope), float(proxy.inter))


def _mask(path: str, image: str) -> np.ndarray:
    mask, whole = _opened(path), _opened(image)
    same = np.allclose(mask.affine, whole.affine, rtol=0, atol=_AFFINE_TOLERANCE)
    if mask.shape == whole.shape[:3] and not same:
        raise InputError("it lies elsewhere in space than the image: resample it to that grid")
    return np.asarray(_stored(mask)) * float(mask.dataobj.slope) + float(mask.dataobj.inter)


def _write(image: str, file: Path, values: np.ndarray) -> None:
    """Write a map with the image's affine, units and codes of its space."""
    whole = _opened(image)
    header = whole.header.copy()
    header.set_data_dtype(np.float32)
    header.set_slope_inter(1, 0)
    header.set_intent("none")
    # The display range of the image is not that of the map; 0 and 0 leave it to the viewer.
    header["cal_min"] = header["cal_max"] = 0
    content = type(whole)(values, whole.affine, header).to_bytes()
    # Without a time, so that the same map is the same file.
    with file.open("wb") as raw, gzip.GzipFile("", "wb", fileobj=raw, mtime=0) as packed:
        packed.write(content)


_FORMAT = ImageFormat(
    name="NIfTI",
    suffixes=NIFTI,
    axes=("i", "j", "k"),
    suffix=".nii.gz",
    open=_image,
    open_mask=_mask,
    write=_write,
)
