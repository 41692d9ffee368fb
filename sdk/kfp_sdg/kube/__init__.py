"""The way to the Kubernetes API, and through the troubles that an API server has for a while.

Whoever asks for an object says what a refusal of it means; nothing here knows a kind.
"""

from kfp_sdg.kube.access import SERVICE_ACCOUNT, Access, open_access
from kfp_sdg.kube.answers import is_about_an_object, server_message
from kfp_sdg.kube.patience import Patience
from kfp_sdg.kube.requests import Requests

__all__ = [
    "SERVICE_ACCOUNT",
    "Access",
    "Patience",
    "Requests",
    "is_about_an_object",
    "open_access",
    "server_message",
]
