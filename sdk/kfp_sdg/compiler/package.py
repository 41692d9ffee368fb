"""A compiled pipeline and the files it is written as."""

from __future__ import annotations

import hashlib
import json
import tempfile
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from kfp.compiler.compiler_utils import KubernetesManifestOptions
    from kfp.dsl.graph_component import GraphComponent

    from kfp_sdg.compiler.parameters import RunParameter
    from kfp_sdg.errors import Problem


@dataclass(frozen=True, kw_only=True)
class CompiledGraph:
    """Something in KFP's form.

    Attributes:
        name: The pipeline's name at KFP.
        display_name: The name as it was given.
        parameters: The run form's fields, in their order.
        graph: KFP's own object.
        warnings: What is doubtful but not wrong.
    """

    name: str
    display_name: str
    parameters: tuple[RunParameter, ...]
    graph: GraphComponent = field(repr=False, compare=False)
    warnings: tuple[Problem, ...] = ()

    def to_yaml(self, fmt: Literal["ir", "crd"] = "ir", namespace: str | None = None) -> str:
        """Return the pipeline as YAML; the same pipeline always gives the same text.

        Args:
            fmt: "ir" for a PipelineSpec package, which every KFP client and dashboard takes;
                "crd" for a Pipeline and a PipelineVersion, for ``kubectl apply --server-side``.
            namespace: The namespace of the "crd" objects; None leaves it to kubectl.
        """
        if fmt == "ir":
            return self._package
        from kfp.compiler.compiler_utils import KubernetesManifestOptions

        return self._written(
            KubernetesManifestOptions(
                pipeline_name=self.name,
                pipeline_display_name=self.display_name,
                pipeline_version_name=self.version_name,
                pipeline_version_display_name=self.version_name,
                namespace=namespace,
                include_pipeline_manifest=True,
            )
        )

    @property
    def version_name(self) -> str:
        """The name of the PipelineVersion, with the first ten digits of the package's hash.

        KFP lets nobody change the spec of a version, so another content needs another name.
        """
        return f"{self.name}-{hashlib.sha256(self._package.encode()).hexdigest()[:10]}"

    @property
    def images(self) -> tuple[str, ...]:
        """The images that its tasks run in, each once."""
        executors = self.graph.pipeline_spec.deployment_spec["executors"].values()
        named = (own["container"]["image"] for own in executors if "container" in own)
        return tuple(dict.fromkeys(named))

    @cached_property
    def _package(self) -> str:
        return self._written()

    def _written(self, manifest: KubernetesManifestOptions | None = None) -> str:
        """Return what KFP's compiler writes; it writes to files only."""
        from kfp.compiler import Compiler

        with tempfile.TemporaryDirectory(prefix="kfp-sdg-compile-") as folder:
            path = Path(folder, "pipeline.yaml")
            Compiler().compile(
                self.graph,
                str(path),
                kubernetes_manifest_options=manifest,
                kubernetes_manifest_format=manifest is not None,
            )
            text = path.read_text(encoding="utf-8")
        return _with_settled_comments(text, self.parameters)


def _with_settled_comments(text: str, parameters: Iterable[RunParameter]) -> str:
    """Return a package whose comments are the same in every process.

    KFP lists the parameters above the package, with defaults as protobuf's maps give them: in an
    order that changes from process to process.
    """
    settled = {
        f"#    {parameter.name}: {parameter.type.__name__} [Default: ": json.dumps(
            parameter.default, sort_keys=True
        )
        for parameter in parameters
        if isinstance(parameter.default, (list, dict))
    }
    lines = text.splitlines(keepends=True)
    for number, line in enumerate(lines):
        if not line.startswith("#"):
            break
        start, separator, _ = line.partition("[Default: ")
        if start + separator in settled:
            lines[number] = f"{start}{separator}{settled[start + separator]}]\n"
    return "".join(lines)


@dataclass(frozen=True, kw_only=True)
class CompiledPipeline(CompiledGraph):
    """A pipeline in KFP's form.

    Attributes:
        tasks: The name of each block's task by the block's name, in the order of the blocks.
        load_task: The name of the task that reads the first rows.
    """

    tasks: Mapping[str, str]
    load_task: str


@dataclass(frozen=True, kw_only=True)
class CompiledWorkflow(CompiledGraph):
    """Several pipelines in KFP's form, with what comes before and after them.

    Attributes:
        pipelines: The name of each block's task by the block's name, by the name of its pipeline.
    """

    pipelines: Mapping[str, Mapping[str, str]]
