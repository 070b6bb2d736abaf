"""What a library of a file format raises about a damaged file, in one line."""

import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager

from mvopt._errors import InputError

# As files with changed bytes showed: few libraries have an error of their own for most of this.
_DAMAGE = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    EOFError,
    LookupError,
    MemoryError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
    struct.error,
    zlib.error,
)


@contextmanager
def read_whole(what: str, *further: type[Exception]) -> Iterator[None]:
    """Raise `InputError` that asks for `what` where reading fails; `further` are errors as well."""
    try:
        yield
    except InputError:
        raise
    except _DAMAGE + further as error:
        said = f"{type(error).__name__}: {error}" if isinstance(error, LookupError) else error
        raise InputError(f"it cannot be read ({said}): give {what}") from None
