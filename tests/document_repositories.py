"""Git repositories and leaves for the tests of documents."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

from kfp_sdg.instructlab.model import DocumentSource, Leaf, QuestionAnswer, SeedExample

if TYPE_CHECKING:
    from pathlib import Path

PLAIN = {
    "GIT_AUTHOR_NAME": "A",
    "GIT_AUTHOR_EMAIL": "a@example.org",
    "GIT_COMMITTER_NAME": "A",
    "GIT_COMMITTER_EMAIL": "a@example.org",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "PATH": "/usr/bin:/bin",
}

BIRDS = """# Chickadees

## Diet

Chickadees eat insects in summer. In winter they eat seeds.

## Voice

Their call is what they are named for.
"""


def git(folder: Path, *arguments: str) -> str:
    """Run git and return what it says."""
    command = ["git", *arguments]
    done = subprocess.run(
        command, cwd=folder, env=PLAIN, check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


def repository(folder: Path, files: dict[str, str | bytes]) -> str:
    """Make a repository with a commit of these files; return the commit's name."""
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / ".git").exists():
        git(folder, "init", "-q", "-b", "main")
    write(folder, files)
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "--allow-empty", "-m", "x")
    return git(folder, "rev-parse", "HEAD")


def write(folder: Path, files: dict[str, str | bytes]) -> None:
    """Write files into a folder."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())


def leaf(repo: Path | str, commit: str, *patterns: str, path: str = "knowledge/birds") -> Leaf:
    """Return a knowledge leaf with documents in a repository."""
    return Leaf(
        path=path,
        file=f"{path}/qna.yaml",
        version=3,
        seed_examples=(SeedExample((QuestionAnswer("Q?", "A."),), "C."),),
        domain="birds",
        document_outline="about birds",
        documents=DocumentSource(str(repo), commit, patterns or ("*.md",)),
    )
