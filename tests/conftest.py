"""Fixtures for every test: a teacher without a model, and a real small one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from stub_teacher import StubTeacher

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def stub_teacher() -> Iterator[StubTeacher]:
    """A stub teacher with default settings, on a port of its own."""
    with StubTeacher() as stub:
        yield stub
