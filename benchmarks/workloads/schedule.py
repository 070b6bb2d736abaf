"""Lane-steps, loop iterations × lanes whether a lane had work or not, of two ways to loop."""

import heapq

import numpy as np
from numpy.typing import NDArray


def lockstep(steps: NDArray[np.integer]) -> int:
    """Of a plain vmapped loop over fits that need `steps` (N,): all run until the slowest ends."""
    return int(steps.max()) * steps.size


def refilled(steps: NDArray[np.integer], lanes: int) -> int:
    """Of `lanes` lanes that each take the next fit of the queue as soon as they are free."""
    free = [0] * min(lanes, steps.size)
    for needed in steps:
        heapq.heapreplace(free, free[0] + int(needed))
    return max(free) * len(free)
