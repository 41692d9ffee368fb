"""The catalog: every block type by its name, custom blocks, plugins."""

from __future__ import annotations

import importlib
import subprocess
import sys

import pyarrow as pa
import pytest

from kfp_sdg.blocks import Account, Block, BlockRegistry, PipelineContext
from kfp_sdg.blocks.catalog import (
    BUILTIN_BLOCKS,
    block_class,
    custom_types,
    load_plugins,
    make_block,
)
from kfp_sdg.errors import BlockError
from kfp_sdg.prompts import PromptRegistry
from scripted_teacher import pipeline

PIRATE = """
from datasets import Dataset
from kfp_sdg.blocks import Block, BlockRegistry


@BlockRegistry.register("EnglishToPirateBlock")
class EnglishToPirateBlock(Block):
    def __init__(self, ctx, pipe, block_name, column):
        super().__init__(ctx, pipe, block_name)
        self.column = column

    def generate(self, samples: Dataset) -> Dataset:
        return samples.map(lambda row: {self.column: row[self.column].replace("my", "me")})
"""


@pytest.fixture(autouse=True)
def own_registries(monkeypatch):
    monkeypatch.setattr(BlockRegistry, "_types", dict(BlockRegistry.get_registry()))
    monkeypatch.setattr(PromptRegistry, "_formats", dict(PromptRegistry.get_registry()))


@pytest.fixture
def pirate_module(tmp_path, monkeypatch):
    """The name of an importable module with a custom block."""
    (tmp_path / "pirate_blocks.py").write_text(PIRATE)
    monkeypatch.syspath_prepend(tmp_path)
    yield "pirate_blocks"
    sys.modules.pop("pirate_blocks", None)


def install(tmp_path, monkeypatch, entry_points: str) -> None:
    """Make a distribution with entry points, as pip leaves it."""
    info = tmp_path / "pirates-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: pirates\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(entry_points)
    monkeypatch.syspath_prepend(tmp_path)
    importlib.invalidate_caches()


@pytest.mark.parametrize("type_name", BUILTIN_BLOCKS)
def test_every_built_in_type_leads_to_its_class(type_name):
    kind = block_class(type_name)
    assert kind.__name__ == type_name
    assert kind.__module__ == BUILTIN_BLOCKS[type_name]
    assert issubclass(kind, Block)


def test_an_unknown_type_is_an_error_with_the_nearest_name():
    with pytest.raises(BlockError, match="'LMBlock'; did you mean 'LLMBlock'"):
        block_class("LMBlock")


def test_a_custom_block_of_a_plugin_module_runs(pirate_module):
    load_plugins([pirate_module])
    assert "EnglishToPirateBlock" in custom_types()
    block = make_block(
        PipelineContext(), pipeline(), "arr", "EnglishToPirateBlock", {"column": "say"}
    )
    made = block.apply(pa.table({"say": ["my ship"]}), Account())
    assert made.to_pydict() == {"say": ["me ship"]}


def test_a_setting_that_a_block_does_not_have_is_an_error_that_names_the_block(pirate_module):
    load_plugins([pirate_module])
    with pytest.raises(BlockError) as error:
        make_block(PipelineContext(), pipeline(), "arr", "EnglishToPirateBlock", {"colum": "say"})
    assert str(error.value) == (
        "block 'arr' (EnglishToPirateBlock): unknown setting 'colum'; did you mean 'column'?; "
        "missing setting 'column'"
    )


def test_an_error_of_an_unknown_type_names_the_block():
    with pytest.raises(BlockError, match=r"block 'x' \(Nope\): unknown block type"):
        make_block(PipelineContext(), pipeline(), "x", "Nope", {})


def test_blocks_and_prompts_of_installed_packages_are_found(pirate_module, tmp_path, monkeypatch):
    (tmp_path / "pirate_prompts.py").write_text("def pirate():\n    return 'Arr {{ prompt }}'\n")
    install(
        tmp_path,
        monkeypatch,
        "[kfp_sdg.blocks]\nShantyBlock = pirate_blocks:EnglishToPirateBlock\n"
        "[kfp_sdg.prompts]\npirate = pirate_prompts:pirate\n",
    )
    assert block_class("ShantyBlock").__name__ == "EnglishToPirateBlock"
    load_plugins()
    assert PromptRegistry.get_template("pirate").render(prompt="x") == "Arr x"


def test_an_installed_package_that_cannot_be_imported_is_an_error(tmp_path, monkeypatch):
    install(tmp_path, monkeypatch, "[kfp_sdg.blocks]\nBadBlock = no_such_module:Bad\n")
    with pytest.raises(BlockError, match=r"plugin 'BadBlock' .* cannot be imported"):
        load_plugins()


def test_a_plugin_module_that_cannot_be_imported_is_an_error():
    with pytest.raises(BlockError, match="cannot import plugin module 'no_such_module'"):
        load_plugins(["no_such_module"])


HEAVY = ["datasets", "jinja2", "jsonschema", "kfp", "openai", "pandas", "pydantic", "torch"]


@pytest.mark.parametrize(
    ("module", "heavy"),
    [
        ("kfp_sdg.blocks", [*HEAVY, "pyarrow"]),
        ("kfp_sdg.blocks.catalog", [*HEAVY, "pyarrow"]),
        ("kfp_sdg.blocks.llm", [name for name in HEAVY if name != "jinja2"]),
        ("kfp_sdg.blocks.iter", HEAVY),
    ],
)
def test_importing_a_module_loads_nothing_heavy(module, heavy):
    code = f"import sys, {module}; print([m for m in {heavy!r} if m in sys.modules])"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"
