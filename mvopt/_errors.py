"""The one error that bad input raises, and the words its messages share."""

import difflib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

_LONGEST_MESSAGE = 600
_LONGEST_VALUE = 60
_LONGEST_LIST = 12


class InputError(ValueError):
    """The user's input cannot be used; the message is one line that names the remedy."""

    def __init__(self, message: str) -> None:
        line = " ".join(message.split())
        super().__init__(shorten(line, _LONGEST_MESSAGE))


def shorten(text: str, longest: int = _LONGEST_VALUE) -> str:
    """Return `text`, its end replaced by dots where it is longer than `longest` characters."""
    return text if len(text) <= longest else text[: longest - 3] + "..."


def quoted(value: object) -> str:
    """Return the value as the user wrote it, in quotes where it is text, never long."""
    # A text of megabytes is cut before repr, which would copy it.
    return repr(shorten(value)) if isinstance(value, str) else shorten(repr(value))


def listed(names: Iterable[object]) -> str:
    """Return the names in one line, the first few of many."""
    all_names = [str(name) for name in names]
    shown = ", ".join(shorten(name) for name in all_names[:_LONGEST_LIST])
    rest = len(all_names) - _LONGEST_LIST
    return f"{shown} and {rest} more" if rest > 0 else shown


def suggestion(name: str, known: Iterable[str], kind: str) -> str:
    """Return the remedy for an unknown name: the nearest known one, or all of them."""
    choices = list(known)
    near = difflib.get_close_matches(shorten(name), choices, n=1, cutoff=0.6)
    if near:
        return f"did you mean {near[0]}?"
    return f"the {kind} are {listed(choices)}" if choices else f"there are no {kind}"


@contextmanager
def located(place: str, mark: str = ": ") -> Iterator[None]:
    """Put the place (a file, a field of the configuration) before every `InputError` inside."""
    try:
        yield
    except InputError as error:
        raise InputError(f"{place}{mark}{error}") from None
