"""The folder of a run: Parquet parts, one a block, and a record of the run.

A part is written under a temporary name, brought to the disk and then renamed, so that a part that
exists is whole, whatever stops the run. The record says what the parts follow from; a run that is
continued must have the same origin.
"""

import json
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Literal

import filelock
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as parquet

from mvopt._errors import InputError, listed, quoted
from mvopt.batch.origin import check_same

RECORD = "run.json"
CSV = "fits.csv"
PAGE = "report.html"
MAPS = "maps"
LOCK = ".lock"
_PART = re.compile(r"part-(\d{5,})\.parquet")
_OURS = re.compile(rf"({_PART.pattern}|fits\.csv|report\.html|run\.json)(\.tmp)?|\.lock")
_ELSEWHERE = "choose another folder in [output] path or with --out"

Mode = Literal["new", "resume", "restart"]


class Folder:
    """A folder that one run writes into.

    `done` are the numbers of the parts that are there, `finished` the figures of the run that is to
    be continued, where nothing is left to do.
    """

    def __init__(self, path: Path, origin: dict[str, Any], mode: Mode) -> None:
        """Check that the folder can be written, and take it over from an earlier run."""
        self.path = path
        _check_writable(path)
        _foreign_checked(path)  # not even a lock is left among the files of others
        self.finished: dict[str, Any] | None = None
        self._lock = filelock.FileLock(path / LOCK, blocking=False)
        try:
            self._lock.acquire()
        except filelock.Timeout:
            raise InputError(
                f"another run is writing into {quoted(str(path))}: wait for it, or {_ELSEWHERE}"
            ) from None
        try:
            self._record = self._taken_over(origin, mode)
        except BaseException:
            self._lock.release()
            raise
        self.done = set(parts(path))

    def _taken_over(self, origin: dict[str, Any], mode: Mode) -> dict[str, Any]:
        before = _foreign_checked(self.path)
        existing = parts(self.path)
        if mode == "resume" and before is not None:
            check_same(before, origin)
            for name in os.listdir(self.path):
                if name.endswith(".tmp"):
                    (self.path / name).unlink()
            damaged = [path for path in existing.values() if not _is_whole(path)]
            for path in damaged:
                path.unlink()
            complete = len(existing) - len(damaged) == before.get("parts")
            if before.get("state") == "finished" and complete:
                known = before.keys() & {"blocks", "busy", "seconds"}
                self.finished = {key: before[key] for key in known}
            # Those that the run no longer wants stay, and stay known as ours.
            if before.get("maps"):
                origin = {**origin, "maps": sorted({*before["maps"], *origin.get("maps", [])})}
        else:
            if mode == "new" and existing and before and before.get("state") != "finished":
                raise InputError(
                    f"{quoted(str(self.path))} holds {len(existing)} finished parts of a run that "
                    "was stopped: continue it with --resume, or drop them with --restart"
                )
            for name in os.listdir(self.path):
                if name == MAPS:
                    shutil.rmtree(self.path / name)
                elif name != LOCK:
                    (self.path / name).unlink()
        record = {"program": "mvopt", **origin}
        write_record(self.path, {**record, "state": "running"})
        return record

    def write(self, number: int, rows: pa.Table) -> None:
        """Write the part of that number."""
        path = self.path / part_name(number)
        with _explained(self.path):
            _replace(path, lambda temporary: _write_part(rows, temporary))
        self.done.add(number)

    def write_csv(self) -> None:
        """Write all parts, in order, as one CSV."""

        def write(temporary: Path) -> None:
            tables = read(self.path)
            first = next(tables)
            with pacsv.CSVWriter(temporary, first.schema) as writer:
                writer.write_table(first)
                for table in tables:
                    writer.write_table(table)

        with _explained(self.path):
            _replace(self.path / CSV, write)

    def holds_map(self, name: str) -> bool:
        """Whether the map of that file name is there."""
        return (self.path / MAPS / name).exists()

    def write_map(self, name: str, write: Callable[[Path], Any]) -> None:
        """Write a map under that file name."""
        with _explained(self.path):
            (self.path / MAPS).mkdir(exist_ok=True)
            _replace(self.path / MAPS / name, write)

    def stop(self) -> None:
        """Record that the run ended before its end."""
        # On a full disk the record stays at "running", which means the same.
        with suppress(OSError):
            write_record(self.path, {**self._record, "state": "stopped", "parts": len(self.done)})
        self._lock.release()

    def finish(self, figures: dict[str, Any]) -> None:
        """Record that the run is complete."""
        figures = {"state": "finished", "parts": len(self.done), **figures}
        with _explained(self.path):
            write_record(self.path, {**self._record, **figures})
        self._lock.release()


def _write_part(rows: pa.Table, path: Path) -> None:
    """Write a part; a dictionary of numbers that are all different takes longer than the rest."""
    texts = [field.name for field in rows.schema if pa.types.is_string(field.type)]
    parquet.write_table(rows, path, use_dictionary=texts, compression="zstd")


def parts(folder: Path) -> dict[int, Path]:
    """Return the parts of a run by their number, in order."""
    found = {}
    for name in os.listdir(folder):
        if match := _PART.fullmatch(name):
            # Arrow takes a relative path with a colon in it for an address.
            found[int(match[1])] = folder.absolute() / name
    return dict(sorted(found.items()))


def read(folder: Path, columns: list[str] | None = None) -> Iterator[pa.Table]:
    """Yield the parts of a run, in order."""
    for path in parts(folder).values():
        try:
            yield parquet.ParquetFile(path).read(columns=columns)
        except (pa.ArrowException, OSError) as error:
            raise InputError(f"{path} cannot be read: {error}; remove it and --resume") from None


def num_rows(folder: Path) -> Iterator[int]:
    """Yield the number of rows of each part."""
    for path in parts(folder).values():
        yield parquet.read_metadata(path).num_rows


def read_record(folder: Path) -> dict[str, Any] | None:
    """Return the record of the run that wrote the folder, or None where there is none."""
    try:
        content = json.loads((folder / RECORD).read_text())
    except (OSError, ValueError):
        return None
    ours = isinstance(content, dict) and content.get("program") == "mvopt"
    return content if ours else None


def _check_writable(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise InputError(
            f"[output] path = {quoted(str(folder))} cannot be written ({error.strerror}): "
            f"{_ELSEWHERE}"
        ) from None


def _foreign_checked(folder: Path) -> dict[str, Any] | None:
    """Return the record of an earlier run; raises `InputError` for files of any other origin."""
    held = [name for name in os.listdir(folder) if name != LOCK]
    record = read_record(folder)
    foreign = [name for name in held if not _OURS.fullmatch(name) and name != MAPS]
    if MAPS in held:
        foreign += _foreign_maps(folder / MAPS, record or {})
    if foreign or (held and record is None):
        raise InputError(
            f"[output] path = {quoted(str(folder))} holds files that are not of an earlier run "
            f"({listed(sorted(foreign or held))}): {_ELSEWHERE}"
        )
    return record


def _foreign_maps(maps: Path, record: dict[str, Any]) -> list[str]:
    """Return what is in the folder of maps and was not written by the run of that record."""
    if not maps.is_dir():
        return [MAPS]
    written = {f"{name}{end}" for name in record.get("maps", []) for end in ("", ".tmp")}
    return [f"{MAPS}/{name}" for name in os.listdir(maps) if name not in written]


def _is_whole(path: Path) -> bool:
    try:
        parquet.read_metadata(path)
    except (pa.ArrowException, OSError):
        return False
    return True


def part_name(number: int) -> str:
    """Return the name of the part of that number."""
    return f"part-{number:05d}.parquet"


def write_record(folder: Path, record: dict[str, Any]) -> None:
    """Write the record of a run."""
    text = json.dumps(record, indent=2, default=str) + "\n"
    write_text(folder / RECORD, text)


def write_text(path: Path, text: str) -> None:
    """Write a file of text in UTF-8, as a whole or not at all."""
    _replace(path, lambda temporary: temporary.write_text(text, "utf-8"))


def _replace(path: Path, write: Callable[[Path], Any]) -> None:
    """Write a file so that it is there as a whole or not at all, also after a loss of power."""
    temporary = path.absolute().with_name(f"{path.name}.tmp")
    try:
        write(temporary)
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


@contextmanager
def _explained(folder: Path) -> Iterator[None]:
    """Turn what the system says while writing into one line with the remedy."""
    try:
        yield
    except (OSError, pa.ArrowException) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(
            f"{quoted(str(folder))} cannot be written any more ({reason}): the finished parts are "
            "kept; make room and continue with --resume"
        ) from None
