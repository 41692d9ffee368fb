"""A teacher on KServe as tasks around a pipeline: started before it, stopped after it."""

from __future__ import annotations

from kfp_sdg.errors import ClusterError
from kfp_sdg.runtime.console import WARNING, plain_console, say

_MOST_SECONDS = 1_000_000_000
"""Of a time that is given: more than anybody means, and a date that a calendar still has."""


def start_teacher(
    *,
    inference_service: str,
    teacher_url: str,
    model_id: str,
    namespace: str = "",
    timeout: int = 3600,
    run_id: str = "",
    lease: int = 86400,
) -> None:
    """Start a teacher and wait until it is ready: the body of the start component.

    Args:
        inference_service: The name of its InferenceService.
        teacher_url: The file that takes the base URL of its API, with ``/v1``.
        model_id: The file that takes the name it serves its model under; it stays empty where
            only ``/v1/models`` can tell.
        namespace: Where the service is; "" for the pod's own namespace.
        timeout: Seconds to wait until it is ready.
        run_id: What tells this run from others that use the same teacher, see ``stop_teacher``.
        lease: Seconds after which others need not respect this run any more, if it never stops
            the teacher.

    Raises:
        SystemExit: With status 1, after one paragraph about what went wrong.
    """
    from kfp_sdg.kserve import ServiceClient, start
    from kfp_sdg.runtime.artifacts import write_parameter

    with plain_console():
        name = _name(inference_service, namespace)
        if not (0 < int(timeout) <= _MOST_SECONDS and 0 < int(lease) <= _MOST_SECONDS):
            raise ClusterError(
                "component inputs 'timeout' and 'lease' must be seconds, above 0 and at most "
                f"{_MOST_SECONDS:,}"
            )
        endpoint = start(
            ServiceClient(namespace.strip(), tell=say),
            name,
            run=run_id.strip(),
            lease=int(lease),
            timeout=int(timeout),
            tell=say,
        )
        write_parameter(teacher_url, endpoint.url)
        write_parameter(model_id, endpoint.model_id)


def stop_teacher(*, inference_service: str, namespace: str = "", run_id: str = "") -> None:
    """Stop a teacher that ``start_teacher`` started: the body of the stop component.

    Nothing is stopped that another run uses or that no run started. A service that is not there
    is stopped already: a pipeline that could not start it should not fail a second time.

    Args:
        inference_service: The name of its InferenceService.
        namespace: Where it is; "" for the pod's own namespace.
        run_id: The same as at the start.

    Raises:
        SystemExit: With status 1, after one paragraph about what went wrong.
    """
    from kfp_sdg.kserve import NotFoundError, ServiceClient, stop

    with plain_console():
        name = _name(inference_service, namespace)
        client = ServiceClient(namespace.strip(), tell=say)
        try:
            stop(client, name, run=run_id.strip(), tell=say)
        except NotFoundError as nothing:
            say(f"{WARNING}nothing to stop: {nothing}")


def _name(inference_service: str, namespace: str) -> str:
    """Return the service's name, after a look at both."""
    from kfp_sdg.kserve import why_no_name

    name = inference_service.strip()
    wrong = why_no_name(name, namespace.strip())
    if wrong:
        raise ClusterError(f"component input {wrong}")
    return name
