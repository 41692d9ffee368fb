"""``kfp-sdg compile``: a pipeline becomes what Kubeflow Pipelines runs."""

from __future__ import annotations

import re
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from kfp_sdg.cli.debug import DebugOption
from kfp_sdg.cli.numbers import blocks_phrase
from kfp_sdg.cli.options import (
    ConfigRootOption,
    PipelineArgument,
    PluginOption,
)
from kfp_sdg.cli.pipeline_file import PipelineSource
from kfp_sdg.errors import SpecError, StorageError

_NAMESPACE = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
"""A label of RFC 1123, as Kubernetes has it."""


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
    if namespace and not _NAMESPACE.fullmatch(namespace):
        raise typer.BadParameter(
            f"{namespace!r} is no namespace; expected at most 63 lower-case letters, digits and "
            "dashes, with no dash at either end",
            param_hint="--namespace",
        )
    spec = PipelineSource(config_root or (), plugin or ()).load(pipeline)
    compiled = compile_pipeline(spec, name=name, description=description, plugins=plugin or ())
    text = compiled.to_yaml(package_format.value, namespace=namespace)
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        failure = StorageError(f"cannot write {output}: {error.strerror or error}")
        failure.exit_code = SpecError.exit_code
        raise failure from error
    show_warnings([*spec.warnings, *compiled.warnings])
    typer.echo(f"{output}: {pipeline}, {blocks_phrase(len(spec.blocks))}")
    if package_format is PackageFormat.CRD:
        typer.echo(f"Apply it with: kubectl apply --server-side -f {output}")
    else:
        typer.echo("Upload it in the dashboard under Pipelines, or with the KFP client.")
