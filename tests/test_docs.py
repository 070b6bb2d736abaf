"""The documentation: its code runs, its configurations are valid, its tables match the code."""

import re
import tomllib

import jax
import pytest
from pages import PAGES, ROOT, blocks, figures, run

import mvopt
from benchmarks import tables
from mvopt import Status, models
from mvopt.batch import config
from mvopt.batch.choice import choose

TABLES = {
    "[data]": config.DataTable,
    "[model]": config.ModelTable,
    "[parameters.NAME]": config.ParameterTable,
    "[fit]": config.FitTable,
    "[output]": config.OutputTable,
}
REQUIRED = {
    "data": '[data]\npath = "data.csv"\n',
    "model": '[model]\nname = "linear"\n',
}


def name_of(page):
    return str(page.relative_to(ROOT).with_suffix("")).removeprefix("docs/")


PAGES_WITH_PYTHON = [page for page in PAGES if any(kind == "python" for kind, *_ in blocks(page))]
CONFIGURATIONS = [
    pytest.param(text, id=f"{name_of(page)}:{line}")
    for page in PAGES
    for kind, line, text in blocks(page)
    if kind == "toml"
]


@pytest.fixture
def precision_of_a_new_process():
    """A page asks for float64 itself, as its readers have to; the other tests get theirs back."""
    before = jax.config.jax_enable_x64
    jax.config.update("jax_enable_x64", False)
    yield
    jax.config.update("jax_enable_x64", before)


@pytest.mark.parametrize("page", PAGES_WITH_PYTHON, ids=name_of)
def test_python_blocks_print_the_text_below(
    page, tmp_path, monkeypatch, precision_of_a_new_process
):
    monkeypatch.setenv("MPLBACKEND", "agg")
    for ran in run(page, tmp_path):
        assert ran.printed == ran.expected, f"{page.name}, line {ran.line}"
    drawn = {f"figures/{path.name}" for path in (tmp_path / "figures").iterdir()}
    assert drawn == figures(page)
    assert [name for name in sorted(drawn) if not (page.parent / name).exists()] == []


@pytest.mark.parametrize("text", CONFIGURATIONS)
def test_configurations_are_valid(text, tmp_path):
    """A block of some tables is completed to a configuration; the data need only exist."""
    given = tomllib.loads(text)
    missing = [table for name, table in REQUIRED.items() if name not in given]
    path = tmp_path / "config.toml"
    path.write_text("\n".join([text, *missing]))
    data = given.get("data", {"path": "data.csv"})
    file = tmp_path / data["path"].replace("*", "0")
    file.parent.mkdir(exist_ok=True)
    file.touch()

    found = config.load(path)

    if found.model.function is None:  # an example's function is nowhere to be imported from
        choose(found, num_x=1)


def section(page, title):
    text = page.read_text()
    start = text.index(f"\n## `{title}`\n")
    end = text.find("\n## ", start + 1)
    return text[start:end]


def as_written(field):
    """Return a field's default as the documentation writes it."""
    if field.is_required():
        return "required"
    value = field.default
    if value is None:
        return "none"
    if isinstance(value, str):
        return f'`"{value}"`'
    return f"`{value}`".lower()


@pytest.mark.parametrize("title", TABLES)
def test_every_key_is_documented_with_its_default(title):
    text = section(ROOT / "docs" / "fit-command.md", title)
    rows = re.findall(r"(?m)^\| `(\w+)` \|.*\| (\S+) \|$", text)
    fields = TABLES[title].model_fields
    assert rows == [(name, as_written(field)) for name, field in fields.items()]


def test_the_table_of_statuses():
    text = (ROOT / "docs" / "statuses.md").read_text()
    rows = re.findall(r"(?m)^\| (\d) \| `(\w+)` \| (.*) \|$", text)
    assert rows == [(str(int(s)), s.name, s.sentence) for s in Status]


def row_of(model):
    """What the documentation says of a named model: the cells of its row."""
    x, names = ", ".join(model.x_names), ", ".join(model.names)
    return f"| `{model.name}` | `{x}` | `{names}` | `{model.formula}` | {model.source} |"


def test_the_tables_of_models():
    text = (ROOT / "docs" / "models.md").read_text()
    rows = re.findall(r"(?m)^\| `\w+` \|(?: .* \|){4}$", text)
    expected = [row_of(model) for model in models.NAMED.values()]
    # The rows that are missing on the page can be pasted from here.
    assert sorted(set(expected) - set(rows)) == []
    assert sorted(rows) == sorted(expected)


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#]+)", page.read_text()):
        assert target.startswith("https://") or (page.parent / target).exists(), target


def test_the_reference_has_every_public_name():
    text = "".join(page.read_text() for page in (ROOT / "docs" / "api").glob("*.md"))
    named = set(re.findall(r"^\.\. auto\w+:: mvopt\.(\w+)$", text, re.MULTILINE))
    assert named == {*mvopt.__all__, "fit_many"}


def test_every_page_is_in_the_table_of_contents():
    docs = ROOT / "docs"
    pages = {str(page.relative_to(docs).with_suffix("")) for page in docs.rglob("*.md")}
    listed = set()
    for folder in ("", "api/"):
        text = (docs / folder / "index.md").read_text()
        listed |= {folder + name for name in re.findall(r"^[\w/-]+$", text, re.MULTILINE)}
    assert listed | {"index"} == pages


def test_tables_of_results_are_those_of_the_files():
    """`python -m benchmarks.tables` writes them."""
    for page in tables.PAGES:
        assert page.read_text() == tables.written(page.read_text()), page.name


def test_files_that_commands_name_exist():
    text = "".join(page.read_text() for page in PAGES)
    named = re.findall(r"\bconfigs/\w+/\w+\.toml", text)
    assert named
    assert [name for name in named if not (ROOT / name).exists()] == []
