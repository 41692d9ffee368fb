"""Reading YAML: hostile and broken files end in one readable error, at the right place."""

from __future__ import annotations

import os
import sys

import pytest

from kfp_sdg.spec import SpecError, load_pipeline, load_pipeline_text
from spec_helpers import load, only_problem, pipeline, place, where

NOOP = "- {name: a, type: SetToMajorityValueBlock, config: {col_name: x}}\n"


@pytest.mark.parametrize("text", ["", "\n\n", "# nothing but a comment\n", "---\n", "~\n"])
def test_an_empty_file_is_named_as_empty(tmp_path, text):
    problem = only_problem(tmp_path, text)
    assert problem.code == "empty"
    assert str(problem) == f"{tmp_path}/p.yaml: this pipeline is empty; expected a mapping"


@pytest.mark.parametrize(
    ("text", "found"), [("- a\n- b\n", "a list"), ("\n  just text\n", "a single value")]
)
def test_a_file_that_is_not_a_mapping_says_what_it_is(tmp_path, text, found):
    problem = only_problem(tmp_path, text)
    assert problem.code == "not-a-mapping"
    assert found in problem.message
    assert "mapping" in problem.expected


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("version: '1.0'\nblocks:\n\t- name: a\n", (3, 1)),
        ("version: '1.0'\nblocks:\n  - name: a\n  \ttype: b\n", (4, 3)),
        ("a: b\n\tc: d\n", (2, 1)),
    ],
)
def test_a_tab_in_the_indentation_is_told_as_a_tab(tmp_path, text, where):
    problem = only_problem(tmp_path, text)
    assert (problem.code, place(problem)) == ("tab", where)
    assert problem.expected == "spaces"


def test_a_tab_inside_a_text_is_no_error(tmp_path):
    spec = load(tmp_path, pipeline(NOOP.replace("x}", '"x\ty"}')))
    assert spec.blocks[0].config == {"col_name": "x\ty"}


def test_a_key_written_twice_is_refused_and_the_first_one_pointed_at(tmp_path):
    problem = only_problem(tmp_path, pipeline(NOOP) + 'version: "1.0"\n')
    assert (problem.code, place(problem)) == ("duplicate-key", (4, 1))
    assert problem.suggestion == "the first one is on line 1"


def test_aliases_that_multiply_are_stopped_before_they_fill_the_memory(tmp_path):
    text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
    for i in range(1, 30):
        text += f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]\n"
    problem = only_problem(tmp_path, text)
    assert problem.code == "alias-bomb"
    assert "100,000" in problem.message


def test_aliases_that_nest_without_end_are_stopped(tmp_path):
    text = "a0: &a0 [x]\n" + "".join(f"a{i}: &a{i} [[[[*a{i - 1}]]]]\n" for i in range(1, 50))
    assert only_problem(tmp_path, text).code == "alias-bomb"
    assert only_problem(tmp_path, "a: &a [*a]\n").code == "alias-bomb"


def test_an_alias_without_anchor_is_an_error_at_its_place(tmp_path):
    problem = only_problem(tmp_path, "version: *v\n")
    assert (problem.code, place(problem)) == ("alias", (1, 10))


def test_aliases_and_merge_keys_work(tmp_path):
    text = pipeline(
        "- &first {name: a, type: RenameColumnsBlock, config: &c {columns_map: {a: b}}}\n",
        "- {name: b, type: RenameColumnsBlock, config: *c}\n",
        "- {<<: *first, name: c}\n",
    )
    spec = load(tmp_path, text)
    assert [b.name for b in spec.blocks] == ["a", "b", "c"]
    assert all(b.config == {"columns_map": {"a": "b"}} for b in spec.blocks)


@pytest.mark.parametrize("text", ["[" * 100_000, "- " * 100_000, "{a: " * 100_000])
def test_deep_nesting_is_refused_and_does_not_end_the_process(tmp_path, text):
    assert only_problem(tmp_path, text).code == "too-deep"


def test_a_file_of_100_mb_is_refused_by_its_size_without_being_read(tmp_path, monkeypatch):
    path = tmp_path / "big.yaml"
    with path.open("wb") as file:
        file.truncate(100 * 1024 * 1024)

    def never(self):
        raise AssertionError("the file was read")

    monkeypatch.setattr("pathlib.Path.read_bytes", never)
    with pytest.raises(SpecError) as caught:
        load_pipeline(path)
    [problem] = caught.value.problems
    assert problem.code == "too-large"
    assert "104,857,600 bytes" in problem.message
    assert problem.expected == "at most 4,194,304 bytes"


def test_a_text_over_the_limit_is_refused_too():
    with pytest.raises(SpecError, match="expected at most"):
        load_pipeline_text("#" * (5 * 1024 * 1024), path="p.yaml")


def test_several_documents_in_a_file_are_refused(tmp_path):
    problem = only_problem(tmp_path, pipeline(NOOP) + "---\nversion: '1.0'\n")
    assert (problem.code, place(problem)) == ("several-documents", (4, 1))


@pytest.mark.parametrize("encoding", ["latin-1", "utf-16"])
def test_a_file_that_is_not_utf_8_says_so(tmp_path, encoding):
    path = tmp_path / "p.yaml"
    path.write_bytes("# one\nversion: 'über'\n".encode(encoding))
    with pytest.raises(SpecError) as caught:
        load_pipeline(path)
    [problem] = caught.value.problems
    assert problem.code == "not-utf8"
    assert place(problem) == ((2, 11) if encoding == "latin-1" else (1, 1))


def test_a_byte_order_mark_is_no_error(tmp_path):
    (tmp_path / "p.yaml").write_bytes(b"\xef\xbb\xbf" + pipeline(NOOP).encode())
    assert load_pipeline(tmp_path / "p.yaml").blocks[0].name == "a"


@pytest.mark.parametrize(
    "tag",
    [
        "!!python/object/apply:os.system [ls]",
        "!!python/name:os.system x",
        "!!binary aGk=",
        "!mine x",
    ],
)
def test_a_yaml_tag_is_refused_and_nothing_is_made_of_it(tmp_path, tag):
    problem = only_problem(tmp_path, pipeline(NOOP).replace('"1.0"', tag))
    assert (problem.code, place(problem)) == ("tag", (1, 10))


@pytest.mark.parametrize("number", [".nan", ".inf", "-.INF", "1e999"])
def test_numbers_that_are_not_finite_are_refused(tmp_path, number):
    config = f"{{filter_column: a, operation: eq, filter_value: [{number}]}}"
    text = pipeline(f"- {{name: a, type: FilterByValueBlock, config: {config}}}")
    problem = only_problem(tmp_path, text)
    assert (problem.code, place(problem)) == ("not-finite", where(text, number))
    assert "quotes" in problem.suggestion


@pytest.mark.parametrize("number", ["9" * 30, "-" + "9" * 30, "0x" + "f" * 6000, "9" * 6000])
def test_whole_numbers_of_more_than_64_bits_are_refused(tmp_path, number):
    problem = only_problem(tmp_path, pipeline(NOOP).replace("x}", f"{number}}}"))
    assert problem.code in ("too-large", "scalar")
    assert len(str(problem)) < 300


def test_dates_and_times_stay_the_text_they_are_written_as(tmp_path):
    config = (
        "{filter_column: a, operation: eq, filter_value: [2024-01-02, 12:30, 2024-01-02 03:04:05]}"
    )
    spec = load(tmp_path, pipeline(f"- {{name: a, type: FilterByValueBlock, config: {config}}}"))
    assert spec.blocks[0].config["filter_value"] == ["2024-01-02", "12:30", "2024-01-02 03:04:05"]


def test_numbers_are_read_as_in_yaml_1_1_and_with_exponents_as_in_1_2(tmp_path):
    values = "[1, 1.0, 1e-3, 0x10, 1_000, +2, .5, 1., true, ~]"
    config = f"{{filter_column: a, operation: eq, filter_value: {values}}}"
    text = pipeline(f"- {{name: a, type: Custom, config: {config}}}")
    spec = load(tmp_path, text, custom_types=["Custom"])
    values = spec.blocks[0].config["filter_value"]
    assert values == [1, 1.0, 0.001, 16, 1000, 2, 0.5, 1.0, True, None]
    assert [type(v) for v in values[:3]] == [int, float, float]


def test_an_unquoted_yes_is_read_as_true_with_a_warning(tmp_path):
    config = "{filter_column: a, operation: eq, filter_value: YES}"
    text = pipeline(f"- {{name: a, type: FilterByValueBlock, config: {config}}}")
    spec = load(tmp_path, text)
    assert spec.blocks[0].config["filter_value"] is True
    [warning] = spec.warnings
    assert (warning.code, place(warning)) == ("word-is-boolean", where(text, "YES"))
    assert '"YES"' in warning.suggestion


@pytest.mark.parametrize("key", ["1", "true", "~", "1.5", "yes"])
def test_a_key_that_is_not_text_is_refused_with_the_quoted_one(tmp_path, key):
    block = f"- {{name: a, type: RenameColumnsBlock, config: {{columns_map: {{{key}: b}}}}}}"
    problem = only_problem(tmp_path, pipeline(block))
    assert (problem.code, place(problem)) == ("key-not-text", (3, 62))
    assert problem.suggestion == f'write "{key}"'


def test_an_unquoted_template_is_told_to_need_quotes(tmp_path):
    problem = only_problem(tmp_path, pipeline(NOOP).replace('"1.0"', "{{ prompt }}"))
    assert problem.code == "key-not-text"
    assert "{{" in problem.suggestion


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("version: 'never closed\n", (2, 1)),
        ("version: a: b\n", (1, 11)),
        ("version: @x\n", (1, 10)),
        ("blocks:\n- name: a\n type: b\n", (3, 2)),
        ('version: "\x01"\n', (1, 11)),
    ],
)
def test_broken_yaml_is_told_with_its_place(tmp_path, text, where):
    problem = only_problem(tmp_path, text)
    assert problem.code == "yaml-syntax"
    assert place(problem)[0] == where[0]
    assert problem.message.startswith(("this is not valid YAML: ", "the character U+0001"))


def test_a_missing_pipeline_and_a_folder_are_told_apart(tmp_path):
    with pytest.raises(SpecError, match=r"there is no such pipeline file"):
        load_pipeline(tmp_path / "none.yaml")
    with pytest.raises(SpecError, match=r"not a regular file"):
        load_pipeline(tmp_path)


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="root reads everything")
def test_an_unreadable_file_is_an_error_of_the_user(tmp_path):
    path = tmp_path / "p.yaml"
    path.write_text(pipeline(NOOP))
    path.chmod(0)
    with pytest.raises(SpecError, match="cannot be read"):
        load_pipeline(path)
