"""What a task may use to reach git repositories: the keys of a mounted Secret."""

from __future__ import annotations

import os
import ssl
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from kfp_sdg.errors import StorageError
from kfp_sdg.instructlab.documents.access import FILE_VARIABLE, URL_VARIABLE, GitAccess

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kfp_sdg.instructlab.checkout import TaxonomySource

SECRET_VARIABLE = FILE_VARIABLE
"""Names the folder that the Secret is mounted as."""

_AUTHORITY = "ca.crt"
_CAINFO = "GIT_SSL_CAINFO"


@contextmanager
def git_access(source: TaxonomySource, secret_url: str, scratch: Path) -> Iterator[GitAccess]:
    """Yield what git may use; the Secret's own certificate authority is trusted meanwhile.

    Args:
        source: Where the taxonomy is. Documents may be in folders of this machine only if it is in
            one too: whoever may change a taxonomy on a server has no business with them.
        secret_url: What the URLs begin with that the Secret's password is for; "" for all
            repositories of the server that the taxonomy comes from.
        scratch: A folder for the authorities' file.

    Raises:
        SpecError: There is a password and nothing says what it is for.
        StorageError: The Secret's certificate authority cannot be used.
    """
    server = urlsplit(source.repo)
    of_http = server.scheme in ("http", "https")
    host = f"{server.scheme}://{server.netloc.rpartition('@')[2]}" if of_http else ""
    urls = secret_url.strip() or os.environ.get(URL_VARIABLE, "").strip() or host
    access = GitAccess.from_environment(
        {**os.environ, URL_VARIABLE: urls}, local_paths=source.folder is not None
    )
    bundle = _bundle(scratch)
    before = os.environ.copy()
    if bundle:
        os.environ[_CAINFO] = str(bundle)
    try:
        yield access
    finally:
        if _CAINFO in before:
            os.environ[_CAINFO] = before[_CAINFO]
        else:
            os.environ.pop(_CAINFO, None)


def _bundle(scratch: Path) -> Path | None:
    """Return a file with the system's authorities and the Secret's; None if that has none."""
    own = Path(os.environ.get(SECRET_VARIABLE, "") or "/nowhere") / _AUTHORITY
    if not own.is_file():
        return None
    usual = next(filter(None, (os.environ.get(n) for n in (_CAINFO, "SSL_CERT_FILE"))), None)
    usual = usual or ssl.get_default_verify_paths().cafile or _certifi()
    bundle = scratch / _AUTHORITY
    try:
        ssl.create_default_context(cafile=str(own))
        bundle.write_bytes(Path(usual).read_bytes() + b"\n" + own.read_bytes())
    except ssl.SSLError as error:
        raise StorageError(f"{own} holds no certificates ({error.reason})") from error
    except OSError as error:
        raise StorageError(f"{usual} cannot be read: {error.strerror or error}") from error
    return bundle


def _certifi() -> str:
    import certifi

    return certifi.where()
