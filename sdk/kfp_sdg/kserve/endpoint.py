"""Where a ready teacher is asked, and under which name its model is served."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit, urlunsplit

if TYPE_CHECKING:
    from kfp_sdg.kserve.service import InferenceService

NAMED_AFTER_SERVICE = frozenset({"kfp-sdg-vllm", "kserve-vllmserver"})
"""ServingRuntimes that serve the model under the InferenceService's name (``{{.Name}}``): ours
and KServe's own for vLLM. A task may not read a ServingRuntime to find out."""

_NAME_OPTION = "--served-model-name"


def base_url(service: InferenceService) -> str:
    """Return the base URL of the teacher's API, or "" while it has no address.

    The address inside of the cluster is taken first: it does not pass the router, which on
    OpenShift ends a request after 30 seconds.

    Args:
        service: The service, ready.

    Returns:
        With ``/v1`` at the end, where KServe does not say a path that ends so already. KServe's
        Hugging Face server has the same API below ``/openai``.
    """
    if not service.addresses:
        return ""
    parts = urlsplit(service.addresses[0])
    path = parts.path.partition("/models/")[0].rstrip("/")  # older KServe: /v1/models/NAME:predict
    if not path.endswith("/v1"):
        prefix = "/openai" if service.model_format.lower() == "huggingface" else ""
        path += f"{prefix}/v1"
    return urlunsplit((parts.scheme, parts.netloc, path, "", ""))


def served_model(service: InferenceService) -> str:
    """Return the name that the teacher serves its model under, or "" if that cannot be known.

    Args:
        service: The service.

    Returns:
        What its arguments say (vLLM's rule: the last ``--served-model-name`` holds, and the first
        of several names is the model's); else the service's name, where its runtime is known to
        use that; else "", and ``/v1/models`` has to be asked.
    """
    name = ""
    words = service.arguments
    for place, word in enumerate(words):
        option, equals, value = word.partition("=")
        if option == _NAME_OPTION:
            follower = words[place + 1] if place + 1 < len(words) else ""
            name = value if equals else follower
    if not name and service.runtime in NAMED_AFTER_SERVICE:
        name = "{{.Name}}"
    return name.replace("{{.Name}}", service.name)
