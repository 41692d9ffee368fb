"""What a task sees from inside its container: OpenShift's rules, and its teacher alone."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from kfp_runs import ROWS, write_rows
from kfp_sdg.compiler import LocalRunOptions, run_with_kfp
from kfp_sdg.spec.model import BlockSpec, PipelineSpec
from stub_teacher import StubTeacher

if TYPE_CHECKING:
    from kfp_sdg.compiler.containers import ContainerTool

OUTSIDE = "192.0.2.1:443"
"""An address that nobody has (RFC 5737); with a network the attempt would time out."""


@pytest.fixture
def probes(monkeypatch: pytest.MonkeyPatch) -> tuple[str, ...]:
    monkeypatch.syspath_prepend(Path(__file__).parent)
    return ("probe_blocks",)


def probe(addresses: list[str], folder: Path, options: LocalRunOptions) -> dict[str, Any]:
    """Run a task that looks around; return what it sees."""
    spec = PipelineSpec((BlockSpec("probe", "ProbeBlock", {"addresses": addresses}),))
    rows = write_rows(folder / "rows.jsonl", ROWS[:1])
    result = run_with_kfp(spec, rows, folder / "out", options)
    (row,) = result.rows.to_pylist()
    seen = json.loads(row["seen"])
    assert isinstance(seen, dict)
    return seen


def host(url: str) -> str:
    return url.partition("://")[2].partition("/")[0]


def test_a_task_is_a_user_without_a_name_or_a_right(
    folder: Path, tool: ContainerTool, probes: tuple[str, ...]
) -> None:
    seen = probe([], folder, LocalRunOptions(plugins=probes, containers=tool))
    assert (seen["uid"], seen["gid"], seen["groups"]) == (1000650000, 0, [0])
    assert seen["passwd"] == 0
    assert int(seen["CapEff"], 16) == int(seen["CapBnd"], 16) == 0
    assert seen["NoNewPrivs"] == "1"
    assert seen["Seccomp"] == "2"
    assert seen["umask"] == "002"
    assert seen["home"] == "/tmp"
    read_only = "OSError 30"
    assert seen["writable"] == {"/": read_only, "/usr": read_only, "/run": read_only, "/tmp": "yes"}


def test_a_task_that_asks_no_teacher_has_no_network_and_no_key(
    folder: Path,
    tool: ContainerTool,
    probes: tuple[str, ...],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("KFP_SDG_API_KEY", "sesame")
    with StubTeacher() as stub:
        addresses = [host(stub.url), OUTSIDE]
        seen = probe(addresses, folder, LocalRunOptions(plugins=probes, containers=tool))
    assert seen["interfaces"] == ["lo"]
    assert seen["reached"] == {host(stub.url): "ConnectionRefusedError", OUTSIDE: "OSError"}
    assert "KFP_SDG_API_KEY" not in seen["environment"]


def test_a_task_that_asks_reaches_its_teachers_and_nothing_else(
    folder: Path, tool: ContainerTool, probes: tuple[str, ...]
) -> None:
    with (
        StubTeacher() as one,
        StubTeacher() as two,
        socket.create_server(("127.0.0.1", 0)) as other,
    ):
        unasked = f"127.0.0.1:{other.getsockname()[1]}"
        options = LocalRunOptions(
            teacher_url=one.url,
            teacher_endpoints={"other-model": two.url},
            plugins=probes,
            containers=tool,
        )
        seen = probe([host(one.url), host(two.url), unasked, OUTSIDE], folder, options)
    assert seen["interfaces"] == ["lo"]
    assert seen["reached"] == {
        host(one.url): "yes",
        host(two.url): "yes",
        unasked: "ConnectionRefusedError",
        OUTSIDE: "OSError",
    }
    assert (seen["uid"], seen["gid"]) == (1000650000, 0)
    assert int(seen["CapEff"], 16) == int(seen["CapBnd"], 16) == 0
