"""Tokens shaped like those of Kubernetes' service accounts; nobody has signed them."""

from __future__ import annotations

import base64
import json
from typing import Any


def part(value: Any) -> str:
    """Return a part of a JSON Web Token."""
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


def account_token(subject: str = "system:serviceaccount:sdg:pipeline-runner") -> str:
    """Return a token whose ``sub`` is a service account, or whoever is given."""
    return f"{part({'alg': 'RS256'})}.{part({'sub': subject})}.signature"
