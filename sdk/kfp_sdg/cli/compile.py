"""``kfp-sdg compile``: a pipeline becomes what Kubeflow Pipelines runs."""

from __future__ import annotations

import re
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kfp_sdg.cli.compile_options import (
    AllowRootOption,
    CpuLimitOption,
    CpuRequestOption,
    ImagePullSecretOption,
    MemoryLimitOption,
    MemoryRequestOption,
    NodeSelectorOption,
    PodAnnotationOption,
    PodLabelOption,
    PodParameterOption,
    PodTexts,
    PreflightOption,
    RetriesOption,
    RuntimeImageOption,
    TaxonomyImageOption,
    TeacherKeyHostOption,
    TeacherKeyOption,
    TeacherOption,
    TolerationOption,
    teacher_source,
)
from kfp_sdg.cli.compiling import CompileOrder
from kfp_sdg.cli.debug import DebugOption
from kfp_sdg.cli.numbers import blocks_phrase
from kfp_sdg.cli.options import ConfigRootOption, PluginOption
from kfp_sdg.cli.output_files import refuse_input
from kfp_sdg.cli.pipeline_file import PipelineSource, is_set
from kfp_sdg.text_files import write_file

if TYPE_CHECKING:
    from kfp_sdg.compiler.package import CompiledGraph

_NAMESPACE = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
"""A label of RFC 1123, as Kubernetes has it."""


class PackageFormat(StrEnum):
    """What is written."""

    IR = "ir"
    CRD = "crd"
    KUSTOMIZE = "kustomize"


def compile_command(
    pipeline: Annotated[
        str,
        typer.Argument(
            metavar="PIPELINE",
            help="A pipeline's YAML file, or a shipped one such as instructlab/full/knowledge. Or "
            "a folder with knowledge.yaml, freeform_skills.yaml and grounded_skills.yaml, or a "
            "shipped one such as instructlab/full: the whole way from a taxonomy to training data.",
            show_default=False,
        ),
    ],
    output: Annotated[
        Path,
        typer.Option(
            "--output",
            "-o",
            metavar="OUT.yaml",
            help="The file to write; with --format kustomize a folder.",
            show_default=False,
        ),
    ],
    package_format: Annotated[
        PackageFormat,
        typer.Option(
            "--format",
            help="ir: a KFP package for the dashboard or the KFP client. "
            "crd: Pipeline and PipelineVersion resources for kubectl apply. "
            "kustomize: the same in a folder for overlays and Argo CD, beside what is there.",
        ),
    ] = PackageFormat.IR,
    name: Annotated[
        str | None,
        typer.Option(help="The pipeline's name; that of the file or folder where not given."),
    ] = None,
    description: Annotated[
        str | None, typer.Option(help="What the dashboard says about the pipeline.")
    ] = None,
    namespace: Annotated[
        str | None,
        typer.Option(help="The namespace of the resources of --format crd or kustomize."),
    ] = None,
    config_root: ConfigRootOption = None,
    plugin: PluginOption = None,
    teacher: TeacherOption = None,
    preflight: PreflightOption = False,
    teacher_key: TeacherKeyOption = None,
    teacher_key_host: TeacherKeyHostOption = None,
    cpu_request: CpuRequestOption = None,
    cpu_limit: CpuLimitOption = None,
    memory_request: MemoryRequestOption = None,
    memory_limit: MemoryLimitOption = None,
    toleration: TolerationOption = None,
    node_selector: NodeSelectorOption = None,
    image_pull_secret: ImagePullSecretOption = None,
    pod_label: PodLabelOption = None,
    pod_annotation: PodAnnotationOption = None,
    retries: RetriesOption = 2,
    allow_root: AllowRootOption = False,
    pod_parameter: PodParameterOption = None,
    runtime_image: RuntimeImageOption = None,
    taxonomy_image: TaxonomyImageOption = None,
    debug: DebugOption = False,
) -> None:
    """Compile a pipeline for Kubeflow Pipelines: one task per block, prompts included.

    A folder of pipelines becomes the whole workflow: a task that reads a taxonomy, a pipeline for
    each kind of leaf, a task that writes training data.
    The same pipelines and options always give the same bytes.

    Example: `kfp-sdg compile instructlab/full/knowledge -o knowledge.yaml`

    Example: `kfp-sdg compile instructlab/full -o instructlab.yaml`

    Example: `kfp-sdg compile mine.yaml --teacher inferenceservice:teacher -o mine.kfp.yaml`

    Example: `kfp-sdg compile mine.yaml --format kustomize -o base`
    """
    from kfp_sdg.cli.notices import show_warnings

    if str(output) == "-":
        raise typer.BadParameter(
            "compile writes no standard output; name a file, or with --format kustomize a folder",
            param_hint="--output",
        )
    if namespace and package_format is PackageFormat.IR:
        raise typer.BadParameter(
            "a KFP package has no namespace; use it with --format crd or kustomize",
            param_hint="--namespace",
        )
    if namespace and not _NAMESPACE.fullmatch(namespace):
        raise typer.BadParameter(
            f"{namespace!r} is no namespace; expected at most 63 lower-case letters, digits and "
            "dashes, with no dash at either end",
            param_hint="--namespace",
        )
    pods = PodTexts(
        cpu_request=cpu_request,
        cpu_limit=cpu_limit,
        memory_request=memory_request,
        memory_limit=memory_limit,
        toleration=toleration,
        node_selector=node_selector,
        image_pull_secret=image_pull_secret,
        pod_label=pod_label,
        pod_annotation=pod_annotation,
        pod_parameter=pod_parameter,
        retries=retries,
        allow_root=allow_root,
        runtime_image=runtime_image,
        taxonomy_image=taxonomy_image,
    ).parse()
    order = CompileOrder(
        pipeline=pipeline,
        source=PipelineSource(config_root or (), plugin or ()),
        name=name,
        description=description,
        pods=pods,
        teacher=teacher_source(teacher, preflight, teacher_key, teacher_key_host),
    )
    compiled, specs = order.compile()
    refuse_input(output, [Path(spec.config_path) for spec in specs])
    _write(compiled, package_format, output, namespace)
    show_warnings([*(w for spec in specs for w in spec.warnings), *compiled.warnings])
    whole = "the workflow of " if is_set(pipeline) else ""
    blocks = blocks_phrase(sum(len(spec.blocks) for spec in specs))
    typer.echo(f"{output}: {whole}{pipeline}, {blocks}")
    if package_format is PackageFormat.CRD:
        typer.echo(f"Apply it with: kubectl apply --server-side -f {output}")
    elif package_format is PackageFormat.KUSTOMIZE:
        typer.echo(f"Apply it with: kubectl apply --server-side -k {output}")
    else:
        typer.echo("Upload it in the dashboard under Pipelines, or with the KFP client.")


def _write(
    compiled: CompiledGraph, package_format: PackageFormat, output: Path, namespace: str | None
) -> None:
    """Write a compiled pipeline in the format that was asked for."""
    from kfp_sdg.cluster.manifests import resources_text, write_to_base

    if package_format is PackageFormat.KUSTOMIZE:
        if output.is_file():
            raise typer.BadParameter(
                f"{output} is a file; --format kustomize writes a folder", param_hint="--output"
            )
        written = write_to_base(output, compiled, namespace=namespace)
        replaced = f", which replaces {written.replaced}" if written.replaced else ""
        typer.echo(f"{written.file}: {compiled.version_name}{replaced}")
        return
    ir = package_format is PackageFormat.IR
    text = compiled.to_yaml() if ir else resources_text(compiled, namespace=namespace)
    write_file(output, text)
