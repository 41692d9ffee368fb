"""``kfp-sdg compile --format kustomize``: a base of a platform team's own pipelines."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import yaml

from cluster_manifests import named, overlay
from kfp_sdg.cli.__main__ import main
from kubectl import render

if TYPE_CHECKING:
    from pathlib import Path


def compile_to(folder: Path, pipeline: str, *options: str) -> int:
    return main(["compile", pipeline, "--format", "kustomize", "-o", str(folder), *options])


def test_pipelines_are_collected_in_a_base_whose_overlays_reach_all_of_them(
    kubectl: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    base = tmp_path / "base"
    assert compile_to(base, "instructlab/simple/knowledge") == 0
    assert compile_to(base, "examples/annotation") == 0
    assert f"kubectl apply --server-side -k {base}" in capsys.readouterr().out
    image = {"name": "ghcr.io/kfp-sdg/kfp-sdg-runtime", "newName": "mirror.example.com/runtime"}
    objects = render(overlay(tmp_path / "mine", [base], images=[image], namePrefix="acme-"))
    versions = named(objects, "PipelineVersion").values()
    parents = {v["spec"]["pipelineName"] for v in versions}
    assert parents == set(named(objects, "Pipeline")) == {"acme-annotation", "acme-knowledge"}
    for version in versions:
        executors = version["spec"]["pipelineSpec"]["deploymentSpec"]["executors"]
        for executor in executors.values():
            assert executor["container"]["image"].startswith("mirror.example.com/runtime:")


def test_a_pipeline_that_changed_replaces_itself_under_another_version(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def version() -> str:
        file = tmp_path / "annotation.yaml"
        return list(yaml.safe_load_all(file.read_text(encoding="utf-8")))[1]["metadata"]["name"]

    compile_to(tmp_path, "examples/annotation")
    before = version()
    files = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    compile_to(tmp_path, "examples/annotation")
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == files
    assert "replaces" not in capsys.readouterr().out
    compile_to(tmp_path, "examples/annotation", "--description", "Another text.")
    assert version() != before
    assert f"{version()}, which replaces {before}" in capsys.readouterr().out
    assert {file.name for file in tmp_path.iterdir()} == set(files)


def test_a_namespace_that_is_given_is_that_of_the_resources(tmp_path: Path) -> None:
    compile_to(tmp_path, "examples/annotation", "--namespace", "team-a")
    text = (tmp_path / "annotation.yaml").read_text(encoding="utf-8")
    assert [o["metadata"]["namespace"] for o in yaml.safe_load_all(text)] == ["team-a"] * 2


def test_a_kustomization_that_somebody_wrote_is_kept(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "kustomization.yaml"
    file.write_text("resources: [mine.yaml]\n", encoding="utf-8")
    assert compile_to(tmp_path, "examples/annotation") == 2
    printed = capsys.readouterr().err
    assert f"{file}: error: this file is not kfp-sdg's" in printed
    assert "an overlay for the rest" in printed
    assert [file.name for file in tmp_path.iterdir()] == ["kustomization.yaml"]
    assert file.read_text(encoding="utf-8") == "resources: [mine.yaml]\n"


def test_a_file_in_the_place_of_the_folder_is_the_users_mistake(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "out.yaml"
    file.write_text("", encoding="utf-8")
    assert compile_to(file, "examples/annotation") == 2
    assert "writes a folder" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["kustomization", "kustomizeconfig"])
def test_no_pipeline_takes_the_place_of_kustomizes_own_files(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    assert compile_to(tmp_path / "base", "examples/annotation", "--name", name) == 2
    assert f"cannot be called {name!r}" in capsys.readouterr().err
    assert not (tmp_path / "base").exists()


@pytest.mark.parametrize("package_format", ["ir", "crd", "kustomize"])
def test_nothing_is_called_like_standard_output(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    package_format: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    command = ["compile", "examples/annotation", "--format", package_format, "-o", "-"]
    assert main(command) == 2
    assert "name a file" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
