"""The report: the fits it draws, and a page that nothing can slip into."""

import base64
import json
import re
import shutil
import subprocess
import tomllib
from html.parser import HTMLParser

import numpy as np
import pyarrow as pa
import pyarrow.parquet as parquet
import pytest
from click.testing import CliRunner
from plotly.offline import get_plotlyjs

from mvopt import Status
from mvopt._errors import InputError
from mvopt.batch import config as configuration
from mvopt.batch.folder import Folder
from mvopt.batch.origin import origin
from mvopt.batch.report import curves, figures, gathering, page, writing
from mvopt.batch.report.images import open_images
from mvopt.batch.sources.opening import open_source
from mvopt.cli import main

HOSTILE = "</script><script>window.hit=1</script>"
MARKUP = '<b onmouseover="x">&amp;"\''
X = np.linspace(0.5, 4, 8)
CONFIG = """
[data]
path = "data.csv"
dataset = "id"
x = "x"
y = "y"
sigma = 0.1
[model]
expression = "a*exp(-b*x)"
"""


def invoke(*arguments):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def rows(ids, params, status=Status.CONVERGED, reduced=1.0, p_value=0.5):
    """A part of a table of results: ids by name, params by name; the rest the same for all."""
    count = len(next(iter(ids.values())))
    each = lambda value: np.broadcast_to(value, count)
    columns = dict(ids)
    for name, values in params.items():
        columns |= {name: each(values), f"{name}_stderr": np.abs(each(values)) * 0.1}
    columns |= {"chi2": each(6 * reduced), "reduced_chi2": each(reduced), "p_value": each(p_value)}
    columns |= {"dof": each(6), "num_points": each(8), "num_steps": each(5)}
    columns["status"] = [Status(code).name for code in each(status).tolist()]
    columns["message"] = [None] * count
    return pa.table({name: pa.array(values) for name, values in columns.items()})


def finished(place, config_file, parts):
    """The folder of a run with these parts."""
    config = configuration.load(config_file)
    results = Folder(place, origin(config, open_source(config.data).files), "new")
    for number, part in enumerate(parts):
        results.write(number, part)
    results.finish({"seconds": 1.5, "busy": 0.5, "blocks": len(parts)})
    return place


@pytest.fixture
def made(tmp_path):
    """A run of three data sets, of which one did not converge, with ids that are markup."""
    ids, a, b = [HOSTILE, MARKUP, "plain"], np.array([2.0, 3.0, 4.0]), np.array([0.5, 1.0, 1.5])
    quoted = ['"' + name.replace('"', '""') + '"' for name in ids]
    lines = [
        f"{quoted[i]},{x},{a[i] * np.exp(-b[i] * x) + 0.1}" for i in range(3) for x in X.tolist()
    ]
    (tmp_path / "data.csv").write_text("\n".join(["id,x,y", *lines]) + "\n")
    (tmp_path / "c.toml").write_text(CONFIG)
    status = np.array([Status.CONVERGED, Status.CONVERGED, Status.STALLED])
    table = rows({"id": ids}, {"a": a, "b": b}, status, np.array([1.0, 2.0, 3.0]))
    return finished(tmp_path / "out", tmp_path / "c.toml", [table])


class Scripts(HTMLParser):
    """The scripts of a page, and what it would load."""

    def __init__(self, text):
        super().__init__()
        self.scripts, self.loaded, self.handlers, self._open = [], [], [], False
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        self.loaded += [attributes[k] for k in ("src", "href", "data", "action") if k in attributes]
        self.handlers += [key for key in attributes if key.startswith("on")]
        if tag == "script":
            self.scripts.append((attributes, ""))
            self._open = True

    def handle_endtag(self, tag):
        self._open = False

    def handle_data(self, data):
        if self._open:
            attributes, text = self.scripts[-1]
            self.scripts[-1] = attributes, text + data


def unpacked(array):
    return np.frombuffer(base64.b64decode(array["bdata"]), array["dtype"])


# The fits to look at.


def draw(place):
    record = json.loads((place / "run.json").read_text())
    chosen = writing.rows_at(place, [(0, 2), (0, 0)])
    return chosen, curves.draw_fits(record, chosen)


def test_fits_are_drawn_with_their_data_curve_and_residuals(made):
    chosen, drawn = draw(made)
    for place, (a, b) in {(0, 0): (2.0, 0.5), (0, 2): (4.0, 1.5)}.items():
        assert chosen[place]["a"] == a
        fit = drawn[place]
        np.testing.assert_array_equal(fit.x, X)
        np.testing.assert_allclose(fit.curve, a * np.exp(-b * fit.grid), rtol=1e-12)
        np.testing.assert_allclose(fit.residual, np.full(8, 1.0), rtol=1e-9)  # in sigmas
        assert fit.grid[0] < X[0] < X[-1] < fit.grid[-1]
        assert (fit.error == 0.1).all()
        assert fit.used.all()


def test_missing_points_are_told_apart_and_many_are_thinned(tmp_path):
    x = np.geomspace(1, 1e4, 2000)
    cells = [f"{v},{2 * v}" for v in x.tolist()]
    cells[0] = f"{x[0]},"
    (tmp_path / "data.csv").write_text("\n".join(["x,y", *cells]) + "\n")
    text = '[data]\npath = "data.csv"\nx = "x"\ny = "y"\n[model]\nexpression = "a*x"\n'
    (tmp_path / "c.toml").write_text(text)
    parts = [rows({"dataset": [0]}, {"a": 1.0})]
    place = finished(tmp_path / "out", tmp_path / "c.toml", parts)
    record = json.loads((place / "run.json").read_text())
    fit = curves.draw_fits(record, writing.rows_at(place, [(0, 0)]))[0, 0]
    assert len(fit.x) == curves.MOST_POINTS
    assert fit.num_points == 2000
    assert not fit.used[0]
    assert fit.used[1:].all()
    assert fit.log
    assert fit.error is None
    np.testing.assert_allclose(fit.residual[1:], fit.x[1:], rtol=1e-12)
    figure = figures.fit_figure(fit)
    assert len(unpacked(figure["x"])) == curves.MOST_POINTS - 1
    assert unpacked(figure["leftX"]).tolist() == [1.0]


@pytest.mark.parametrize(("loss", "divisor"), [("poisson", 1.0), ("binomial", 20.0)])
def test_counts_have_the_errors_of_the_model(tmp_path, loss, divisor):
    y = np.array([[3.0, 8.0, 5.0, 7.0]])
    np.savez(tmp_path / "data.npz", y=y, u=np.arange(4.0), v=np.arange(4.0) ** 2)
    trials = "trials = 20\n" if loss == "binomial" else ""
    text = f'[data]\npath = "data.npz"\nx = ["u", "v"]\n{trials}[fit]\nloss = "{loss}"\n'
    (tmp_path / "c.toml").write_text(f'{text}[model]\nexpression = "a + b*x0 + c*x1"\n')
    mean = 4 / divisor
    parts = [rows({"dataset": [0]}, {"a": mean, "b": 0.1 * mean, "c": 0.0})]
    place = finished(tmp_path / "out", tmp_path / "c.toml", parts)
    record = json.loads((place / "run.json").read_text())
    fit = curves.draw_fits(record, writing.rows_at(place, [(0, 0)]))[0, 0]
    expected = mean * (1 + 0.1 * np.arange(4))
    variance = expected if loss == "poisson" else expected * (1 - expected) / 20
    np.testing.assert_allclose(fit.fitted, expected)
    np.testing.assert_allclose(fit.residual, (y[0] / divisor - expected) / np.sqrt(variance))
    assert not fit.grid.size  # two variables: over the number of the point
    assert fit.x.tolist() == [0, 1, 2, 3]


def test_an_input_that_changed_is_not_drawn(made):
    file = made.parent / "data.csv"
    text = file.read_text()
    file.write_text(text + "other,0.5,1\n")
    with pytest.raises(InputError, match=r"data\.csv has changed since the fit"):
        draw(made)
    assert invoke("report", made).exit_code == 0
    shown = (made / "report.html").read_text()
    assert "data.csv has changed since the fit." in shown
    assert "fit-data" not in re.sub(r"<script nonce.*?</script>", "", shown, flags=re.DOTALL)
    file.unlink()
    with pytest.raises(InputError, match=r"data\.csv is gone"):
        draw(made)


def test_blocks_of_another_order_are_not_drawn(made):
    part = made / "part-00000.parquet"
    parquet.write_table(parquet.read_table(part).take([1, 0, 2]), part)
    with pytest.raises(InputError, match="not those of the table"):
        draw(made)


# The page.


def test_a_page_from_a_run(made):
    result = invoke("report", made)
    assert result.exit_code == 0, result.output
    assert "report.html" in result.output
    text = (made / "report.html").read_text()
    assert "2 of 3 data sets converged, in 1.50 s" in text
    assert Status.STALLED.sentence in text
    assert "expression = &#34;a*exp(-b*x)&#34;" in text
    assert text.count("plotly.js v") == 1


def test_text_of_the_users_files_stays_text(made):
    record = json.loads((made / "run.json").read_text())
    record["config"]["output"] = {"path": HOSTILE}
    record["inputs"][HOSTILE] = {"bytes": 1}
    record["versions"]["jax"] = HOSTILE
    record["state"] = HOSTILE
    (made / "run.json").write_text(json.dumps(record))
    groups = [{"kind": "best", "fits": [{"id": HOSTILE, "name": MARKUP}]}]
    content = writing.content(record, gathering.gather(made), made)
    content = {**content, "state": HOSTILE, "title": MARKUP}
    for browser, reason in ((groups, ""), ([], HOSTILE)):
        found = Scripts(page.render({**content, "browser": browser, "reason": reason}))
        nonces = {attributes.get("nonce") for attributes, _ in found.scripts}
        assert len(nonces) == 1
        assert None not in nonces
        code = [text for attributes, text in found.scripts if "type" not in attributes]
        assert len(code) == 2  # Plotly's and the page's own
        assert found.handlers == []
        assert all(each.startswith(("#", "data:")) for each in found.loaded)
        assert sum(text == get_plotlyjs() for text in code) == 1
        held = [json.loads(text) for attributes, text in found.scripts if "type" in attributes]
        assert (groups in held) == (not reason)


def test_nothing_is_loaded_and_only_own_scripts_run(made):
    invoke("report", made)
    text = (made / "report.html").read_text()
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', text)[1]
    assert policy.startswith("default-src 'none'; script-src 'nonce-")
    assert "http" not in policy
    assert "unsafe" not in policy.split("style-src")[0]


def test_the_largest_page_is_below_eight_megabytes(tmp_path):
    row, column = (each.ravel() for each in np.mgrid[0:1024, 0:1024])
    file = tmp_path / "ids.parquet"
    parquet.write_table(pa.table({"row": row, "column": column}), file)
    images = open_images([parquet.read_metadata(file)], ["row", "column"], 6)
    rng = np.random.default_rng(0)
    images.values[:] = rng.normal(size=images.values.shape)
    points = rng.normal(size=curves.MOST_POINTS)
    drawn = curves.Drawn(
        points, points, points > 0, points, points, points, points[:200], points[:200], points,
        10_000, False,
    )  # fmt: skip
    fits = 3 * gathering.A_KIND + 6 * gathering.A_STATUS
    sizes = [len(get_plotlyjs()), len(json.dumps(figures.maps(images, list("abcdef"))))]
    sizes += [fits * len(json.dumps(figures.fit_figure(drawn))), 200_000]  # and the rest
    assert sum(sizes) < 8_000_000, sizes


def test_the_configuration_is_shown_as_toml():
    given = {
        "data": {"path": 'a "quoted" \\ path\n\x7f', "dataset": ["a", "b"], "sigma": 1e-05},
        "model": {"name": "linear"},
        "parameters": {"a b": {"init": 1, "fixed": True}, "c": {"prior": [0.0, 1.0]}},
    }
    assert tomllib.loads(page.toml(given)) == given
    assert page.toml({"fit": {"scale": None}}) == ""


def test_a_run_that_was_stopped_is_shown_as_such(made):
    record = json.loads((made / "run.json").read_text())
    (made / "run.json").write_text(json.dumps({**record, "state": "stopped"}))
    assert invoke("report", made, "--out", made.parent / "other.html").exit_code == 0
    assert "not finished (state: stopped)" in (made.parent / "other.html").read_text()
    assert not (made / "report.html").exists()


def test_no_fit_converged(made):
    part = made / "part-00000.parquet"
    table = parquet.read_table(part)
    nothing = pa.array(np.full(3, np.nan))
    for name in ("a", "b", "a_stderr", "reduced_chi2", "chi2", "p_value"):
        table = table.set_column(table.column_names.index(name), name, nothing)
    status = pa.array([Status.BAD_INPUT.name] * 3)
    table = table.set_column(table.column_names.index("status"), "status", status)
    parquet.write_table(table, part)
    result = invoke("report", made)
    assert result.exit_code == 0, result.output
    text = (made / "report.html").read_text()
    assert "0 of 3 data sets converged" in text
    assert 'id="goodness"' not in text


@pytest.mark.parametrize("held", [None, "nothing", "shards", "broken"])
def test_a_folder_without_results(tmp_path, held):
    place = tmp_path / "place"
    if held:
        place.mkdir()
    if held in ("shards", "broken"):
        (place / "run.json").write_text('{"program": "mvopt"}')
    if held == "broken":
        (place / "part-00000.parquet").write_bytes(b"PAR1 and no more")
    result = invoke("report", place)
    assert result.exit_code == 2
    (line,) = result.output.splitlines()
    wanted = {"shards": "mvopt merge", "broken": "cannot be read"}.get(held, "holds no results")
    assert wanted in line


def test_a_page_that_cannot_be_written(made):
    result = invoke("report", made, "--out", made / "none" / "a.html")
    assert result.exit_code == 2
    assert "cannot be written (No such file or directory)" in result.output


def test_missing_packages_are_named_with_the_remedy(made, monkeypatch):
    monkeypatch.setattr(page, "find_spec", lambda name: None)
    result = invoke("report", made)
    assert result.exit_code == 2
    assert "pip install 'mvopt[report]'" in result.output


def test_a_new_run_replaces_the_page_of_the_old_one(made):
    invoke("report", made)
    Folder(made, {}, "new").finish({})
    assert not (made / "report.html").exists()


CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)


@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")
def test_a_browser_draws_all_figures_and_has_nothing_to_complain_of(made, tmp_path):
    invoke("report", made)
    options = (
        "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-sync "
        "--disable-background-networking --disable-component-update --window-size=1200,6000 "
        "--virtual-time-budget=20000 --enable-logging=stderr --v=0 --dump-dom"
    ).split()
    command = [CHROMIUM, *options, f"--user-data-dir={tmp_path / 'profile'}"]
    found = subprocess.run(
        [*command, (made / "report.html").as_uri()], capture_output=True, text=True, timeout=120
    )
    assert [line for line in found.stderr.splitlines() if "CONSOLE" in line] == []
    assert "main-svg" in found.stdout.split('id="fit-figure"')[1]
    assert found.stdout.count("js-plotly-plot") >= 5  # χ², p-value, a, b, their pair, the fit
    assert "&lt;/script&gt;&lt;script&gt;window.hit=1" in found.stdout.split('id="fit-facts"')[1]
