"""Which certificate authorities are trusted."""

from __future__ import annotations

import os
import ssl
from pathlib import Path

from kfp_sdg.teacher.transport import NoReply, Trouble

_BUNDLES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE")
_VARIABLES = (*_BUNDLES, "SSL_CERT_DIR")


def tls_context() -> ssl.SSLContext:
    """Return a context that trusts what the environment names, else the system, else certifi.

    ``SSL_CERT_FILE`` and ``SSL_CERT_DIR`` are OpenSSL's own variables; ``REQUESTS_CA_BUNDLE`` is
    what many clusters set for Python. A slim container image may have no authorities at all; the
    bundle of ``certifi`` then takes their place.

    Raises:
        NoReply: A variable names a file or folder that cannot be used.
    """
    for name in _VARIABLES:
        place = os.environ.get(name)
        if place and not os.access(place, os.R_OK):
            raise NoReply(Trouble.UNTRUSTED, f"{name} names {place}, which cannot be read")
    context = ssl.create_default_context()
    variable = next((name for name in _BUNDLES if os.environ.get(name)), None)
    if variable:
        bundle = os.environ[variable]
        where = {"capath": bundle} if Path(bundle).is_dir() else {"cafile": bundle}
        try:
            context.load_verify_locations(**where)
        except ssl.SSLError as error:
            detail = f"{variable} names {bundle}, which holds no certificates ({error.reason})"
            raise NoReply(Trouble.UNTRUSTED, detail) from error
    elif not context.cert_store_stats()["x509_ca"] and not _has_folder():
        import certifi

        context.load_verify_locations(certifi.where())
    return context


def _has_folder() -> bool:
    """Tell whether OpenSSL has a folder of authorities, which it reads when one is needed."""
    folder = ssl.get_default_verify_paths().capath
    return folder is not None and any(Path(folder).iterdir())
