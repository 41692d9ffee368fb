"""Taxonomy files are linted by the same rules on every machine."""

from __future__ import annotations

import subprocess
import sys

import pytest

from kfp_sdg.errors import SdgError, SpecError
from kfp_sdg.instructlab.taxonomy import read_taxonomy
from taxonomies import SKILL, only_problem_in, place, problems_of, skill, write_leaf


def test_what_yamllint_finds_is_an_error_with_its_line_and_column(tmp_path):
    text = skill(version=2).replace("Answer 2.", "Answer 2.  ")
    problem = only_problem_in(tmp_path, text)

    assert (problem.code, place(problem)) == ("yamllint-trailing-spaces", (8, 22))
    assert problem.message == "trailing spaces (yamllint: trailing-spaces)"


def test_long_lines_are_allowed(tmp_path):
    write_leaf(tmp_path, SKILL, skill().replace("Answer 2.", "word " * 60 + "end."))

    assert len(read_taxonomy(tmp_path)) == 1


@pytest.mark.parametrize("as_file", [True, False])
def test_rules_of_ones_own_take_the_place_of_the_default(tmp_path, as_file):
    write_leaf(tmp_path, SKILL, skill().replace("Answer 2.", "Answer 2.  "))
    rules = "rules:\n  line-length: {max: 30}\n"
    if as_file:
        file = tmp_path / "rules.yaml"
        file.write_text(rules)
        rules = file

    problems = problems_of(tmp_path, yaml_rules=rules)

    assert [(problem.code, place(problem)) for problem in problems] == [
        ("yamllint-line-length", (3, 31))
    ]  # fmt: skip


@pytest.mark.parametrize("rules", ["rules.yaml", "nonsense", "[a, b]", "{", "a\0b"])
def test_rules_that_are_neither_a_file_nor_a_configuration_are_refused(tmp_path, rules):
    write_leaf(tmp_path, SKILL, skill())

    with pytest.raises(SpecError, match="YAML rules"):
        read_taxonomy(tmp_path, yaml_rules=rules)


def test_rules_that_yamllint_does_not_know_are_told_in_its_words(tmp_path):
    write_leaf(tmp_path, SKILL, skill())

    with pytest.raises(SpecError, match='no such rule: "no-such-rule"'):
        read_taxonomy(tmp_path, yaml_rules="rules: {no-such-rule: enable}")


def test_linting_needs_nothing_on_the_path_and_runs_nothing_of_the_current_folder(tmp_path):
    write_leaf(tmp_path / "taxonomy", SKILL, skill().replace("Answer 2.", "Answer 2.  "))
    (tmp_path / "yamllint.py").write_text("raise SystemExit('this is not yamllint')")
    code = "from kfp_sdg.instructlab.taxonomy import read_taxonomy; read_taxonomy('taxonomy')"
    result = subprocess.run(
        [sys.executable, "-P", "-c", code], cwd=tmp_path, env={"PATH": "/nowhere"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert "SpecError: taxonomy/" in result.stderr
    assert "qna.yaml:8:22: trailing spaces" in result.stderr


def test_paths_with_colons_and_spaces_are_linted_too(tmp_path):
    leaf = "compositional_skills/a: b:3:4: [error] c/-d"
    file = write_leaf(tmp_path, leaf, skill().replace("Answer 2.", "Answer 2.  "))

    (problem,) = problems_of(tmp_path)

    assert (problem.where.file, place(problem)) == (str(file), (8, 22))


def test_a_key_written_twice_is_told_once(tmp_path):
    problem = only_problem_in(tmp_path, skill() + "created_by: bob\n")

    assert problem.code == "duplicate-key"


@pytest.mark.parametrize("end", ["\r\n", "\r"])
def test_the_line_ends_of_other_systems_are_nobodys_mistake(tmp_path, end):
    write_leaf(tmp_path, SKILL, skill().replace("\n", end))

    assert len(read_taxonomy(tmp_path)) == 1


def test_patterns_of_ignored_files_in_the_rules_ignore_no_leaf(tmp_path):
    write_leaf(tmp_path, SKILL, skill().replace("Answer 2.", "Answer 2.  "))

    (problem,) = problems_of(tmp_path, yaml_rules="{extends: relaxed, ignore: ['*.yaml']}")

    assert problem.code == "yamllint-trailing-spaces"


def test_rules_may_extend_a_file_that_is_named_from_the_current_folder(tmp_path, monkeypatch):
    write_leaf(tmp_path, SKILL, skill())
    (tmp_path / "team.yaml").write_text("rules: {line-length: {max: 30}}")
    monkeypatch.chdir(tmp_path)

    (problem,) = problems_of(tmp_path, yaml_rules="extends: team.yaml")

    assert problem.code == "yamllint-line-length"


def test_a_yamllint_that_cannot_run_is_a_failure_and_no_pass(tmp_path, monkeypatch):
    write_leaf(tmp_path / "taxonomy", SKILL, skill())
    (tmp_path / "yamllint.py").write_text("raise ImportError('this yamllint is broken')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))

    with pytest.raises(
        SdgError, match=r"yamllint cannot be run: .*this yamllint is broken"
    ) as caught:
        read_taxonomy(tmp_path / "taxonomy")

    assert caught.value.exit_code == 1
