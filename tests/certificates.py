"""Certificates for 127.0.0.1 that nobody trusts yet."""

from __future__ import annotations

import shutil
import ssl
import subprocess
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

_NEW_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2")


def self_signed(folder: Path) -> tuple[Path, ssl.SSLContext]:
    """Make a certificate; return its file, for those who trust it, and a server's context."""
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    _openssl(
        *("req", "-x509", *_NEW_KEY, "-subj", "/CN=127.0.0.1"),
        *("-addext", "subjectAltName=IP:127.0.0.1"),
        *("-keyout", key, "-out", certificate),
    )
    return certificate, _serving(certificate, key)


def private_authority(folder: Path, *names: str) -> tuple[Path, ssl.SSLContext]:
    """Make an authority, and a certificate that it has signed, as companies and clusters do.

    Args:
        folder: Where the files go.
        *names: Hosts that the certificate is for besides 127.0.0.1.

    Returns:
        The authority's file, and a server's context with the certificate.
    """
    authority, authority_key = folder / "ca.pem", folder / "ca-key.pem"
    certificate, key = folder / "server.pem", folder / "server-key.pem"
    hosts = ",".join(["IP:127.0.0.1", *(f"DNS:{name}" for name in names)])
    _openssl(
        *("req", "-x509", *_NEW_KEY, "-subj", "/CN=Private authority"),
        *("-addext", "basicConstraints=critical,CA:TRUE"),
        *("-addext", "keyUsage=critical,keyCertSign"),
        *("-keyout", authority_key, "-out", authority),
    )
    _openssl(
        *("req", "-x509", *_NEW_KEY, "-subj", "/CN=teacher", "-CA", authority),
        *("-CAkey", authority_key, "-addext", f"subjectAltName={hosts}"),
        *("-addext", "basicConstraints=critical,CA:FALSE"),
        *("-keyout", key, "-out", certificate),
    )
    return authority, _serving(certificate, key)


def _openssl(*arguments: str | Path) -> None:
    if shutil.which("openssl") is None:
        pytest.skip("needs the openssl command")
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)


def _serving(certificate: Path, key: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context
