"""The pods of compiled pipelines in a namespace that enforces Pod Security "restricted"."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from cluster.checks import restricted_problems
from cluster.kfp_pods import executor_pods
from cluster_manifests import MANIFESTS

FILES = sorted((MANIFESTS / "pipelines").rglob("*.yaml"))


def versions() -> list[Any]:
    documents = [
        document
        for file in FILES
        for document in yaml.load_all(file.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
    ]
    return [
        pytest.param(document, id=document["spec"]["pipelineName"])
        for document in documents
        if document.get("kind") == "PipelineVersion"
    ]


@pytest.mark.parametrize("version", versions())
def test_every_pod_of_a_shipped_pipeline_is_restricted(version: dict[str, Any]) -> None:
    pods = dict(executor_pods(version))
    assert pods
    found = {name: list(restricted_problems(spec)) for name, spec in pods.items()}
    assert {name: problems for name, problems in found.items() if problems} == {}


def test_a_pipeline_without_our_setting_would_be_refused() -> None:
    executors = {"exec-a": {"container": {"image": "example.com/a:1"}}}
    version = {"spec": {"pipelineSpec": {"deploymentSpec": {"executors": executors}}}}
    [(_, spec)] = executor_pods(version)
    assert [path for path, _ in restricted_problems(spec)] == [
        ".containers[0].securityContext.runAsNonRoot"
    ]
