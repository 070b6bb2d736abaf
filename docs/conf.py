"""The site: `sphinx-build -W docs results/site`."""

import contextlib
import inspect
import re
from importlib import metadata
from typing import Any

from docutils.nodes import SkipNode
from docutils.utils.math.latex2mathml import tex2mathml

project = "mvopt"
author = "The mvopt developers"
copyright = author  # noqa: A001 (the name that Sphinx reads)
version = release = metadata.version("mvopt")

extensions = ["myst_parser", "sphinx.ext.autodoc"]
myst_enable_extensions = ["dollarmath"]
html_math_renderer = "mathml"  # drawn by the browser: the site needs nothing from elsewhere
myst_heading_anchors = 3
exclude_patterns = ["**/__pycache__"]

html_theme = "furo"
html_title = "mvopt"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sourcelink = False

autodoc_member_order = "bysource"
autodoc_typehints = "none"
autodoc_preserve_defaults = True

# `a, b: what they are`, where both are fields or arguments.
_FIELD = re.compile(r"^(\w+(?:, \w+)*): (.*)$")
# A link to a page outside docs/.
_OUTSIDE = re.compile(r"\[([^]]+)\]\(((?:\.\./)+(?:benchmarks/[^)]*|[A-Z]+)\.md)\)")


def _names(obj: Any) -> set[str]:
    """Arguments of a function, fields of a class."""
    names = set(getattr(obj, "__annotations__", ()))
    with contextlib.suppress(TypeError, ValueError):
        names |= set(inspect.signature(obj).parameters)
    return names


def _escaped(line: str) -> str:
    """A line of plain text with `code` in it, as reStructuredText."""
    parts = line.split("`")
    plain = [re.sub(r"([\\*|_])", r"\\\1", part) for part in parts[::2]]
    code = [f"``{part}``" for part in parts[1::2]]
    # A role needs a space or punctuation on both sides; an escaped space counts as one.
    joined = "".join(a + rf"\ {b}\ " for a, b in zip(plain, [*code, ""], strict=False))
    return joined.removesuffix("\\ \\ ") if len(parts) % 2 else line


def as_list_of_fields(
    _app: Any, _what: str, _name: str, obj: Any, _options: Any, lines: list[str]
) -> None:
    """Docstrings are plain text: what they say of an argument becomes an item of a list."""
    known, out, within = _names(obj), [], False
    for line in lines:
        found = _FIELD.match(line)
        if found and set(found[1].split(", ")) <= known:
            names = ", ".join(f"**{name}**".replace("_", r"\_") for name in found[1].split(", "))
            out += [*([] if within else [""]), f"* {names}: {_escaped(found[2])}"]
            within = True
        elif not line.strip():
            out.append("")
            within = False
        else:
            out.append(("  " if within else "") + _escaped(line))
    lines[:] = out


def inline_formula(writer: Any, node: Any) -> None:
    """A formula in a line."""
    writer.body.append(tex2mathml(node.astext()))
    raise SkipNode


def block_formula(writer: Any, node: Any) -> None:
    """A formula of its own."""
    writer.body.append(tex2mathml(node.astext(), as_block=True))
    raise SkipNode


def with_files_to_take(_app: Any, _name: str, source: list[str]) -> None:
    """Pages that are not of the site, the results of benchmarks mostly, are files to take along."""
    source[0] = _OUTSIDE.sub(r"{download}`\1 <\2>`", source[0])


def setup(app: Any) -> None:
    """Called by Sphinx."""
    app.connect("source-read", with_files_to_take)
    app.add_html_math_renderer("mathml", (inline_formula, None), (block_formula, None))
    app.connect("autodoc-process-docstring", as_list_of_fields)
