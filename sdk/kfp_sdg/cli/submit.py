"""``kfp-sdg submit``: a pipeline runs on a cluster, and its dataset comes back."""

from __future__ import annotations

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
from kfp_sdg.cli.debug import DebugOption
from kfp_sdg.cli.options import ConfigRootOption, PluginOption
from kfp_sdg.cli.run_options import LogFormatOption
from kfp_sdg.cli.submit_options import (
    CaOption,
    CookiesOption,
    DisabledOption,
    DspaOption,
    ExperimentOption,
    FollowOption,
    HostOption,
    InputOption,
    InsecureOption,
    MaxConcurrencyOption,
    NamespaceOption,
    OutputOption,
    ParamOption,
    ParamsOption,
    PipelineRootOption,
    RecurringOption,
    ReplaceOption,
    RunNameOption,
    ServerOptions,
    ServiceAccountOption,
    TerminateOption,
    TokenFileOption,
    UiHostOption,
    WaitOption,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from kfp_sdg.cli.compiling import CompileOrder
    from kfp_sdg.cli.submitting import Following
    from kfp_sdg.cluster.submit import Given, Package, Recurrence, Server


def submit_command(
    context: typer.Context,
    pipeline: Annotated[
        str | None,
        typer.Argument(
            metavar="[PIPELINE]",
            help="What to run: a pipeline's YAML file, a folder of pipelines, a shipped one such "
            "as instructlab/full/knowledge, or a file that is compiled already.",
            show_default=False,
        ),
    ] = None,
    host: HostOption = "",
    dspa: DspaOption = None,
    namespace: NamespaceOption = "",
    token_file: TokenFileOption = None,
    cookies: CookiesOption = None,
    ui_host: UiHostOption = "",
    ca: CaOption = "",
    insecure: InsecureOption = False,
    rows: InputOption = None,
    params: ParamsOption = None,
    param: ParamOption = None,
    experiment: ExperimentOption = "kfp-sdg",
    run_name: RunNameOption = None,
    pipeline_root: PipelineRootOption = "",
    service_account: ServiceAccountOption = "",
    wait: WaitOption = True,
    output: OutputOption = None,
    follow: FollowOption = None,
    terminate_on_interrupt: TerminateOption = False,
    recurring: RecurringOption = None,
    max_concurrency: MaxConcurrencyOption = 1,
    disabled: DisabledOption = False,
    replace: ReplaceOption = False,
    log_format: LogFormatOption = None,
    name: Annotated[
        str | None,
        typer.Option(help="The pipeline's name; that of the file or folder where not given."),
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
    """Run a pipeline on Kubeflow Pipelines or OpenShift AI, follow it, and fetch its dataset.

    Compiles it, uploads it unless the same content is there, checks and sends its parameters, and
    shows each block's task. Exits 0 only if the run succeeded. Standard output has the run's id.

    Example: `kfp-sdg submit mine.yaml --host http://localhost:8080 -i s3://bucket/rows.jsonl -p
    teacher_url=http://teacher.sdg.svc/v1 -o out`

    Example: `kfp-sdg submit instructlab/full -n my-project --params params.yaml`

    Example: `kfp-sdg submit mine.kfp.yaml -n my-project --params params.yaml --recurring @daily`

    Example: `kfp-sdg submit --follow RUN_ID -n my-project`
    """
    from kfp_sdg.cli.compiling import CompileOrder
    from kfp_sdg.cli.pipeline_file import PipelineSource
    from kfp_sdg.cli.submitting import Following, Submission, follow_run, given_parameters
    from kfp_sdg.cluster.submit import require_room

    if dspa and _source(context, "host") == "ENVIRONMENT":
        host = ""  # what was typed is meant
    server_options = ServerOptions(
        host=host,
        dspa=dspa,
        namespace=namespace,
        token_file=token_file,
        cookies=cookies,
        ui_host=ui_host,
        ca=ca,
        insecure=insecure,
    )
    following = Following(
        terminate=terminate_on_interrupt,
        log_format=log_format,
        server=server_options,
        output=output,
    )
    if (pipeline is None) == (follow is None):
        raise typer.BadParameter("give a PIPELINE to run, or a run's id with --follow")
    if follow is not None:
        _refuse_typed(context, _STARTING | _COMPILING, "is for a run to start, not for --follow")
    if recurring is None:
        _refuse_typed(context, _RECURRING, "is for recurring runs; add --recurring CRON")
    recurrence = _recurrence(recurring, max_concurrency, disabled, replace)
    if output and (recurrence or not wait):
        raise typer.BadParameter(
            "only a run that is followed to its end can be fetched from", param_hint="--output"
        )
    if follow is not None:
        _follow(server_options, follow, following)
        return
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
        pipeline=str(pipeline),
        source=PipelineSource(config_root or (), plugin or ()),
        name=name,
        description=None,
        pods=pods,
        teacher=teacher_source(teacher, preflight, teacher_key, teacher_key_host),
    )
    package = _package(context, order)
    parameters = _checked(package, given_parameters(params, param or (), rows))
    if output:
        require_room(package, output)
    server = _server(server_options, output)
    submission = Submission(
        package=package,
        parameters=parameters,
        experiment=experiment,
        name=run_name,
        pipeline_root=pipeline_root,
        service_account=service_account,
    )
    if recurrence:
        submission.send_recurring(server, recurrence)
        return
    run_id = submission.send(server)
    if wait:
        follow_run(server, run_id, package, following)


_COMPILING = frozenset(
    {
        *("name", "config_root", "plugin", "teacher", "preflight", "teacher_key"),
        *("teacher_key_host", "cpu_request", "cpu_limit", "memory_request", "memory_limit"),
        *("toleration", "node_selector", "image_pull_secret", "pod_label", "pod_annotation"),
        *("retries", "allow_root", "pod_parameter", "runtime_image", "taxonomy_image"),
    }
)
"""The options that say how a pipeline is compiled, by the names of the command's parameters."""
_STARTING = frozenset(
    {
        *("rows", "params", "param", "experiment", "run_name", "pipeline_root"),
        *("service_account", "wait", "recurring"),
    }
)
_RECURRING = frozenset({"max_concurrency", "disabled", "replace"})


def _refuse_typed(context: typer.Context, parameters: frozenset[str], why: str) -> None:
    """Raise a ``typer.BadParameter`` if one of some parameters was given on the command line."""
    for parameter in context.command.params:
        if parameter.name in parameters and _source(context, parameter.name) == "COMMANDLINE":
            raise typer.BadParameter(why, param_hint=parameter.opts[0])


def _package(context: typer.Context, order: CompileOrder) -> Package:
    """Return the pipeline, compiled unless its file is so already.

    Raises:
        typer.BadParameter: It is compiled already, and an option says how to compile it.
        SpecError: There is no such pipeline, or it has problems.
    """
    from kfp_sdg.cli.notices import show_warnings
    from kfp_sdg.cluster.submit import package_of, read_package

    path = Path(order.pipeline)
    package = read_package(path) if path.is_file() else None
    if package is None:
        compiled, specs = order.compile()
        show_warnings([*(w for spec in specs for w in spec.warnings), *compiled.warnings])
        return package_of(compiled)
    _refuse_typed(
        context,
        _COMPILING,
        f"{order.pipeline} is compiled already; give the option to kfp-sdg compile",
    )
    return package


def _source(context: typer.Context, parameter: str) -> str:
    """Return where a parameter's value is from: "COMMANDLINE", "ENVIRONMENT", "DEFAULT"."""
    source = context.get_parameter_source(parameter)
    return source.name if source else ""


def _recurrence(
    cron: str | None, max_concurrency: int, disabled: bool, replace: bool
) -> Recurrence | None:
    """Return how a run is to recur; None where it is to run once.

    Raises:
        SpecError: The schedule is none that KFP understands.
    """
    from kfp_sdg.cli.console import say
    from kfp_sdg.cluster.submit import Recurrence, schedule

    if cron is None:
        return None
    when = schedule(cron)
    if when.notice:
        say(when.notice)
    return Recurrence(
        cron=when.cron, max_concurrency=max_concurrency, enabled=not disabled, replace=replace
    )


def _checked(package: Package, given: Mapping[str, Given]) -> dict[str, Any]:
    """Return the parameters, checked; show what is doubtful."""
    from kfp_sdg.cli.notices import show_warnings
    from kfp_sdg.cluster.submit import check_parameters

    parameters, warnings = check_parameters(package, given)
    show_warnings(warnings)
    return parameters


def _server(options: ServerOptions, output: Path | None) -> Server:
    """Return the server, once it has answered, and there may be a way to fetch from it."""
    from kfp_sdg.cli.console import say
    from kfp_sdg.cluster.submit import Server, require_metadata, require_way

    target = options.target()
    if output:
        require_way(target)
    if target.may_be_overheard:
        say(f"Whoever is between here and {target.api} can read the credentials: use https.")
    server = Server(target, tell=say)
    server.greet()
    if output:
        require_metadata(server)
    return server


def _follow(options: ServerOptions, run_id: str, following: Following) -> None:
    """Follow a run that is there."""
    from kfp_sdg.cli.submitting import follow_run
    from kfp_sdg.cluster.submit import get_run, package_of_run, require_room

    server = _server(options, following.output)
    package = package_of_run(server, get_run(server, run_id))
    if following.output:
        require_room(package, following.output)
    follow_run(server, run_id, package, following)
