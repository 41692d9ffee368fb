"""The bundle as it is built, read and started as OpenShift AI's operator does."""

from __future__ import annotations

import gzip
import json
import tarfile
from typing import TYPE_CHECKING

import pytest

from bundles import LIST, list_in_layers, names_in, uploads
from kfp_sdg.compiler.shipped import COMPILED_FOLDER, compiled_names
from kfp_sdg.components.image import BUNDLE_IMAGE
from kfp_sdg.errors import ClusterError

if TYPE_CHECKING:
    from pathlib import Path

    from kfp_sdg.compiler.containers import ContainerTool

# controllers/… config/internal/apiserver/default/deployment.yaml.tmpl of the operator
INIT_CONTAINER = (
    *("run", "--rm", "--pull=never", "--user=1000650000:0", "--read-only", "--cap-drop=all"),
    *("--security-opt=no-new-privileges", "--network=none"),
)


@pytest.fixture(scope="module")
def image(tool: ContainerTool) -> str:
    tool.require_images([BUNDLE_IMAGE])
    return BUNDLE_IMAGE


@pytest.fixture
def volume(tmp_path: Path) -> Path:
    """Return a folder as a pod's volume is: the group's, which is 0."""
    folder = tmp_path / "volume"
    folder.mkdir()
    folder.chmod(0o2775)
    return folder


def start(tool: ContainerTool, image: str, volume: Path | None, **environment: str) -> str:
    """Run the image as the init container; return what it prints."""
    variables = [f"--env={name}={value}" for name, value in environment.items()]
    mount = [f"--volume={volume}:/config/managed-pipelines"] if volume else []
    no_scratch = ["--read-only-tmpfs=false"] if tool.kind == "podman" else []
    return tool.ask(*INIT_CONTAINER, *no_scratch, *variables, *mount, image)


def test_the_operator_finds_the_list_in_a_layer(
    tool: ContainerTool, image: str, tmp_path: Path
) -> None:
    archive = tmp_path / "bundle.tar"
    tool.ask("save", "--output", str(archive), image)
    with tarfile.open(archive) as saved:

        def read(name: str) -> bytes:
            file = saved.extractfile(name)
            assert file is not None
            content = file.read()
            return gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content

        (manifest,) = json.loads(read("manifest.json"))
        layers = [read(name) for name in manifest["Layers"]]
    assert len(names_in(list_in_layers(layers))) == len(compiled_names())


def test_all_pipelines_are_handed_over_as_they_were_compiled(
    tool: ContainerTool, image: str, volume: Path
) -> None:
    start(tool, image, volume, ALL_PIPELINES="true", MANAGED_PIPELINES_UPLOAD_TAGS="managed=true")
    compiled = {file.read_text() for file in COMPILED_FOLDER.rglob("*.yaml")}
    assert set(uploads(volume).values()) == compiled
    assert {path.stat().st_uid for path in volume.iterdir()} == {1000650000}


def test_a_restarted_container_hands_over_the_same(
    tool: ContainerTool, image: str, volume: Path
) -> None:
    for _ in range(2):
        start(tool, image, volume, PIPELINE_NAMES="instructlab")
        assert sorted(path.name for path in volume.iterdir()) == ["instructlab.yaml", LIST]


def test_images_are_swapped(tool: ContainerTool, image: str, volume: Path) -> None:
    other = "registry.example.com/kfp-sdg-runtime@sha256:" + "0" * 64
    start(tool, image, volume, PIPELINE_NAMES="examples-demo", RELATED_IMAGE_KFP_SDG_RUNTIME=other)
    (pipeline,) = uploads(volume).values()
    assert f"image: {other}" in pipeline
    assert "ghcr.io" not in pipeline


def test_what_cannot_be_done_fails_the_container(
    tool: ContainerTool, image: str, volume: Path
) -> None:
    with pytest.raises(ClusterError, match="no pipeline is called nothing; this image has"):
        start(tool, image, volume, PIPELINE_NAMES="nothing")
    with pytest.raises(ClusterError, match="is not a folder; mount the API server's volume there"):
        start(tool, image, None, ALL_PIPELINES="true")


def test_the_image_says_what_it_is_and_runs_as_a_number(tool: ContainerTool, image: str) -> None:
    (found,) = json.loads(tool.ask("image", "inspect", image))
    config = found["Config"]
    assert config["User"] == "1001:0"
    assert config["Entrypoint"] == ["python3", "-I", "/app/copy_pipelines.py"]
    assert not config.get("Cmd")
    assert config["Labels"]["org.opencontainers.image.version"] == BUNDLE_IMAGE.rpartition(":v")[2]
