"""A pipeline inside a workflow, which is skipped where there are no rows for it."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from kfp_sdg.compiler.arguments import ROWS
from kfp_sdg.compiler.chain import BlockChain
from kfp_sdg.compiler.function import PipelineFunction
from kfp_sdg.compiler.library import EMPTY, ComponentLibrary
from kfp_sdg.compiler.names import unique_name
from kfp_sdg.compiler.parameters import RunParameter

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kfp.dsl.graph_component import GraphComponent

    from kfp_sdg.compiler.teacher_source import TeacherSource
    from kfp_sdg.spec import PipelineSpec

_COUNT = RunParameter("row_count", int, "")
_DATASET = "dataset"
_EMPTY_TASK = "no-rows"


class Branch:
    """KFP's pipeline of a pipeline's blocks, each of them a task, with one way around them all.

    A pipeline that no rows came for has to give a dataset all the same: what comes after it would
    never run on a cluster if it were simply left out.

    Attributes:
        name: The pipeline's name at KFP.
        tasks: The name of each block's task by the block's name.
        parameters: The run form's fields that its blocks have a use for.
    """

    def __init__(
        self,
        name: str,
        spec: PipelineSpec,
        library: ComponentLibrary,
        plugins: tuple[str, ...] = (),
        source: TeacherSource | None = None,
    ) -> None:
        """Trace the pipeline. KFP knows no pipeline that is traced while another one is.

        Args:
            name: The pipeline's name at KFP.
            spec: The pipeline.
            library: Where its components come from.
            plugins: Modules that the tasks import to know custom block types.
            source: Whom the blocks ask; None for a URL in the run form, taken as it is.

        Raises:
            SpecError: It cannot be a KFP pipeline.
        """
        self.name = name
        self._library = library
        self._chain = BlockChain(
            spec, library, pipeline=name, plugins=plugins, checkpoint_folder=name, source=source
        )
        self.tasks = self._chain.tasks
        self.parameters = self._chain.parameters
        self._graph = self._traced()

    def add(self, rows: Any, row_count: Any, run: Mapping[str, Any]) -> Any:
        """Add the pipeline to the one that KFP is tracing.

        Args:
            rows: The channel of the rows.
            row_count: The channel of their number.
            run: The channels of the run's parameters by name.

        Returns:
            The channel of the last block's rows, or of an empty dataset where there were none.
        """
        given = {parameter.name: run[parameter.name] for parameter in self.parameters}
        task = self._graph(**{ROWS: rows, _COUNT.name: row_count}, **given)
        # KFP's own default depends on the environment; the bytes must not.
        task.set_caching_options(enable_caching=True)
        return task.outputs[_DATASET]

    def _traced(self) -> GraphComponent:
        from kfp import dsl

        # Everything comes from the workflow around it, so nothing has a default.
        given = [
            dataclasses.replace(parameter, default=None, description="")
            for parameter in self.parameters
        ]
        function = PipelineFunction(
            self._tasks, [_COUNT, *given], artifacts=[ROWS], outputs={_DATASET: dsl.Dataset}
        )
        return dsl.pipeline(function, name=self.name)

    def _tasks(self, run: Mapping[str, Any]) -> dict[str, Any]:
        from kfp import dsl

        # The number is a parameter of this pipeline: of a task's named output KFP's local runner
        # knows nothing in a condition that has no other branch, and calls that a success.
        with dsl.If(run[_COUNT.name] > 0, name="with rows"):
            made = self._chain.add(run[ROWS], run)
        with dsl.Else(name="without rows"):
            name = unique_name(_EMPTY_TASK, {self.name, *self.tasks.values()})
            reason = f"none came for the pipeline {self.name!r}"
            task = self._library.task(EMPTY, name, {"reason": reason}, run)
        return {_DATASET: dsl.OneOf(made, task.outputs["output_rows"])}
