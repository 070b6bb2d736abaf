"""Curves of two kinds in a Parquet file of list columns, made in pieces: any number of them."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as parquet

from benchmarks.problems import gauss1d

_ROWS = 100_000  # made at once, and a row group of the file


class Kind(NamedTuple):
    """A named model, its abscissas, the standard deviation of the noise, and random parameters."""

    model: str
    names: tuple[str, ...]
    x: np.ndarray
    noise: float
    dtype: type
    draw: Callable[[np.random.Generator, int], list[np.ndarray]]
    curve: Callable[..., np.ndarray]


def _decay(x: np.ndarray, amplitude: np.ndarray, decay: np.ndarray) -> np.ndarray:
    return amplitude * np.exp(-x / decay)


KINDS = {
    "decay": Kind(
        "exponential_decay",
        ("amplitude", "decay"),
        np.linspace(0.0, 5.0, 16),
        0.02,
        np.float64,
        lambda rng, n: [rng.uniform(1.0, 5.0, n), rng.uniform(0.5, 3.0, n)],
        _decay,
    ),
    "peak": Kind(
        "gaussian_offset",
        ("amplitude", "center", "sigma", "offset"),
        np.arange(float(gauss1d.NUM_POINTS)),
        gauss1d.NOISE,
        np.float32,
        lambda rng, n: list(rng.uniform(gauss1d.LOWER, gauss1d.UPPER, (n, 4)).T),
        gauss1d.gaussian_numpy,
    ),
}


def make(path: Path, kind: Kind, count: int, seed: int) -> None:
    """Write `count` curves with the columns id, the true parameters, and y."""
    temporary = path.with_suffix(".tmp")
    number = pa.from_numpy_dtype(kind.dtype)
    fields = [("id", pa.int64()), *((name, pa.float64()) for name in kind.names)]
    schema = pa.schema([*fields, ("y", pa.list_(number, len(kind.x)))])
    # Noise does not compress, and the reader is not to be the slower for it.
    with parquet.ParquetWriter(temporary, schema, compression="none") as writer:
        for start in range(0, count, _ROWS):
            rng = np.random.default_rng([seed, start])
            size = min(_ROWS, count - start)
            params = kind.draw(rng, size)
            y = kind.curve(kind.x, *(each[:, None] for each in params))
            y = (y + rng.normal(0, kind.noise, y.shape)).astype(kind.dtype)
            cells = pa.FixedSizeListArray.from_arrays(pa.array(y.ravel()), len(kind.x))
            ids = pa.array(np.arange(start, start + size))
            columns = [ids, *map(pa.array, params), cells]
            writer.write_table(pa.table(columns, schema=schema))
    temporary.rename(path)
