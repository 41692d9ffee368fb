"""The packages of the shipped pipelines."""

from __future__ import annotations

import pytest
import yaml

from kfp_sdg.compiler.shipped import COMPILED_FOLDER, compiled_file, compiled_names, is_fresh


@pytest.mark.parametrize("name", compiled_names())
def test_a_shipped_package_is_what_its_pipeline_compiles_to(name: str) -> None:
    assert is_fresh(name), "run `python -m kfp_sdg.compiler.shipped`"


def test_there_are_no_packages_of_pipelines_that_are_gone() -> None:
    expected = {compiled_file(name) for name in compiled_names()}
    assert set(COMPILED_FOLDER.rglob("*.yaml")) == expected


@pytest.mark.parametrize("name", compiled_names())
def test_a_shipped_package_has_the_name_that_the_pipeline_ships_under(name: str) -> None:
    package = next(yaml.safe_load_all(compiled_file(name).read_text(encoding="utf-8")))
    assert package["pipelineInfo"]["displayName"] == name
