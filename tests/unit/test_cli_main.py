"""The command line as a whole: help, exit codes, and what it loads."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from kfp_sdg import __version__
from kfp_sdg.cli.__main__ import main
from kfp_sdg.cli.failure import explain
from kfp_sdg.errors import BlockError, StorageError, TeacherError

HEAVY = (
    "aiohttp",
    "datasets",
    "fsspec",
    "httpx",
    "jinja2",
    "jsonschema",
    "kfp",
    "numpy",
    "openai",
    "pandas",
    "pyarrow",
    "pydantic",
    "yaml",
)


def loaded_by(code: str) -> set[str]:
    """Return which heavy packages a fresh process has after some code."""
    script = f"import sys\n{code}\nprint(*sys.modules, file=sys.stderr)"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    return set(done.stderr.split()) & set(HEAVY)


@pytest.mark.parametrize(
    "code",
    [
        "import kfp_sdg",
        "import kfp_sdg.cli.__main__",
        "from kfp_sdg.cli.__main__ import main; main(['--help'])",
        "from kfp_sdg.cli.__main__ import main; main(['--version'])",
    ],
)
def test_help_loads_nothing_heavy(code: str) -> None:
    assert loaded_by(code) == set()


def test_validate_loads_no_datasets_no_client_and_no_kfp() -> None:
    code = "from kfp_sdg.cli.__main__ import main; main(['validate', 'examples/demo'])"
    assert loaded_by(code) & {"datasets", "kfp", "openai", "pandas"} == set()


@pytest.mark.parametrize(("wish", "shown"), [(None, False), ("0", True)])
def test_custom_blocks_draw_no_bars_between_ours(wish: str | None, shown: bool) -> None:
    name = "HF_DATASETS_DISABLE_PROGRESS_BARS"
    environment = {key: value for key, value in os.environ.items() if key != name}
    code = """
from kfp_sdg.cli.__main__ import main
main(["--version"])
from datasets import Dataset
Dataset.from_dict({"a": [1, 2]}).map(dict)
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=environment if wish is None else {**environment, name: wish},
        capture_output=True,
        text=True,
        check=True,
    )
    assert ("Map" in done.stderr) is shown


def test_the_version_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"kfp-sdg {__version__}\n"


@pytest.mark.parametrize("command", ["validate", "run", "compile", "blocks list", "blocks show"])
def test_every_command_s_help_has_an_example(
    capsys: pytest.CaptureFixture[str], command: str
) -> None:
    assert main([*command.split(), "--help"]) == 0
    assert f"Example: kfp-sdg {command}" in capsys.readouterr().out


def test_no_option_takes_a_key(capsys: pytest.CaptureFixture[str]) -> None:
    for command in ("validate", "run", "compile", "generate", "submit"):
        main([command, "--help"])
        options = {word for word in capsys.readouterr().out.split() if word.startswith("--")}
        # of compile: where tasks take the key from, which is one of two words, and who may see it
        options -= {"--teacher-key", "--teacher-key-host"}
        assert not [option for option in options if "key" in option or option == "--token"]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["valdate"], "Did you mean 'validate'"),
        (["run", "examples/demo"], "--input"),
        (["run", "examples/demo", "--inptu", "x"], "--input"),
        (["validate"], "PIPELINE"),
        (["validate", "x", "--format", "xml"], "xml"),
        (["compile", "examples/demo", "-o", "x", "--namespace", "y"], "--format crd"),
    ],
)
def test_a_mistake_on_the_command_line_exits_2_and_says_where_help_is(
    capsys: pytest.CaptureFixture[str], arguments: list[str], told: str
) -> None:
    assert main(arguments) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert told in printed.err
    assert "--help`" in printed.err
    assert "Traceback" not in printed.err


@pytest.mark.parametrize(
    ("error", "code", "told"),
    [
        (BlockError("no", block_name="x"), 1, "Error: block 'x': no.\n"),
        (TeacherError("gone", url="http://h/v1"), 1, "Error: teacher at http://h/v1: gone.\n"),
        (StorageError("full"), 1, "Error: full.\n"),
        (KeyboardInterrupt(), 130, "Interrupted.\n"),
        (ZeroDivisionError("oops"), 1, "Error: ZeroDivisionError: oops. This should not happen"),
        (BlockError("[/red] [bold]x"), 1, "[/red] [bold]x"),
    ],
)
def test_every_error_is_one_paragraph_and_an_exit_code(
    capsys: pytest.CaptureFixture[str], error: BaseException, code: int, told: str
) -> None:
    assert explain(error) == code
    printed = capsys.readouterr()
    assert told in printed.err
    assert "Traceback" not in printed.err
    assert printed.out == ""


def test_a_traceback_is_shown_only_on_request(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("a defect")

    monkeypatch.setattr("kfp_sdg.spec.load_pipeline", fail)
    assert main(["validate", "examples/demo"]) == 1
    assert "Traceback" not in capsys.readouterr().err
    assert main(["validate", "examples/demo", "--debug"]) == 1
    assert "Traceback" in capsys.readouterr().err
    assert main(["validate", "examples/demo"]) == 1
    assert "Traceback" not in capsys.readouterr().err


def test_output_that_nobody_reads_is_no_error() -> None:
    command = f"{sys.executable} -m kfp_sdg.cli blocks list | true"
    done = subprocess.run(["bash", "-o", "pipefail", "-c", command], capture_output=True, text=True)
    assert "Traceback" not in done.stderr
    assert "should not happen" not in done.stderr
