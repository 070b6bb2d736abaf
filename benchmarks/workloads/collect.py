"""Gathering the methods of the chosen peers, and naming those that cannot take part."""

from collections.abc import Callable, Sequence
from types import ModuleType
from typing import TypeVar

from benchmarks import peers

T = TypeVar("T")


def from_peers(
    names: Sequence[str], ask: Callable[[str, ModuleType], T], outcomes: dict[str, str]
) -> dict[str, T]:
    """What `ask(name, module)` returns for each peer; the others get a line in `outcomes`."""
    answers = {}
    for name in peers.NAMES:
        if name not in names:
            outcomes[name] = "skipped: not asked for"
        elif not peers.available(name):
            outcomes[name] = f"skipped: not installed ({peers.remedy(name)})"
        else:
            try:
                answers[name] = ask(name, peers.load(name))
            except peers.ERRORS as error:
                outcomes[name] = f"failed: {peers.first_line(error)}"
    return answers
