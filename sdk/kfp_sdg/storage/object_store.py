"""Object stores that speak S3: where they are, with which keys, and what their errors mean.

A task in a cluster finds them in the files of a Kubernetes Secret, which has the keys of an S3
connection of OpenShift AI or of Kubeflow Pipelines' own store. Where the environment has AWS's
variables, as on a laptop or in a workbench, these count and the Secret is not looked at. What is in
neither is left to botocore: AWS's own files, the role of a pod or a machine.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kfp_sdg.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Mapping

SECRET_FOLDER = "/var/run/secrets/kfp-sdg/storage"  # noqa: S105 - a place, not a secret
"""Where a task finds the Secret: one file per key."""
FOLDER_VARIABLE = "KFP_SDG_STORAGE_FILES"
"""Names another folder with such files."""

_SCHEMES = ("s3", "s3a", "minio")
"""``minio`` is how Kubeflow Pipelines writes addresses in the store that it brings."""
_KEY_ID, _KEY = "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"
_TOKEN = "AWS_SESSION_TOKEN"  # noqa: S105 - the name, not the token
_ENDPOINT = "AWS_S3_ENDPOINT"
_ENDPOINTS = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", _ENDPOINT)
_REGIONS = ("AWS_REGION", "AWS_DEFAULT_REGION")
_NAMES = (_KEY_ID, _KEY, _TOKEN, *_ENDPOINTS, *_REGIONS)
_AUTHORITY = "ca.crt"
_FILES = (*_NAMES, "accesskey", "secretkey", _AUTHORITY)
"""The second names of the key's halves are those of Kubeflow Pipelines' own Secrets."""
_AUTHORITIES = ("AWS_CA_BUNDLE", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE")

_SHORTEST = 8
"""A shorter text is no key, and may be a part of any word."""

_NO_KEYS = {"NoCredentialsError", "PartialCredentialsError", "CredentialRetrievalError"}
_AWAY = {
    "EndpointConnectionError",
    "ConnectTimeoutError",
    "ConnectionClosedError",
    "ReadTimeoutError",
    "ProxyConnectionError",
}


@dataclass(frozen=True, slots=True)
class ObjectStore:
    """A store as the environment and the Secret describe it. "" is for what they do not say.

    Attributes:
        key_id: The public half of the key.
        key: The secret half.
        token: What belongs to a key for a while only.
        source: Where the key is from, for messages.
        endpoint: The store's URL; AWS's own without one.
        region: Its region.
        authority: The file of the certificate authorities that are trusted.
    """

    key_id: str = field(default="", repr=False)
    key: str = field(default="", repr=False)
    token: str = field(default="", repr=False)
    source: str = ""
    endpoint: str = ""
    region: str = ""
    authority: str = ""

    @classmethod
    def find(cls, environ: Mapping[str, str]) -> ObjectStore:
        """Look into an environment, then into the Secret's files.

        Raises:
            StorageError: There is half of a key only, or the authorities' file cannot be read.
        """
        own = {name: environ.get(name, "").strip() for name in _NAMES}
        folder = Path(environ.get(FOLDER_VARIABLE, "").strip() or SECRET_FOLDER)
        files = {} if own[_KEY_ID] else _contents(folder)

        def known(*names: str) -> str:
            both = [values[name] for values in (own, files) for name in names if name in values]
            return next(filter(None, both), "")

        key_id, key = known(_KEY_ID, "accesskey"), known(_KEY, "secretkey")
        source = f"the Secret's files in {folder}" if files else _KEY_ID if key_id else ""
        if bool(key_id) != bool(key):
            raise StorageError(
                f"{folder if files else 'environment'}: there is half of a key for the object "
                f"store; expected both {_KEY_ID} and {_KEY}"
            )
        return cls(
            key_id=key_id,
            key=key,
            token=known(_TOKEN) if key_id else "",
            source=source,
            endpoint=_as_url(known(*_ENDPOINTS)),
            region=known(*_REGIONS),
            authority=str(folder / _AUTHORITY) if _AUTHORITY in files else _authority(environ),
        )

    def options(self) -> dict[str, Any]:
        """Return what fsspec's file system of S3 is to be told."""
        client = {"region_name": self.region, "verify": self.authority}
        options: dict[str, Any] = {
            "key": self.key_id,
            "secret": self.key,
            "token": self.token,
            "endpoint_url": self.endpoint,
            "client_kwargs": _without_empty(client),
        }
        if self.endpoint:
            # Many stores refuse the checksums that botocore sends by itself since 2025.
            options["config_kwargs"] = {
                "request_checksum_calculation": "when_required",
                "response_checksum_validation": "when_required",
            }
        return _without_empty(options)

    def told(self, error: Exception) -> str:
        """Return what an error of the store means and what to do, without a key in it."""
        kind = type(error).__name__
        text = f"{kind}: {error}" if str(error) else kind
        if kind in _NO_KEYS:
            text = f"the object store wants a key, and there is none; {_HOW_TO_GIVE}"
        elif isinstance(error, PermissionError):
            whose = f"the key from {self.source}" if self.source else "the key that botocore found"
            text = (
                f"the object store refuses {whose} ({error}); check the key, the endpoint "
                f"({self.endpoint or 'that of AWS'}) and what the key may do in this bucket"
            )
        elif kind == "SSLError":
            text = f"{text}; name the file of the store's certificate authority in AWS_CA_BUNDLE"
        elif kind in _AWAY:
            text = (
                f"the object store does not answer ({error}); check that it runs, its endpoint "
                "(AWS_S3_ENDPOINT, in the environment or in the Secret), and the proxies"
            )
        elif isinstance(error, FileNotFoundError):
            text = no_bucket(error) or text
        for hidden in (self.key, self.token, self.key_id):
            if len(hidden) >= _SHORTEST:
                text = text.replace(hidden, "***")
        return text


_HOW_TO_GIVE = (
    f"set {_KEY_ID} and {_KEY} (and {_ENDPOINT} for a store that is not AWS's); in a "
    "compiled pipeline these are the keys of the Secret that storage_secret names"
)


def is_object_store(url: str) -> bool:
    """Tell whether a URL is of a store that speaks S3."""
    return url.partition("://")[0].lower() in _SCHEMES


def located(url: str) -> tuple[str, dict[str, Any]]:
    """Return a URL as fsspec knows it, and what its file system is to be told.

    Args:
        url: A URL of a store that speaks S3.

    Raises:
        StorageError: What is known of the store cannot be used.
    """
    store = ObjectStore.find(os.environ)
    scheme, _, path = url.partition("://")
    if scheme.lower() == "minio" and not store.endpoint:
        raise StorageError(
            f"{url}: a store that is not AWS's needs an address: give {_ENDPOINT}, in the "
            "environment or in the Secret that storage_secret names"
        )
    return f"s3://{path}", store.options()


def no_bucket(error: Exception) -> str:
    """Return what to say if something is missing because its bucket is; "" if it is there."""
    if type(error.__cause__).__name__ != "NoSuchBucket":
        return ""
    return "there is no such bucket; make it first, or check its name and the store's endpoint"


def told(error: Exception) -> str:
    """Return what an error of a store that speaks S3 means, without a key in it."""
    return ObjectStore.find(os.environ).told(error)


def _contents(folder: Path) -> dict[str, str]:
    """Return the Secret's keys that are known here; none where it is not mounted."""
    found = {}
    for name in _FILES:
        try:
            found[name] = (folder / name).read_text(encoding="utf-8").strip()
        except FileNotFoundError:
            continue
        except (OSError, ValueError) as error:
            raise StorageError(
                f"{folder / name}, of the object store's Secret, cannot be read: "
                f"{type(error).__name__}"
            ) from None
    return _without_empty(found)


def _authority(environ: Mapping[str, str]) -> str:
    """Return the file that the environment names; botocore itself knows the first variable only."""
    for name in _AUTHORITIES:
        if place := environ.get(name, "").strip():
            if not os.access(place, os.R_OK):
                raise StorageError(f"{name} names {place}, which cannot be read")
            return place
    return ""


def _as_url(endpoint: str) -> str:
    return endpoint if "://" in endpoint or not endpoint else f"https://{endpoint}"


def _without_empty(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value}
