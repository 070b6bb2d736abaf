"""What every kind of input is to a run: numbered tasks, each a block of data sets to be loaded.

Which data sets a block holds depends on the input alone, so that a run that is continued later, or
on another machine, finds the same blocks under the same numbers.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

from mvopt.batch.blocks import blocks
from mvopt.batch.datasets import DataSets

Wanted = Callable[[int], bool]  # whether the block of that number is to be fitted


def every(number: int) -> bool:
    """Want all blocks."""
    del number
    return True


class Task(Protocol):
    """One block."""

    @property
    def number(self) -> int:
        """Its place among all blocks, from 0."""
        ...

    def load(self) -> DataSets:
        """Return its data sets."""
        ...


class Source(Protocol):
    """An input, opened and checked.

    `files` are the paths that it reads, `id_names` the columns of a data set's id, `count` the
    number of data sets where it is known beforehand.
    """

    files: list[str]
    id_names: list[str]
    num_x: int
    count: int | None

    def tasks(self, wanted: Wanted = every) -> Iterator[Task]:
        """Yield the wanted blocks in the order of their numbers."""
        ...


@dataclass(frozen=True)
class Loaded:
    """A block of an input that can only be read from its beginning: read already."""

    number: int
    data: DataSets

    def load(self) -> DataSets:
        """Return the data sets."""
        return self.data


class Sliceable(Protocol):
    """An input of which any data sets can be read by their numbers."""

    def read(self, start: int, stop: int) -> DataSets:
        """Return the data sets from `start` up to `stop`."""
        ...


@dataclass(frozen=True)
class Slice:
    """A block of such an input: read where it is loaded, which may be another process."""

    number: int
    source: Sliceable
    start: int
    stop: int

    def load(self) -> DataSets:
        """Read the data sets."""
        return self.source.read(self.start, self.stop)


def sliced(source: Sliceable, count: int, rows: int, wanted: Wanted) -> Iterator[Slice]:
    """Yield the wanted blocks of `rows` data sets, of `count` in all."""
    for number, start in enumerate(range(0, count, rows)):
        if wanted(number):
            yield Slice(number, source, start, min(start + rows, count))


def numbered(chunks: Iterable[DataSets], wanted: Wanted) -> Iterator[Loaded]:
    """Yield the wanted blocks of all chunks."""
    number = 0
    for chunk in chunks:
        for block in blocks(chunk):
            if wanted(number):
                yield Loaded(number, chunk.part(block))
            number += 1
