"""manifests/pipelines: fresh, and what overlays may do with it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from google.protobuf.json_format import ParseDict
from kfp.pipeline_spec.pipeline_spec_pb2 import PipelineSpec, PlatformSpec

from cluster_manifests import MANIFESTS, named, overlay
from kfp_sdg.cluster.manifests import CLIENT_SIDE_LIMIT, client_side_size
from kfp_sdg.cluster.manifests.shipped import shipped_manifests, stale_manifests
from kfp_sdg.compiler.shipped import compiled_names
from kfp_sdg.components.image import RUNTIME_IMAGE, TAXONOMY_IMAGE
from kubectl import render

if TYPE_CHECKING:
    from pathlib import Path, PurePosixPath

PIPELINES = MANIFESTS / "pipelines"
MIRROR = "mirror.example.com/sdg/runtime"
DIGEST = "sha256:" + "1" * 64


def written() -> list[dict[str, Any]]:
    files = [file for file in PIPELINES.rglob("*.yaml") if not file.name.startswith("kustom")]
    return [
        document
        for file in sorted(files)
        for document in yaml.load_all(file.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
    ]


def images(version: dict[str, Any]) -> set[str]:
    executors = version["spec"]["pipelineSpec"]["deploymentSpec"]["executors"]
    return {executor["container"]["image"] for executor in executors.values()}


@pytest.fixture(scope="module")
def plain(kubectl: Path) -> list[dict[str, Any]]:
    return render(PIPELINES)


@pytest.fixture(scope="module")
def changed(kubectl: Path, tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """What an overlay makes of the pipelines that is itself the base of another one."""
    folder = tmp_path_factory.mktemp("overlays", numbered=True)
    image = RUNTIME_IMAGE.rpartition(":")[0]
    inner = overlay(
        folder / "inner", [PIPELINES], images=[{"name": image, "newName": MIRROR, "digest": DIGEST}]
    )
    return render(overlay(folder / "outer", [inner], namespace="team-a", namePrefix="acme-"))


@pytest.fixture(scope="module")
def made() -> dict[PurePosixPath, str]:
    return shipped_manifests()


def test_the_manifests_are_what_the_code_makes(made: dict[PurePosixPath, str]) -> None:
    assert stale_manifests(MANIFESTS, made) == [], "run `make manifests`"


def test_two_processes_write_the_same_bytes(made: dict[PurePosixPath, str]) -> None:
    path = next(path for path in made if path.name == "instructlab.yaml")
    there = (MANIFESTS / path).read_text(encoding="utf-8")
    sdks = {re.search("sdkVersion: .*", text).group() for text in (there, made[path])}
    if len(sdks) == 2:
        pytest.skip("another KFP SDK wrote the manifests")
    assert {p: (MANIFESTS / p).read_text(encoding="utf-8") for p in made} == made


def test_every_compiled_pipeline_is_there_with_one_version_named_after_its_content() -> None:
    pipelines, versions = named(written(), "Pipeline"), named(written(), "PipelineVersion")
    assert {p["spec"]["displayName"] for p in pipelines.values()} == set(compiled_names())
    assert sorted(v["spec"]["pipelineName"] for v in versions.values()) == sorted(pipelines)
    for name, version in versions.items():
        assert re.fullmatch(f"{version['spec']['pipelineName']}-[0-9a-f]{{10}}", name)


def test_argo_cd_brings_a_pipeline_before_its_versions_and_prunes_neither(
    plain: list[dict[str, Any]],
) -> None:
    def told(kind: str, what: str) -> set[str]:
        objects = named(plain, kind).values()
        return {o["metadata"]["annotations"][f"argocd.argoproj.io/{what}"] for o in objects}

    assert told("Pipeline", "sync-wave") == {"-1"}
    assert told("PipelineVersion", "sync-wave") == {"0"}
    # a version is deleted with its Pipeline, which owns it
    assert told("Pipeline", "sync-options") == {"Prune=false"}
    assert told("PipelineVersion", "sync-options") == {"Prune=false,ServerSideApply=true"}


def test_a_version_tells_where_its_source_is(plain: list[dict[str, Any]]) -> None:
    for version in named(plain, "PipelineVersion").values():
        source = re.sub("^https://.*/blob/v[^/]+/", "", version["spec"]["codeSourceURL"])
        assert (MANIFESTS.parent / source).exists(), source


def test_images_of_an_overlay_reach_every_executor(
    plain: list[dict[str, Any]], changed: list[dict[str, Any]]
) -> None:
    before = {image for v in named(plain, "PipelineVersion").values() for image in images(v)}
    after = {image for v in named(changed, "PipelineVersion").values() for image in images(v)}
    assert before == {RUNTIME_IMAGE, TAXONOMY_IMAGE}
    assert after == {f"{MIRROR}@{DIGEST}", TAXONOMY_IMAGE}


def test_a_prefix_keeps_every_version_with_its_pipeline(changed: list[dict[str, Any]]) -> None:
    pipelines = named(changed, "Pipeline")
    assert len(pipelines) == len(compiled_names())
    for name, version in named(changed, "PipelineVersion").items():
        assert version["spec"]["pipelineName"] in pipelines
        assert name.startswith("acme-")
        assert version["metadata"]["namespace"] == "team-a"


def test_kfp_reads_the_pipelines_after_an_overlay(changed: list[dict[str, Any]]) -> None:
    for version in named(changed, "PipelineVersion").values():
        spec = ParseDict(version["spec"]["pipelineSpec"], PipelineSpec())
        assert spec.root.dag.tasks
        if "platformSpec" in version["spec"]:
            ParseDict(version["spec"]["platformSpec"], PlatformSpec())


def test_no_pipeline_is_too_large_for_a_client_side_apply() -> None:
    # manifests/README.md says so, and says to apply on the server's side all the same
    sizes = {o["metadata"]["name"]: client_side_size(o) for o in written()}
    assert {name: size for name, size in sizes.items() if size > CLIENT_SIDE_LIMIT} == {}
