"""A taxonomy with a leaf of each kind, and ``kfp-sdg generate`` run on it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from document_repositories import BIRDS, repository
from kfp_sdg.cli.__main__ import main
from taxonomies import knowledge, skill, write_leaf
from training_files import read_lines

if TYPE_CHECKING:
    from pathlib import Path

    from stub_teacher import StubTeacher

LEAVES = (
    "compositional_skills_letters",
    "compositional_skills_mixed",
    "compositional_skills_rhymes",
    "knowledge_science_birds",
)
"""The names of the leaves: grounded, mixed, freeform, knowledge."""

PIECES = 5
"""The knowledge leaf has one chunk and five seed examples."""

SUFFIX = "2026-01-31T12_00_00"


def taxonomy(folder: Path) -> Path:
    """Write a taxonomy and the repository with its documents.

    Args:
        folder: Where both go.

    Returns:
        The taxonomy's folder.
    """
    repo = folder / "documents"
    commit = repository(repo, {"birds.md": BIRDS, "more/owls.md": "# Owls\n\nOwls hunt at night."})
    made = folder / "taxonomy"
    text = knowledge(pairs=(3,)).replace("https://git.example/comets", str(repo))
    lines = [
        f"  commit: {commit}" if line.lstrip().startswith("commit:") else line
        for line in text.splitlines()
    ]
    write_leaf(made, "knowledge/science/birds", "\n".join(lines) + "\n")
    grounded = {"rhymes": (), "letters": tuple(range(1, 11)), "mixed": (2, 4)}
    for name, examples in grounded.items():
        text = skill(10, grounded=examples).replace("haiku", f"text for {name}")
        write_leaf(made, f"compositional_skills/{name}", text.replace("Question", f"On {name}"))
    return made


def contents(output: Path) -> dict[str, bytes]:
    """Return the bytes of everything that a run left, but documents and what holds times."""
    return {
        path.relative_to(output).as_posix(): path.read_bytes()
        for path in sorted(output.rglob("*"))
        if path.is_file()
        and not any(part == "documents" or part.startswith("run_") for part in path.parts)
    }


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a taxonomy, which is the current one."""
    for variable in ("XDG_DATA_HOME", "XDG_DATA_DIRS"):
        monkeypatch.setenv(variable, str(tmp_path / "data"))
    taxonomy(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def arguments(stub: StubTeacher, *more: str) -> list[str]:
    """Return a command that generates from the taxonomy of the current folder into ``out``."""
    return [
        *("generate", "--taxonomy", "taxonomy", "--output", "out"),
        *("--teacher-url", stub.url, "--model-family", "blank", *more),
    ]


def go(stub: StubTeacher, *more: str) -> int:
    """Run that command under SUFFIX; return its exit code."""
    return main(arguments(stub, "--date-suffix", SUFFIX, *more))


def generated(made: Path, leaf: str) -> list[dict[str, Any]]:
    """Return the rows that were generated for a leaf."""
    return read_lines(made / "out" / f"generated_{SUFFIX}" / f"{leaf}.jsonl")
