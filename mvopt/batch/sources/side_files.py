"""Abscissas from text files beside an image, such as FSL's bvals and bvecs.

A file of numbers holds a row per variable, with as many numbers as there are points; where only its
columns are of that length, those are taken. `FILE:COLUMN` takes a column by its name in the header
of a CSV or (`.tsv`) a table separated by tabs.
"""

import csv
from pathlib import Path
from typing import Any

import numpy as np

from mvopt._errors import InputError, located, quoted, suggestion
from mvopt.batch.sources.shared_x import shared_x


def abscissas(value: Any, points: int) -> tuple[np.ndarray, list[str]]:
    """Return x (k, points) from numbers, or from files stacked in their order, and these files."""
    texts = [value] if isinstance(value, str) else value
    if not texts or not isinstance(texts[0], str):
        return shared_x(value, points), []
    rows: list[np.ndarray] = []
    files = []
    for text in texts:
        file, column = _parted(text)
        with located(f"x: {file}"):
            _check_file(file)
            found = _rows(file, points) if column is None else [_column(file, column)]
            rows.append(shared_x(_with_directions(found, rows, points), points))
        files.append(file)
    return np.concatenate(rows), files


def _with_directions(
    found: list[list[float]], before: list[np.ndarray], points: int
) -> list[list[float]]:
    """Return the rows with zeros for NaN where the files before have nothing but zeros.

    Without diffusion weighting an image has no direction: some programs write zeros, some NaN.
    """
    if not before or any(len(row) != points for row in found):
        return found
    unweighted = (np.concatenate(before) == 0).all(axis=0)
    numbers = np.asarray(found)
    return np.where(unweighted & np.isnan(numbers), 0.0, numbers).tolist()


def _parted(text: str) -> tuple[str, str | None]:
    """Return the file and, if one is named, its column."""
    if Path(text).exists() or ":" not in text:
        return text, None
    file, _, column = text.rpartition(":")
    return file, column


def _check_file(file: str) -> None:
    if not Path(file).is_file():
        raise InputError("there is no such file: give a file of numbers")


def _rows(file: str, points: int) -> list[list[float]]:
    rows = []
    for number, line in enumerate(_text(file).splitlines(), 1):
        words = line.replace(",", " ").split()
        if words and not words[0].startswith("#"):
            rows.append([_number(word, number) for word in words])
    if not rows or len({len(row) for row in rows}) > 1:
        raise InputError("its lines have no or unequal numbers: give a row of them per variable")
    if len(rows[0]) != points and len(rows) == points:
        return np.transpose(rows).tolist()
    return rows


def _column(file: str, column: str) -> list[float]:
    separator = "\t" if file.lower().endswith(".tsv") else ","
    header, *rows = csv.reader(_text(file).splitlines(), delimiter=separator) or [[]]
    names = [name.strip() for name in header]
    if column not in names:
        raise InputError(f"{quoted(column)} is no column: {suggestion(column, names, 'columns')}")
    place = names.index(column)
    numbered = [(number, row) for number, row in enumerate(rows, 2) if row]
    return [_number(row[place] if place < len(row) else "", number) for number, row in numbered]


def _text(file: str) -> str:
    try:
        return Path(file).read_text(encoding="utf-8-sig")
    except OSError as error:
        raise InputError(f"the file cannot be read ({error.strerror}): check it") from None
    except UnicodeDecodeError:
        raise InputError("the file is no text: give a file of numbers") from None


def _number(word: str, line: int) -> float:
    try:
        return float(word)
    except ValueError:
        raise InputError(
            f"line {line} has {quoted(word)}, which is no number: give FILE:COLUMN for a table"
        ) from None
