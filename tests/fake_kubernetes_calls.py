"""Requests to the fake Kubernetes API server: as RBAC sees them, and what can become of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

GROUP = "serving.kserve.io"


@dataclass(frozen=True)
class Call:
    """One request as RBAC sees it, and what came of it."""

    verb: str
    group: str
    resource: str
    namespace: str
    name: str
    status: int
    query: Mapping[str, str] = field(default_factory=dict)
    body: Any = None


@dataclass(frozen=True)
class Fault:
    """What is done to one request instead of, or before, answering it.

    Attributes:
        status: The status to answer with; None to answer as usual.
        message: The text of that answer.
        headers: Headers of that answer.
        reset: Close the connection without an answer.
        seconds: Wait so long before anything else.
        after: Do what is asked first: only the answer is lost.
        verbs: The verbs that it waits for.
    """

    status: int | None = None
    message: str = "the server is currently unable to handle the request"
    headers: Mapping[str, str] = field(default_factory=dict)
    reset: bool = False
    seconds: float = 0.0
    after: bool = False
    verbs: tuple[str, ...] = ("get", "patch", "list")


class Refusal(Exception):
    """An answer that is no success."""

    def __init__(self, status: int, reason: str, message: str, **details: str) -> None:
        super().__init__(message)
        self.status = status
        self.body = {
            "kind": "Status",
            "apiVersion": "v1",
            "status": "Failure",
            "message": message,
            "reason": reason,
            "code": status,
            **({"details": details} if details else {}),
        }


@dataclass(frozen=True)
class Request:
    """A request, parsed."""

    verb: str
    resource: str
    namespace: str
    name: str
    token: str
    content_type: str
    query: Mapping[str, str]
    body: Any
    group: str = GROUP


def allows(rule: Mapping[str, Any], call: Call | Request) -> bool:
    """Tell whether a rule of a Role allows a request, as Kubernetes' RBAC decides it."""
    names = rule.get("resourceNames") or ()
    return (
        bool({call.group, "*"} & set(rule.get("apiGroups", ())))
        and bool({call.resource, "*"} & set(rule.get("resources", ())))
        and bool({call.verb, "*"} & set(rule.get("verbs", ())))
        and (not names or call.name in names)
    )


def merge(target: dict[str, Any], patch: Mapping[str, Any]) -> None:
    """Apply a JSON merge patch (RFC 7386)."""
    for key, value in patch.items():
        if value is None:
            target.pop(key, None)
        elif isinstance(value, dict):
            if not isinstance(target.get(key), dict):
                target[key] = {}
            merge(target[key], value)
        else:
            target[key] = value
