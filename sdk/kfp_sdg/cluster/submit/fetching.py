"""Fetch what came of a run: through the dashboard's server, else from the object store itself.

Our artifacts are folders. The dashboard's server (frontend/server/handlers/artifacts.ts in KFP)
packs a folder into a tar.gz since 2.17; before, it gives single objects, and those of a dataset
have names that are known. The API server of OpenShift AI signs URLs of single objects only
(``view=DOWNLOAD`` in its artifact_server.go), so that folders are read from the object store there,
with credentials of the environment.
"""

from __future__ import annotations

import gzip
import shutil
import tarfile
import zlib
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode, urlsplit

from kfp_sdg.cluster.submit.metadata import artifact_uris
from kfp_sdg.cluster.submit.room import drop_rejected, in_whole
from kfp_sdg.engine.results import REJECTED, folder_names
from kfp_sdg.errors import ClusterError, SpecError, StorageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from urllib3 import BaseHTTPResponse

    from kfp_sdg.cluster.submit.package import Package
    from kfp_sdg.cluster.submit.plan import TaskPath
    from kfp_sdg.cluster.submit.server import Server
    from kfp_sdg.cluster.submit.target import Target
    from kfp_sdg.storage import HistoryEntry

_REJECTED_OUTPUT = "rejected_rows"
_BLOCK = 1 << 20
_PROVIDERS = {"minio": "minio", "s3": "s3", "gs": "gcs"}
"""The dashboard's names of stores by the schemes of URIs."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """An artifact that is here now.

    Attributes:
        output: The name of the pipeline's output, or of the block whose rejected rows it has.
        folder: Where it is.
        rows: How many rows it has; None where it is no dataset.
        history: What was done to the rows; empty where it is no dataset.
    """

    output: str
    folder: Path
    rows: int | None = None
    history: tuple[HistoryEntry, ...] = ()


class NotFetchedError(ClusterError):
    """The run is over, and what it made cannot be fetched from here."""


def fetch(server: Server, run_id: str, package: Package, folder: Path) -> Iterator[Fetched]:
    """Fetch a run's outputs, each into a folder of its own; rejected rows of each block too.

    Args:
        server: The server.
        run_id: The run, which succeeded.
        package: Its pipeline.
        folder: Where they go: ``dataset``, and ``rejected/BLOCK``; for a workflow the names of its
            outputs.

    Yields:
        Each, once it is there and complete.

    Raises:
        NotFetchedError: One cannot be found or fetched; says where it is.
        StorageError: One is damaged, or cannot be written.
    """
    try:
        uris = artifact_uris(server, run_id)
    except ClusterError as error:
        raise NotFetchedError(
            f"the run is done, but nobody can say where its artifacts are: {error}"
        ) from error
    kept: list[Path] = []
    for output in package.outputs:
        made = next((uris[producer] for producer in output.producers if producer in uris), "")
        if not made:
            raise NotFetchedError(f"ML Metadata knows no artifact of the output {output.name!r}")
        fetched = _fetched(server, output.name, made, folder / output.name)
        yield fetched
        for rejected in _rejected(server, package, uris, fetched, folder / REJECTED):
            kept.append(rejected.folder)
            yield rejected
    drop_rejected(folder, kept)


def require_way(target: Target) -> None:
    """Raise a ``ClusterError`` if surely nothing of a run can be fetched, before it is started.

    Args:
        target: The server.
    """
    if target.serves_artifacts or find_spec("s3fs") is not None:
        return
    error = ClusterError(
        f"{target.name} gives no folders, so that --output reads its object store, which takes "
        "`pip install s3fs`, and the store's AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and "
        "AWS_ENDPOINT_URL"
    )
    error.exit_code = SpecError.exit_code
    raise error


def _rejected(
    server: Server,
    package: Package,
    uris: Mapping[tuple[TaskPath, str], str],
    dataset: Fetched,
    folder: Path,
) -> Iterator[Fetched]:
    """Fetch the rows that blocks of a dataset's history rejected."""
    paths = {task.label: task.path for task in package.tasks}
    folders = folder_names(entry.block for entry in dataset.history)
    for entry in dataset.history:
        made = uris.get((paths.get(entry.block, ()), _REJECTED_OUTPUT))
        if entry.rejected and made:
            yield _fetched(server, entry.block, made, folder / folders[entry.block])


def _fetched(server: Server, output: str, uri: str, folder: Path) -> Fetched:
    """Fetch an artifact and look whether it is complete."""
    from kfp_sdg.storage import read_dataset
    from kfp_sdg.storage.artifact import is_dataset

    with in_whole(folder) as part:
        try:
            _download(server, uri, part)
        except (ClusterError, StorageError) as error:
            raise NotFetchedError(
                f"{output!r} is at {uri} and cannot be fetched from here: {error}. Give the "
                "store's AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_ENDPOINT_URL in the "
                "environment"
            ) from error
        if not is_dataset(part):
            return Fetched(output, folder)
        stored = read_dataset(part)
        return Fetched(output, folder, stored.manifest.rows, stored.manifest.history)


def _download(server: Server, uri: str, folder: Path) -> None:
    """Bring an artifact's files into a folder, by the first way that leads there."""
    refusals = []
    if server.target.serves_artifacts:
        for way in (_as_archive, _file_by_file):
            try:
                way(server, uri, folder)
            except (ClusterError, StorageError) as error:
                refusals.append(str(error))
                _empty(folder)
            else:
                return
    try:
        _from_store(uri, folder)
    except StorageError as error:
        raise ClusterError("; ".join(dict.fromkeys([*refusals[:1], str(error)]))) from error


def _empty(folder: Path) -> None:
    """Take away what a way that broke off has left."""
    shutil.rmtree(folder)
    folder.mkdir()


def _as_archive(server: Server, uri: str, folder: Path) -> None:
    """Fetch a folder as the archive that the dashboard's server makes of it."""
    with _object(server, uri) as answer:
        head = answer.read(2)
        if head != b"\x1f\x8b":
            raise ClusterError("the dashboard's server gave no archive")
        archive = folder / ".archive"
        with archive.open("wb") as file:
            file.write(head)
            shutil.copyfileobj(answer, file, _BLOCK)
    try:
        with tarfile.open(archive, "r:gz") as packed:
            packed.extractall(folder, filter="data")
    except (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise ClusterError(f"the archive of the dashboard's server is broken: {error}") from error
    finally:
        archive.unlink()


def _file_by_file(server: Server, uri: str, folder: Path) -> None:
    """Fetch a dataset whose files have names that are known; its manifest tells how many."""
    from kfp_sdg.storage import MANIFEST_NAME, Manifest
    from kfp_sdg.storage.artifact import part_names

    _one_file(server, uri, folder, MANIFEST_NAME)
    text = (folder / MANIFEST_NAME).read_text(encoding="utf-8", errors="replace")
    for name in part_names(Manifest.from_text(text, f"{uri}/{MANIFEST_NAME}").rows):
        _one_file(server, uri, folder, name)


def _one_file(server: Server, uri: str, folder: Path, name: str) -> None:
    with _object(server, f"{uri.rstrip('/')}/{name}") as answer, (folder / name).open("wb") as file:
        shutil.copyfileobj(answer, file, _BLOCK)


@contextmanager
def _object(server: Server, uri: str) -> Iterator[BaseHTTPResponse]:
    """Open what the dashboard's server has at a URI.

    Raises:
        ClusterError: It has nothing there, or breaks off.
    """
    from urllib3.exceptions import HTTPError

    parts = urlsplit(uri)
    provider = _PROVIDERS.get(parts.scheme)
    if provider is None:
        raise ClusterError(f"the dashboard's server knows no {parts.scheme}://")
    url = f"{server.target.api}/artifacts/{provider}/{parts.netloc}/{quote(parts.path.lstrip('/'))}"
    if server.namespace:
        url += f"?{urlencode({'namespace': server.namespace})}"
    try:
        answer = server.get_plain(url)
        kind = str(answer.headers.get("Content-Type") or "")
        if kind.startswith("text/html"):
            raise ClusterError("no dashboard's server is there that gives artifacts")
        if answer.status != 200:
            said = " ".join(answer.data[:300].decode(errors="replace").split())
            raise ClusterError(f"the dashboard's server said (HTTP {answer.status}): {said}")
        yield answer
    except HTTPError as error:
        raise ClusterError(f"the dashboard's server broke off: {error}") from error


def _from_store(uri: str, folder: Path) -> None:
    """Fetch a folder from its store, with the environment's credentials.

    Raises:
        StorageError: It cannot be read.
    """
    from kfp_sdg.storage import places

    url = f"s3://{uri.removeprefix('minio://')}" if uri.startswith("minio://") else uri
    if not places.is_url(url):
        raise StorageError(f"{uri} is no address of a store")
    places.copy_folder(url, folder)
