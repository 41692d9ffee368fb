"""What an API server's refusal says."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kubernetes.client.exceptions import ApiException


def server_message(error: ApiException) -> str:
    """Return what the API server itself said.

    Args:
        error: What the client raised.
    """
    return str(_status_of(error).get("message") or "") or " ".join(
        str(error.body or error.reason or f"HTTP {error.status}").split()
    )


def is_about_an_object(error: ApiException) -> bool:
    """Tell whether a 404 says that one object is missing, not its whole kind.

    Args:
        error: What the client raised.
    """
    details = _status_of(error).get("details")
    return isinstance(details, dict) and bool(details.get("name"))


def _status_of(error: ApiException) -> dict[str, object]:
    """Return the Status object of an answer, or an empty one."""
    try:
        status = json.loads(error.body or "{}")
    except ValueError:
        return {}
    return status if isinstance(status, dict) else {}
