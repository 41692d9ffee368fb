"""Loading pipelines: what is right becomes a spec, what is wrong is told all at once."""

from __future__ import annotations

import pytest

from kfp_sdg.spec import problem_as_dict
from spec_helpers import ASK, ask, block, load, only_problem, pipeline, place, problems, where

MESSAGES = "input_col: a\noutput_col: b\n"
ITER = "num_iters: 2\nblock_type: DuplicateColumnsBlock\ncolumns_map: {a: b}"
FILTER = "filter_column: score\nfilter_value: 1.0\noperation: eq\nconvert_dtype: float\n"


def test_a_pipeline_becomes_a_spec_that_keeps_names_order_and_places(tmp_path):
    text = pipeline(
        ask("knowledge generation", more="drop_duplicates: [q]\n"),
        block("keep good", "FilterByValueBlock", FILTER, "drop_columns:\n- score\n- more\n"),
    )
    text += "datamixing:\n  auxiliary_instructions:\n    spell: [one, two]\n"
    spec = load(tmp_path, text)
    first, second = spec.blocks
    assert (spec.name, spec.version, spec.config_path) == ("p", "1.0", str(tmp_path / "p.yaml"))
    assert [first.name, second.name] == ["knowledge generation", "keep good"]
    assert first.config == {"config_path": "prompt.yaml", "output_cols": ["q"]}
    assert first.drop_duplicates == ("q",)
    assert second.drop_columns == ("score", "more")
    assert spec.auxiliary_instructions == {"spell": ("one", "two")}
    assert spec.warnings == ()
    at = second.source.at("config", "operation")
    assert (at.file, at.line, at.column) == (str(tmp_path / "p.yaml"), *where(text, "operation"))
    at = second.source.at("drop_columns", 1)
    assert (at.line, at.column) == where(text, "more")


def test_block_config_is_another_spelling_of_config(tmp_path):
    text = pipeline(ASK.replace("config:", "block_config:"))
    spec = load(tmp_path, text)
    assert spec.blocks[0].config["output_cols"] == ["question"]
    at = spec.blocks[0].source.at("config", "output_cols")
    assert (at.line, at.column) == where(text, "output_cols")


def test_a_block_with_config_and_block_config_is_refused(tmp_path):
    text = pipeline(ASK + "  block_config: {}\n")
    problem = only_problem(tmp_path, text)
    assert (problem.block, place(problem)) == ("ask", where(text, "block_config"))
    assert "both 'config' and 'block_config'" in problem.message


@pytest.mark.parametrize("version", ["2.0", "0.9", "10.1"])
def test_an_unknown_major_version_is_refused(tmp_path, version):
    problem = only_problem(tmp_path, pipeline(ASK).replace("1.0", version))
    assert (problem.code, place(problem)) == ("version", (1, 1))
    assert version in problem.message
    assert problem.expected == 'version: "1.0"'


def test_a_newer_minor_version_warns(tmp_path):
    spec = load(tmp_path, pipeline(ASK).replace("1.0", "1.7"))
    [warning] = spec.warnings
    assert (warning.code, place(warning)) == ("version", (1, 1))
    assert "1.7" in warning.message


@pytest.mark.parametrize(
    ("version", "quoted"), [("1.0", '"1.0"'), ("1", '"1.0"'), ("2.0", '"2.0"')]
)
def test_a_version_that_is_a_number_is_to_be_quoted(tmp_path, version, quoted):
    problem = only_problem(tmp_path, pipeline(ASK).replace('"1.0"', version))
    assert (problem.code, place(problem)) == ("version", (1, 1))
    assert problem.suggestion == f"put it in quotes: {quoted}"


@pytest.mark.parametrize(
    "version", ['"1"', '"one"', f'"{"1" * 5000}.0"', "[1, 0]", "", "true", '"1.0.0"']
)
def test_a_version_that_is_none_is_refused(tmp_path, version):
    problem = only_problem(tmp_path, pipeline(ASK).replace('"1.0"', version))
    assert (problem.code, place(problem)) == ("version", (1, 1))
    assert problem.suggestion is None


def test_missing_top_keys_are_all_told(tmp_path):
    found = problems(tmp_path, "datamixing: {}\n")
    assert [(p.code, p.message) for p in found] == [
        ("missing-key", "the key 'version' is missing"),
        ("missing-key", "the key 'blocks' is missing"),
    ]


@pytest.mark.parametrize("blocks", ["[]", "", "{}", "text"])
def test_blocks_must_be_a_list_with_an_entry(tmp_path, blocks):
    problem = only_problem(tmp_path, f'version: "1.0"\nblocks: {blocks}\n')
    assert place(problem) == (2, 1)
    assert problem.expected == "a list with at least one entry"


@pytest.mark.parametrize("key", ["name", "type", "config"])
def test_a_block_without_a_key_is_told_at_the_block(tmp_path, key):
    entry = {
        "name": "name: ask",
        "type": "type: SetToMajorityValueBlock",
        "config": "config: {col_name: a}",
    }
    del entry[key]
    problem = only_problem(tmp_path, pipeline(f"- {{{', '.join(entry.values())}}}\n"))
    assert (problem.code, place(problem)) == ("missing-key", (3, 3))
    assert problem.block == (None if key == "name" else "ask")
    assert repr(key) in problem.message


@pytest.mark.parametrize("name", ["''", "'  '", "3", "", "[a]"])
def test_a_name_must_be_text_that_is_not_empty(tmp_path, name):
    problem = only_problem(tmp_path, pipeline(ask(name)))
    assert place(problem) == (3, 3)
    assert problem.expected == "text that is not empty"


@pytest.mark.parametrize(
    ("kind", "suggestion"),
    [
        ("FilterByValueBlok", "did you mean 'FilterByValueBlock'?"),
        ("LLMblock", "did you mean 'LLMBlock'?"),
        ("llmblock", "did you mean 'LLMBlock'?"),
        ("FilterByValue", "did you mean 'FilterByValueBlock'?"),
        ("EchoBlock", "a block of your own is loaded with --plugin MODULE"),
    ],
)
def test_an_unknown_type_is_told_with_the_nearest_one(tmp_path, kind, suggestion):
    problem = only_problem(tmp_path, pipeline(block("x", kind)))
    assert (problem.code, problem.block, place(problem)) == ("unknown-type", "x", (4, 3))
    assert "FilterByValueBlock" in problem.expected
    assert problem.suggestion == suggestion


def test_a_custom_type_may_have_any_config(tmp_path):
    text = pipeline(block("x", "EchoBlock", "a: 1\nb: {c: [null, 2.0]}\n"))
    spec = load(tmp_path, text, custom_types=["EchoBlock"])
    assert spec.blocks[0].config == {"a": 1, "b": {"c": [None, 2.0]}}


def test_a_name_that_is_taken_is_told_with_the_first_line(tmp_path):
    text = pipeline(ask("a"), ask("b"), ask("a"))
    problem = only_problem(tmp_path, text)
    assert (problem.code, problem.block, place(problem)) == ("duplicate-name", "a", (13, 3))
    assert problem.suggestion == "line 3 has it too"


def test_a_misspelt_key_is_told_once_with_the_right_one(tmp_path):
    text = pipeline(block("keep", "FilterByValueBlock", FILTER.replace("operation", "operaton")))
    problem = only_problem(tmp_path, text)
    assert (problem.code, problem.block) == ("unknown-key", "keep")
    assert place(problem) == where(text, "operaton")
    assert problem.suggestion == "did you mean 'operation'?"
    assert str(problem) == (
        f"{tmp_path}/p.yaml:8:5: block 'keep': unknown key 'operaton'; expected one of "
        "filter_column, filter_value, operation, convert_dtype, default_value "
        "(did you mean 'operation'?)"
    )


@pytest.mark.parametrize(
    ("text", "key", "meant"),
    [
        (ASK.replace("  config:", "  confg:"), "confg", "config"),
        (ASK.replace("output_cols", "output_columns"), "output_columns", "output_cols"),
        (ask(config="gen_kwargs: {temprature: 1}\n"), "temprature", "temperature"),
        (ask(more="drop_colums: [a]\n"), "drop_colums", "drop_columns"),
    ],
)
def test_unknown_keys_are_refused_on_every_level(tmp_path, text, key, meant):
    text = pipeline(text)
    problem = only_problem(tmp_path, text)
    assert (problem.code, problem.block) == ("unknown-key", "ask")
    assert place(problem) == where(text, key)
    assert problem.suggestion == f"did you mean {meant!r}?"


@pytest.mark.parametrize("operation", ["equals", "__name__", "not_", "EQ"])
def test_an_unknown_operation_is_told_with_those_there_are(tmp_path, operation):
    text = pipeline(block("keep", "FilterByValueBlock", FILTER.replace("eq\n", f"{operation}\n")))
    problem = only_problem(tmp_path, text)
    assert (problem.block, place(problem)) == ("keep", where(text, "operation"))
    assert problem.message == f"'operation' is the text {operation!r}"
    assert problem.expected == "one of eq, ne, lt, le, gt, ge, contains"


@pytest.mark.parametrize(
    ("kind", "config", "key", "expected"),
    [
        ("LLMBlock", "output_cols: q\nconfig_path: prompt.yaml", "output_cols",
         "a list of texts with at least one entry"),
        ("CombineColumnsBlock", "columns: []\noutput_col: c", "columns",
         "a list of texts with at least one entry"),
        ("FilterByValueBlock", "filter_column: a\noperation: eq\nfilter_value: []", "filter_value",
         "a list of texts or numbers or whole numbers or truth values with at least one entry"),
        ("LLMBlock", "output_cols: [1]\nconfig_path: prompt.yaml", "1]", "text"),
        ("SetToMajorityValueBlock", "col_name: 3", "col_name", "text"),
        ("RenameColumnsBlock", "columns_map: [a]", "columns_map", "a mapping of texts"),
        ("RenameColumnsBlock", "columns_map: {a: 1}", "a: 1", "text"),
        ("IterBlock", ITER.replace("2", "1.5"), "num_iters", "a whole number"),
        ("LLMMessagesBlock", f"{MESSAGES}gen_kwargs: {{n: lots}}", "n: lots",
         "a whole number or scaled (also scaled/3, scaled*5/3)"),
    ],
)  # fmt: skip
def test_a_value_of_the_wrong_type_is_told_in_plain_words(tmp_path, kind, config, key, expected):
    text = pipeline(block("x", kind, config + "\n"))
    problem = only_problem(tmp_path, text)
    assert (problem.block, place(problem)) == ("x", where(text, key))
    assert problem.expected == expected


def test_a_wrong_entry_of_a_list_is_called_an_entry(tmp_path):
    text = pipeline(block("x", "FilterByValueBlock", FILTER.replace("1.0", "[1, null]")))
    assert only_problem(tmp_path, text).message == "an entry of 'filter_value' is empty"


@pytest.mark.parametrize(
    ("kind", "config"),
    [
        ("LLMMessagesBlock", MESSAGES),
        ("LLMMessagesBlock", f"{MESSAGES}gen_kwargs: {{n: scaled, top_p: 0.5, stop: [x]}}"),
        ("CombineColumnsBlock", "columns: [a, b]\noutput_col: c\nseparator: ', '"),
        ("FilterByValueBlock", FILTER.replace("1.0", "true").replace("float", "bool")),
        ("FilterByValueBlock", FILTER.replace("1.0", "[1, 2]") + "default_value: 0"),
        ("IterBlock", ITER.replace("2", "2.0")),
        ("IterBlock", "num_iters: 2\nblock_type: Mine\nanything: [1]"),
        ("Mine", "{}"),
    ],
)  # fmt: skip
def test_what_the_blocks_support_is_accepted(tmp_path, kind, config):
    spec = load(tmp_path, pipeline(block("x", kind, config + "\n")), custom_types=["Mine"])
    assert spec.blocks[0].type == kind


def test_a_whole_number_written_as_a_float_becomes_an_int(tmp_path):
    spec = load(
        tmp_path,
        pipeline(
            ask(config="gen_kwargs: {n: 2.0, seed: 42.0, temperature: 1.0}\n"),
            block(
                "again",
                "IterBlock",
                "num_iters: 3.0\nblock_type: LLMBlock\nconfig_path: prompt.yaml\n"
                "output_cols: [q]\ngen_kwargs: {n: 4.0}\n",
            ),
        ),
    )
    kwargs = spec.blocks[0].config["gen_kwargs"]
    assert {key: type(value) for key, value in kwargs.items()} == {
        "n": int,
        "seed": int,
        "temperature": float,
    }
    again = spec.blocks[1].config
    assert (type(again["num_iters"]), type(again["gen_kwargs"]["n"])) == (int, int)


def test_an_iter_block_checks_the_settings_of_its_inner_block(tmp_path):
    config = "num_iters: 2\nblock_type: CombineColumnsBlock\ncolumns: a\noutput: b\n"
    text = pipeline(block("again", "IterBlock", config))
    found = problems(tmp_path, text)
    assert [(p.code, p.block, place(p)) for p in found] == [
        ("wrong-type", "again", where(text, "columns: a")),
        ("unknown-key", "again", where(text, "output: b")),
    ]
    assert found[1].suggestion == "did you mean 'output_col'?"


def test_an_iter_block_of_an_unknown_type_or_of_itself_is_refused(tmp_path):
    text = pipeline(block("x", "IterBlock", "num_iters: 2\nblock_type: LLMBlok\n"))
    problem = only_problem(tmp_path, text)
    assert (problem.code, place(problem)) == ("unknown-type", where(text, "block_type"))
    problem = only_problem(tmp_path, text.replace("LLMBlok", "IterBlock"))
    assert problem.message == "an IterBlock cannot repeat an IterBlock"


def test_removing_duplicates_of_a_column_that_is_dropped_is_refused(tmp_path):
    text = pipeline(ask(more="drop_columns: [a, b]\ndrop_duplicates: [q, b]\n"))
    problem = only_problem(tmp_path, text)
    assert (problem.code, problem.block) == ("dropped-column", "ask")
    assert place(problem) == (9, 24)
    assert "'b'" in problem.message


def test_a_config_without_a_value_is_told_how_to_write_an_empty_one(tmp_path):
    text = pipeline("- {name: x, type: Mine, config: }\n")
    problem = only_problem(tmp_path, text, custom_types=["Mine"])
    assert (problem.block, place(problem)) == ("x", where(text, "config"))
    assert problem.suggestion == "an empty mapping is written {}"


def test_all_errors_of_a_file_are_told_in_its_order(tmp_path):
    text = pipeline(
        ask("one", config="gen_kwargs: {max_token: 3}\n"),
        block("two", "FilterByValueBlock", "filter_column: 1\noperation: eq\nfilter_value: 1\n"),
        block("three", "Unknown"),
        ask("one"),
        "- just text\n",
    ).replace('"1.0"', "1.0")
    found = problems(tmp_path, text)
    assert [p.code for p in found] == [
        "version",
        "unknown-key",
        "wrong-type",
        "unknown-type",
        "duplicate-name",
        "wrong-type",
    ]
    assert [p.block for p in found] == [None, "one", "two", "three", "one", None]
    lines = [p.where.line for p in found]
    assert lines == sorted(lines)
    assert all(p.where.column for p in found)


def test_a_problem_as_json_has_every_field(tmp_path):
    text = pipeline(ASK.replace("output_cols", "output_columns"))
    assert problem_as_dict(only_problem(tmp_path, text)) == {
        "severity": "error",
        "code": "unknown-key",
        "file": f"{tmp_path}/p.yaml",
        "line": 7,
        "column": 5,
        "block": "ask",
        "message": "unknown key 'output_columns'",
        "expected": "one of config_path, output_cols, model_id, model_family, model_prompt, "
        "gen_kwargs, parser_kwargs, batch_kwargs",
        "suggestion": "did you mean 'output_cols'?",
    }
