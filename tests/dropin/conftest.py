"""A taxonomy and a teacher for the tests of the workflow."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from stub_teacher import StubTeacher
from taxonomy_runs import made as made
from workflows import answer

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def stub() -> Iterator[StubTeacher]:
    """A teacher whose answers some judges let pass."""
    with StubTeacher(answer=answer) as stub:
        yield stub
