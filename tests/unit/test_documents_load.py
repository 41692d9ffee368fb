from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import pytest

from document_repositories import BIRDS, git, leaf, repository, write
from kfp_sdg.errors import SpecError
from kfp_sdg.instructlab.documents import (
    GitAccess,
    load_documents,
)
from kfp_sdg.instructlab.model import Leaf, LeafKind, QuestionAnswer, SeedExample
from kfp_sdg.instructlab.taxonomy import read_taxonomy
from taxonomies import KNOWLEDGE, knowledge, write_leaf

SHARED = Path(__file__).parents[3] / "shared" / "data" / "taxonomy"


@pytest.fixture
def load(tmp_path):
    """Load a leaf's documents with what most tests do not care about."""

    def load(a_leaf, **options):
        options = {"taxonomy_folder": tmp_path / "taxonomy", "cache": tmp_path / "cache"} | options
        return load_documents([a_leaf], **options)[a_leaf.name]

    (tmp_path / "taxonomy").mkdir()
    return load


def problems_of(load, a_leaf, **options) -> list[str]:
    with pytest.raises(SpecError) as raised:
        load(a_leaf, **options)
    return [str(problem) for problem in raised.value.problems]


def test_documents_of_a_local_repository_are_read_at_the_leafs_commit(load, tmp_path):
    repo = tmp_path / "repo"
    commit = repository(repo, {"birds.md": BIRDS, "notes.txt": "Not meant.\n"})
    repository(repo, {"birds.md": "# Changed later\n"})
    (repo / "birds.md").write_text("# Not committed\n")
    found = load(leaf(repo, commit))
    assert found.chunks == (BIRDS.strip(),)
    assert [(file.path, file.chunks) for file in found.files] == [("birds.md", 1)]
    assert found.files[0].file.read_text() == BIRDS


@pytest.mark.parametrize("name", ["main", "v1", "annotated"])
def test_a_branch_or_tag_may_stand_for_the_commit(load, tmp_path, name):
    repo = tmp_path / "repo"
    repository(repo, {"birds.md": BIRDS})
    git(repo, "tag", "v1")
    git(repo, "tag", "-a", "annotated", "-m", "x")
    assert load(leaf(repo, name)).chunks == (BIRDS.strip(),)


def test_the_start_of_a_commits_name_is_enough(load, tmp_path):
    repo = tmp_path / "repo"
    commit = repository(repo, {"birds.md": BIRDS})
    assert load(leaf(repo, commit[:9])).chunks == (BIRDS.strip(),)


def test_a_bare_repository_does_as_well(load, tmp_path):
    commit = repository(tmp_path / "repo", {"birds.md": BIRDS})
    git(tmp_path, "clone", "-q", "--bare", "repo", "bare.git")
    assert load(leaf(tmp_path / "bare.git", commit)).chunks == (BIRDS.strip(),)


def test_a_folder_that_is_no_repository_is_read_as_it_is(load, tmp_path):
    write(tmp_path / "docs", {"a.md": "Alpha.", "deep/b.md": "Beta."})
    found = load(leaf(tmp_path / "docs", "any commit", "**/*.md"))
    assert found.chunks == ("Alpha.", "Beta.")


@pytest.mark.parametrize("repo", ["docs", "./docs"])
def test_a_relative_path_counts_from_the_taxonomy(load, tmp_path, repo):
    write(tmp_path / "taxonomy" / "docs", {"a.md": "Alpha."})
    assert load(leaf(repo, "x")).chunks == ("Alpha.",)


def test_a_file_url_is_a_path(load, tmp_path):
    commit = repository(tmp_path / "repo", {"birds.md": BIRDS})
    assert load(leaf(f"file://{tmp_path}/repo", commit)).chunks == (BIRDS.strip(),)


@pytest.mark.parametrize("repo", ["{outside}", "file://{outside}", "../outside", "link"])
def test_paths_outside_of_the_taxonomy_are_refused_where_strangers_propose_leaves(
    load, tmp_path, repo
):
    write(tmp_path / "outside", {"a.md": "Private."})
    (tmp_path / "taxonomy" / "link").symlink_to(tmp_path / "outside")
    repo = repo.format(outside=tmp_path / "outside")
    [problem] = problems_of(load, leaf(repo, "x"), access=GitAccess(local_paths=False))
    assert problem.startswith("knowledge/birds/qna.yaml: the documents are in")
    assert "outside of the taxonomy" in problem


def test_a_folder_in_the_taxonomy_is_never_refused(load, tmp_path):
    write(tmp_path / "taxonomy" / "docs", {"a.md": "Alpha."})
    assert load(leaf("docs", "x"), access=GitAccess(local_paths=False)).chunks == ("Alpha.",)


def test_patterns_of_one_leaf_give_each_document_once_and_sorted(load, tmp_path):
    files = {"b.md": "B.", "a.md": "A.", "sub/c.md": "C."}
    commit = repository(tmp_path / "repo", files)
    found = load(leaf(tmp_path / "repo", commit, "**/*.md", "b.md", "*.md", "sub/*.md"))
    assert found.chunks == ("A.", "B.", "C.")


def test_a_missing_repository_is_named_with_the_leafs_file(load, tmp_path):
    [problem] = problems_of(load, leaf(tmp_path / "nowhere", "main"))
    assert problem.startswith("knowledge/birds/qna.yaml: ")
    assert f"{tmp_path}/nowhere is not there" in problem


@pytest.mark.parametrize(
    ("repo", "commit", "pattern", "place"),
    [
        ("nowhere", "main", "*.md", "6:3: the documents' repository"),
        ("ext::sh -c id", "main", "*.md", "6:3: 'ext::sh -c id' would have git run"),
        ("docs", "deadbeef", "*.md", "7:3: the documents' repository"),
        ("docs", "a..b", "*.md", "7:3: 'a..b' is no name of a commit"),
        ("docs", "main", "*.pdf", "10:7: the pattern '*.pdf' matches no file"),
        ("docs", "main", "out.md", "10:7: the document out.md is a symbolic link"),
    ],
)
def test_what_is_wrong_with_documents_is_told_with_its_line(
    load, tmp_path, repo, commit, pattern, place
):
    docs = tmp_path / "taxonomy" / "docs"
    write(docs, {"birds.md": BIRDS})
    (docs / "out.md").symlink_to("/etc/hostname")
    repository(docs, {})
    text = knowledge(pattern=pattern).replace("https://git.example/comets", repo)
    text = text.replace("abcdef0", commit).replace("patterns:\n", 'patterns:\n    - "birds.md"\n')
    write_leaf(tmp_path / "taxonomy", KNOWLEDGE, text)
    [a_leaf] = read_taxonomy(tmp_path / "taxonomy")
    [problem] = problems_of(load, a_leaf)
    assert problem.startswith(f"{a_leaf.file}:{place}")


@pytest.mark.parametrize("commit", ["0" * 40, "no-such-branch", "0badc0de"])
def test_a_commit_that_the_repository_does_not_have_is_named(load, tmp_path, commit):
    repository(tmp_path / "repo", {"birds.md": BIRDS})
    [problem] = problems_of(load, leaf(tmp_path / "repo", commit))
    assert problem.startswith("knowledge/birds/qna.yaml: ")
    assert f"has no commit '{commit}'" in problem


@pytest.mark.parametrize("commit", ["--upload-pack=touch x", "-q", "a b", "main:x", "+main", ""])
def test_what_git_would_not_take_for_a_commit_is_refused(load, tmp_path, commit):
    repository(tmp_path / "repo", {"birds.md": BIRDS})
    [problem] = problems_of(load, leaf(tmp_path / "repo", commit))
    assert "is no name of a commit" in problem


@pytest.mark.parametrize(
    "repo",
    [
        "--upload-pack=touch {mark}",
        "-u",
        "ext::sh -c touch% {mark}",
        "fd::17",
        "ssh://-oProxyCommand=touch {mark}/x",
        "ftp://example.org/x.git",
        "http://example.org/\nx",
        "file://example.org/x",
        "",
    ],
)
def test_a_repository_that_would_have_git_run_something_is_refused(load, tmp_path, repo):
    mark = tmp_path / "mark"
    [problem] = problems_of(load, leaf(repo.format(mark=mark), "main"))
    assert problem.startswith("knowledge/birds/qna.yaml: ")
    assert not mark.exists()


def test_a_pattern_without_match_is_named_with_what_is_there(load, tmp_path):
    files = {"birds.md": BIRDS, "bees.txt": "Bees.", "logo.png": b"\x89PNG"}
    commit = repository(tmp_path / "repo", files)
    [problem] = problems_of(load, leaf(tmp_path / "repo", commit, "bird.md", "bees.txt"))
    assert "the pattern 'bird.md' matches no file" in problem
    assert "its documents are birds.md, bees.txt" in problem


def test_a_pattern_that_finds_no_document_but_other_files_names_them(load, tmp_path):
    commit = repository(tmp_path / "repo", {"logo.png": b"\x89PNG"})
    [problem] = problems_of(load, leaf(tmp_path / "repo", commit, "*"))
    assert "matches no document, only logo.png" in problem
    assert ".md" in problem


def test_files_beside_documents_are_passed_over(load, tmp_path):
    commit = repository(tmp_path / "repo", {"logo.png": b"\x89PNG", "birds.md": BIRDS})
    assert [file.path for file in load(leaf(tmp_path / "repo", commit, "*")).files] == ["birds.md"]


@pytest.mark.parametrize(
    "pattern", ["../*.md", "/etc/*.md", "a/../../*.md", "~/x.md", "C:/x.md", ""]
)
def test_patterns_that_lead_out_are_refused(load, tmp_path, pattern):
    commit = repository(tmp_path / "repo", {"birds.md": BIRDS})
    [problem] = problems_of(load, leaf(tmp_path / "repo", commit, pattern))
    assert re.search(r"is absolute|leads out|is empty", problem)


@pytest.mark.parametrize("committed", [True, False], ids=["repository", "folder"])
@pytest.mark.parametrize(
    ("target", "words"),
    [("{outside}", "leads out of the"), ("../secret.md", "leads out"), ("gone.md", "to nothing")],
)
def test_a_symbolic_link_that_leads_out_is_refused(load, tmp_path, committed, target, words):
    write(tmp_path, {"secret.md": "Private."})
    repo = tmp_path / "repo"
    repo.mkdir()
    (repo / "birds.md").symlink_to(target.format(outside=tmp_path / "secret.md"))
    commit = repository(repo, {}) if committed else "x"
    [problem] = problems_of(load, leaf(repo, commit))
    assert "the document birds.md is a symbolic link that" in problem
    assert words in problem


@pytest.mark.parametrize("committed", [True, False], ids=["repository", "folder"])
def test_a_symbolic_link_inside_of_the_repository_is_followed(load, tmp_path, committed):
    repo = tmp_path / "repo"
    write(repo, {"texts/birds.md": BIRDS})
    (repo / "docs").mkdir()
    (repo / "docs" / "again.md").symlink_to("../texts/birds.md")
    commit = repository(repo, {}) if committed else "x"
    found = load(leaf(repo, commit, "**/*.md"))
    assert found.chunks == (BIRDS.strip(),)
    assert [file.path for file in found.files] == ["texts/birds.md"]


@pytest.mark.parametrize("committed", [True, False], ids=["repository", "folder"])
def test_a_linked_folder_is_not_looked_into(load, tmp_path, committed):
    repo = tmp_path / "repo"
    write(tmp_path / "private", {"a.md": "Private."})
    repo.mkdir()
    (repo / "docs").symlink_to(tmp_path / "private")
    commit = repository(repo, {}) if committed else "x"
    [problem] = problems_of(load, leaf(repo, commit, "docs/*.md"))
    assert "docs is not looked into" in problem


def test_a_text_that_is_not_utf_8_is_named_with_the_place_of_the_byte(load, tmp_path):
    commit = repository(tmp_path / "repo", {"birds.md": b"# Birds\n\nM\xfcller wrote this.\n"})
    [problem] = problems_of(load, leaf(tmp_path / "repo", commit))
    assert problem.startswith("knowledge/birds/qna.yaml: document birds.md:3: not UTF-8 text")
    assert "byte 11 of the file, 0xfc" in problem


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32"])
def test_a_text_that_says_its_encoding_is_read(load, tmp_path, encoding):
    commit = repository(tmp_path / "repo", {"birds.md": "Müller wrote this.".encode(encoding)})
    assert load(leaf(tmp_path / "repo", commit)).chunks == ("Müller wrote this.",)


def test_an_empty_document_among_others_is_a_warning(load, tmp_path, caplog):
    commit = repository(tmp_path / "repo", {"a.md": "\n \n", "b.md": "Beta."})
    found = load(leaf(tmp_path / "repo", commit))
    assert found.chunks == ("Beta.",)
    assert [(file.path, file.chunks) for file in found.files] == [("a.md", 0), ("b.md", 1)]
    assert caplog.messages == ["knowledge/birds/qna.yaml: no text in a.md"]


def test_a_leaf_whose_documents_are_all_empty_is_refused_with_their_names(load, tmp_path):
    commit = repository(tmp_path / "repo", {"a.md": "", "b.md": "<!-- nothing -->\n"})
    [problem] = problems_of(load, leaf(tmp_path / "repo", commit))
    assert "the leaf's documents have no text: a.md, b.md" in problem


def test_a_pointer_of_git_lfs_is_no_document(load, tmp_path):
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 12345\n"
    commit = repository(tmp_path / "repo", {"birds.md": pointer})
    [problem] = problems_of(load, leaf(tmp_path / "repo", commit))
    assert "Git LFS" in problem


def test_all_leaves_are_loaded_by_their_names_and_skills_are_passed_over(tmp_path):
    commit = repository(tmp_path / "repo", {"a.md": "Alpha.", "b.md": "Beta."})
    skill = Leaf("compositional_skills/x", "x", 3, (SeedExample((QuestionAnswer("Q", "A"),)),))
    leaves = [
        leaf(tmp_path / "repo", commit, "a.md", path="knowledge/a"),
        skill,
        leaf(tmp_path / "repo", commit, "b.md", path="knowledge/b"),
    ]
    documents = load_documents(leaves, taxonomy_folder=tmp_path, cache=tmp_path / "cache")
    found = {name: of_leaf.chunks for name, of_leaf in documents.items()}
    assert found == {"knowledge_a": ("Alpha.",), "knowledge_b": ("Beta.",)}


def test_a_document_of_several_leaves_is_converted_once(tmp_path):
    class Counting:
        names: ClassVar[list[str]] = []

        def to_markdown(self, path, name):
            self.names.append(name)
            return path.read_text()

    commit = repository(tmp_path / "repo", {"a.html": "Alpha.", "b.html": "Beta."})
    leaves = [
        leaf(tmp_path / "repo", commit, pattern, path=f"knowledge/{number}")
        for number, pattern in enumerate(["a.html", "*.html"])
    ]
    found = load_documents(
        leaves, taxonomy_folder=tmp_path, cache=tmp_path / "cache", converter=Counting()
    )
    assert [documents.chunks for documents in found.values()] == [("Alpha.",), ("Alpha.", "Beta.")]
    assert [name.partition(": ")[2] for name in Counting.names] == [
        "document a.html",
        "document b.html",
    ]


@pytest.mark.shared
@pytest.mark.skipif(not SHARED.exists(), reason="needs ../shared")
def test_the_leaf_of_the_shared_taxonomy_is_loaded_from_a_repository_of_this_machine(tmp_path):
    [knowledge] = [found for found in read_taxonomy(SHARED) if found.kinds == (LeafKind.KNOWLEDGE,)]
    commit = repository(tmp_path / "repo", {"chickadee.md": BIRDS, "other.md": "Other."})
    here = replace(knowledge.documents, repo=str(tmp_path / "repo"), commit=commit)
    found = load_documents(
        [replace(knowledge, documents=here)], taxonomy_folder=SHARED, cache=tmp_path / "cache"
    )
    name = "knowledge_science_animals_birds_black_capped_chickadee"
    assert found[name].chunks == (BIRDS.strip(),)


def test_a_document_of_500_pages_is_loaded_and_found_again(load, tmp_path):
    pages = [f"## Page {n}\n\n" + f"Sentence of page {n} about birds. " * 85 for n in range(500)]
    commit = repository(tmp_path / "repo", {"book.md": "\n\n".join(pages)})
    found = load(leaf(tmp_path / "repo", commit))
    assert sum(chunk.count("Sentence of page") for chunk in found.chunks) == 500 * 85
    assert [chunk.count("## Page") for chunk in found.chunks] == [1] * 500
    assert load(leaf(tmp_path / "repo", commit)) == found


def test_what_is_wrong_with_any_leaf_is_said_at_once(tmp_path):
    commit = repository(tmp_path / "repo", {"a.md": "Alpha."})
    leaves = [
        leaf(tmp_path / "repo", commit, "b.md", path="knowledge/a"),
        leaf(tmp_path / "repo", "gone", path="knowledge/b"),
        leaf(tmp_path / "nowhere", commit, path="knowledge/c"),
        leaf(tmp_path / "repo", commit, path="knowledge/d"),
    ]
    with pytest.raises(SpecError) as raised:
        load_documents(leaves, taxonomy_folder=tmp_path, cache=tmp_path / "cache")
    files = [problem.where.file for problem in raised.value.problems]
    assert files == [f"knowledge/{name}/qna.yaml" for name in "abc"]


def test_limits_that_leave_no_room_are_refused_before_anything_is_fetched(load, tmp_path):
    [problem] = problems_of(load, leaf(tmp_path / "nowhere", "x"), chunk_word_count=5000)
    assert "at most 2363" in problem


def test_the_same_documents_lie_under_the_same_names_in_every_cache(load, tmp_path):
    commit = repository(tmp_path / "repo", {"sub/birds.md": BIRDS})
    places = [
        load(leaf(tmp_path / "repo", commit, "sub/*.md"), cache=tmp_path / name).files[0]
        .file.relative_to(tmp_path / name)
        for name in ("one", "two")
    ]  # fmt: skip
    assert places[0] == places[1]
    assert places[0].as_posix().endswith("files/sub/birds.md")
