"""What a command line says about whom to ask and how, and the run's settings that come of it."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import typer

from kfp_sdg.cli.checkpoint import choose_checkpoint, opened
from kfp_sdg.cli.teachers import connected, started
from kfp_sdg.engine import Tolerance

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from kfp_sdg.blocks import PipelineContext
    from kfp_sdg.cli.checkpoint import Checkpoint
    from kfp_sdg.cli.teachers import TeacherChoice
    from kfp_sdg.teacher import TeacherPool
    from kfp_sdg.teacher.outage import OutageWatcher
    from kfp_sdg.teacher.server_metrics import PrefixCache


@dataclass(frozen=True, slots=True)
class AskingOrder:
    """Whom to ask and how.

    Attributes:
        teacher: The teacher.
        checkpoint: Where answers are kept until the run has succeeded; None for nowhere.
        max_rejected: How many rows a block may reject.
        model_id: The model to ask, over what the blocks say.
        model_family: The chat format, over what the blocks say.
        num_instructions: What ``n: scaled`` stands for.
        max_num_tokens: ``max_tokens`` of blocks that do not set their own.
        constrain: Whether grammars are sent.
    """

    teacher: TeacherChoice
    checkpoint: Checkpoint | None
    max_rejected: str
    model_id: str | None
    model_family: str | None
    num_instructions: int
    max_num_tokens: int
    constrain: bool

    @classmethod
    def read(
        cls,
        teacher: TeacherChoice,
        output: Path,
        *,
        checkpoint: str | None,
        no_checkpoint: bool,
        max_rejected: str,
        model_id: str | None,
        model_family: str | None,
        num_instructions: int,
        max_num_tokens: int,
        constrain: bool | None,
    ) -> AskingOrder:
        """Read the options that belong together.

        Args:
            teacher: The teacher.
            output: The output folder, where the checkpoint is if no other place is named.
            checkpoint: What ``--checkpoint`` says.
            no_checkpoint: Whether there is to be none.
            max_rejected: See the class, like all that follow.
            model_id: The model.
            model_family: The chat format.
            num_instructions: The scale factor.
            max_num_tokens: The longest answer.
            constrain: Whether grammars are sent; None for what fits the teacher.

        Raises:
            typer.BadParameter: Two options contradict each other.
            SpecError: ``max_rejected`` is neither a share nor a number.
            StorageError: The checkpoint cannot be there.
        """
        if no_checkpoint and checkpoint is not None:
            raise typer.BadParameter(
                "--checkpoint asks for one; give one of them", param_hint="--no-checkpoint"
            )
        Tolerance.read(max_rejected)
        kept_at = None if no_checkpoint else choose_checkpoint(checkpoint, output)
        asks = teacher.url is not None or teacher.embedded
        return cls(
            teacher,
            kept_at if asks else None,
            max_rejected,
            model_id,
            model_family,
            num_instructions,
            max_num_tokens,
            teacher.embedded if constrain is None else constrain,
        )

    def context(self, choice: TeacherChoice, teachers: TeacherPool | None) -> PipelineContext:
        """Return the run's settings: what was asked for, else what fits the teacher.

        Args:
            choice: The teacher, once it is started.
            teachers: The connections to it.
        """
        from kfp_sdg.blocks import PipelineContext

        return PipelineContext(
            teachers=teachers,
            model_family=self.model_family or choice.model_family,
            model_id=self.model_id or choice.model_id,
            num_instructions_to_generate=self.num_instructions,
            max_num_tokens=self.max_num_tokens,
            constrain=self.constrain,
            max_rejected=self.max_rejected,
        )

    @contextmanager
    def open(
        self, watcher: OutageWatcher, tell: Callable[[str], None]
    ) -> Iterator[PipelineContext]:
        """Open the checkpoint, start the teacher and connect to it; at the end give all back.

        Args:
            watcher: Is told while a server is away.
            tell: Shows what is to be known beforehand, and afterwards.

        Yields:
            The run's settings.

        Raises:
            SdgError: One of them cannot be used.
        """
        with (
            opened(self.checkpoint, tell) as journal,
            started(self.teacher) as choice,
            connected(choice, journal=journal, outage_watcher=watcher) as teachers,
        ):
            before = teachers.prefix_cache() if teachers else None
            yield self.context(choice, teachers)
            if teachers and before:
                _tell_of_prefix_cache(before, teachers.prefix_cache(), tell)


def _tell_of_prefix_cache(
    before: PrefixCache, after: PrefixCache | None, tell: Callable[[str], None]
) -> None:
    """Say how much of the prompts the teacher did not have to read, where it counts that."""
    meanwhile = after - before if after else None
    if meanwhile and meanwhile.queried:
        tell(
            f"The teacher's prefix cache held {meanwhile.hit / meanwhile.queried:.0%} of "
            f"{meanwhile.queried:,} prompt tokens "
            "(vllm:prefix_cache_hits / vllm:prefix_cache_queries, all its clients together)."
        )
