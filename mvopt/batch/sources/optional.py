"""The libraries of file formats: each is an optional extra, imported where a file needs it."""

import importlib
from typing import Any

from mvopt._errors import InputError


def library(module: str, extra: str) -> Any:
    """Return a module; raises `InputError` that names the extra where it is not installed."""
    try:
        return importlib.import_module(module)
    except ImportError:
        package = module.partition(".")[0]
        raise InputError(
            f"reading this file needs {package}: pip install 'mvopt[{extra}]'"
        ) from None
