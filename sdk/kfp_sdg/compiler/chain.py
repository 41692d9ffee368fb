"""A task per block, one after the other: a whole pipeline, or one of a workflow's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kfp_sdg.compiler.arguments import ROWS, block_arguments
from kfp_sdg.compiler.library import component_folder
from kfp_sdg.compiler.names import task_names
from kfp_sdg.compiler.parameters import (
    MAX_REJECTED,
    STORAGE_SECRET,
    TEACHER_SECRET,
    TEACHER_URL,
    RunParameter,
    block_parameters,
)
from kfp_sdg.compiler.resources import TaskKind
from kfp_sdg.compiler.teacher_source import TeacherKey, TeacherSource, without_secret
from kfp_sdg.errors import Problem, SpecError
from kfp_sdg.runtime.encoding import dump_json
from kfp_sdg.storage.object_store import SECRET_FOLDER as STORAGE_FOLDER
from kfp_sdg.teacher.credentials import FILE_VARIABLE, POD_TOKEN
from kfp_sdg.teacher.token_hosts import HOSTS_VARIABLE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kfp.dsl import PipelineTask
    from kfp.dsl.graph_component import GraphComponent

    from kfp_sdg.compiler.library import ComponentLibrary
    from kfp_sdg.errors import Position
    from kfp_sdg.spec import BlockSpec, PipelineSpec

SECRET_FOLDER = "/var/run/secrets/kfp-sdg/teacher"  # noqa: S105 - a place, not a secret
"""Where a task finds the teacher's Secret: one file per key."""

_MANY_TASKS = 100
"""Beyond this many tasks Argo and etcd reach their limits of size (kubeflow/pipelines#12453)."""


class BlockChain:
    """The tasks of a pipeline's blocks.

    Attributes:
        tasks: The name of each block's task by the block's name, in the order of the blocks.
        asking: The blocks that ask a teacher.
        rejecting: The blocks that may reject rows.
    """

    def __init__(
        self,
        spec: PipelineSpec,
        library: ComponentLibrary,
        *,
        pipeline: str,
        plugins: tuple[str, ...] = (),
        checkpoint_folder: str = "",
        source: TeacherSource | None = None,
    ) -> None:
        """Look at a pipeline's blocks.

        Args:
            spec: The pipeline.
            library: Where its components come from.
            pipeline: The name of KFP's pipeline that the tasks will be in.
            plugins: Modules that the tasks import to know custom block types.
            checkpoint_folder: Where in the run's checkpoint the tasks have their folders.
            source: Whom the blocks ask; None for a URL in the run form, taken as it is.

        Raises:
            SpecError: The pipeline has no blocks.
        """
        if not spec.blocks:
            where = spec.source.at("blocks")
            raise SpecError(Problem("the pipeline has no blocks", where, code="no-blocks"))
        self._spec = spec
        self._library = library
        self._source = source or TeacherSource()
        self._constants = {"plugins": dump_json(list(plugins))}
        if checkpoint_folder:
            self._constants["checkpoint_folder"] = checkpoint_folder
        self.asking = self._blocks_that_take(TEACHER_URL)
        self.rejecting = self._blocks_that_take(MAX_REJECTED)
        self.tasks = task_names((block.name for block in spec.blocks), pipeline=pipeline)

    @property
    def parameters(self) -> tuple[RunParameter, ...]:
        """The run form's fields that the blocks and their pods have a use for."""
        of_blocks = without_secret(block_parameters(self.asking, self.rejecting), self._source.key)
        return (*of_blocks, *self._library.pods.run_parameters)

    def add(self, rows: Any, run: Mapping[str, Any]) -> Any:
        """Add the tasks to the pipeline that KFP is tracing.

        Args:
            rows: The channel that the first block's rows come in by.
            run: The channels of the run's parameters by name, at least of those in ``parameters``.

        Returns:
            The channel of the last block's rows.

        Raises:
            SpecError: A block's settings and files cannot be the inputs of a task.
        """
        for block in self._spec.blocks:
            rows = self._task(block, rows, run).outputs["output_rows"]
        return rows

    def _blocks_that_take(self, name: str) -> list[BlockSpec]:
        blocks = self._spec.blocks
        return [block for block in blocks if self._library.takes(name, block.type, block.config)]

    def _task(self, block: BlockSpec, rows: Any, run: Mapping[str, Any]) -> PipelineTask:
        folder = component_folder(block.type)
        asks = block in self.asking
        if asks:
            wanted = [parameter.name for parameter in self.parameters]
        else:
            wanted = [MAX_REJECTED] if block in self.rejecting else []
        arguments = block_arguments(
            block,
            self._spec,
            self._library.component(folder).component_spec.inputs,
            constants=self._constants,
            run={name: run[name] for name in wanted},
        )
        kind = TaskKind.ASKING if asks else TaskKind.COLUMN
        task = self._library.task(
            folder, self.tasks[block.name], {ROWS: rows, **arguments}, run, kind=kind
        )
        task.set_display_name(block.name)
        if asks:
            give_key(task, self._source, run)
            open_storage(task, run)
        return task


def give_key(task: PipelineTask, source: TeacherSource, run: Mapping[str, Any]) -> None:
    """Let a task find what it shows to the teacher's server.

    Args:
        task: The task.
        source: What that is, and who may see it.
        run: The channels of the run's parameters by name.
    """
    place = str(POD_TOKEN)
    if source.key is TeacherKey.SECRET:
        place = SECRET_FOLDER
        mount_secret(task, run[TEACHER_SECRET], place)
    task.set_env_variable(FILE_VARIABLE, place)
    if source.key_hosts:
        task.set_env_variable(HOSTS_VARIABLE, " ".join(source.key_hosts))


def open_storage(task: PipelineTask, run: Mapping[str, Any]) -> None:
    """Let a task find the keys of the object store that addresses in the run form are of.

    Args:
        task: The task.
        run: The channels of the run's parameters by name.
    """
    mount_secret(task, run[STORAGE_SECRET], STORAGE_FOLDER)


def mount_secret(task: PipelineTask, secret: Any, folder: str) -> None:
    """Give a task the keys of a Secret as files, where the Secret exists.

    KFP calls the volume like the Secret, and a volume's name has no dots; a parameter that is empty
    fails the task (``driver/k8s.go``, KFP 2.17).

    Args:
        task: The task.
        secret: The channel of the parameter that names the Secret.
        folder: Where the files are to be.
    """
    from kfp import kubernetes

    kubernetes.use_secret_as_volume(task, secret, mount_path=folder, optional=True)


def too_many_tasks(graph: GraphComponent, where: Position) -> tuple[Problem, ...]:
    """Return a warning if a pipeline has more tasks than workflow engines handle well.

    Args:
        graph: The whole pipeline.
        where: Where its blocks are.
    """
    count = len(graph.pipeline_spec.deployment_spec["executors"])
    if count <= _MANY_TASKS:
        return ()
    return (
        Problem(
            f"the pipeline has {count} tasks, which is more than workflow engines handle well",
            where,
            expected=f"at most {_MANY_TASKS}",
            suggestion="split the pipeline",
            code="many-tasks",
        ),
    )
