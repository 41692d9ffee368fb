"""What the images are built from: their locks, and what their Containerfiles repeat."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from kfp_sdg import __version__
from kfp_sdg.components.image import RUNTIME_IMAGE

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
SETTINGS = tomllib.loads((ROOT / "images/uv.toml").read_text())
LEFT_OUT = {Requirement(line).name for line in SETTINGS["override-dependencies"]}
CONTAINERFILES = sorted((ROOT / "images").glob("*/Containerfile"))


@dataclass(frozen=True)
class Pin:
    """A version that a lock allows, with the hashes of its files."""

    name: str
    version: str
    hashes: frozenset[str]


def pins(lock: str) -> set[Pin]:
    text = (ROOT / lock).read_text().replace("\\\n", " ")
    found = set()
    for line in text.splitlines():
        requirement, *hashes = line.split("--hash=")
        name, _, version = requirement.partition(";")[0].strip().partition("==")
        found.add(Pin(name, version.strip(), frozenset(each.strip() for each in hashes)))
    return found


def names(lock: str) -> set[str]:
    return {pin.name for pin in pins(lock)}


EVERYTHING = ".ci/requirements.lock"
RUNTIME = "images/runtime/requirements.lock"
TAXONOMY = "images/taxonomy/requirements.lock"
BUILD = "images/build.lock"


@pytest.mark.parametrize("lock", [RUNTIME, TAXONOMY])
def test_an_image_holds_the_versions_that_the_tests_run_with(lock: str) -> None:
    # when this fails after a change of pyproject.toml: make lock
    assert pins(lock) <= pins(EVERYTHING)


def test_every_dependency_that_is_not_left_out_is_in_the_runtime() -> None:
    wanted = {
        canonicalize_name(Requirement(line).name) for line in PROJECT["project"]["dependencies"]
    }
    assert wanted - names(RUNTIME) == LEFT_OUT & wanted
    assert not names(RUNTIME) & LEFT_OUT


def test_the_taxonomy_adds_what_reads_documents_and_nothing_twice() -> None:
    extra = PROJECT["project"]["optional-dependencies"]["documents"]
    assert {canonicalize_name(Requirement(line).name) for line in extra} <= names(TAXONOMY)
    assert not names(TAXONOMY) & names(RUNTIME)


def test_the_wheel_is_built_with_what_the_project_asks_for() -> None:
    for line in PROJECT["build-system"]["requires"]:
        requirement = Requirement(line)
        (pin,) = [pin for pin in pins(BUILD) if pin.name == canonicalize_name(requirement.name)]
        assert requirement.specifier.contains(pin.version)


@pytest.mark.parametrize("lock", [RUNTIME, TAXONOMY, BUILD])
def test_a_lock_has_a_hash_for_everything_and_no_address(lock: str) -> None:
    assert all(pin.version and pin.hashes for pin in pins(lock))
    assert "://" not in (ROOT / lock).read_text()


def test_no_image_holds_torch() -> None:
    assert not [name for name in names(RUNTIME) | names(TAXONOMY) if "torch" in name]
    assert not [name for name in names(RUNTIME) if "docling" in name]


def test_kfps_executor_needs_nothing_but_kfp() -> None:
    # images/uv.toml takes kfp without its dependencies
    (metadata,) = SETTINGS["dependency-metadata"]
    assert metadata == {"name": "kfp", "requires-dist": []}
    code = (
        "import sys; before = set(sys.modules); import kfp.dsl.executor_main; "
        "print(*{name.split('.')[0] for name in set(sys.modules) - before})"
    )
    told = subprocess.run(
        [sys.executable, "-I", "-c", code],
        check=True,
        capture_output=True,
        text=True,
        env={"_KFP_RUNTIME": "true"},
    )
    assert set(told.stdout.split()) - sys.stdlib_module_names == {"kfp"}


@pytest.mark.parametrize("file", CONTAINERFILES, ids=lambda file: file.parent.name)
def test_a_containerfile_has_the_version_of_the_distribution(file: Path) -> None:
    assert re.findall(r"^ARG VERSION=(.*)$", file.read_text(), re.MULTILINE) == [__version__]


def test_all_images_are_built_on_the_same_base() -> None:
    bases = {
        argument
        for file in CONTAINERFILES
        for argument in re.findall(r"^ARG \w+_IMAGE=(.+)$", file.read_text(), re.MULTILINE)
    }
    (base,) = bases - {RUNTIME_IMAGE}
    assert re.fullmatch(r"[a-z0-9./-]+:[0-9.]+@sha256:[0-9a-f]{64}", base)
