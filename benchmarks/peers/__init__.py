"""The other packages, one file each. A workload asks a peer for the methods that it needs.

A peer's module imports its package at the top, so `load` looks first whether it is installed.
"""

from importlib import import_module
from importlib.util import find_spec
from types import ModuleType

NAMES = ("scipy", "optimistix", "jaxopt", "optax", "lmfit", "nlsq", "ipopt")
PACKAGES = {"ipopt": "cyipopt"}  # where the name is another one
EXTRAS = "'mvopt[bench,bench-nlsq]'"  # the other packages, all at once

# What a peer may raise inside a benchmark: it is reported as failed and the others go on.
ERRORS = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    ImportError,
    LookupError,
    MemoryError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
)


def available(name: str) -> bool:
    """Whether the package of the peer `name` is installed."""
    return find_spec(PACKAGES.get(name, name)) is not None


def remedy(name: str) -> str:
    """How to install the package of the peer `name`."""
    return f"pip install {PACKAGES.get(name, EXTRAS)}"


def load(name: str) -> ModuleType:
    """The module of the peer `name`, which must be available."""
    return import_module(f"benchmarks.peers.{name}_")


def first_line(error: BaseException) -> str:
    """The kind of an error and the first line that it says."""
    said = str(error).strip().splitlines()
    return f"{type(error).__name__}: {said[0] if said else ''}".rstrip(": ")
