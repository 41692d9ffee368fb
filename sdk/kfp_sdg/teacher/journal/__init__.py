"""The journal: every finished answer, kept as soon as it is there, so that none is paid twice."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kfp_sdg.teacher.model import Answer


class Journal(Protocol):
    """Answers by the key of their request; used on the pool's loop only."""

    def find(self, key: bytes) -> Mapping[int, Answer]:
        """Return what is kept for a request: the place of an answer's first choice → the answer."""

    def keep(self, key: bytes, first: int, answer: Answer) -> None:
        """Keep an answer; it survives the death of the process from here on.

        Args:
            key: The request's key.
            first: The place of the answer's first choice among the request's ``n``.
            answer: The answer.

        Raises:
            StorageError: It cannot be written.
        """

    def close(self) -> None:
        """Write what is not written yet and let go of the place."""
