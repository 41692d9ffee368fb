"""What a pipeline is compiled to for a cluster that keeps pipelines as resources."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import yaml

from compiling import PROMPT, documents, llm, pipeline
from kfp_sdg.compiler import compile_pipeline

if TYPE_CHECKING:
    from kfp_sdg.compiler import CompiledPipeline


def manifests(compiled: CompiledPipeline, **options: Any) -> list[Any]:
    return list(yaml.safe_load_all(compiled.to_yaml("crd", **options)))


def test_the_crd_format_has_a_pipeline_and_a_version_of_it() -> None:
    compiled = compile_pipeline(pipeline(llm()), name="My Demo")
    parent, version = manifests(compiled, namespace="team-a")
    assert (parent["kind"], version["kind"]) == ("Pipeline", "PipelineVersion")
    assert parent["metadata"] == {"name": "my-demo", "namespace": "team-a"}
    assert parent["spec"]["displayName"] == "My Demo"
    assert version["metadata"] == {"name": compiled.version_name, "namespace": "team-a"}
    assert version["spec"]["pipelineName"] == "my-demo"
    package, platform = documents(compiled)
    assert version["spec"]["pipelineSpec"] == package
    assert version["spec"]["platformSpec"] == platform


def test_without_a_namespace_the_resources_name_none() -> None:
    assert all(
        "namespace" not in m["metadata"] for m in manifests(compile_pipeline(pipeline(llm())))
    )


def test_a_versions_name_changes_with_the_content_and_with_nothing_else() -> None:
    name = compile_pipeline(pipeline(llm())).version_name
    assert compile_pipeline(pipeline(llm(), path="/x/y/demo.yaml")).version_name == name
    changed = compile_pipeline(pipeline(llm(), prompt={**PROMPT, "system": "Be brief."}))
    assert changed.version_name != name
    assert name.startswith("demo-")
    assert len(name) == len("demo-") + 10


def test_names_of_resources_are_valid_however_long_the_file_is_called() -> None:
    compiled = compile_pipeline(pipeline(llm(), path="A very_long name " * 10 + ".yaml"))
    assert len(compiled.version_name) <= 63
    assert set(compiled.version_name) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")
