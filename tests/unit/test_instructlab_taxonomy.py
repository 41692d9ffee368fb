"""A taxonomy is read whole or not at all, and everything wrong in it is told at once."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from kfp_sdg.instructlab.model import LeafKind
from kfp_sdg.instructlab.taxonomy import read_taxonomy
from taxonomies import (
    KNOWLEDGE,
    SKILL,
    knowledge,
    problems_of,
    skill,
    warnings_of,
    write_leaf,
)

SHARED = Path(__file__).parents[3] / "shared" / "data" / "taxonomy"


# -- good leaves ---------------------------------------------------------------------------------


@pytest.mark.shared
@pytest.mark.skipif(not SHARED.is_dir(), reason="no ../shared here")
def test_a_real_taxonomy_is_read():
    leaves = read_taxonomy(SHARED)

    assert [(leaf.name.rsplit("_", 1)[-1], len(leaf.seed_examples)) for leaf in leaves] == [
        ("inclusion", 6), ("rewriting", 5), ("synonyms", 6), ("chickadee", 5),
    ]  # fmt: skip
    assert [kind for leaf in leaves for kind in leaf.kinds] == [
        LeafKind.GROUNDED, LeafKind.GROUNDED, LeafKind.FREEFORM, LeafKind.KNOWLEDGE,
    ]  # fmt: skip
    assert leaves[3].documents.patterns == ("chickadee.md",)
    assert leaves[3].seed_examples[0].pairs[0].question == "Where do black-capped chickadees live?"


def test_leaves_come_sorted_by_their_path_with_what_their_files_say(tmp_path):
    write_leaf(tmp_path, KNOWLEDGE, knowledge(pairs=(1, 4)))
    file = write_leaf(tmp_path, SKILL, skill(6, grounded=(2,)))

    haiku, comets = read_taxonomy(tmp_path)

    assert (haiku.path, haiku.file, haiku.version) == (SKILL, str(file), 3)
    assert haiku.name == "compositional_skills_writing_haiku"
    assert haiku.kinds == (LeafKind.FREEFORM, LeafKind.GROUNDED)
    assert [e.context for e in haiku.seed_examples[:3]] == [None, "Context 2.", None]
    assert [len(e.pairs) for e in comets.seed_examples] == [1, 4, 4, 4, 4]
    assert (comets.domain, comets.document_outline) == ("astronomy", "What comets are.")
    assert comets.documents.repo == "https://git.example/comets"


def test_texts_lose_the_white_space_around_them(tmp_path):
    text = skill().replace("Write a haiku.", "|\n  Write a haiku.\n")
    write_leaf(tmp_path, SKILL, text.replace("Answer 1.", "|\n      Answer\n       one.\n"))

    (leaf,) = read_taxonomy(tmp_path)

    assert leaf.task_description == "Write a haiku."
    assert leaf.seed_examples[0].pairs[0].answer == "Answer\n one."


@pytest.mark.parametrize("version", [0, 1, 2, 3])
def test_skills_of_all_versions_are_read_and_without_one_it_is_the_first(tmp_path, version):
    write_leaf(tmp_path, SKILL, skill(version=version))

    (leaf,) = read_taxonomy(tmp_path)

    assert (leaf.version, len(leaf.seed_examples)) == (max(version, 1), 5)


def test_the_first_version_asks_for_one_seed_example_only_and_is_not_linted(tmp_path):
    write_leaf(tmp_path, SKILL, skill(1, version=1) + "   \n\n\n\n\n")

    assert len(read_taxonomy(tmp_path)[0].seed_examples) == 1


@pytest.mark.parametrize("part", ["", "compositional_skills", "compositional_skills/writing"])
def test_a_part_of_a_taxonomy_has_the_same_leaves_as_the_whole(tmp_path, part):
    write_leaf(tmp_path, SKILL, skill())

    assert [leaf.path for leaf in read_taxonomy(tmp_path / part)] == [SKILL]


def test_a_part_has_no_leaves_of_the_other_parts(tmp_path):
    write_leaf(tmp_path, SKILL, skill())
    write_leaf(tmp_path, KNOWLEDGE, knowledge())

    assert [leaf.path for leaf in read_taxonomy(tmp_path / "knowledge")] == [KNOWLEDGE]


def test_one_file_is_a_taxonomy_of_one_leaf(tmp_path):
    file = write_leaf(tmp_path, SKILL, skill())

    assert [leaf.path for leaf in read_taxonomy(file, base="origin/main")] == [SKILL]


@pytest.mark.parametrize(
    ("text", "path"),
    [(skill(), "compositional_skills/mine"), (knowledge(), "knowledge/mine")],
)
def test_one_file_outside_of_a_taxonomy_is_what_its_content_says(tmp_path, text, path):
    file = write_leaf(tmp_path, "mine", text)

    assert [leaf.path for leaf in read_taxonomy(file)] == [path]


# -- nothing to read -----------------------------------------------------------------------------


def test_a_taxonomy_that_is_not_there_is_named(tmp_path):
    (problem,) = problems_of(tmp_path / "taxonomy")

    assert problem.code == "missing-taxonomy"
    assert str(problem).startswith(f"{tmp_path}/taxonomy: there is no such taxonomy; expected")


@pytest.mark.parametrize("folders", [(), ("knowledge",), ("knowledge/a", "compositional_skills")])
def test_a_taxonomy_without_leaves_is_an_error(tmp_path, folders):
    for folder in folders:
        (tmp_path / folder).mkdir(parents=True)

    (problem,) = problems_of(tmp_path)

    assert problem.code == "no-leaves"
    assert "no qna.yaml below compositional_skills or knowledge" in problem.message


def test_a_file_of_another_name_is_no_leaf(tmp_path):
    file = write_leaf(tmp_path, SKILL, skill(), name="skill.yaml")

    (problem,) = problems_of(file)

    assert problem.expected == "a file called qna.yaml, or a folder"


# -- files that only look like leaves --------------------------------------------------------------


@pytest.mark.parametrize("name", ["qna.yml", "QNA.yaml", "Qna.YML"])
def test_another_spelling_is_warned_of_and_not_read(tmp_path, caplog, name):
    write_leaf(tmp_path, SKILL, skill())
    file = write_leaf(tmp_path, SKILL, "broken: [", name=name)

    leaves, warnings = warnings_of(caplog, tmp_path)

    assert len(leaves) == 1
    assert warnings == [
        f"{file}: this file is not read: it is not called qna.yaml (rename it to qna.yaml)"
    ]


@pytest.mark.parametrize("folder", ["foundational_skills/logic", "Knowledge/science", "."])
def test_leaves_in_other_folders_are_warned_of_and_not_read(tmp_path, caplog, folder):
    write_leaf(tmp_path, SKILL, skill())
    file = write_leaf(tmp_path, folder, "broken: [")

    leaves, warnings = warnings_of(caplog, tmp_path)

    assert len(leaves) == 1
    assert warnings == [
        f"{file}: this file is not read: it is not in compositional_skills or knowledge "
        "(move it below compositional_skills or knowledge)"
    ]


def test_other_files_and_hidden_folders_are_nobodys_business(tmp_path, caplog):
    write_leaf(tmp_path, SKILL, skill())
    write_leaf(tmp_path, SKILL, "x", name="attribution.txt")
    write_leaf(tmp_path, ".github/knowledge", "x")

    assert warnings_of(caplog, tmp_path)[1] == []


def test_a_name_that_no_file_can_have_is_refused_before_anything_is_asked(tmp_path):
    fits = "/".join(["knowledge", "é" * 50, "é" * 50, "e" * 18])  # 230 bytes
    write_leaf(tmp_path, fits, knowledge())
    long = write_leaf(tmp_path, f"{fits}e", knowledge())

    (problem,) = problems_of(tmp_path)

    assert problem.where.file == str(long)
    assert problem.message == "this leaf's name has 231 bytes, and files are named after it"
    names = [
        f".mmlubench_{fits.replace('/', '_')}.jsonl.tmp",
        f"{fits}_task.yaml".replace("/", "_"),
    ]
    for name in names:
        (tmp_path / name).touch()


def test_leaves_whose_names_are_equal_are_refused_together(tmp_path):
    first = write_leaf(tmp_path, "compositional_skills/a/b_c", skill())
    second = write_leaf(tmp_path, "compositional_skills/a_b/c", skill())

    (problem,) = problems_of(tmp_path)

    assert problem.where.file == str(second)
    assert f"the same name as {first}: compositional_skills_a_b_c" in problem.message


# -- symbolic links ------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_a_symbolic_link_that_leads_out_is_refused_with_its_path(tmp_path, kind):
    outside = write_leaf(tmp_path / "outside", "secret", skill())
    taxonomy = tmp_path / "taxonomy"
    write_leaf(taxonomy, SKILL, skill())
    link = taxonomy / "knowledge" / "qna.yaml" if kind == "file" else taxonomy / "knowledge"
    link.parent.mkdir(exist_ok=True)
    link.symlink_to(outside if kind == "file" else outside.parent)

    (problem,) = problems_of(taxonomy)

    target = outside if kind == "file" else outside.parent
    assert str(problem).startswith(
        f"{link}: this symbolic link leads out of the taxonomy, to {target}"
    )


def test_a_symbolic_link_to_another_file_of_the_taxonomy_is_read(tmp_path):
    file = write_leaf(tmp_path, SKILL, skill())
    (tmp_path / "compositional_skills" / "twin").mkdir()
    (tmp_path / "compositional_skills" / "twin" / "qna.yaml").symlink_to(file)

    assert [leaf.path for leaf in read_taxonomy(tmp_path)] == ["compositional_skills/twin", SKILL]


def test_a_symbolic_link_to_a_folder_inside_is_not_followed_and_ends(tmp_path, caplog):
    write_leaf(tmp_path, SKILL, skill())
    (tmp_path / SKILL / "again").symlink_to(tmp_path / "compositional_skills")

    leaves, warnings = warnings_of(caplog, tmp_path)

    assert len(leaves) == 1
    assert f"{tmp_path / SKILL}/again: this symbolic link to the folder" in warnings[0]


def test_a_symbolic_link_that_leads_nowhere_is_refused(tmp_path):
    file = write_leaf(tmp_path, SKILL, skill())
    file.unlink()
    file.symlink_to("gone.yaml")

    (problem,) = problems_of(tmp_path)

    assert (problem.code, problem.where.file) == ("broken-link", str(file))


def test_a_taxonomy_behind_a_symbolic_link_is_read(tmp_path):
    write_leaf(tmp_path / "real", SKILL, skill())
    (tmp_path / "link").symlink_to(tmp_path / "real")

    assert [leaf.path for leaf in read_taxonomy(tmp_path / "link")] == [SKILL]


def test_a_pipe_in_place_of_a_file_does_not_hang(tmp_path):
    file = write_leaf(tmp_path, SKILL, "")
    file.unlink()
    os.mkfifo(file)

    (problem,) = problems_of(tmp_path)

    assert problem.code == "not-a-file"


def test_a_folder_whose_name_is_not_text_is_refused(tmp_path):
    folder = os.fsencode(tmp_path / "knowledge") + b"/caf\xe9"
    os.makedirs(folder)
    Path(os.fsdecode(folder + b"/qna.yaml")).write_text(knowledge())

    (problem,) = problems_of(tmp_path)

    assert problem.code == "path"
    str(problem).encode()


def test_a_folder_that_cannot_be_read_is_an_error_and_not_a_loss(tmp_path):
    write_leaf(tmp_path, SKILL, skill())
    place = os.open(tmp_path / SKILL, os.O_RDONLY)
    for _ in range(20):  # deeper than a path may be long
        os.mkdir("x" * 250, dir_fd=place)
        place, parent = os.open("x" * 250, os.O_RDONLY, dir_fd=place), place
        os.close(parent)
    os.close(place)

    (problem,) = problems_of(tmp_path)

    assert problem.message == "this folder cannot be read: File name too long"
