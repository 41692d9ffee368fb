"""The files in the layers of an image, and what must not be among them."""

from __future__ import annotations

import json
import os
import re
import subprocess
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kfp_sdg.compiler.containers import ContainerTool

FORBIDDEN_FILES = re.compile(
    r"(^|/)(pip\.conf|\.pypirc|\.netrc|\.git-credentials|\.env|auth\.json|\.bash_history|id_(rsa|ed25519|ecdsa)"
    r"|\.git/config|containers\.conf|uv\.toml|root/\.cache/.+|root/\.config/.+|tmp/.+)$"
)
"""Files in which tools keep credentials and addresses, and what a build forgets to clear away."""

CREDENTIALS = {
    # a key, not the mere header that cryptographic packages look for
    "private key": (
        b"PRIVATE KEY-----",
        rb"-----BEGIN [A-Z ]*PRIVATE KEY-----\s+[A-Za-z0-9+/=]{40}",
    ),
    "AWS access key": (b"AKIA", rb"\bAKIA[0-9A-Z]{16}\b"),
    "GitHub token": (b"gh", rb"\bgh[pousr]_[A-Za-z0-9]{36}\b"),
    "Hugging Face token": (b"hf_", rb"\bhf_[A-Za-z0-9]{34}\b"),
    "OpenAI key": (b"sk-", rb"\bsk-[A-Za-z0-9]{32,}\b"),
}
"""For each kind what every one has in it, which is quickly looked for, and the pattern."""

COPIED_FILES = ("etc/hostname", "etc/resolv.conf")
"""Files that what makes an image may copy from the machine that it runs on."""

_PROGRAM = b"\x7fELF"
_PEM = re.compile(rb"-----BEGIN CERTIFICATE-----\s+(.+?)\s+-----END CERTIFICATE-----", re.DOTALL)
_SECRET_NAME = re.compile(r"(TOKEN|SECRET|PASSWORD|PASSWD|API_?KEY|CREDENTIAL)", re.IGNORECASE)


@dataclass(frozen=True)
class Image:
    """A saved image.

    Attributes:
        configuration: Its configuration with its history, as JSON.
        layers: For each of its layers the digest and the archive of its files.
    """

    configuration: bytes
    layers: dict[str, Path]


def saved(tool: ContainerTool, image: str, folder: Path) -> Image:
    """Save an image and take it apart into a folder."""
    archive = folder / "image.tar"
    tool.ask("save", "--output", str(archive), image)
    with tarfile.open(archive) as outer:
        outer.extractall(folder / "image", filter="data")
    archive.unlink()
    (manifest,) = json.loads((folder / "image" / "manifest.json").read_bytes())
    configuration = (folder / "image" / manifest["Config"]).read_bytes()
    digests = json.loads(configuration)["rootfs"]["diff_ids"]
    places = [folder / "image" / layer for layer in manifest["Layers"]]
    return Image(configuration, dict(zip(digests, places, strict=True)))


def files_of(layer: Path) -> Iterator[tuple[str, bytes]]:
    """Yield path and content of every file of a layer, also of those that a later layer removes."""
    with tarfile.open(layer) as archive:
        for member in archive:
            opened = archive.extractfile(member) if member.isfile() else None
            yield member.name, opened.read() if opened else b""


def machines_own(known_certificates: bytes) -> dict[str, bytes]:
    """Return what of this machine must not be in an image: what it is, and how it is recognized.

    Args:
        known_certificates: Those that everybody has; any other that this machine trusts is its own.
    """
    own: dict[str, bytes] = {}
    bundle = Path(os.environ.get("SSL_CERT_FILE") or "/etc/ssl/certs/ca-certificates.crt")
    public = set(_lines_of(known_certificates))
    for line in _lines_of(bundle.read_bytes() if bundle.is_file() else b""):
        if line not in public:
            own[f"certificate authority {len(own) + 1} of this machine"] = line
    for name, value in os.environ.items():
        secret = _SECRET_NAME.search(name) and len(value) >= 8 and not value.startswith("/")
        if secret or (value and name.lower() in ("http_proxy", "https_proxy")):
            own[f"value of ${name}"] = value.encode()
    for address in _indexes():
        own[f"package index {address}"] = address.encode()
    return own


def _lines_of(bundle: bytes) -> list[bytes]:
    """Return a line in the middle of each certificate, which is like no other's."""
    blocks = [block.split() for block in _PEM.findall(bundle)]
    return [lines[len(lines) // 2] for lines in blocks]


def _indexes() -> set[str]:
    """Return the addresses of packages that pip and uv on this machine are told of."""
    pip = subprocess.run(
        ["python3", "-m", "pip", "config", "list"], check=False, capture_output=True, text=True
    )
    told = re.findall(r"(?:index-url|find-links|trusted-host|proxy)='([^']*)'", pip.stdout)
    told += [
        value for name, value in os.environ.items() if re.fullmatch(r"(UV|PIP)_.*(URL|LINKS)", name)
    ]
    return {address for line in told for address in line.split() if len(address) > 8}


def findings(name: str, content: bytes, own: dict[str, bytes]) -> list[str]:
    """Return what must not be in a file of an image; without the secret itself."""
    found = []
    if FORBIDDEN_FILES.search(name) and content:
        found.append(f"{name}: such a file has no place in an image")
    if name.removeprefix("./") in COPIED_FILES and content and content == _here(name):
        found.append(f"{name}: this machine's own")
    if not content.startswith(_PROGRAM):  # gnutls tests itself with keys that it has in it
        for kind, (sign, pattern) in CREDENTIALS.items():
            if sign in content and re.search(pattern, content):
                found.append(f"{name}: {kind}")
    found += [f"{name}: {what}" for what, sign in own.items() if sign in content]
    return found


def _here(name: str) -> bytes:
    path = Path("/", name)
    return path.read_bytes() if path.is_file() else b""
