"""A task's image and an object store: what a bucket holds is read with a mounted Secret's keys."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kfp_sdg.components.image import RUNTIME_IMAGE
from kfp_sdg.storage.object_store import SECRET_FOLDER
from s3_server import S3Server

if TYPE_CHECKING:
    from pathlib import Path

    from kfp_sdg.compiler.containers import ContainerTool

PROGRAM = """\
from kfp_sdg.storage import read_rows
from kfp_sdg.teacher.journal import open_journal
from kfp_sdg.teacher import Answer, Choice, Usage
print(read_rows("s3://bucket/rows.jsonl").num_rows)
with open_journal("s3://bucket/run-1") as journal:
    journal.keep(bytes(16), 0, Answer((Choice("x", "stop"),), Usage(1, 1, 1)))
"""


def test_a_task_reads_and_writes_a_bucket_with_the_keys_of_its_secret(
    tool: ContainerTool, folder: Path
) -> None:
    with S3Server() as server:
        server.put("rows.jsonl", '{"a": 1}\n{"a": 2}\n')
        key_id, key = server.key_of_a_user()
        server.let_in_users_only()
        files = {
            "AWS_ACCESS_KEY_ID": key_id,
            "AWS_SECRET_ACCESS_KEY": key,
            "AWS_S3_ENDPOINT": server.url,
        }
        for name, content in files.items():
            (folder / name).write_text(content)
        told = tool.ask(
            *("run", "--rm", "--network=host", "--user=1000650000:0", "--cap-drop=all"),
            *("--read-only", "--tmpfs=/tmp", f"--volume={folder}:{SECRET_FOLDER}:ro"),
            *(RUNTIME_IMAGE, "python3", "-c", PROGRAM),
        )
        assert told.strip() == "2"
        assert any(name.startswith("run-1/segment") for name in server.names())
