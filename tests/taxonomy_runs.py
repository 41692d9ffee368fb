"""A taxonomy with a leaf of each kind, and ``kfp-sdg generate`` run on it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from document_repositories import BIRDS, repository
from taxonomies import knowledge, skill, write_leaf

if TYPE_CHECKING:
    from pathlib import Path

LEAVES = (
    "compositional_skills_letters",
    "compositional_skills_mixed",
    "compositional_skills_rhymes",
    "knowledge_science_birds",
)
"""The names of the leaves: grounded, mixed, freeform, knowledge."""

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
