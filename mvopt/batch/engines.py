"""Where the blocks of a run are fitted: on this machine, or on those of a cluster."""

from collections.abc import Callable, Iterable, Iterator
from typing import Protocol

import pyarrow as pa

from mvopt._errors import InputError
from mvopt.batch.datasets import DataSets
from mvopt.batch.pipeline import ahead
from mvopt.batch.sources.source import Task

Work = Callable[[DataSets], pa.Table]  # from the data sets of a block to the rows of the table


class Engine(Protocol):
    """Does the work for every task, in any order."""

    def __call__(self, work: Work, tasks: Iterable[Task]) -> Iterator[tuple[int, pa.Table]]:
        """Yield the number of a block and its rows."""
        ...


def local(work: Work, tasks: Iterable[Task]) -> Iterator[tuple[int, pa.Table]]:
    """Fit one block after the other in this process, on all its cores; read the next meanwhile."""
    for number, data in ahead((task.number, task.load()) for task in tasks):
        yield number, work(data)


_ENGINES: dict[str, Engine] = {"local": local}


def engine(name: str) -> Engine:
    """Return the engine of that name; raises `InputError` for one that is not there."""
    if name not in _ENGINES:
        raise InputError(f"--engine {name} is not available in this version: use --engine local")
    return _ENGINES[name]
