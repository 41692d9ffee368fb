"""The folder of --output: what was fetched before is replaced, and nothing of anybody else."""

from __future__ import annotations

import pyarrow as pa
import pytest

from kfp_sdg.cluster.submit import require_room
from kfp_sdg.cluster.submit.package import Package
from kfp_sdg.cluster.submit.plan import Output
from kfp_sdg.cluster.submit.room import drop_rejected, in_whole
from kfp_sdg.errors import StorageError
from kfp_sdg.storage import read_dataset, write_dataset

PACKAGE = Package(
    name="workflow",
    display_name="workflow",
    version_name="workflow-1",
    text="",
    inputs={},
    tasks=(),
    outputs=(Output("training_data", "system.Artifact", ()),),
)


def bring(folder, **files):
    with in_whole(folder) as part:
        for name, text in files.items():
            (part / name).write_text(text)


def break_off(folder, error):
    with in_whole(folder) as part:
        (part / "skills").write_text("half")
        raise error


def test_training_data_can_be_fetched_again(tmp_path):
    place = tmp_path / "training_data"
    bring(place, skills="old", recipe="old")
    require_room(PACKAGE, tmp_path)
    bring(place, skills="new")
    assert {file.name: file.read_text() for file in place.iterdir()} == {"skills": "new"}


def test_what_somebody_put_beside_it_is_never_replaced(tmp_path):
    place = tmp_path / "training_data"
    bring(place, skills="old")
    (place / "thesis.tex").write_text("x")
    with pytest.raises(StorageError, match=r"holds what was not fetched \(thesis.tex\)") as raised:
        require_room(PACKAGE, tmp_path)
    assert raised.value.exit_code == 2


@pytest.mark.parametrize("error", [KeyboardInterrupt, StorageError("damaged"), OSError("full")])
def test_what_breaks_off_leaves_what_was_there(tmp_path, error):
    place = tmp_path / "training_data"
    bring(place, skills="old")
    with pytest.raises((KeyboardInterrupt, StorageError)):
        break_off(place, error)
    assert (place / "skills").read_text() == "old"
    assert sorted(path.name for path in tmp_path.iterdir()) == [".fetched.json", "training_data"]


def test_rejected_rows_of_an_earlier_run_go(tmp_path):
    for block in ("now", "then"):
        write_dataset(tmp_path / "rejected" / block, pa.table({"q": ["a"]}))
    drop_rejected(tmp_path, [tmp_path / "rejected/now"])
    assert read_dataset(tmp_path / "rejected/now").table.num_rows == 1
    assert not (tmp_path / "rejected/then").exists()
    drop_rejected(tmp_path, [])
    assert not (tmp_path / "rejected").exists()


@pytest.mark.parametrize("output", ["file", "file/below"])
def test_a_file_in_the_way_is_told_before_the_run(tmp_path, output):
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match="file is a file, so that --output cannot be"):
        require_room(PACKAGE, tmp_path / output)
