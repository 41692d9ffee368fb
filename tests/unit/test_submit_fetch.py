"""kfp-sdg submit --output: what a run has made comes here, complete, by every way there is."""

from __future__ import annotations

import gzip
import io
import json
import shutil
import tarfile

import pyarrow as pa
import pytest

from fake_artifacts import FakeArtifacts
from fake_kfp import FakeKfp
from fake_kfp_calls import Fault
from kfp_sdg.cli.__main__ import main
from kfp_sdg.cluster.submit.wire import Message, encode
from kfp_sdg.storage import HistoryEntry, read_dataset, write_dataset
from submit_runs import SUCCESS, hurry, write_inputs

BUCKET = "minio://mlpipeline/v2/artifacts/demo/run-1"
DATASET = f"{BUCKET}/rename-it/5f0c/output_rows"
REJECTED = f"{BUCKET}/keep-good/77aa/rejected_rows"


@pytest.fixture
def kfp(monkeypatch):
    hurry(monkeypatch)
    with FakeKfp(script=SUCCESS) as kfp:
        yield kfp


@pytest.fixture
def artifacts(kfp, tmp_path):
    artifacts = FakeArtifacts(kfp)
    history = (
        HistoryEntry("keep_good", "FilterByValueBlock", 3, 2, rejected=1),
        HistoryEntry("rename_it", "RenameColumnsBlock", 2, 2),
    )
    dataset, rejected = tmp_path / "store/dataset", tmp_path / "store/rejected"
    write_dataset(dataset, pa.table({"q": ["a", "b"]}), history)
    write_dataset(rejected, pa.table({"question": ["c"], "rejected_reason": ["type"]}))
    artifacts.add(("load",), "output_rows", f"{BUCKET}/load/1/output_rows", rejected)
    artifacts.add(("keep-good",), "rejected_rows", REJECTED, rejected)
    artifacts.add(("rename-it",), "output_rows", DATASET, dataset)
    return artifacts


def submit(kfp, tmp_path, *more):
    pipeline, rows = write_inputs(tmp_path)
    arguments = ["--host", kfp.url, "--input", str(rows), "-o", str(tmp_path / "out"), *more]
    return main(["submit", str(pipeline), *arguments])


def words(text):
    return " ".join(text.split())


@pytest.mark.parametrize("archives", [True, False], ids=["kfp-2.17", "kfp-2.16"])
def test_the_dataset_and_the_rejected_rows_come_from_the_dashboards_server(
    kfp, artifacts, tmp_path, capsys, archives
):
    artifacts.archives = archives
    assert submit(kfp, tmp_path) == 0
    out = tmp_path / "out"
    assert read_dataset(out / "dataset").table.to_pydict() == {"q": ["a", "b"]}
    assert read_dataset(out / "rejected/keep_good").table.num_rows == 1
    assert sorted(path.name for path in out.iterdir()) == ["dataset", "rejected"]
    printed = capsys.readouterr()
    assert printed.out == "run-1\n"
    assert f"dataset {out}/dataset (2 rows)" in words(printed.err)
    assert "keep_good 3 " in words(printed.err)  # the books of the blocks


def test_a_namespace_goes_along_where_people_share_the_server(
    monkeypatch, tmp_path, artifacts, kfp
):
    kfp.multi_user = True
    assert submit(kfp, tmp_path, "-n", "me") == 0
    asked = [call for call in kfp.calls if call.path.startswith("/artifacts/")]
    assert {call.query["namespace"] for call in asked} == {"me"}


def test_a_second_fetch_replaces_the_first(kfp, artifacts, tmp_path):
    assert submit(kfp, tmp_path) == 0
    again = ["submit", "--follow", "run-1", "--host", kfp.url, "-o", str(tmp_path / "out")]
    assert main(again) == 0
    assert read_dataset(tmp_path / "out/dataset").table.num_rows == 2


def test_other_things_are_never_replaced_and_nothing_is_sent(kfp, artifacts, tmp_path, capsys):
    (tmp_path / "out/dataset").mkdir(parents=True)
    (tmp_path / "out/dataset/thesis.tex").write_text("x")
    assert submit(kfp, tmp_path) == 2
    assert "is there already and holds what was not fetched (thesis.tex)" in words(
        capsys.readouterr().err
    )
    assert kfp.calls == []
    assert (tmp_path / "out/dataset/thesis.tex").exists()


def test_a_run_whose_pipeline_was_deleted_is_followed_but_not_fetched_from(
    kfp, artifacts, tmp_path, capsys
):
    pipeline, rows = write_inputs(tmp_path)
    arguments = ["--host", kfp.url, "--input", str(rows), "--no-wait"]
    assert main(["submit", str(pipeline), *arguments]) == 0
    kfp.fail(*[Fault("GET pipelines/", 404, '{"message": "not found"}')] * 2)
    again = ["submit", "--follow", "run-1", "--host", kfp.url]
    assert main(again) == 0
    assert main([*again, "-o", str(tmp_path / "out")]) == 2
    assert "puts out no artifact that --output could fetch" in words(capsys.readouterr().err)


def test_rows_that_are_missing_are_noticed(kfp, artifacts, tmp_path, capsys):
    shutil.copy(
        artifacts.folders[REJECTED] / "part-00000-train.parquet",
        artifacts.folders[DATASET] / "part-00000-train.parquet",
    )
    assert submit(kfp, tmp_path) == 1
    assert "damaged, the manifest tells of 2 rows" in words(capsys.readouterr().err)
    assert not (tmp_path / "out/dataset").exists()
    assert list((tmp_path / "out").glob(".*")) == []


def test_where_nothing_can_be_fetched_the_address_is_told(kfp, artifacts, tmp_path, capsys):
    del kfp.extra["/artifacts/"]
    assert submit(kfp, tmp_path) == 1
    error = words(capsys.readouterr().err)
    assert "Succeeded after 12 s" in error
    assert f"'dataset' is at {DATASET} and cannot be fetched from here" in error
    assert "AWS_ENDPOINT_URL in the environment" in error
    again = f"kfp-sdg submit --follow run-1 --host {kfp.url} --output {tmp_path}/out"
    assert f"To fetch what it made: {again}" in error


def test_an_api_server_without_a_dashboard_has_no_metadata(kfp, tmp_path, capsys):
    assert submit(kfp, tmp_path) == 1
    error = words(capsys.readouterr().err)
    assert kfp.runs == {}
    assert "--output could not find what the run makes: there is no ML Metadata at" in error
    assert "the host has to be the dashboard's, svc/ml-pipeline-ui" in error


def test_ml_metadata_that_is_away_for_a_while_is_waited_for(kfp, artifacts, tmp_path):
    kfp.fail(
        Fault("MetadataStoreService/GetExecutions", 503, "upstream connect error"),
        Fault("MetadataStoreService/GetExecutions"),
    )
    assert submit(kfp, tmp_path) == 0
    assert read_dataset(tmp_path / "out/dataset").table.num_rows == 2


def test_an_object_store_is_read_with_the_environments_credentials(kfp, artifacts, tmp_path):
    """A store that fsspec knows and the dashboard's server does not: memory://."""
    import fsspec

    store = fsspec.filesystem("memory")
    dataset = artifacts.folders.pop(DATASET)
    for file in dataset.iterdir():
        store.pipe(f"/bucket/run-1/output_rows/{file.name}", file.read_bytes())
    artifacts.add(("rename-it",), "output_rows", "memory://bucket/run-1/output_rows", dataset)
    assert submit(kfp, tmp_path) == 0
    assert read_dataset(tmp_path / "out/dataset").table.num_rows == 2


def test_an_archive_writes_nothing_outside(kfp, artifacts, tmp_path, capsys):
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w:gz") as packed:
        packed.addfile(tarfile.TarInfo("../../evil"))
    kfp.extra["/artifacts/"] = lambda call: (200, archive.getvalue(), "application/gzip")
    assert submit(kfp, tmp_path) == 1
    assert not (tmp_path / "evil").exists()
    assert "is broken" in words(capsys.readouterr().err)


@pytest.mark.parametrize("size", [40, 400])
def test_an_archive_that_breaks_off_is_no_success(kfp, artifacts, tmp_path, capsys, size):
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w:gz") as packed:
        packed.add(artifacts.folders[DATASET], ".")
    data = archive.getvalue()[:size]
    kfp.extra["/artifacts/"] = lambda call: (200, data, "application/gzip")
    assert submit(kfp, tmp_path) == 1
    assert "Error: 'dataset' is at" in capsys.readouterr().err
    assert list((tmp_path / "out").rglob("*")) == []


def test_an_archive_of_nonsense_is_no_success(kfp, artifacts, tmp_path, capsys):
    data = gzip.compress(b"x" * 2000)[:10] + b"nonsense" * 300
    kfp.extra["/artifacts/"] = lambda call: (200, data, "application/gzip")
    assert submit(kfp, tmp_path) == 1
    assert "is broken" in words(capsys.readouterr().err)


def test_only_a_run_that_is_followed_can_be_fetched_from(kfp, tmp_path, capsys):
    assert submit(kfp, tmp_path, "--no-wait") == 2
    assert "only a run that is followed to its end" in words(capsys.readouterr().err)


def test_machines_are_told_too(kfp, artifacts, tmp_path, capsys):
    assert submit(kfp, tmp_path, "--log-format", "json") == 0
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    fetched = {line["output"]: line for line in lines if line["event"] == "fetched"}
    assert fetched["dataset"]["rows"] == 2
    assert fetched["keep_good"]["path"] == str(tmp_path / "out/rejected/keep_good")


def test_messages_survive_the_wire():
    inner = encode([(1, 300), (2, "Ünïcode")])
    message = Message(encode([(1, 7), (3, inner), (3, inner)]) + b"\x29" + b"\0" * 8)
    assert message.number(1) == 7
    assert [entry.number(1) for entry in message.messages(3)] == [300, 300]
    assert message.message(3).text(2) == "Ünïcode"
    assert message.message(9).text(1) == ""


@pytest.mark.parametrize("data", [b"\x0a\x05ab", b"\x08\xff", b"\x0b"])
def test_what_is_no_message_is_an_error(data):
    with pytest.raises(ValueError, match="no protocol buffer"):
        Message(data)
