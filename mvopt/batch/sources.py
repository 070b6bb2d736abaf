"""Reading the data sets that a configuration describes, whatever kind of file holds them."""

from mvopt._errors import located
from mvopt.batch import arrays, long, tables, wide
from mvopt.batch.config import DataTable
from mvopt.batch.datasets import DataSets


def read(data: DataTable) -> DataSets:
    """Read what `[data]` describes; raises `InputError` for files and columns that do not fit."""
    if data.path.endswith((".npy", ".npz")):
        with located(f"[data] in {data.path}"):
            return arrays.read(data)
    with located("[data]", " "):
        files = tables.find(data.path)
        known = tables.names(files[0])
    reader = wide.read if data.layout == "wide" else long.read
    with located(f"[data] in {files[0]}"):
        return reader(data, files, known)
