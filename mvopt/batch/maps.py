"""Maps of an image's fits: one file per parameter, standard error, reduced χ² and status."""

import re
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from mvopt._errors import InputError, quoted
from mvopt._types import Status
from mvopt.batch import folder
from mvopt.batch.folder import Folder
from mvopt.batch.sources.images import ImageSource
from mvopt.batch.sources.source import Source

_FILE_NAME = re.compile(r"\w[\w.+-]*")


def file_names(wanted: bool | None, source: Source, parameters: Sequence[str]) -> dict[str, str]:
    """Return the columns of the results that become maps, and their files; none unless wanted.

    By default they are, of an image. Raises `InputError` where there can be none.
    """
    if not isinstance(source, ImageSource):
        if wanted:
            raise InputError("[output] maps are of images, which these data are not: remove it")
        return {}
    if wanted is False:
        return {}
    for name in parameters:
        if not _FILE_NAME.fullmatch(name):
            raise InputError(
                f"the parameter {quoted(name)} cannot be the name of a map: rename it, or write "
                "maps = false in [output]"
            )
    columns = [name + kind for name in parameters for kind in ("", "_stderr")]
    return {name: name + source.kind.suffix for name in (*columns, "reduced_chi2", "status")}


def write_maps(results: Folder, source: Source, names: dict[str, str]) -> None:
    """Write maps from the parts of a run that is complete."""
    for column, name in names.items():
        assert isinstance(source, ImageSource)  # as their names say
        if not results.holds_map(name):
            results.write_map(name, _writer(source, _map(results, source, column)))


def _writer(source: ImageSource, values: np.ndarray) -> Callable[[Path], None]:
    return lambda file: source.kind.write(source.path, file, values)


def _map(results: Folder, source: ImageSource, column: str) -> np.ndarray:
    """Return a column over the grid: the rows are in the order of the voxels."""
    parts = []
    for table in folder.read(results.path, [column]):
        values = table[column]
        if column == "status":
            parts.append(np.array([Status[name] for name in values.to_pylist()], float))
        else:
            parts.append(values.to_numpy())
    return source.map_of(np.concatenate(parts))
