"""What results follow from: configuration, input files, the source of a function, versions.

A run that is continued has to have the same origin as what is there already.
"""

import hashlib
import json
import os
from importlib import metadata
from pathlib import Path
from typing import Any

import jax

from mvopt._errors import InputError, quoted
from mvopt.batch.choice import source_files
from mvopt.batch.config import Config

_ENDS_BYTES = 2**20  # of a file, digested at its beginning and its end


def origin(config: Config, files: list[str]) -> dict[str, Any]:
    """Return the configuration, what tells the files from changed ones, and the versions.

    The source of a function is among the files.
    """
    # By way of JSON, which has no infinity: the bounds that are not given.
    given = json.loads(config.model_dump_json(exclude_unset=True))
    function = config.model.function
    files = [*files, *(source_files(function) if function else [])]
    versions = {"mvopt": _version(), "jax": jax.__version__}
    return {
        "versions": versions,
        "config": given,
        "inputs": {str(Path(file).resolve()): _fingerprint(Path(file)) for file in files},
    }


def check_same(before: dict[str, Any], now: dict[str, Any]) -> None:
    """Raise `InputError` with what differs in configuration or input, if anything does."""
    changes = [
        f"{name}: {quoted(old)} before, {quoted(new)} now"
        for part in ("config", "inputs")
        for name, old, new in _differences(before.get(part, {}), now[part])
        # Where the results go, and in what form, does not change them.
        if name not in ("output.path", "output.csv", "output.maps")
    ]
    if changes:
        raise InputError(
            "the run that is to be continued had another origin: "
            f"{'; '.join(changes)}. Undo that, or start anew with --restart"
        )


def _differences(old: Any, new: Any, name: str = "") -> list[tuple[str, Any, Any]]:
    if not (isinstance(old, dict) and isinstance(new, dict)):
        return [] if old == new else [(name, old, new)]
    found = []
    for key in dict.fromkeys([*old, *new]):
        inner = f"{name}.{key}" if name else key
        found += _differences(old.get(key), new.get(key), inner)
    return found


def _fingerprint(path: Path) -> dict[str, Any]:
    """Return size, time of the last change, and a digest of both ends."""
    if path.is_dir():
        return _listing(path)
    state = path.stat()
    digest = hashlib.blake2b(digest_size=16)
    with path.open("rb") as file:
        digest.update(file.read(_ENDS_BYTES))
        file.seek(max(0, state.st_size - _ENDS_BYTES), os.SEEK_SET)
        digest.update(file.read(_ENDS_BYTES))
    return {"bytes": state.st_size, "changed": state.st_mtime_ns, "digest": digest.hexdigest()}


def _listing(folder: Path) -> dict[str, Any]:
    """Return the same of an array in many files, whose digest is that of the list of them."""
    total = changed = 0
    digest = hashlib.blake2b(digest_size=16)
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        state = path.stat()
        total, changed = total + state.st_size, max(changed, state.st_mtime_ns)
        line = [str(path.relative_to(folder)), state.st_size, state.st_mtime_ns]
        digest.update(f"{json.dumps(line)}\n".encode())
    return {"bytes": total, "changed": changed, "digest": digest.hexdigest()}


def _version() -> str:
    try:
        return metadata.version("mvopt")
    except metadata.PackageNotFoundError:  # run from a folder, not installed
        return "unknown"
