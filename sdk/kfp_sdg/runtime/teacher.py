"""A run's settings as component inputs: which teacher to ask, and how."""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from kfp_sdg.blocks.context import PipelineContext
from kfp_sdg.engine.results import folder_names
from kfp_sdg.errors import TeacherError
from kfp_sdg.runtime.console import say
from kfp_sdg.storage import places

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kfp_sdg.teacher import TeacherOptions
    from kfp_sdg.teacher.journal import Journal
    from kfp_sdg.teacher.outage import OutageWatcher


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
        max_concurrency: The most answers in the making at once; 0 lets it find itself.
        teacher_patience: Seconds to wait for a teacher that is away. They hold from the start: a
            task cannot know whether the teacher is about to come up.
        teacher_timeout: Seconds that one answer may take before it is asked for again.
        checkpoint_uri: A folder, by path or by URL, in which each block keeps its finished answers
            in a folder of its own; "" for nowhere.
        checkpoint_folder: A folder in it around the blocks' own, so that several pipelines may have
            blocks of the same name; "" for none.
        constrain: Send a grammar with each request.
    """

    teacher_url: str = ""
    model_id: str = ""
    model_family: str = ""
    teacher_endpoints: str = "{}"
    num_instructions_to_generate: int = 0
    max_num_tokens: int = 4096
    max_concurrency: int = 0
    teacher_patience: int = 600
    teacher_timeout: int = 600
    checkpoint_uri: str = ""
    checkpoint_folder: str = ""
    constrain: bool = False

    @contextmanager
    def context(
        self,
        block_name: str,
        *,
        max_rejected: str = "5%",
        outage_watcher: OutageWatcher | None = None,
    ) -> Iterator[PipelineContext]:
        """Yield a context for a block, connected to the teacher if there is one.

        Args:
            block_name: The block's name; its answers are kept in a folder called like it.
            max_rejected: How many rows the block may reject.
            outage_watcher: Who is told while the teacher is away.

        Raises:
            TeacherError: The endpoints are not a JSON object of URLs.
            SpecError: A URL is none, or a number is out of its range.
            StorageError: Answers cannot be kept there.
        """
        settings = PipelineContext(
            model_family=self.model_family or None,
            model_id=self.model_id or None,
            num_instructions_to_generate=int(self.num_instructions_to_generate) or None,
            max_num_tokens=int(self.max_num_tokens),
            constrain=self.constrain,
            max_rejected=max_rejected,
        )
        options = self.options()
        if options is None:
            yield settings
            return
        from kfp_sdg.teacher import connect

        with (
            self._journal(block_name) as journal,
            connect(options, journal=journal, outage_watcher=outage_watcher) as teachers,
        ):
            yield replace(settings, teachers=teachers)

    def options(self) -> TeacherOptions | None:
        """Return where the teachers are and how patiently they are asked; None where there is none.

        Raises:
            TeacherError: The endpoints are not a JSON object of URLs.
            SpecError: A URL is none, or a number is out of its range.
        """
        endpoints = self._endpoints()
        if not self.teacher_url and not endpoints:
            return None
        from kfp_sdg.teacher import TeacherOptions

        return TeacherOptions(
            url=self.teacher_url or next(iter(endpoints.values())),
            endpoints=endpoints,
            max_concurrency=int(self.max_concurrency) or None,
            timeout=self.teacher_timeout,
            patience=self.teacher_patience,
            patience_at_start=self.teacher_patience,
        )

    @contextmanager
    def _journal(self, block_name: str) -> Iterator[Journal | None]:
        """Open the block's part of the checkpoint, if there is one, and say what it is good for."""
        uri = self.checkpoint_uri.strip()
        if not uri:
            yield None
            return
        from kfp_sdg.teacher.journal import open_journal

        if self.checkpoint_folder:
            uri = places.join(uri, self.checkpoint_folder)
        place = places.join(uri, folder_names([block_name])[block_name])
        with open_journal(place) as journal:
            if journal.kept:
                answers = "1 answer" if journal.kept == 1 else f"{journal.kept:,} answers"
                say(f"{block_name}: goes on from {place}, which has {answers}")
            try:
                yield journal
            except BaseException:
                say(f"{block_name}: every answer is kept in {place} for the next attempt")
                raise

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
