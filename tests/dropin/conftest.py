"""A taxonomy and a teacher for the tests of the workflow."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from stub_teacher import StubTeacher
from taxonomy_runs import taxonomy
from workflows import answer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def stub() -> Iterator[StubTeacher]:
    """A teacher whose answers some judges let pass."""
    with StubTeacher(answer=answer) as stub:
        yield stub


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a taxonomy, which is the current one."""
    for variable in ("XDG_DATA_HOME", "XDG_DATA_DIRS"):
        monkeypatch.setenv(variable, str(tmp_path / "data"))
    taxonomy(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path
