"""The errors of the workflow: each is a ``GenerateException``, which InstructLab's client shows."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from instructlab.schema.taxonomy import TaxonomyReadingException

from instructlab.sdg._errors import PipelineBlockError, pipeline_error
from instructlab.sdg.utils import GenerateException
from kfp_sdg.errors import BlockError, SdgError, TeacherError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from instructlab.sdg._watch import RunLog
    from kfp_sdg.spec import PipelineSpec


class TaxonomyError(GenerateException, TaxonomyReadingException):
    """A taxonomy, or a document of it, cannot be read."""


class GenerateBlockError(PipelineBlockError, GenerateException):
    """A block failed while a taxonomy's data was generated."""


@contextmanager
def as_generate_exception() -> Iterator[None]:
    """Raise errors of kfp-sdg as a ``GenerateException`` with the same text."""
    try:
        yield
    except SdgError as error:
        raise GenerateException(str(error)) from error


@contextmanager
def as_taxonomy_error() -> Iterator[None]:
    """Raise errors of kfp-sdg as a ``TaxonomyError`` with the same text."""
    try:
        yield
    except SdgError as error:
        raise TaxonomyError(str(error)) from error


@contextmanager
def as_block_error(specs: Iterable[PipelineSpec], log: RunLog) -> Iterator[None]:
    """Raise errors of blocks as the ``PipelineBlockError`` that InstructLab has for them.

    Args:
        specs: The pipelines.
        log: Knows which block was at work.
    """
    try:
        yield
    except (BlockError, TeacherError) as error:
        types = {block.name: block.type for spec in specs for block in spec.blocks}
        made = pipeline_error(error, types, block_name=log.stopped_in, is_setup=not log.has_started)
        if isinstance(made, PipelineBlockError) and made.block_name:
            raise GenerateBlockError(
                made.exception, block_name=made.block_name, block_type=made.block_type
            ) from made.exception
        raise GenerateException(str(error)) from error
    except SdgError as error:
        raise GenerateException(str(error)) from error
