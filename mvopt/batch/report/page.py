"""The page: one HTML file with everything in it, which nothing from the network can join.

Texts of the user's files are escaped by the template; beyond that the page's policy runs only
scripts that carry a number of this writing, so that one that slipped in would stay dead.
"""

import secrets
from collections.abc import Mapping
from importlib.resources import files
from importlib.util import find_spec
from json import dumps
from typing import Any

from mvopt._errors import InputError

_BARE = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-")


def check_installed() -> None:
    """Raise `InputError` with the remedy where a package that draws the page is missing."""
    missing = [name for name in ("plotly", "jinja2") if find_spec(name) is None]
    if missing:
        raise InputError(f"the report needs {missing[0]}: pip install 'mvopt[report]'")


def render(content: Mapping[str, Any]) -> str:
    """Return the page that shows the content."""
    import jinja2  # noqa: PLC0415
    import markupsafe  # noqa: PLC0415
    from plotly.offline import get_plotlyjs  # noqa: PLC0415

    environment = jinja2.Environment(
        autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
    )
    # NaN is no JSON, and a browser would read none of the rest.
    environment.policies["json.dumps_kwargs"] = {"allow_nan": False}
    environment.filters["toml"] = toml
    own = {name: markupsafe.Markup(_file(name)) for name in ("style.css", "page.js")}
    return environment.from_string(_file("page.html")).render(
        **content,
        style=own["style.css"],
        script=own["page.js"],
        plotly=markupsafe.Markup(get_plotlyjs()),
        nonce=secrets.token_urlsafe(16),
    )


def toml(tables: Mapping[str, Any], prefix: str = "") -> str:
    """Return a configuration, read from JSON, as the text of a TOML file."""
    blocks = []
    for key, value in tables.items():
        name = f"{prefix}{_key(key)}"
        if not isinstance(value, Mapping):
            continue
        lines = [
            f"{_key(inner)} = {_value(each)}"
            for inner, each in value.items()
            if each is not None and not isinstance(each, Mapping)
        ]
        if lines:
            blocks.append("\n".join([f"[{name}]", *lines]) + "\n")
        blocks += [each for each in [toml(value, f"{name}.")] if each]
    return "\n".join(blocks)


def _key(name: str) -> str:
    return name if name and _BARE.issuperset(name) else _value(name)


def _value(value: Any) -> str:
    # Text, numbers, truth values and lists are written alike in both, but for this character.
    return dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _file(name: str) -> str:
    return (files(__package__) / name).read_text("utf-8")
