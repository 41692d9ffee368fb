"""kfp-sdg blocks: every block type, from its own declaration."""

from __future__ import annotations

import inspect

import pytest
import yaml

from kfp_sdg.blocks.catalog import ARGUMENTS_OF_ALL, BUILTIN_BLOCKS, block_class
from kfp_sdg.cli.__main__ import main
from kfp_sdg.cli.blocks import type_phrase
from kfp_sdg.spec import load_pipeline_text


def test_every_built_in_block_is_listed_with_a_sentence(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["blocks", "list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    for name in BUILTIN_BLOCKS:
        (line,) = [line for line in lines if line.startswith(f"{name} ")]
        assert line.rstrip().endswith(".")


@pytest.mark.parametrize("name", sorted(BUILTIN_BLOCKS))
def test_a_block_is_shown_with_all_of_its_settings(
    capsys: pytest.CaptureFixture[str], name: str
) -> None:
    assert main(["blocks", "show", name]) == 0
    printed = capsys.readouterr().out
    settings = list(inspect.signature(block_class(name)).parameters.values())[ARGUMENTS_OF_ALL:]
    assert settings
    for setting in settings:
        if setting.kind is not setting.VAR_KEYWORD:
            assert f"\n  {setting.name}  " in printed
    assert "drop_duplicates" in printed


def test_the_entry_to_start_from_is_yaml_of_the_right_shape(
    capsys: pytest.CaptureFixture[str],
) -> None:
    main(["blocks", "show", "DuplicateColumnsBlock"])
    entry = capsys.readouterr().out.partition("an entry to start from\n")[2]
    text = f'version: "1.0"\nblocks:\n{entry}'
    assert [block["type"] for block in yaml.safe_load(text)["blocks"]] == ["DuplicateColumnsBlock"]
    assert load_pipeline_text(text, path="x.yaml").blocks[0].name == "my_duplicatecolumns"


def test_an_unknown_block_is_a_mistake_with_the_nearest_name(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["blocks", "show", "LLMBlok"]) == 2
    assert "did you mean 'LLMBlock'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ({"type": "string"}, "text"),
        ({"type": ["integer", "null"]}, "whole number"),
        ({"type": "array", "items": {"type": "string"}}, "list of text"),
        ({"type": "object", "additionalProperties": {"type": "string"}}, "mapping of text to text"),
        ({"enum": ["a", "b"]}, 'one of "a", "b"'),
        ({"enum": ["a"]}, '"a"'),
        (
            {"anyOf": [{"type": "integer"}, {"enum": ["all"]}, {"type": "null"}]},
            'whole number or "all"',
        ),
        ({}, "any value"),
    ],
)
def test_a_type_is_told_in_words(schema: dict[str, object], words: str) -> None:
    assert type_phrase(schema) == words
