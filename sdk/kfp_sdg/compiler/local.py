"""Run a compiled pipeline on this machine, through KFP's local runner.

Every task is a process, or a container under the rules of a cluster, as every task is a pod there,
and the rows travel between them as artifacts. The result is the same as the engine's.
"""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from kfp_sdg.compiler.graph import compile_pipeline
from kfp_sdg.compiler.pods import PodOptions
from kfp_sdg.runtime.encoding import dump_json

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kfp_sdg.compiler.containers import ContainerTool
    from kfp_sdg.compiler.containers.setup import ContainerRun
    from kfp_sdg.compiler.package import CompiledPipeline
    from kfp_sdg.engine import Observer, RunResult
    from kfp_sdg.spec import PipelineSpec


@dataclass(frozen=True, slots=True)
class LocalRunOptions:
    """A run's settings: the values of the run form, for the parameters that the pipeline has.

    Attributes:
        teacher_url: Base URL of the teacher's server; None for the first of the endpoints, or for
            pipelines that ask no model.
        model_id: The model to ask, over the blocks' own; None lets each block say.
        model_family: The chat format, over the blocks' own; None lets each block say.
        teacher_endpoints: Further teachers: model id → base URL.
        num_instructions_to_generate: What ``n: scaled`` stands for; None leaves the form's default.
        max_num_tokens: ``max_tokens`` of blocks that do not set their own.
        max_concurrency: The most answers in the making for a task; None lets it find the best
            number.
        teacher_patience: Seconds to wait for a teacher that is away; None leaves the default.
        teacher_timeout: Seconds that one answer may take.
        checkpoint: Where tasks keep their answers, each in a folder of its own; None for nowhere.
        max_rejected: How many rows a block may reject before its task fails.
        constrain: Send a grammar with each request.
        plugins: Modules that the tasks import to know custom block types.
        containers: What runs each task in a container of the image that the compiled pipeline
            names; None for processes. A task in a container reaches its teachers and nothing else.
            Only the task that loads rows from a URL has the network of this machine.
    """

    teacher_url: str | None = None
    model_id: str | None = None
    model_family: str | None = None
    teacher_endpoints: Mapping[str, str] = field(default_factory=dict)
    num_instructions_to_generate: int | None = None
    max_num_tokens: int = 4096
    max_concurrency: int | None = None
    teacher_patience: int | None = None
    teacher_timeout: int = 600
    checkpoint: str | None = None
    max_rejected: str = "5%"
    constrain: bool = False
    plugins: tuple[str, ...] = ()
    containers: ContainerTool | None = None

    @property
    def teachers(self) -> tuple[str, ...]:
        """The base URLs of all teachers."""
        first = () if self.teacher_url is None else (self.teacher_url,)
        return tuple(dict.fromkeys((*first, *self.teacher_endpoints.values())))

    def arguments(self, compiled: CompiledPipeline, input_uri: str) -> dict[str, str | int | bool]:
        """Return the arguments for a compiled pipeline, only those that it has parameters for.

        Args:
            compiled: The pipeline.
            input_uri: Where the first rows are.
        """
        values = {
            "input_uri": input_uri,
            "teacher_url": next(iter(self.teachers), ""),
            "model_id": self.model_id or "",
            "model_family": self.model_family or "",
            "teacher_endpoints": dump_json(dict(self.teacher_endpoints)),
            "num_instructions_to_generate": self.num_instructions_to_generate,
            "max_num_tokens": self.max_num_tokens,
            "max_concurrency": self.max_concurrency,
            "teacher_patience": self.teacher_patience,
            "teacher_timeout": self.teacher_timeout,
            "checkpoint_uri": None if self.checkpoint is None else _address(self.checkpoint),
            "max_rejected": self.max_rejected,
            "constrain": self.constrain,
        }
        known = {parameter.name for parameter in compiled.parameters}
        return {name: v for name, v in values.items() if name in known and v is not None}


def run_with_kfp(
    spec: PipelineSpec,
    rows_path: str | Path,
    output_dir: str | Path,
    options: LocalRunOptions | None = None,
    observer: Observer | None = None,
) -> RunResult:
    """Compile a pipeline, run it through KFP's local runner, and write what came of it.

    The API key reaches the tasks through the environment only.

    Args:
        spec: The pipeline.
        rows_path: The first rows: a .jsonl, .json, .csv or .parquet file, or a dataset folder; or
            the URL of one.
        output_dir: Where ``dataset/`` and ``rejected/`` are written, as ``engine.write_run`` does.
        options: The run's settings.
        observer: Who watches the run, and takes what was finished should it fail.

    Returns:
        The output rows, the rejected rows, and the books: the same as ``engine.run`` gives.

    Raises:
        SpecError: The pipeline cannot be a KFP pipeline.
        BlockError: A task failed, or its output is missing although KFP says that it succeeded.
        TeacherError: A task could not use the teacher.
        StorageError: The rows cannot be read, or the results cannot be written.
        ClusterError: An image is not on this machine, or what runs containers does not work.
    """
    from kfp_sdg.compiler.local_process import LocalRunner
    from kfp_sdg.compiler.local_tasks import TaskFolders
    from kfp_sdg.compiler.local_watch import Watch
    from kfp_sdg.engine import Observer, check_output, write_run

    options = options or LocalRunOptions()
    check_output(output_dir)
    # Who watches a run decides what to do about a failure; nothing is to be waited for.
    compiled = compile_pipeline(spec, plugins=options.plugins, pods=PodOptions(retries=0))
    with tempfile.TemporaryDirectory(prefix="kfp-sdg-run-") as scratch:
        rows = _address(str(rows_path))
        containers = _prepared(options, compiled, rows, Path(scratch))
        arguments = options.arguments(compiled, rows)
        runner = LocalRunner(compiled.to_yaml(), arguments, Path(scratch), containers)
        folders = TaskFolders(compiled, runner.pipeline_root)
        watch = Watch(spec, compiled, folders, observer or Observer())
        try:
            with runner:
                result = watch.follow(runner)
        except BaseException:
            watch.stopped()
            raise
        write_run(result, output_dir)
        return result


def _prepared(
    options: LocalRunOptions, compiled: CompiledPipeline, rows: str, scratch: Path
) -> ContainerRun | None:
    """Make ready what tasks in containers need, where they are to be in containers."""
    if options.containers is None:
        return None
    from kfp_sdg.compiler.containers.setup import prepare_run

    return prepare_run(
        options.containers,
        scratch,
        images=compiled.images,
        teachers=options.teachers,
        rows=rows,
        checkpoint=None if options.checkpoint is None else _address(options.checkpoint),
        plugins=options.plugins,
    )


def _address(place: str) -> str:
    """Return a place as a task finds it, wherever it runs on this machine: a URL or a full path."""
    from kfp_sdg.storage import places

    return place if places.is_url(place) else os.path.abspath(place)
