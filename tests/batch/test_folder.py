"""The folder of results: whole parts, the record, what is taken over and what is refused."""

import json
import os
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as parquet
import pytest

from mvopt._errors import InputError
from mvopt.batch import folder as module
from mvopt.batch.folder import Folder

ORIGIN = {
    "versions": {"mvopt": "1"},
    "config": {"fit": {"loss": "linear"}, "output": {"path": "a"}},
    "inputs": {"/a.csv": {"bytes": 3}},
}
OTHER = {**ORIGIN, "config": {"fit": {"loss": "huber"}, "output": {"path": "b"}}}


def rows(*ids):
    return pa.table({"id": list(ids)})


def names(path):
    return sorted(name for name in os.listdir(path) if name != ".lock")


def record(path):
    return json.loads((path / "run.json").read_text())


def stopped(path, numbers):
    """A run that ended after these parts."""
    folder = Folder(path, ORIGIN, "new")
    for number in numbers:
        folder.write(number, rows(number))
    folder.stop()


def test_parts_csv_and_record(tmp_path):
    path = tmp_path / "new" / "out"
    folder = Folder(path, ORIGIN, "new")
    folder.write(1, rows(3))
    folder.write(0, rows(1, 2))
    folder.write_csv()
    folder.finish({"data_sets": 3})
    assert names(path) == ["fits.csv", "part-00000.parquet", "part-00001.parquet", "run.json"]
    assert parquet.read_table(path / "part-00001.parquet")["id"].to_pylist() == [3]
    assert pacsv.read_csv(path / "fits.csv")["id"].to_pylist() == [1, 2, 3]
    held = record(path)
    assert (held["state"], held["parts"], held["data_sets"]) == ("finished", 2, 3)
    assert held["config"] == ORIGIN["config"]


def test_a_stopped_run_is_continued_or_dropped_on_request_only(tmp_path):
    stopped(tmp_path, [0, 2])
    assert record(tmp_path)["state"] == "stopped"
    (tmp_path / "part-00001.parquet.tmp").write_text("half")
    with pytest.raises(InputError, match=r"2 finished parts .*--resume.*--restart"):
        Folder(tmp_path, ORIGIN, "new")
    folder = Folder(tmp_path, ORIGIN, "resume")
    assert folder.done == {0, 2}
    assert "part-00001.parquet.tmp" not in names(tmp_path)
    folder.stop()
    folder = Folder(tmp_path, ORIGIN, "restart")
    assert folder.done == set()
    folder.stop()
    assert names(tmp_path) == ["run.json"]


def test_a_damaged_part_is_done_again(tmp_path):
    stopped(tmp_path, [0, 1])
    (tmp_path / "part-00001.parquet").write_bytes(b"PAR1 and no more")
    folder = Folder(tmp_path, ORIGIN, "resume")
    assert folder.done == {0}
    folder.stop()


def test_another_origin_is_refused_with_what_differs(tmp_path):
    stopped(tmp_path, [0])
    with pytest.raises(InputError) as caught:
        Folder(tmp_path, OTHER, "resume")
    message = str(caught.value)
    assert "fit.loss: 'linear' before, 'huber' now" in message
    assert "output" not in message
    assert "--restart" in message
    changed = {**ORIGIN, "inputs": {"/a.csv": {"bytes": 4}}}
    with pytest.raises(InputError, match=r"a\.csv\.bytes: 3 before, 4 now"):
        Folder(tmp_path, changed, "resume")
    assert names(tmp_path) == ["part-00000.parquet", "run.json"]
    Folder(tmp_path, ORIGIN, "resume").stop()  # nothing keeps the folder locked


def test_resume_without_an_earlier_run_is_a_new_one(tmp_path):
    folder = Folder(tmp_path / "a", ORIGIN, "resume")
    assert folder.done == set()
    folder.stop()


def test_a_finished_run_is_not_done_again(tmp_path):
    folder = Folder(tmp_path, ORIGIN, "new")
    folder.write(0, rows(1))
    figures = {"blocks": 1, "busy": 1.0, "seconds": 2.0}
    folder.finish(figures)
    folder = Folder(tmp_path, ORIGIN, "resume")
    assert folder.finished == figures
    folder.finish(figures)
    (tmp_path / "part-00000.parquet").unlink()
    folder = Folder(tmp_path, ORIGIN, "resume")
    assert folder.finished is None
    folder.stop()


def test_a_finished_run_is_replaced(tmp_path):
    for count in (2, 1):
        folder = Folder(tmp_path, ORIGIN, "new")
        for number in range(count):
            folder.write(number, rows(number))
        folder.finish({})
    assert names(tmp_path) == ["part-00000.parquet", "run.json"]


def test_two_runs_into_one_folder_are_refused(tmp_path):
    folder = Folder(tmp_path, ORIGIN, "new")
    for mode in ("new", "resume", "restart"):
        with pytest.raises(InputError, match="another run is writing"):
            Folder(tmp_path, ORIGIN, mode)
    folder.stop()
    Folder(tmp_path, ORIGIN, "new").stop()


@pytest.mark.parametrize("name", ["thesis.txt", "part-00000.parquet", "run.json"])
@pytest.mark.parametrize("mode", ["new", "resume", "restart"])
def test_files_of_others_are_never_replaced(tmp_path, name, mode):
    (tmp_path / name).write_text("mine")
    with pytest.raises(InputError, match="not of an earlier run"):
        Folder(tmp_path, ORIGIN, mode)
    assert (tmp_path / name).read_text() == "mine"
    assert os.listdir(tmp_path) == [name]


def test_a_relative_name_with_a_colon(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = Path("s3:out")
    folder = Folder(path, ORIGIN, "new")
    folder.write(0, rows(1))
    folder.write_csv()
    folder.finish({})
    assert names(tmp_path / path) == ["fits.csv", "part-00000.parquet", "run.json"]
    assert Folder(path, ORIGIN, "resume").finished is not None
    assert [len(table) for table in module.read(path)] == [1]


def test_a_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(InputError, match=r"cannot be written .*--out"):
            Folder(path, ORIGIN, "new")


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), pa.ArrowInvalid("bad")])
def test_a_full_disk_keeps_the_finished_parts(tmp_path, monkeypatch, error):
    folder = Folder(tmp_path, ORIGIN, "new")
    folder.write(0, rows(1))

    def full(rows, path, **_):
        path.write_bytes(b"half of it")
        raise error

    monkeypatch.setattr(module.parquet, "write_table", full)
    with pytest.raises(InputError, match=r"finished parts are kept.*--resume"):
        folder.write(1, rows(2))
    folder.stop()
    monkeypatch.undo()
    assert names(tmp_path) == ["part-00000.parquet", "run.json"]
    assert Folder(tmp_path, ORIGIN, "resume").done == {0}
