"""No credential, certificate authority or index address of this machine is in an image we build."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from container_layers import files_of, findings, machines_own, saved
from kfp_sdg.components.image import BUNDLE_IMAGE, RUNTIME_IMAGE, TAXONOMY_IMAGE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kfp_sdg.compiler.containers import ContainerTool

PLANTED = "localhost/kfp-sdg/planted:test"
AUTHORITIES = "usr/share/ca-certificates/"
"""Where Debian keeps the certificate authorities that everybody has."""


@pytest.fixture(scope="module")
def seen() -> set[str]:
    """Digests of layers that were looked through: images share them."""
    return set()


def looked_through(tool: ContainerTool, image: str, folder: Path, seen: set[str]) -> list[str]:
    taken = saved(tool, image, folder)
    everybodys = authorities(tool, image)
    own = machines_own(everybodys)
    found = findings("configuration and history", taken.configuration, own)
    for digest, layer in taken.layers.items():
        if digest not in seen:
            for name, content in files_of(layer):
                found += findings(name, content, own)
        layer.unlink()
        seen.add(digest)
    return found


def authorities(tool: ContainerTool, image: str) -> bytes:
    """Return the certificates of the package of the image's distribution."""
    return tool.ask(
        *("run", "--rm", "--network=none", "--entrypoint=sh", image, "-c"),
        f"find /{AUTHORITIES} -name '*.crt' -exec cat {{}} + 2>/dev/null || true",
    ).encode()


@pytest.mark.parametrize("image", [RUNTIME_IMAGE, TAXONOMY_IMAGE, BUNDLE_IMAGE])
def test_no_layer_holds_what_is_this_machines_own(
    tool: ContainerTool, tmp_path: Path, seen: set[str], image: str
) -> None:
    tool.require_images([image])
    assert looked_through(tool, image, tmp_path, seen) == []


@pytest.fixture
def planted(tool: ContainerTool, tmp_path: Path) -> Iterator[str]:
    """An image into which a careless build put what does not belong there, and deleted it again."""
    context = tmp_path / "context"
    context.mkdir()
    (context / "key").write_text("-----BEGIN PRIVATE KEY-----\n" + "MIIE" * 16 + "\n")
    (context / "pip.conf").write_text("[global]\nindex-url = http://index.example.com/simple\n")
    (context / "Containerfile").write_text(
        f"FROM {BUNDLE_IMAGE}\nUSER 0\nCOPY key pip.conf /etc/\n"
        f"RUN rm /etc/key /etc/pip.conf\nENV TOKEN=ghp_{'a' * 36}\n"
    )
    tool.ask("build", "--quiet", "--tag", PLANTED, str(context))
    yield PLANTED
    tool.ask("rmi", "--force", PLANTED)


def test_what_a_later_layer_deletes_is_found(
    tool: ContainerTool, tmp_path: Path, planted: str
) -> None:
    assert sorted(looked_through(tool, planted, tmp_path, set())) == [
        "configuration and history: GitHub token",
        "etc/key: private key",
        "etc/pip.conf: such a file has no place in an image",
    ]


def test_this_machines_authority_and_index_would_be_found(
    tool: ContainerTool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = tmp_path / "own.crt"
    lines = "\n".join(letter * 64 for letter in "ABC")
    bundle.write_text(f"-----BEGIN CERTIFICATE-----\n{lines}\n-----END CERTIFICATE-----\n")
    monkeypatch.setenv("SSL_CERT_FILE", str(bundle))
    monkeypatch.setenv("PIP_INDEX_URL", "http://index.example.com/simple")
    monkeypatch.setenv("TEACHER_API_KEY", "not-to-be-told")
    own = machines_own(authorities(tool, BUNDLE_IMAGE))
    leaked = b"x" + bundle.read_bytes() + b"http://index.example.com/simple not-to-be-told"
    assert [finding for finding in findings("file", leaked, own) if "index /" not in finding] == [
        "file: certificate authority 1 of this machine",
        "file: value of $TEACHER_API_KEY",
        "file: package index http://index.example.com/simple",
    ]


def test_this_machines_name_servers_would_be_found() -> None:
    file = "./etc/resolv.conf"
    own = Path("/", file).read_bytes()
    assert findings(file, own, {}) == ["./etc/resolv.conf: this machine's own"]
    assert findings(file, b"", {}) == []
