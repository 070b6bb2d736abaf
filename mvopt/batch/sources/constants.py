"""What `[data]` gives as one number for all points."""

import numpy as np

from mvopt.batch.config import DataTable
from mvopt.batch.datasets import EXTRAS, constant


def constants(data: DataTable, points: int) -> dict[str, np.ndarray]:
    """Return the extras that are numbers, each for so many points."""
    given = {key: getattr(data, key) for key in EXTRAS}
    return {key: constant(each, points) for key, each in given.items() if isinstance(each, float)}
