"""Tokens of Kubernetes' service accounts, told from other keys."""

from __future__ import annotations

import base64
import json

_SUBJECT = "system:serviceaccount:"


def account_of(token: str) -> str | None:
    """Return whose token this is, "namespace/name"; None for a key that is no account's token.

    Such a token is a JSON Web Token whose ``sub`` is ``system:serviceaccount:NAMESPACE:NAME``
    (Kubernetes, "Managing Service Accounts"). Its signature is of no interest here.

    Args:
        token: An API key of any kind.
    """
    parts = token.split(".")
    if len(parts) != 3:
        return None
    try:
        claims = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except ValueError:  # no base64, no UTF-8, no JSON
        return None
    subject = claims.get("sub") if isinstance(claims, dict) else None
    if not isinstance(subject, str) or not subject.startswith(_SUBJECT):
        return None
    return subject.removeprefix(_SUBJECT).replace(":", "/", 1)
