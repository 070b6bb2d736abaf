"""The pages of the documentation as programs: `python docs/pages.py PAGE.md …` draws their figures.

A page's Python blocks are run one after the other, in a folder that has `configs/` and an empty
`figures/`. The tests run every page in the same way and compare what it prints.
"""

import contextlib
import io
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_IMAGE = re.compile(r"!\[[^]]*\]\((figures/[^)]+)\)")


class Block(NamedTuple):
    language: str
    line: int  # of the page, where its first line is 1
    text: str


class Ran(NamedTuple):
    """A Python block that was run: what it printed, and what the page says that it prints."""

    line: int
    printed: str
    expected: str


def blocks(page: Path) -> list[Block]:
    """Every code block of a page."""
    text = page.read_text()
    return [
        Block(found[1], text.count("\n", 0, found.start()) + 1, found[2])
        for found in _BLOCK.finditer(text)
    ]


def figures(page: Path) -> set[str]:
    """The figures that a page shows, relative to its folder."""
    return set(_IMAGE.findall(page.read_text()))


def run(page: Path, folder: Path) -> Iterator[Ran]:
    """Run the Python blocks of a page in `folder`; a `text` block below one is what it prints."""
    (folder / "figures").mkdir()
    (folder / "configs").symlink_to(ROOT / "configs")
    names = {"__name__": page.stem}
    with contextlib.chdir(folder):
        for block, after in pairwise([*blocks(page), Block("end", 0, "")]):
            if block.language != "python":
                continue
            # The empty lines make the line numbers of a traceback those of the page.
            code = compile("\n" * block.line + block.text, page, "exec")
            with contextlib.redirect_stdout(io.StringIO()) as printed:
                exec(code, names)
            yield Ran(
                block.line, printed.getvalue(), after.text if after.language == "text" else ""
            )


def main(pages: list[str]) -> None:
    """Run the pages given and put their figures beside them; says where their text differs."""
    os.environ.setdefault("MPLBACKEND", "agg")
    for page in map(Path, pages):
        with tempfile.TemporaryDirectory() as folder:
            for ran in run(page.resolve(), Path(folder)):
                if ran.printed != ran.expected:
                    print(f"{page}, line {ran.line} prints\n{ran.printed}")
            for figure in sorted(figures(page)):
                (page.parent / "figures").mkdir(exist_ok=True)
                shutil.copyfile(Path(folder) / figure, page.parent / figure)


if __name__ == "__main__":
    main(sys.argv[1:])
