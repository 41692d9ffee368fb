"""Pipelines whose every block runs in its container, against the engine."""

from __future__ import annotations

import asyncio
import functools
import http.server
import socket
import threading
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web

from certificates import private_authority
from kfp_runs import DROP_B, PROMPT, ROWS, write_rows
from kfp_sdg.blocks.catalog import custom_types, load_plugins
from kfp_sdg.compiler import LocalRunOptions, run_with_kfp
from kfp_sdg.pipelines import SHIPPED_FOLDER, shipped
from kfp_sdg.spec import load_pipeline
from kfp_sdg.spec.model import BlockSpec, PipelineSpec
from kfp_sdg.storage import read_dataset
from shipped_runs import MODEL, TWO_TEACHERS, engines_result, instructions_for, rows_for, same_rows
from stub_teacher import StubTeacher

if TYPE_CHECKING:
    from pathlib import Path

    from kfp_sdg.compiler.containers import ContainerTool

ASK = BlockSpec(
    "ask",
    "LLMBlock",
    {"config_path": "q.yaml", "output_cols": ["question"], "gen_kwargs": {"max_tokens": 64}},
)
ASKING = PipelineSpec((ASK,), files={"q.yaml": PROMPT})


@pytest.mark.parametrize(
    "name",
    [
        "instructlab/full/knowledge",
        "instructlab/full/freeform_skills",
        "instructlab/full/grounded_skills",
        "examples/several_teachers",
    ],
)
def test_a_shipped_pipeline_gives_the_rows_of_the_engine(
    name: str, folder: Path, tool: ContainerTool
) -> None:
    spec = load_pipeline(shipped(name))
    rows = rows_for(name, folder)
    with (
        StubTeacher(models=(MODEL, *TWO_TEACHERS)) as stub,
        StubTeacher(models=(MODEL, *TWO_TEACHERS)) as other,
    ):
        expected = engines_result(spec, rows, stub.url, instructions_for(name))
        options = LocalRunOptions(
            teacher_url=stub.url,
            teacher_endpoints=dict(zip(TWO_TEACHERS, (stub.url, other.url), strict=True)),
            model_id=MODEL,
            num_instructions_to_generate=instructions_for(name),
            containers=tool,
        )
        result = run_with_kfp(spec, rows, folder / "out", options)
    same_rows(result, expected, folder / "out")


def test_a_block_of_ones_own_comes_along_with_its_module(
    folder: Path, tool: ContainerTool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(SHIPPED_FOLDER / "examples" / "custom_block")
    load_plugins(["word_count"])
    name = "examples/custom_block/pipeline"
    spec = load_pipeline(shipped(name), custom_types=custom_types())
    rows = rows_for(name, folder)
    with StubTeacher(models=(MODEL,)) as stub:
        expected = engines_result(spec, rows, stub.url, 1)
        options = LocalRunOptions(
            teacher_url=stub.url,
            model_id=MODEL,
            num_instructions_to_generate=1,
            plugins=("word_count",),
            containers=tool,
        )
        result = run_with_kfp(spec, rows, folder / "out", options)
    same_rows(result, expected, folder / "out")


def test_a_teacher_is_reached_by_its_name_over_tls_with_its_key(
    folder: Path, tool: ContainerTool, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = name_of_this_machine()
    authority, tls = private_authority(folder, name)
    (folder / "key").write_text("sesame\n", encoding="utf-8")
    monkeypatch.setenv("SSL_CERT_FILE", str(authority))
    monkeypatch.delenv("KFP_SDG_API_KEY", raising=False)
    monkeypatch.setenv("KFP_SDG_API_KEY_FILE", str(folder / "key"))
    rows = write_rows(folder / "rows.jsonl", ROWS)
    with StubTeacher(tls=tls, api_key="sesame") as stub:
        url = stub.url.replace("127.0.0.1", name)
        options = LocalRunOptions(teacher_url=url, teacher_patience=30, containers=tool)
        result = run_with_kfp(ASKING, rows, folder / "out", options)
    assert result.rows.num_rows == len(ROWS)


def test_a_teacher_that_is_restarted_costs_no_row(folder: Path, tool: ContainerTool) -> None:
    rows = write_rows(folder / "rows.jsonl", [{"document": f"About {n}."} for n in range(40)])

    class Restarting(StubTeacher):
        """Closes its door once, after some answers, for a while."""

        was_away = False

        def _texts(self, prompt: str, body: dict[str, object], n: int) -> list[str | None]:
            if len(self.requests) == 10:
                self._loop.call_soon(self._loop.create_task, self._leave())
            return super()._texts(prompt, body, n)

        async def _leave(self) -> None:
            assert self._runner is not None
            (site,) = tuple(self._runner.sites)
            await site.stop()
            self.was_away = True
            await asyncio.sleep(3)
            await web.TCPSite(self._runner, "127.0.0.1", self.port).start()

    with Restarting(latency=0.1) as stub:
        options = LocalRunOptions(
            teacher_url=stub.url,
            teacher_patience=30,
            max_concurrency=2,
            max_rejected="0",
            containers=tool,
        )
        result = run_with_kfp(ASKING, rows, folder / "out", options)
        assert stub.was_away
    assert result.rows.num_rows == 40


def test_rows_at_a_url_need_the_network_and_get_it(folder: Path, tool: ContainerTool) -> None:
    write_rows(folder / "rows.jsonl", ROWS)
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/rows.jsonl"
        options = LocalRunOptions(containers=tool)
        result = run_with_kfp(PipelineSpec((DROP_B,)), url, folder / "out", options)
        server.shutdown()
    assert result.rows.num_rows == 3


def test_rows_may_be_a_dataset_folder_and_bring_their_history(
    folder: Path, tool: ContainerTool
) -> None:
    rows = write_rows(folder / "rows.jsonl", ROWS)
    options = LocalRunOptions(containers=tool)
    first = run_with_kfp(PipelineSpec((DROP_B,)), rows, folder / "first", options)
    again = run_with_kfp(
        PipelineSpec((DROP_B,)), folder / "first" / "dataset", folder / "second", options
    )
    assert again.rows.equals(first.rows)
    kept = read_dataset(folder / "second" / "dataset").manifest.history
    assert [entry.block for entry in kept] == ["drop b", "drop b"]


def test_a_checkpoint_serves_whatever_runner_left_it(folder: Path, tool: ContainerTool) -> None:
    rows = write_rows(folder / "rows.jsonl", ROWS)
    with StubTeacher() as stub:
        settings: dict[str, Any] = {"teacher_url": stub.url, "checkpoint": str(folder / "kept")}
        first = run_with_kfp(ASKING, rows, folder / "a", LocalRunOptions(**settings))
        asked = len(stub.requests)
        assert asked > 0
        in_containers = LocalRunOptions(**settings, containers=tool)
        second = run_with_kfp(ASKING, rows, folder / "b", in_containers)
        third = run_with_kfp(ASKING, rows, folder / "c", LocalRunOptions(**settings))
        assert len(stub.requests) == asked
    assert first.rows.equals(second.rows)
    assert first.rows.equals(third.rows)


def name_of_this_machine() -> str:
    """Return a name of 127.0.0.1; localhost, which needs no entry, only where there is none."""
    name = socket.gethostname()
    try:
        return name if socket.gethostbyname(name) == "127.0.0.1" else "localhost"
    except OSError:
        return "localhost"
