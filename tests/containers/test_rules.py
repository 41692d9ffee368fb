"""What a task sees from inside its container: OpenShift's rules, and its teacher alone."""

from __future__ import annotations

import json
import secrets
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from container_runs import containers
from kfp_runs import ROWS, Meddler, write_rows
from kfp_sdg.compiler import LocalRunOptions, run_with_kfp
from kfp_sdg.spec.model import BlockSpec, PipelineSpec
from stub_teacher import StubTeacher

if TYPE_CHECKING:
    from kfp_sdg.compiler.containers import ContainerTool

OUTSIDE = "192.0.2.1:443"
"""An address that nobody has (RFC 5737); with a network the attempt would time out."""

FIND_KEY = """
import os
from kfp_sdg.teacher.credentials import find_api_key
print(find_api_key(os.environ).value)
"""


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


def test_a_teacher_at_an_address_of_this_machine_is_reached_at_it_and_no_other_port(
    folder: Path, tool: ContainerTool, probes: tuple[str, ...]
) -> None:
    address = address_of_this_machine()
    with (
        socket.create_server((address, 0)) as teacher,
        socket.create_server((address, 0)) as other,
    ):
        wanted, unasked = (f"{address}:{server.getsockname()[1]}" for server in (teacher, other))
        options = LocalRunOptions(
            teacher_url=f"http://{wanted}/v1", plugins=probes, containers=tool
        )
        seen = probe([wanted, unasked], folder, options)
    assert seen["reached"] == {wanted: "yes", unasked: "ConnectionRefusedError"}
    assert int(seen["CapEff"], 16) == int(seen["CapBnd"], 16) == 0


def test_the_api_key_is_a_file_that_neither_a_command_line_nor_the_tool_shows(
    folder: Path,
    tool: ContainerTool,
    probes: tuple[str, ...],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    key = secrets.token_hex()
    monkeypatch.setenv("KFP_SDG_API_KEY", key)
    shown: list[str] = []
    found: list[str] = []

    def look() -> None:
        names = containers(tool)
        shown.extend(tool.ask("inspect", name) for name in names)
        shown.extend(command_lines())
        (task,) = (name for name in names if not name.endswith("-gateway"))
        found.append(tool.ask("exec", task, "python3", "-c", FIND_KEY).strip())
        raise KeyboardInterrupt

    rows = write_rows(folder / "rows.jsonl", ROWS[:1])
    spec = PipelineSpec((BlockSpec("sleeps", "TroubleBlock", {"kind": "sleep"}),))
    with StubTeacher() as stub:
        options = LocalRunOptions(teacher_url=stub.url, plugins=probes, containers=tool)
        with pytest.raises(KeyboardInterrupt):
            run_with_kfp(spec, rows, folder / "out", options, Meddler(1, look))
    assert found == [key]
    assert sum("--entrypoint=" in text for text in shown) >= 1
    assert not any(key in text for text in shown)


def command_lines() -> list[str]:
    """Return the command lines of all processes."""
    lines = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            lines.append(path.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
        except OSError:  # it has ended
            continue
    return lines


def address_of_this_machine() -> str:
    """Return an address of this machine that is none of its loopback interface."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as unsent:
        try:
            unsent.connect(("192.0.2.1", 9))
        except OSError:
            pytest.skip("this machine has no address but its loopback's")
        return str(unsent.getsockname()[0])
