"""A run's settings as component inputs: which teacher to ask, and how."""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from kfp_sdg.blocks.context import PipelineContext
from kfp_sdg.errors import TeacherError

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True, slots=True)
class TeacherInputs:
    """The inputs that components of asking blocks have in common, by their names.

    Attributes:
        teacher_url: Base URL of the OpenAI-compatible server, with /v1; "" for the first of
            ``teacher_endpoints``, or for none.
        model_id: The model to ask, over the block's own; "" lets the block say.
        model_family: The chat format, over the block's own; "" lets the block say.
        teacher_endpoints: JSON object from model id to base URL: further teachers.
        num_instructions_to_generate: What ``n: scaled`` stands for; 0 for not given.
        max_num_tokens: ``max_tokens`` of blocks that do not set their own.
        max_concurrency: The most requests in flight.
        constrain: Send a grammar with each request.
    """

    teacher_url: str = ""
    model_id: str = ""
    model_family: str = ""
    teacher_endpoints: str = "{}"
    num_instructions_to_generate: int = 0
    max_num_tokens: int = 4096
    max_concurrency: int = 64
    constrain: bool = False

    @contextmanager
    def context(self) -> Iterator[PipelineContext]:
        """Yield a context for blocks, connected to the teacher if there is one.

        Raises:
            TeacherError: The endpoints are not a JSON object of URLs, or the URL is no URL.
        """
        endpoints = self._endpoints()
        settings = PipelineContext(
            model_family=self.model_family or None,
            model_id=self.model_id or None,
            num_instructions_to_generate=int(self.num_instructions_to_generate) or None,
            max_num_tokens=int(self.max_num_tokens),
            constrain=self.constrain,
        )
        if not self.teacher_url and not endpoints:
            yield settings
            return
        from kfp_sdg.teacher import TeacherOptions, connect

        options = TeacherOptions(
            url=self.teacher_url or next(iter(endpoints.values())),
            endpoints=endpoints,
            max_concurrency=int(self.max_concurrency),
        )
        with connect(options) as teachers:
            yield replace(settings, teachers=teachers)

    def _endpoints(self) -> dict[str, str]:
        try:
            endpoints = json.loads(self.teacher_endpoints or "{}")
        except ValueError as error:
            raise TeacherError(
                f"component input 'teacher_endpoints' is not JSON: {error}"
            ) from None
        if not isinstance(endpoints, dict) or not all(
            isinstance(url, str) for url in endpoints.values()
        ):
            raise TeacherError(
                "component input 'teacher_endpoints' must be a JSON object from model id to URL"
            )
        return endpoints
