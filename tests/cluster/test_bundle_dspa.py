"""images/README.md: what a platform team writes to have our pipelines in its dashboard."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from cluster.checks import needs_crds, object_findings, read_manifests
from kfp_sdg.compiler.shipped import COMPILED_FOLDER
from kfp_sdg.components.image import BUNDLE_IMAGE

README = (Path(__file__).parents[2] / "images" / "README.md").read_text()


def snippet() -> str:
    (found,) = re.findall(r"```yaml\n(apiVersion: datasciencepipelines.*?)```", README, re.DOTALL)
    return str(found)


def patch() -> dict[str, Any]:
    (found,) = re.findall(r"oc patch dspa \w+ --type merge -p '(.*?)'", README, re.DOTALL)
    content = json.loads(found)
    assert isinstance(content, dict)
    return content


@pytest.mark.shared
@needs_crds
def test_the_dspa_is_one_that_the_cluster_takes() -> None:
    assert object_findings(read_manifests(snippet())) == []


@pytest.mark.parametrize("content", [yaml.safe_load(snippet()), patch()])
def test_it_names_our_image_and_pipelines_that_are_in_it(content: dict[str, Any]) -> None:
    managed = content["spec"]["apiServer"]["managedPipelines"]
    assert managed["image"] == BUNDLE_IMAGE
    names = {
        line.removeprefix("# Name: ")
        for file in COMPILED_FOLDER.rglob("*.yaml")
        for line in file.read_text().split("\n", 3)[:3]
    }
    assert {entry["name"] for entry in managed["pipelines"]} <= names
