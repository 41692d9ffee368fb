"""Images at a registry: their digests, and their copies at another one. Real skopeo, real TLS."""

from __future__ import annotations

import hashlib
import json
import subprocess
from typing import TYPE_CHECKING

import pytest

from kfp_sdg.cli.__main__ import main
from kfp_sdg.cluster.images import read_lock
from kfp_sdg.components.image import BUNDLE_IMAGE
from kfp_sdg.images import LOCK_FILE
from registries import Registry, registry

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from kfp_sdg.compiler.containers import ContainerTool


@pytest.fixture(scope="module")
def source(tool: ContainerTool, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    """Return a registry that has the bundle and nothing else of ours."""
    folder = tmp_path_factory.mktemp("source")
    tool.require_images([BUNDLE_IMAGE])
    with registry(folder) as started:
        archive = f"{folder}/bundle.tar"
        tool.ask("save", "--format", "oci-archive", "--output", archive, BUNDLE_IMAGE)
        name = BUNDLE_IMAGE.replace("ghcr.io", started.name)
        started.skopeo("copy", f"oci-archive:{archive}", f"docker://{name}")
        yield started


@pytest.fixture
def lock(source: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a list whose images are at the registry, which is trusted."""
    monkeypatch.setenv("SSL_CERT_FILE", source.environment["SSL_CERT_FILE"])
    file = tmp_path / "images.lock"
    file.write_text(LOCK_FILE.read_text().replace("ghcr.io", source.name))
    return file


def digest_of(source: Registry) -> str:
    name = BUNDLE_IMAGE.replace("ghcr.io", source.name)
    told = json.loads(source.skopeo("inspect", f"docker://{name}"))["Digest"]
    assert isinstance(told, str)
    return told


def test_a_digest_is_written_and_nothing_else_changes(
    source: Registry, lock: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = lock.read_text().splitlines()
    digest = digest_of(source)
    command = ["images", "lock", "--lock", str(lock), "--only", "bundle"]
    assert main([*command, "--dry-run"]) == 0
    assert lock.read_text().splitlines() == before
    assert main(command) == 0
    assert capsys.readouterr().out == f"bundle: {digest}\n" * 2
    after = lock.read_text().splitlines()
    assert [line for line in after if line not in before] == [f"    digest: {digest}"]
    assert [line for line in after if line != f"    digest: {digest}"] == before
    assert main(command) == 0
    assert capsys.readouterr().out == f"bundle: {digest}, as before\n"


def test_an_image_that_the_registry_does_not_have_is_told_and_the_others_are_written(
    source: Registry, lock: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["images", "lock", "--lock", str(lock), "--only", "task", "--only", "bundle"]) == 1
    err = capsys.readouterr().err
    assert "no digest for 2 of 3 images: runtime (" in err
    assert "manifest unknown" in err
    digests = {image.name: image.reference.digest for image in read_lock(lock)}
    assert (digests["bundle"], digests["runtime"]) == (digest_of(source), None)


def test_a_digest_that_is_gone_is_told(
    source: Registry, lock: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = lock.read_text().replace("    tag: v0.1.0\n", f"    digest: sha256:{'0' * 64}\n", 1)
    lock.write_text(text)
    assert main(["images", "lock", "--lock", str(lock), "--only", "bundle"]) == 1
    assert "manifest unknown" in capsys.readouterr().err
    assert lock.read_text() == text


@pytest.mark.parametrize("tag", ["    tag: v0.1.0\n", ""])
def test_the_skopeo_script_mirrors_with_the_same_digest(
    source: Registry, lock: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], tag: str
) -> None:
    digest = digest_of(source)
    main(["images", "lock", "--lock", str(lock), "--only", "bundle"])
    text = lock.read_text().replace("    tag: v0.1.0\n", tag, 1)
    lock.write_text(text)
    capsys.readouterr()
    to = f"{source.name}/mirror"
    main(
        [
            *["images", "list", "--only", "bundle", "--format", "skopeo"],
            "--lock",
            str(lock),
            "--to",
            to,
        ]
    )
    script = tmp_path / "mirror.sh"
    script.write_text(capsys.readouterr().out)
    subprocess.run(["sh", str(script)], check=True, env=source.environment, capture_output=True)
    for version in (f"@{digest}", *([":v0.1.0"] if tag else [])):
        copy = f"docker://{to}/kfp-sdg/kfp-sdg-bundle{version}"
        manifest = source.skopeo("inspect", "--raw", copy)
        assert f"sha256:{hashlib.sha256(manifest).hexdigest()}" == digest
