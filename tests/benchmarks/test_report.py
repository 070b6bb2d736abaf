"""A benchmark's report: nothing is dropped in silence, and failures decide the exit status."""

import json
from types import ModuleType

import pytest

from benchmarks import peers
from benchmarks.report import Report, Table
from benchmarks.timing import Method, interleave
from benchmarks.workloads.collect import from_peers


def broken():
    raise RuntimeError("no luck\nand a second line")


@pytest.fixture
def report():
    made = Report("demo", {"targets": {"speed": 10, "time": 1, "absent": 5}})
    made.add("speed", 9.0, "fits/s", "higher")
    made.add("time", 0.5, "s", "lower")
    made.outcomes["ours"] = "measured"
    return made


def test_a_missed_and_a_missing_target_are_named(report):
    missed = report.missed()
    assert [sentence.split(":")[0] for sentence in missed] == ["speed", "absent"]
    assert "not measured" in missed[1]


def test_only_a_crash_or_a_number_that_is_not_finite_fails(report):
    report.outcomes["absent"] = "skipped: not installed"
    assert not report.failed
    report.add("strange", float("nan"), "s", "lower")
    assert report.failed


def test_a_crashed_method_is_reported_with_its_first_line_and_the_others_go_on():
    measured = interleave([Method("bad", broken, 1), Method("good", lambda: 3, 1)], 2)
    assert measured.failures == {"bad": "RuntimeError: no luck"}
    assert measured.results == {"good": 3}
    assert measured.timings["good"].best <= measured.timings["good"].median


def test_peers_that_cannot_take_part_are_named(monkeypatch):
    monkeypatch.setattr(peers, "available", lambda name: name != "lmfit")
    monkeypatch.setattr(peers, "load", ModuleType)
    outcomes = {}

    def ask(name, module):
        return broken() if name == "jaxopt" else module.__name__

    asked = from_peers(("scipy", "jaxopt", "lmfit"), ask, outcomes)
    assert asked == {"scipy": "scipy"}
    assert outcomes["jaxopt"] == "failed: RuntimeError: no luck"
    assert outcomes["lmfit"].startswith("skipped: not installed")
    assert outcomes["nlsq"].startswith("skipped: not asked for")


def test_written_files_hold_every_metric_with_unit_and_direction(report, tmp_path):
    report.tables.append(Table("Rows", ("name", "value"), [("one", 1.5)]))
    report.write(tmp_path / "deep" / "demo")
    content = json.loads((tmp_path / "deep" / "demo.json").read_text())
    assert [metric["unit"] for metric in content["metrics"]] == ["fits/s", "s"]
    assert {metric["direction"] for metric in content["metrics"]} == {"higher", "lower"}
    assert {"machine", "versions", "date", "outcomes"} <= set(content)
    page = (tmp_path / "deep" / "demo.md").read_text()
    assert "| one | 1.5 |" in page
    assert "target missed: speed" in page
