from __future__ import annotations

import tomllib
from importlib.metadata import distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
SETUPTOOLS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
PLACES = SETUPTOOLS["package-dir"]


def packages_below(package: str, folder: Path) -> set[str]:
    """Return every folder with an __init__.py, as a dotted name."""
    return {
        ".".join((package, *path.parent.relative_to(folder).parts))
        for path in folder.rglob("__init__.py")
    }


def test_every_package_folder_is_part_of_the_distribution():
    found = set().union(*(packages_below(name, ROOT / place) for name, place in PLACES.items()))
    assert sorted(SETUPTOOLS["packages"]) == sorted(found)


def test_no_module_lies_in_a_folder_that_is_no_package():
    # the Python files among the pipelines are scripts, for people to read and copy; those among
    # the images are programs that go into an image, and are no part of the distribution
    strays = [
        str(path.relative_to(ROOT))
        for name, place in PLACES.items()
        if name not in ("kfp_sdg.pipelines", "kfp_sdg.images")
        for path in (ROOT / place).rglob("*.py")
        if not (path.parent / "__init__.py").exists()
    ]
    assert strays == []


def test_the_listed_data_files_alone_are_part_of_the_distribution():
    # else setuptools adds what an earlier build noted, and the next test holds nothing
    assert SETUPTOOLS["include-package-data"] is False


@pytest.mark.parametrize(("package", "place"), PLACES.items())
def test_every_data_file_is_part_of_the_distribution(package, place):
    root = ROOT / place
    shipped = {
        path
        for name, patterns in SETUPTOOLS["package-data"].items()
        if name == package or name.startswith(f"{package}.")
        for pattern in patterns
        for path in (root / Path(*name.removeprefix(package).split("."))).glob(pattern)
    }
    wanted = {path for kind in ("component.yaml", "*.json", "*.jsonl") for path in root.rglob(kind)}
    if package == "kfp_sdg.pipelines":
        wanted |= set(root.rglob("*.yaml"))
    if package == "kfp_sdg.images":
        wanted = {root / "images.lock"}
    assert {str(path) for path in wanted - shipped} == set()


def test_an_installation_without_extras_pulls_no_machine_learning_framework():
    pulled, waiting = set(), ["kfp-sdg"]
    while waiting:
        name = canonicalize_name(waiting.pop())
        if name in pulled:
            continue
        pulled.add(name)
        requirements = map(Requirement, distribution(name).requires or [])
        waiting += [
            requirement.name
            for requirement in requirements
            if requirement.marker is None or requirement.marker.evaluate({"extra": ""})
        ]
    assert {"kfp", "pyarrow", "openai"} <= pulled
    assert not pulled & {"torch", "transformers", "docling", "tensorflow", "jax", "vllm"}
