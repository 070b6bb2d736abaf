"""Where the blocks of a run are fitted: on this machine, and later on others."""

from collections.abc import Callable, Iterable, Iterator
from typing import Protocol, TypeVar

from mvopt._errors import InputError

Task = TypeVar("Task")
Result = TypeVar("Result")


class Engine(Protocol):
    """Applies a function to every task and yields the results in the tasks' order."""

    def __call__(self, work: Callable[[Task], Result], tasks: Iterable[Task]) -> Iterator[Result]:
        """Return the results."""
        ...


def local(work: Callable[[Task], Result], tasks: Iterable[Task]) -> Iterator[Result]:
    """Do one task after the other in this process; each uses all cores by itself."""
    return map(work, tasks)


_ENGINES: dict[str, Engine] = {"local": local}


def engine(name: str) -> Engine:
    """Return the engine of that name; raises `InputError` for one that is not there."""
    if name not in _ENGINES:
        raise InputError(f"--engine {name} is not available in this version: use --engine local")
    return _ENGINES[name]
