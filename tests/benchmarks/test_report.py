"""A benchmark's report: nothing is dropped in silence, and failures decide the exit status."""

import json
from types import ModuleType

import pytest

from benchmarks import __main__ as command
from benchmarks import comparison, peers
from benchmarks.figures import Figure
from benchmarks.report import Report, Table
from benchmarks.timing import Method, interleave
from benchmarks.workloads import suite
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


def test_what_a_part_of_a_suite_found_goes_by_its_name(report):
    report.figures.append(Figure("profile", "Profile", "x", "y", {"mvopt": [(1.0, 0.5)]}))
    whole = Report("suite", {})
    suite.add(whole, "roots", report)
    assert [metric.name for metric in whole.metrics] == [f"roots.{m.name}" for m in report.metrics]
    assert [(each.name, each.title) for each in whole.figures] == [
        ("roots-profile", "roots: Profile")
    ]


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


@pytest.fixture
def earlier(report, tmp_path):
    report.add("share", 50.0, "%", "higher")
    report.add("noted", 1.0, "s", "neither")
    report.write(tmp_path / "old")
    return comparison.read(tmp_path / "old.json")


def now(speed=9.0, time=0.5, share=50.0, tolerances=None):
    made = Report("demo", {"tolerances": tolerances or {}})
    for name, value, unit, direction in (
        ("speed", speed, "fits/s", "higher"),
        ("time", time, "s", "lower"),
        ("share", share, "%", "higher"),
        ("noted", 99.0, "s", "neither"),
    ):
        made.add(name, value, unit, direction)
    made.outcomes["ours"] = "measured"
    return made


def test_only_what_is_worse_by_more_than_the_tolerance_is_named(earlier):
    assert comparison.worse(earlier, now()) == []
    assert comparison.worse(earlier, now(speed=6.5, time=0.64, share=90)) == []
    found = comparison.worse(earlier, now(speed=6.0, time=0.7))
    assert found == ["speed: 9 fits/s before, 6 now", "time: 0.5 s before, 0.7 now"]
    assert comparison.worse(earlier, now(time=float("nan")))
    assert comparison.worse(earlier, now(speed=6.0, tolerances={"sp*": 0.5})) == []
    assert comparison.worse(earlier, now(share=49.0, tolerances={"share": 0.01}))


def test_a_missing_metric_and_a_method_that_no_longer_runs_are_named(earlier):
    made = now()
    made.metrics = [metric for metric in made.metrics if metric.name != "noted"]
    made.outcomes["ours"] = "failed: no luck"
    found = comparison.worse(earlier, made)
    assert found == ["noted: 1 before, missing now", "ours: measured before, failed: no luck now"]
    del made.outcomes["ours"]
    assert "missing now" in comparison.worse(earlier, made)[1]
    assert "a run of demo" in comparison.worse(earlier, Report("other", {}))[0]


def test_the_exit_status_says_that_something_is_worse(earlier, tmp_path, monkeypatch, capsys):
    for speed, status in ((9.0, 0), (1.0, 1)):
        workload = ModuleType("workload")
        workload.run = lambda *_, speed=speed: now(speed=speed)
        monkeypatch.setattr(command, "import_module", lambda _, workload=workload: workload)
        (tmp_path / "c.toml").write_text('workload = "nist"')
        out, old = str(tmp_path / "new"), str(tmp_path / "old.json")
        arguments = [str(tmp_path / "c.toml"), "--out", out, "--compare", old]
        assert command.main(arguments) == status
    assert "worse: speed: 9 fits/s before, 1 now" in capsys.readouterr().out
    for path in (tmp_path / "none.json", tmp_path / "c.toml"):
        with pytest.raises(SystemExit, match="no earlier run"):
            command.main([str(tmp_path / "c.toml"), "--compare", str(path)])
