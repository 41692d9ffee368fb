"""What is found wrong before a container begins, and the words for containers that fail.

A small script stands for podman where the words of a broken one are wanted; real containers are in
tests/containers.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from kfp_runs import DROP_B, ROWS, write_rows
from kfp_sdg.cli.__main__ import main
from kfp_sdg.compiler import LocalRunOptions, run_with_kfp
from kfp_sdg.compiler.containers import ContainerTool, find_tool
from kfp_sdg.compiler.containers.access import open_checkpoint, require_readable
from kfp_sdg.compiler.containers.plugins import plugin_mounts
from kfp_sdg.compiler.containers.setup import ContainerRun, prepare_run
from kfp_sdg.errors import BlockError, ClusterError, SpecError, StorageError
from kfp_sdg.spec.model import PipelineSpec
from kfp_sdg.teacher.credentials import find_api_key

PODMAN = """#!/bin/sh
case "$1" in
  --version) echo "podman version 4.3.1" ;;
  images) echo 6d1a0bbde448 ;;
  ps) ;;
  run) {run} ;;
  *) echo "Error: not expected: $*" >&2; exit 125 ;;
esac
"""


def script(folder: Path, text: str, name: str = "podman") -> str:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    path.chmod(0o755)
    return str(path)


def failing(folder: Path, run: str) -> ContainerTool:
    """A podman whose containers end as told."""
    return find_tool(script(folder, PODMAN.format(run=run)))


def run(folder: Path, tool: ContainerTool) -> None:
    folder.chmod(0o755)
    rows = write_rows(folder / "rows.jsonl", ROWS)
    options = LocalRunOptions(containers=tool)
    run_with_kfp(PipelineSpec((DROP_B,)), rows, folder / "out", options)


def test_no_tool_on_the_path_is_said_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("KFP_SDG_CONTAINER_TOOL", raising=False)
    arguments = ["--input", "r.jsonl", "--output", str(tmp_path / "out"), "--runner", "container"]
    assert main(["run", "examples/demo", *arguments]) == 2
    told = " ".join(capsys.readouterr().err.split())
    assert "neither podman nor docker is on PATH" in told
    assert "--container-tool" in told
    assert not (tmp_path / "out").exists()


def test_a_tool_without_containers_is_a_mistake(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--input", "r.jsonl", "--output", "out", "--container-tool", "podman"]
    assert main(["run", "examples/demo", *arguments]) == 2
    assert "--runner container" in " ".join(capsys.readouterr().err.split())


def test_the_environments_tool_counts_and_a_docker_that_is_podman_is_podman(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    named = script(tmp_path, PODMAN.format(run="exit 0"), "docker")
    monkeypatch.setenv("KFP_SDG_CONTAINER_TOOL", named)
    assert find_tool() == ContainerTool(named, "podman")
    real = script(tmp_path, "#!/bin/sh\necho Docker version 28.2.2, build e6534b4\n", "other")
    assert find_tool(real) == ContainerTool(real, "docker")
    with pytest.raises(SpecError, match="there is no program 'nowhere'"):
        find_tool("nowhere")
    stranger = script(tmp_path, "#!/bin/sh\necho tar 1.34\n", "stranger")
    with pytest.raises(SpecError, match=r"stranger is neither podman nor docker.*'tar 1\.34'"):
        find_tool(stranger)


def test_a_tool_that_does_not_work_is_quoted(tmp_path: Path) -> None:
    broken = '#!/bin/sh\necho "Cannot connect to the Docker daemon." >&2\nexit 1\n'
    tool = ContainerTool(script(tmp_path, broken), "docker")
    with pytest.raises(ClusterError, match=r"does not work here.*Cannot connect to the Docker da"):
        run(tmp_path, tool)
    assert not (tmp_path / "out" / "dataset").exists()


def test_an_image_that_is_missing_is_named_and_not_pulled(tmp_path: Path) -> None:
    tool = ContainerTool(script(tmp_path, "#!/bin/sh\nexit 0\n"), "podman")
    with pytest.raises(ClusterError) as caught:
        run(tmp_path, tool)
    for words in ("kfp-sdg-runtime:v", "not among the images", "`make images`", "`podman pull "):
        assert words in str(caught.value)


@pytest.mark.parametrize(
    ("ending", "words"),
    [
        ('echo "Error: writing: no space left on device" >&2; exit 125', "no space left on device"),
        (
            "echo docker: no such device. >&2; echo; echo Run docker --help >&2; exit 125",
            "could not run the task's container: no such device",
        ),
        ("kill -9 $$", "podman was ended by signal 9 before the task was done"),
        ("echo half way; exit 137", r"was killed \(SIGKILL\): most likely it ran out of memory"),
        ("echo half way; exit 125", "the task stopped without an explanation.*half way"),
        ('echo "error: the rows are gone"; exit 1', "^the rows are gone$"),
    ],
)
def test_a_container_that_fails_fails_the_run_in_the_right_words(
    tmp_path: Path, ending: str, words: str
) -> None:
    with pytest.raises(StorageError, match=words):
        run(tmp_path, failing(tmp_path, ending))


def test_a_container_that_only_says_it_succeeded_is_no_success(tmp_path: Path) -> None:
    with pytest.raises((BlockError, StorageError), match="left no output_rows"):
        run(tmp_path, failing(tmp_path, "exit 0"))


def prepared(folder: Path, **what: object) -> ContainerRun:
    scratch = folder / "scratch"
    scratch.mkdir()
    tool = ContainerTool(script(folder, PODMAN.format(run="exit 0")), "podman")
    given = {
        "images": ["i"],
        "teachers": [],
        "rows": "/nowhere.jsonl",
        "checkpoint": None,
        "plugins": [],
    }
    return prepare_run(tool, scratch, **{**given, **what})  # type: ignore[arg-type]


def test_a_run_is_the_same_after_its_way_to_the_runners_process(tmp_path: Path) -> None:
    ready = prepared(tmp_path, teachers=["http://t/v1"], plugins=["kfp_runs"])
    assert ready.plugins
    assert ContainerRun.from_json(json.loads(json.dumps(ready.to_json()))) == ready
    assert (tmp_path / "scratch" / "artifacts").stat().st_mode & 0o7777 == 0o2775


def test_a_teacher_behind_a_proxy_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("https_proxy", "http://user:secret@proxy:3128")
    with pytest.raises(SpecError, match=r"add teacher\.example to NO_PROXY") as caught:
        prepared(tmp_path, teachers=["https://teacher.example/v1"])
    assert "secret" not in str(caught.value)


def test_options_that_no_shell_understands_are_a_mistake(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KFP_SDG_CONTAINER_OPTIONS", "--label='one")
    with pytest.raises(SpecError, match=r"KFP_SDG_CONTAINER_OPTIONS: No closing quotation"):
        prepared(tmp_path)


def test_a_checkpoint_at_a_url_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"s3://bucket/kept is at a URL.*a folder on this machine"):
        prepared(tmp_path, checkpoint="s3://bucket/kept")


def test_a_checkpoint_of_another_runner_is_opened_to_tasks(tmp_path: Path) -> None:
    kept = tmp_path / "kept" / "block"
    kept.mkdir(parents=True, mode=0o755)
    (kept / "segment").touch(mode=0o644)
    open_checkpoint(str(tmp_path / "kept"), to_group=True)
    assert kept.stat().st_mode & 0o7777 == 0o2775
    assert (kept / "segment").stat().st_mode & 0o777 == 0o664
    assert (kept / "segment").stat().st_gid == 0


def test_the_key_is_for_tasks_and_for_nobody_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KFP_SDG_API_KEY", "sesame")
    ready = prepared(tmp_path)
    (file,) = Path(ready.key).iterdir()
    assert file.read_text() == "sesame"
    assert find_api_key({"KFP_SDG_API_KEY_FILE": ready.key}).value == "sesame"
    assert (file.parent.stat().st_mode & 0o777, file.stat().st_mode & 0o777) == (0o750, 0o640)
    assert file.stat().st_gid == 0
    assert "sesame" not in repr(ready)


def test_no_key_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("KFP_SDG_API_KEY", "KFP_SDG_API_KEY_FILE", "OPENAI_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    assert prepared(tmp_path).key == ""
    assert not (tmp_path / "scratch" / "key").exists()


def test_what_tasks_may_not_read_is_said_with_a_way_out(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    (tmp_path / "rows.jsonl").touch(mode=0o600)
    with pytest.raises(StorageError, match=r"rows.jsonl \(the input\).*\(chmod -R o\+rX /.*\)$"):
        require_readable(str(tmp_path), "the input")
    (tmp_path / "rows.jsonl").chmod(0o644)
    require_readable(str(tmp_path), "the input")


def test_of_an_installed_plugin_only_itself_is_mounted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "__init__.py").touch()
    (tmp_path / "also_mine.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    beside, installed = plugin_mounts(["mine.blocks", "also_mine", "pytest"])
    assert (beside.source, beside.target) == (str(tmp_path), beside.python_path)
    assert installed.source == str(Path(sys.modules["pytest"].__file__ or "").parent)
    assert installed.target == f"{installed.python_path}/pytest"
    assert plugin_mounts(["sys"]) == ()
