from __future__ import annotations

import glob
import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kfp_sdg.instructlab.documents.patterns import matching

PATHS = [
    ".hidden.md",
    ".git-notes/x.md",
    "README.MD",
    "a.md",
    "b.txt",
    "deep/a.md",
    "deep/er/a.md",
    "deep/er/b.Pdf",
    "with space/ü [1].md",
]


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("a.md", ["a.md"]),
        ("./a.md", ["a.md"]),
        ("*.md", ["README.MD", "a.md"]),
        ("*.MD", ["README.MD", "a.md"]),
        ("**/*.md", ["README.MD", "a.md", "deep/a.md", "deep/er/a.md", "with space/ü [1].md"]),
        ("**/*.pdf", ["deep/er/b.Pdf"]),
        ("deep/*.md", ["deep/a.md"]),
        ("deep/**/*.md", ["deep/a.md", "deep/er/a.md"]),
        ("deep/**", ["deep/a.md", "deep/er/a.md", "deep/er/b.Pdf"]),
        ("*/*.md", ["deep/a.md", "with space/ü [1].md"]),
        ("**/er/**/*.md", ["deep/er/a.md"]),
        ("[ab].*", ["a.md", "b.txt"]),
        ("[!a].*", ["b.txt"]),
        ("[b-a].*", []),
        ("[!b-a].md", ["a.md"]),
        ("[--b].md", ["a.md"]),
        ("?.md", ["a.md"]),
        (".*.md", [".hidden.md"]),
        (".git-notes/*.md", [".git-notes/x.md"]),
        ("readme.md", []),
        ("deep", []),
        ("a.md/", []),
        ("a.md/.", []),
        ("**/.", []),
        ("with space/ü [[]1].md", ["with space/ü [1].md"]),
        ("a[.md", []),
    ],
)
def test_patterns_match_as_a_shell_would(pattern, found):
    assert matching(pattern, PATHS) == found


NAMES = st.text("ab.", min_size=1, max_size=3).filter(lambda name: name.strip("."))
FILES = st.lists(st.lists(NAMES, min_size=1, max_size=3).map("/".join), max_size=6)
PATTERN_NAMES = st.one_of(
    st.just("**"), st.text("ab.*?", min_size=1, max_size=4), st.sampled_from(["[ab]", "[!a]*"])
)
PATTERNS = st.lists(PATTERN_NAMES, min_size=1, max_size=4).map("/".join)


@settings(max_examples=200, deadline=None)
@given(FILES, PATTERNS.filter(lambda pattern: ".." not in pattern.split("/")))
def test_patterns_match_what_pythons_own_glob_matches(files, pattern):
    with tempfile.TemporaryDirectory() as folder:
        for name in files:
            path = Path(folder, name)
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.touch()
            except (FileExistsError, NotADirectoryError, IsADirectoryError):
                continue
        there = [
            os.path.relpath(os.path.join(here, name), folder)
            for here, _, names in os.walk(folder)
            for name in names
        ]
        expected = {
            os.path.normpath(name)
            for name in glob.glob(pattern, root_dir=folder, recursive=True)
            if os.path.isfile(os.path.join(folder, name))  # "a/" is none, whatever a is
        }
    assert set(matching(pattern, there)) == expected
