"""Open files that can be sent to another process: what travels is how to open them."""

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any, Generic, TypeVar

Opened = TypeVar("Opened")

# How many inputs of earlier tasks a process that gets them one by one keeps open.
_KEPT = 4


class PerProcess(Generic[Opened]):
    """Opens a file on first use, and anew in each process that it is sent to."""

    def __init__(self, opener: Callable[..., Opened], path: str, *rest: Any) -> None:
        """`opener`, a function of a module, is called with the path and the rest, hashable all."""
        self._opener, self._path, self._rest = opener, path, rest
        self._opened: list[Opened] = []

    def __call__(self) -> Opened:
        """Return what was opened."""
        if not self._opened:
            self._opened.append(self._opener(self._path, *self._rest))
        return self._opened[0]

    def __reduce__(self) -> Any:
        state = Path(self._path).stat()
        return _kept, (state.st_mtime_ns, state.st_size, self._opener, self._path, *self._rest)


@lru_cache(_KEPT)
def _kept(changed: int, size: int, opener: Callable[..., Any], path: str, *rest: Any) -> PerProcess:
    """Return the one of this process, so that its tasks share what is opened."""
    del changed, size  # they only tell a file from what it was before
    return PerProcess(opener, path, *rest)
