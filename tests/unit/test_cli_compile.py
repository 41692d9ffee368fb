"""kfp-sdg compile: the files it writes, and mistakes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import yaml

from kfp_sdg.cli.__main__ import main
from kfp_sdg.compiler import compile_pipeline
from kfp_sdg.pipelines import shipped
from kfp_sdg.spec import load_pipeline

if TYPE_CHECKING:
    from pathlib import Path


def go(output: Path, *more: str) -> int:
    return main(["compile", "examples/demo", "-o", str(output), *more])


def test_the_file_is_what_the_compiler_gives_and_the_way_on_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "new" / "demo.yaml"
    assert go(output, "--name", "My demo", "--description", "Questions.") == 0
    spec = load_pipeline(shipped("examples/demo"))
    compiled = compile_pipeline(spec, name="My demo", description="Questions.")
    assert output.read_text(encoding="utf-8") == compiled.to_yaml()
    printed = capsys.readouterr()
    assert f"{output}: examples/demo, 3 blocks" in printed.out
    assert "Upload it" in printed.out
    assert printed.err == ""


def test_resources_are_written_for_a_namespace(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "demo.yaml"
    assert go(output, "--format", "crd", "--namespace", "team-a") == 0
    resources = list(yaml.safe_load_all(output.read_text(encoding="utf-8")))
    assert [resource["kind"] for resource in resources] == ["Pipeline", "PipelineVersion"]
    assert {resource["metadata"]["namespace"] for resource in resources} == {"team-a"}
    assert f"kubectl apply --server-side -f {output}" in capsys.readouterr().out


@pytest.mark.parametrize("namespace", ["Team A", "-a", "a-", "a.b", "a" * 64])
def test_a_namespace_that_kubernetes_would_refuse_is_a_mistake(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], namespace: str
) -> None:
    assert go(tmp_path / "x.yaml", "--format", "crd", f"--namespace={namespace}") == 2
    assert repr(namespace) in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_written_is_a_mistake(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert go(tmp_path) == 2
    assert f"cannot write {tmp_path}" in capsys.readouterr().err
