"""``kfp-sdg compile``: a pipeline becomes what Kubeflow Pipelines runs."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path  # noqa: TC003 - Typer reads annotations
from typing import Annotated

import typer

from kfp_sdg.cli.debug import DebugOption  # noqa: TC001 - Typer reads annotations
from kfp_sdg.cli.options import (  # noqa: TC001
    ConfigRootOption,
    PipelineArgument,
    PluginOption,
)
from kfp_sdg.cli.pipeline_file import PipelineSource
from kfp_sdg.errors import StorageError


class PackageFormat(StrEnum):
    """What is written."""

    IR = "ir"
    CRD = "crd"


def compile_command(
    pipeline: PipelineArgument,
    output: Annotated[
        Path,
        typer.Option(
            "--output", "-o", metavar="OUT.yaml", help="The file to write.", show_default=False
        ),
    ],
    package_format: Annotated[
        PackageFormat,
        typer.Option(
            "--format",
            help="ir: a KFP package for the dashboard or the KFP client. "
            "crd: Pipeline and PipelineVersion resources for kubectl apply.",
        ),
    ] = PackageFormat.IR,
    name: Annotated[
        str | None,
        typer.Option(help="The pipeline's name; the file's name where not given."),
    ] = None,
    description: Annotated[
        str | None, typer.Option(help="What the dashboard says about the pipeline.")
    ] = None,
    namespace: Annotated[
        str | None, typer.Option(help="The namespace of the resources of --format crd.")
    ] = None,
    config_root: ConfigRootOption = None,
    plugin: PluginOption = None,
    debug: DebugOption = False,
) -> None:
    """Compile a pipeline for Kubeflow Pipelines: one task per block, prompts included.

    The same pipeline and options always give the same bytes.

    Example: `kfp-sdg compile instructlab/full/knowledge -o knowledge.yaml`
    """
    from kfp_sdg.cli.notices import show_warnings
    from kfp_sdg.compiler import compile_pipeline

    if namespace and package_format is PackageFormat.IR:
        raise typer.BadParameter(
            "a KFP package has no namespace; use it with --format crd", param_hint="--namespace"
        )
    spec = PipelineSource(config_root or (), plugin or ()).load(pipeline)
    compiled = compile_pipeline(spec, name=name, description=description)
    text = compiled.to_yaml(package_format.value, namespace=namespace)
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise StorageError(f"cannot write {output}: {error.strerror or error}") from error
    show_warnings(spec.warnings)
    typer.echo(f"{output}: {len(spec.blocks)} blocks of {pipeline}")
