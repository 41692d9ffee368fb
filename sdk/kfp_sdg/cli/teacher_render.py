"""``kfp-sdg teacher render``: manifests of a teacher for any model, and the GPUs that it needs."""

from __future__ import annotations

import json
import re
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kfp_sdg.cli.debug import DebugOption
from kfp_sdg.text_files import write_files

if TYPE_CHECKING:
    from kfp_sdg.cluster.manifests import Manifest
    from kfp_sdg.cluster.serving import Autoscaling, ModelShape, Plan

_NAMESPACE = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_COUNT = re.compile(r"(\d+(?:\.\d+)?)([KMBT]?)", re.IGNORECASE)
_UNITS = {"": 1.0, "K": 1e3, "M": 1e6, "B": 1e9, "T": 1e12}
_FILES = (".yaml", ".yml", ".json")
_HEADER = "Written by kfp-sdg teacher render."
_STDOUT = "-"


class Weights(StrEnum):
    """What the weights are kept as; the values of ``serving.WeightType``."""

    BFLOAT16 = "bfloat16"
    FLOAT16 = "float16"
    FP8 = "fp8"
    INT8 = "int8"
    INT4 = "int4"


class ManifestFormat(StrEnum):
    """How manifests are written."""

    YAML = "yaml"
    JSON = "json"


def render_command(
    model: Annotated[
        str,
        typer.Option(
            metavar="OWNER/NAME",
            help="The model, as on the Hugging Face Hub. Well-known ones may be named by their "
            "last part: mixtral-8x7b-instruct.",
            show_default=False,
        ),
    ],
    gpus: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=0,
            help="GPUs of each replica; 0: on CPUs. The fewest that do, where not given.",
            show_default=False,
        ),
    ] = None,
    gpu_memory: Annotated[
        float, typer.Option(metavar="GIB", min=1, help="The memory of a GPU.")
    ] = 80,
    dtype: Annotated[
        Weights,
        typer.Option(help="What the weights are kept as. int8 and int4 have to be so already."),
    ] = Weights.BFLOAT16,
    max_model_len: Annotated[
        int | None,
        typer.Option(
            metavar="TOKENS",
            min=256,
            help="The context length. 8192, or what the model has, where not given.",
            show_default=False,
        ),
    ] = None,
    sequences: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=1,
            help="Requests of full length that are to fit at a time; 16 on GPUs, 4 on CPUs.",
            show_default=False,
        ),
    ] = None,
    adapter: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=URI",
            help="A LoRA adapter to serve with it, under that name. Give it again for more.",
            show_default=False,
        ),
    ] = None,
    name: Annotated[
        str | None,
        typer.Option(help="The service's name; made of the model's where not given."),
    ] = None,
    namespace: Annotated[
        str | None,
        typer.Option("--namespace", "-n", help="The namespace that is written into manifests."),
    ] = None,
    storage_uri: Annotated[
        str | None,
        typer.Option(
            metavar="URI",
            help="Where KServe finds the model: oci://, hf://, s3://, pvc://CLAIM/FOLDER … The "
            "Hugging Face Hub where not given.",
            show_default=False,
        ),
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="The config.json of a model that is not known here.",
            show_default=False,
        ),
    ] = None,
    parameters: Annotated[
        str | None,
        typer.Option(
            metavar="COUNT",
            help="How many parameters the model has: 46.7B. Without --config, --layers, "
            "--kv-heads and --head-dim go with it.",
            show_default=False,
        ),
    ] = None,
    layers: Annotated[
        int | None, typer.Option(min=1, help="Its layers.", show_default=False)
    ] = None,
    heads: Annotated[
        int | None, typer.Option(min=1, help="Its attention heads.", show_default=False)
    ] = None,
    kv_heads: Annotated[
        int | None, typer.Option(min=1, help="Its heads of keys and values.", show_default=False)
    ] = None,
    head_dim: Annotated[
        int | None, typer.Option(min=1, help="The size of a head.", show_default=False)
    ] = None,
    max_replicas: Annotated[
        int,
        typer.Option(
            metavar="N",
            min=1,
            help="With more than 1, KEDA adds replicas while requests wait; --prometheus and "
            "--namespace go with it.",
        ),
    ] = 1,
    prometheus: Annotated[
        str | None,
        typer.Option(
            metavar="URL", help="The Prometheus that has vLLM's series.", show_default=False
        ),
    ] = None,
    run_as_user: Annotated[
        int | None,
        typer.Option(
            metavar="UID",
            min=1,
            help="The user of its pods, 2000 for vLLM's images. Needed on clusters other than "
            "OpenShift, which refuses it.",
            show_default=False,
        ),
    ] = None,
    running: Annotated[
        bool,
        typer.Option("--running", help="It starts when it is applied, not when a pipeline asks."),
    ] = False,
    llm_inference_service: Annotated[
        bool,
        typer.Option(
            "--llm-inference-service",
            help="Write KServe's LLMInferenceService (llm-d), which scales from zero by itself; "
            "steps of pipelines do not start and stop it.",
        ),
    ] = False,
    manifest_format: Annotated[
        ManifestFormat, typer.Option("--format", help="How manifests are written.")
    ] = ManifestFormat.YAML,
    output: Annotated[
        str,
        typer.Option(
            "--output",
            "-o",
            metavar="DIR|FILE|-",
            help="A folder for kubectl apply -k, a file (.yaml, .json), or standard output.",
        ),
    ] = _STDOUT,
    debug: DebugOption = False,
) -> None:
    """Write the manifests of a teacher on KServe, and estimate the GPUs that it needs.

    A ServingRuntime, an InferenceService that pipelines start and stop, and who may reach it. The
    estimate, and what is doubtful about it, goes to standard error where manifests go to standard
    output.

    Example: `kfp-sdg teacher render --model mixtral-8x7b-instruct -o teacher`

    Example: `kfp-sdg teacher render --model Qwen/Qwen2.5-14B-Instruct --gpu-memory 24 -o -`
    """
    from kfp_sdg.cluster.serving import (
        WeightType,
        Wishes,
        parse_adapter,
        plan_teacher,
        teacher_manifests,
    )

    if namespace is not None and not _NAMESPACE.fullmatch(namespace):
        raise typer.BadParameter(f"{namespace!r} is no namespace", param_hint="--namespace")
    numbers = {"layers": layers, "heads": heads, "kv-heads": kv_heads, "head-dim": head_dim}
    wishes = Wishes(
        model=model,
        name=name,
        uri=storage_uri,
        gpus=gpus,
        gpu_memory=gpu_memory,
        context=max_model_len,
        sequences=sequences,
        weights=WeightType(dtype.value),
        adapters=tuple(parse_adapter(text) for text in adapter or ()),
        shape=_shape(model, config, parameters, numbers),
        autoscaling=_autoscaling(max_replicas, prometheus, namespace),
        stopped=not running,
        user=run_as_user,
    )
    plan = plan_teacher(wishes)
    manifests = [
        _in_namespace(manifest, namespace)
        for manifest in teacher_manifests(plan.teacher, llm=llm_inference_service)
    ]
    _write(manifests, output, manifest_format)
    _explain(plan, output, llm=llm_inference_service)


def _shape(
    model: str, config: Path | None, parameters: str | None, numbers: dict[str, int | None]
) -> ModelShape | None:
    """Return the numbers of a model that somebody gives, None where they give none."""
    from kfp_sdg.cluster.serving import ModelShape, model_of_config

    count = _count(parameters) if parameters is not None else None
    given = [key for key, number in numbers.items() if number is not None]
    if config is not None:
        if given:
            raise typer.BadParameter(
                f"--{given[0]} is in the file of --config; give one of them",
                param_hint=f"--{given[0]}",
            )
        return model_of_config(config, model, count)
    if count is None:
        if given:
            raise typer.BadParameter(f"--{given[0]} needs --parameters", param_hint=f"--{given[0]}")
        return None
    missing = [key for key in ("layers", "kv-heads", "head-dim") if numbers[key] is None]
    if missing:
        raise typer.BadParameter(
            f"--{', --'.join(missing)} go with it, or --config FILE with the model's config.json",
            param_hint="--parameters",
        )
    return ModelShape(
        model,
        count,
        layers=numbers["layers"] or 0,
        heads=numbers["heads"] or 0,
        kv_heads=numbers["kv-heads"] or 0,
        head_dim=numbers["head-dim"] or 0,
    )


def _count(text: str) -> float:
    """Return a number of parameters: "46.7B" is 46.7 thousand millions."""
    match = _COUNT.fullmatch(text.strip())
    count = float(match[1]) * _UNITS[match[2].upper()] if match else 0.0
    if count < 1:
        raise typer.BadParameter(
            f"{text!r} is no number of parameters; expected one such as 7.24B or 494M",
            param_hint="--parameters",
        )
    return count


def _autoscaling(most: int, prometheus: str | None, namespace: str | None) -> Autoscaling | None:
    """Return how the teacher scales, None where it has one replica."""
    from kfp_sdg.cluster.serving import Autoscaling

    if most == 1:
        if prometheus is not None:
            raise typer.BadParameter(
                "it is for more replicas than one (--max-replicas)", param_hint="--prometheus"
            )
        return None
    if prometheus is None or namespace is None:
        raise typer.BadParameter(
            "KEDA goes by vLLM's series of the teacher's namespace: --prometheus URL and "
            "--namespace go with it",
            param_hint="--max-replicas",
        )
    if not re.fullmatch(r"https?://[^\s/]+\S*", prometheus):
        raise typer.BadParameter(f"{prometheus!r} is no URL", param_hint="--prometheus")
    return Autoscaling(most=most, prometheus=prometheus, namespace=namespace)


def _in_namespace(manifest: Manifest, namespace: str | None) -> Manifest:
    """Return a manifest with a namespace, where there is one to write."""
    if namespace is None:
        return manifest
    return {**manifest, "metadata": {**manifest["metadata"], "namespace": namespace}}


def _write(manifests: list[Manifest], output: str, manifest_format: ManifestFormat) -> None:
    """Write manifests to standard output, a file or a folder."""
    from kfp_sdg.cluster.serving import teacher_files

    as_json = manifest_format is ManifestFormat.JSON
    if output == _STDOUT:
        typer.echo(_text(manifests, as_json=as_json), nl=False)
        return
    path = Path(output)
    if path.suffix in _FILES:
        as_json = as_json or path.suffix == ".json"
        write_files(path.parent, {path.name: _text(manifests, as_json=as_json)})
        return
    if as_json:
        raise typer.BadParameter(
            "a folder for kubectl apply -k is in YAML; name a file ending in .json",
            param_hint="--format",
        )
    kustomization = path / "kustomization.yaml"
    if kustomization.exists() and _HEADER not in kustomization.read_text(encoding="utf-8"):
        raise typer.BadParameter(
            f"{output} has a kustomization.yaml that is not of this command; name another folder",
            param_hint="--output",
        )
    write_files(path, teacher_files(manifests, header=_HEADER))


def _text(manifests: list[Manifest], *, as_json: bool) -> str:
    """Return manifests as one text."""
    from kfp_sdg.cluster.manifests import yaml_text

    if not as_json:
        return yaml_text(manifests, header=_HEADER)
    whole = {"apiVersion": "v1", "kind": "List", "items": manifests}
    return json.dumps(whole, indent=2, ensure_ascii=False) + "\n"


def _explain(plan: Plan, output: str, *, llm: bool) -> None:
    """Print the estimate, what is doubtful, and what to do next."""
    from kfp_sdg.cluster.serving import estimate_lines

    aside = output == _STDOUT
    teacher = plan.teacher
    if not teacher.gpus:
        memory = f"{teacher.size.memory[0]} of memory, {teacher.cpu_cache} GiB of it KV cache"
        typer.echo(f"{teacher.model} on {teacher.size.cpu[0]} CPUs with {memory}.", err=aside)
    for line in estimate_lines(plan.estimate) if plan.estimate else ():
        typer.echo(line, err=aside)
    for doubt in plan.doubts:
        typer.echo(f"Note: {doubt}", err=aside)
    if not aside:
        option = "-f" if Path(output).suffix in _FILES else "-k"
        typer.echo(f"Apply it with: kubectl apply --server-side {option} {output}")
        if not llm:
            typer.echo(
                "Pipelines may start it once its name is in the Role kfp-sdg-teacher of their "
                "namespace (manifests/rbac)."
            )
