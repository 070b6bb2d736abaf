"""Exponential decays with two parameters in a Parquet file of list columns, made in pieces."""

import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as parquet

POINTS = 16
X = np.linspace(0.0, 5.0, POINTS)
NOISE = 0.02
_ROWS = 100_000  # made at once, and a row group of the file


def truth(rng: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Amplitudes and decay times, (count,) each."""
    return rng.uniform(1.0, 5.0, count), rng.uniform(0.5, 3.0, count)


def make(path: Path, count: int, seed: int) -> None:
    """Write `count` decays with the columns id, amplitude, decay (the true ones) and y."""
    temporary = path.with_suffix(".tmp")
    schema = pa.schema(
        [
            ("id", pa.int64()),
            ("amplitude", pa.float64()),
            ("decay", pa.float64()),
            ("y", pa.list_(pa.float64(), POINTS)),
        ]
    )
    # Noise does not compress, and the reader is not to be the slower for it.
    with parquet.ParquetWriter(temporary, schema, compression="none") as writer:
        for start in range(0, count, _ROWS):
            rng = np.random.default_rng([seed, start])
            size = min(_ROWS, count - start)
            amplitude, decay = truth(rng, size)
            y = amplitude[:, None] * np.exp(-X / decay[:, None])
            y += rng.normal(0, NOISE, y.shape)
            cells = pa.FixedSizeListArray.from_arrays(pa.array(y.ravel()), POINTS)
            ids = pa.array(np.arange(start, start + size))
            columns = [ids, pa.array(amplitude), pa.array(decay), cells]
            writer.write_table(pa.table(columns, schema=schema))
    temporary.rename(path)


if __name__ == "__main__":
    make(Path(sys.argv[1]), int(sys.argv[2]), seed=2024)
