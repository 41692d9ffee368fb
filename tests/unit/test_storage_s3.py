"""Rows and journals in a bucket, over HTTP from a server that speaks S3."""

from __future__ import annotations

import json
import os
import signal
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest
import s3fs

from certificates import private_authority
from journals import answer, in_a_process, key
from kfp_sdg.cli.__main__ import main
from kfp_sdg.engine import read_run
from kfp_sdg.errors import StorageError
from kfp_sdg.storage import read_rows, write_dataset
from kfp_sdg.storage.object_store import ObjectStore
from kfp_sdg.teacher.journal import open_journal
from s3_server import S3Server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from stub_teacher import StubTeacher

ROWS = "".join(json.dumps({"text": f"t{n}"}) + "\n" for n in range(4))
PIPELINE = """\
version: "1.0"
blocks:
  - name: ask it
    type: LLMBlock
    config: {config_path: ask.yaml, output_cols: [reply], model_family: blank}
"""
PROMPT = """\
{system: "", introduction: "About {{text}}", principles: "", examples: "", generation: "",
 start_tags: [""], end_tags: [""]}
"""


@pytest.fixture(autouse=True)
def _nothing_known(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Begin without any key, and without what fsspec remembers of another test's server."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    s3fs.S3FileSystem.clear_instance_cache()


@pytest.fixture
def server() -> Iterator[S3Server]:
    with S3Server() as server:
        server.put("rows.jsonl", ROWS)
        yield server


@pytest.fixture
def secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that a Secret is mounted as."""
    folder = tmp_path / "secret"
    folder.mkdir()
    monkeypatch.setenv("KFP_SDG_STORAGE_FILES", str(folder))
    return folder


def set_variables(monkeypatch: pytest.MonkeyPatch, endpoint: str, key: str = "k") -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "id")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", key)
    monkeypatch.setenv("AWS_S3_ENDPOINT", endpoint)


def write_secret(folder: Path, **files: str) -> None:
    for name, content in files.items():
        (folder / name).write_text(content + "\n")


def errors_of(bucket: str) -> tuple[str, str]:
    """Return what is said where rows are to be read, and where a journal is to be."""
    with pytest.raises(StorageError) as of_rows:
        read_rows(f"{bucket}/rows.jsonl")
    with pytest.raises(StorageError) as of_journal:
        open_journal(f"{bucket}/journal")
    return str(of_rows.value), str(of_journal.value)


@pytest.mark.parametrize("scheme", ["s3", "minio"])
def test_rows_and_datasets_are_read_with_the_variables_of_aws(
    server: S3Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, scheme: str
) -> None:
    set_variables(monkeypatch, server.url)
    assert read_rows(f"{scheme}://bucket/rows.jsonl").num_rows == 4
    write_dataset(tmp_path / "set", pa.table({"a": [1, 2]}))
    files = s3fs.S3FileSystem(key="id", secret="k", endpoint_url=server.url)
    files.put(str(tmp_path / "set"), "bucket/set", recursive=True)
    assert read_rows(f"{scheme}://bucket/set").to_pylist() == [{"a": 1}, {"a": 2}]


@pytest.mark.parametrize(
    "names", [("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"), ("accesskey", "secretkey")]
)
def test_the_files_of_a_secret_open_the_store(
    server: S3Server, secret: Path, names: tuple[str, str]
) -> None:
    pair = server.key_of_a_user()
    server.let_in_users_only()
    write_secret(secret, AWS_S3_ENDPOINT=server.url, **dict(zip(names, pair, strict=True)))
    assert read_rows("s3://bucket/rows.jsonl").num_rows == 4


def test_variables_come_before_the_secret(
    server: S3Server, secret: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_secret(secret, AWS_ACCESS_KEY_ID="other", AWS_SECRET_ACCESS_KEY="other")
    write_secret(secret, AWS_S3_ENDPOINT="http://127.0.0.1:1")
    set_variables(monkeypatch, server.url)
    assert read_rows("s3://bucket/rows.jsonl").num_rows == 4


def test_a_wrong_key_is_told_with_where_it_is_from_and_without_the_key(
    server: S3Server, secret: Path
) -> None:
    server.let_in_users_only()
    write_secret(secret, AWS_ACCESS_KEY_ID="public-half", AWS_SECRET_ACCESS_KEY="secret-half")
    write_secret(secret, AWS_S3_ENDPOINT=server.url)
    for told in errors_of("s3://bucket"):
        assert f"refuses the key from the Secret's files in {secret}" in told
        assert server.url in told
        assert "half" not in told
    assert "half" not in repr(ObjectStore.find(os.environ))


def test_a_bucket_that_is_missing_is_told_and_not_made(
    server: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_variables(monkeypatch, server.url)
    for told in errors_of("s3://bucke"):
        assert "there is no such bucket; make it first" in told
    with pytest.raises(StorageError, match="there is no such bucket"):
        open_journal("s3://bucke")
    assert server.names() == ["rows.jsonl"]
    with pytest.raises(StorageError, match=r"bucket/none\.jsonl: no such file or folder"):
        read_rows("s3://bucket/none.jsonl")


def test_a_store_that_is_away_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    set_variables(monkeypatch, "http://127.0.0.1:1")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    for told in errors_of("s3://bucket"):
        assert "does not answer" in told
        assert "AWS_S3_ENDPOINT" in told


def test_without_a_key_it_is_said_how_to_give_one(server: S3Server, secret: Path) -> None:
    write_secret(secret, AWS_S3_ENDPOINT=server.url)
    for told in errors_of("s3://bucket"):
        assert "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY" in told
        assert "the Secret that storage_secret names" in told
    write_secret(secret, AWS_ACCESS_KEY_ID="id")
    with pytest.raises(StorageError, match=f"{secret}: there is half of a key"):
        read_rows("s3://bucket/rows.jsonl")


def test_an_address_of_kfps_own_store_needs_an_endpoint(secret: Path) -> None:
    write_secret(secret, accesskey="id", secretkey="k")
    with pytest.raises(StorageError, match="needs an address: give AWS_S3_ENDPOINT"):
        read_rows("minio://mlpipeline/rows.jsonl")


def test_a_private_authority_is_trusted_as_variables_or_the_secret_name_it(
    secret: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    authority, context = private_authority(tmp_path)
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    with S3Server(context) as server:
        server.put("rows.jsonl", ROWS)
        set_variables(monkeypatch, server.url)
        with pytest.raises(StorageError, match="certificate authority in AWS_CA_BUNDLE"):
            read_rows("s3://bucket/rows.jsonl")
        for name in ("AWS_CA_BUNDLE", "SSL_CERT_FILE"):
            monkeypatch.setenv(name, str(authority))
            assert read_rows("s3://bucket/rows.jsonl").num_rows == 4
            monkeypatch.delenv(name)
        monkeypatch.delenv("AWS_ACCESS_KEY_ID")
        monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
        write_secret(secret, AWS_ACCESS_KEY_ID="id", AWS_SECRET_ACCESS_KEY="k")
        write_secret(secret, **{"ca.crt": authority.read_text()})
        assert read_rows("s3://bucket/rows.jsonl").num_rows == 4


def test_a_journal_that_a_killed_process_left_is_gone_on_with(
    server: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_variables(monkeypatch, server.url)
    killed = in_a_process(
        "import os, time; from kfp_sdg.teacher.journal.bucket import Bucket\n"
        "Bucket.flush_seconds = 0.02\n"
        "with open_journal('s3://bucket/run-1') as journal:\n"
        "    for n in range(50): journal.keep(n.to_bytes(16, 'big'), 0, answer(n))\n"
        "    while not journal._place._sent: time.sleep(0.02)\n"
        "    os.kill(os.getpid(), 9)\n"
    )
    assert killed.returncode == -signal.SIGKILL
    assert "run-1/journal.lock" in server.names()
    with open_journal("s3://bucket/run-1") as journal:
        assert journal.kept == 50
        assert journal.find(key(49)) == {0: answer(49)}
        journal.keep(key(50), 0, answer(50))
    with open_journal("s3://bucket/run-1") as journal:
        assert journal.kept == 51
    assert len(server.names()) == 3


@pytest.mark.parametrize(("runner", "runs"), [("engine", 2), ("kfp", 1)])
def test_a_run_reads_from_a_bucket_and_keeps_its_answers_there(
    server: S3Server,
    stub_teacher: StubTeacher,
    runner: str,
    runs: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    set_variables(monkeypatch, server.url, key="secret-half")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "p.yaml").write_text(PIPELINE)
    (tmp_path / "ask.yaml").write_text(PROMPT)
    places = ["--input", "s3://bucket/rows.jsonl", "--checkpoint", "s3://bucket/run-1"]
    asking = ["--teacher-url", stub_teacher.url, "--runner", runner]
    for _ in range(runs):
        assert main(["run", "p.yaml", "--output", "out", *places, *asking]) == 0
        assert read_run("out").rows.num_rows == 4
    assert len(stub_teacher.requests) == 4
    assert any(name.startswith("run-1/") and "segment" in name for name in server.names())
    told = capsys.readouterr()
    assert "secret-half" not in told.out + told.err
