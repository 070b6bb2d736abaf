"""Runs that share the work: each fits every N-th block into a folder of its own, merged at the end.

Any batch system can start them (an array of jobs); they need nothing from each other.
"""

import os
import re
import shutil
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mvopt._errors import InputError, listed, quoted
from mvopt.batch import folder
from mvopt.batch.origin import check_same

_FOLDER = re.compile(r"shard-(\d+)-of-(\d+)")
_TEXT = re.compile(r"([0-9]{1,6})/([0-9]{1,6})")


@dataclass(frozen=True)
class Shard:
    """Number `index` of `count`, from 1."""

    index: int
    count: int

    @property
    def folder(self) -> str:
        """The name of its folder within that of the results."""
        return f"shard-{self.index}-of-{self.count}"

    def holds(self, number: int) -> bool:
        """Whether a block is its own."""
        return number % self.count == self.index - 1


def parse_shard(text: str) -> Shard:
    """Return the shard that "i/N" stands for; raises `InputError` for anything else."""
    match = _TEXT.fullmatch(text)
    if not match or not 1 <= int(match[1]) <= int(match[2]):
        raise InputError(f"--shard {quoted(text)}: give I/N with I from 1 to N, such as 3/16")
    return Shard(int(match[1]), int(match[2]))


def merge_shards(place: Path) -> int:
    """Move the parts of all shards into the folder that holds them; the number of data sets.

    A merge that was stopped can be repeated. Raises `InputError` where a shard is missing, not
    finished, or of another configuration or input.
    """
    records = _records(place)
    first = next(iter(records.values()))
    merged = folder.read_record(place)
    if merged is not None and merged.get("state") != "merging":
        raise InputError(f"{quoted(str(place))} holds a run of its own: move it away")
    origin = {key: first[key] for key in ("versions", "config", "inputs")}
    folder.write_record(place, {"program": "mvopt", **origin, "state": "merging"})
    for name in records:
        for number, path in folder.parts(place / name).items():
            os.replace(path, place / folder.part_name(number))
    blocks = max(record["blocks"] for record in records.values())
    missing = sorted(set(range(blocks)) - set(folder.parts(place)))
    if missing:
        raise InputError(f"the blocks {listed(missing)} are missing: fit their shards anew")
    figures = _figures(list(records.values()))
    folder.write_record(place, {"program": "mvopt", **origin, "state": "finished", **figures})
    for name in records:
        shutil.rmtree(place / name)
    return figures["data_sets"]


def _records(place: Path) -> dict[str, dict[str, Any]]:
    """Return the records of all shards by the names of their folders."""
    try:
        found = [match for name in os.listdir(place) if (match := _FOLDER.fullmatch(name))]
    except OSError as error:
        raise InputError(f"{quoted(str(place))} cannot be read ({error.strerror})") from None
    counts = {int(match[2]) for match in found}
    if len(counts) != 1:
        what = f"shards of {listed(sorted(counts))}" if counts else "no shards"
        raise InputError(f"{quoted(str(place))} holds {what}: give the folder of one run's shards")
    (count,) = counts
    names = [Shard(i, count).folder for i in range(1, count + 1)]
    records = {name: folder.read_record(place / name) for name in names}
    unfinished = [n for n, record in records.items() if not record or record["state"] != "finished"]
    if unfinished:
        raise InputError(f"{listed(unfinished)} did not finish: run them with --resume, then merge")
    finished = {name: record for name, record in records.items() if record}
    for name, record in finished.items():
        try:
            check_same(finished[names[0]], record)
        except InputError as error:
            raise InputError(f"{name} and {names[0]} do not fit together: {error}") from None
    return finished


def _figures(records: list[dict[str, Any]]) -> dict[str, Any]:
    statuses: Counter = Counter()
    for record in records:
        statuses.update(record["statuses"])
    return {
        "blocks": max(record["blocks"] for record in records),
        "parts": sum(record["parts"] for record in records),
        "data_sets": sum(record["data_sets"] for record in records),
        "statuses": dict(statuses),
        "seconds": max(record["seconds"] for record in records),
    }
