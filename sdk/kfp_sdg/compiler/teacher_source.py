"""Where a compiled pipeline's teacher comes from: a URL of the run form, or an InferenceService."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from kfp_sdg.compiler.kubernetes_words import service_name
from kfp_sdg.compiler.parameters import MODEL_ID, TEACHER_SECRET, TEACHER_URL, RunParameter
from kfp_sdg.teacher.token_hosts import token_host

if TYPE_CHECKING:
    from collections.abc import Iterable

SERVICE = "inference_service"
NAMESPACE = "teacher_namespace"
START_TIMEOUT = "teacher_start_timeout"
LEASE = "teacher_lease"


class TeacherKey(StrEnum):
    """What blocks show to the teacher's server."""

    SECRET = "secret"  # noqa: S105 - the name of a choice
    SERVICE_ACCOUNT = "service-account"


@dataclass(frozen=True, slots=True, kw_only=True)
class TeacherSource:
    """Whom the blocks ask and how they get there.

    Attributes:
        inference_service: The name of the InferenceService on KServe that is started for the run
            and stopped after it; None where the run form gives a URL.
        preflight: Whether the teacher is checked before the blocks begin; a service always is.
        key: What the server is shown: the API key of a Secret that the run form names, or the
            token of the pod's service account.
        key_hosts: Servers outside the cluster that may be shown that token too, as
            ``teacher.token_hosts`` has them. They are settled here and not in the run form, which
            takes any URL.

    Raises:
        ValueError: An InferenceService cannot have this name, or a host is none, or nobody is shown
            a token.
    """

    inference_service: str | None = None
    preflight: bool = False
    key: TeacherKey = TeacherKey.SECRET
    key_hosts: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Look at the names, so that a mistake is found where it was made."""
        if self.inference_service is not None:
            service_name(self.inference_service)
        for host in self.key_hosts:
            token_host(host)
        if self.key_hosts and self.key is not TeacherKey.SERVICE_ACCOUNT:
            raise ValueError(
                "only the token of a service account is kept from servers; the key of a Secret "
                "goes to the teacher that the run form names"
            )

    @property
    def is_checked(self) -> bool:
        """Whether there is a preflight."""
        return self.preflight or self.inference_service is not None

    @property
    def remark(self) -> str:
        """What the dashboard says about it, as the last lines of a description; "" for nothing."""
        if self.inference_service is None:
            return ""
        return (
            "\nThe teacher, an InferenceService, is started for each run, checked, and stopped "
            "after it, also when a task fails."
        )

    def form(
        self, of_blocks: Iterable[RunParameter], *, model_is_known: bool
    ) -> tuple[RunParameter, ...]:
        """Return the run form's fields for the teacher in the place of the blocks' own.

        Args:
            of_blocks: What the blocks are given.
            model_is_known: Whether the service's own model is the one that all blocks ask.
        """
        if self.inference_service is None:
            return tuple(of_blocks)
        from_service = {TEACHER_URL, *([MODEL_ID] if model_is_known else [])}
        kept = (parameter for parameter in of_blocks if parameter.name not in from_service)
        return (*self._service_parameters(), *kept)

    def _service_parameters(self) -> tuple[RunParameter, ...]:
        return (
            RunParameter(
                SERVICE,
                str,
                "The InferenceService of the teacher. It is started for the run and stopped after "
                "it, unless it was up before or another run uses it.",
                self.inference_service,
            ),
            RunParameter(
                NAMESPACE,
                str,
                "The namespace of the InferenceService. Empty: the run's own.",
                "",
            ),
            RunParameter(
                START_TIMEOUT,
                int,
                "How many seconds the teacher may take until it is ready: to get its GPUs, to load "
                "its model.",
                3600,
            ),
            RunParameter(
                LEASE,
                int,
                "After so many seconds other runs with the same teacher take this run for dead and "
                "may stop the teacher. More than the run can last.",
                86400,
            ),
        )


def without_secret(of_blocks: Iterable[RunParameter], key: TeacherKey) -> tuple[RunParameter, ...]:
    """Return what blocks are given, but not the name of a Secret where nobody reads one.

    Args:
        of_blocks: What they could be given.
        key: What they show to the teacher's server.
    """
    reads_secret = key is TeacherKey.SECRET
    return tuple(p for p in of_blocks if reads_secret or p.name != TEACHER_SECRET)
