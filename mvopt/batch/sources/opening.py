"""From what a configuration describes to the source that reads it."""

from collections.abc import Callable

from mvopt._errors import located
from mvopt.batch.config import DataTable
from mvopt.batch.sources import tables
from mvopt.batch.sources.arrays import open_npy
from mvopt.batch.sources.lists import ListSource
from mvopt.batch.sources.long import LongSource
from mvopt.batch.sources.source import Source
from mvopt.batch.sources.wide import WideSource

_TABLES: dict[str, Callable[..., Source]] = {
    "long": LongSource,
    "wide": WideSource,
    "lists": ListSource,
}


def open_source(data: DataTable) -> Source:
    """Open what `[data]` describes; raises `InputError` for files and columns that do not fit."""
    if data.path.endswith((".npy", ".npz")):
        with located(f"[data] in {data.path}"):
            return open_npy(data)
    with located("[data]", " "):
        files = tables.find(data.path)
        known = tables.schema(files[0])
    with located(f"[data] in {files[0]}"):
        layout = data.layout or ("lists" if tables.is_list(known, data.y) else "long")
        return _TABLES[layout](data, files, known)
