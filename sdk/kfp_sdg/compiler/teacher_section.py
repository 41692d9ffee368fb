"""The part of a pipeline that needs the teacher, with what comes before and after it.

Where the teacher is an InferenceService, that part is a pipeline of its own inside the pipeline,
and the task that stops the teacher is its exit handler: on a cluster KFP makes an exit hook of any
task that comes after another and ignores its failure, as it does for ``dsl.ExitHandler``. That one
would not do here, since nothing made inside of it may be an output or be used after it.

What that means on a cluster (KFP 2.17: ``argocompiler/dag.go``; Argo: ``exit_handler.go``,
``dag.go``, ``exec_control.go``): the hook runs once the inner pipeline has ended in any way, also
when somebody terminates the run, since KFP does that with a deadline, which Argo spares hooks.
Tasks after the inner pipeline wait for it. It decides nothing: a run whose tasks fail ends as
failed, and one whose stop fails ends as the other tasks did, so look for a failed stop at its task.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from kfp_sdg.blocks.catalog import BUILTIN_BLOCKS
from kfp_sdg.compiler.chain import give_key
from kfp_sdg.compiler.function import PipelineFunction
from kfp_sdg.compiler.library import PREFLIGHT, START, STOP
from kfp_sdg.compiler.names import unique_name
from kfp_sdg.compiler.parameters import MODEL_ID, TEACHER_URL
from kfp_sdg.compiler.teacher_source import LEASE, NAMESPACE, SERVICE, START_TIMEOUT
from kfp_sdg.compiler.workflow_parameters import CONTEXT
from kfp_sdg.engine.needs import as_values, needs_of
from kfp_sdg.errors import Problem, SpecError
from kfp_sdg.runtime.encoding import dump_json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from kfp.dsl.graph_component import GraphComponent

    from kfp_sdg.compiler.library import ComponentLibrary
    from kfp_sdg.compiler.parameters import RunParameter
    from kfp_sdg.compiler.teacher_source import TeacherSource
    from kfp_sdg.errors import Position
    from kfp_sdg.spec import PipelineSpec
_INSIDE = "generate"


class TeacherSection:
    """What asks the teacher: blocks, and around them what the source of the teacher wants.

    Attributes:
        parameters: The run form's fields for all of it.
        names: The names of the tasks by their components, and of the pipeline around the blocks.
    """

    def __init__(
        self,
        body: Callable[[Mapping[str, Any]], Mapping[str, Any]],
        library: ComponentLibrary,
        source: TeacherSource,
        specs: Sequence[PipelineSpec],
        *,
        artifacts: Sequence[str],
        of_blocks: Iterable[RunParameter],
        others: Sequence[RunParameter] = (),
        outputs: Mapping[str, type],
        taken: Iterable[str],
        where: Position,
    ) -> None:
        """Trace the inner pipeline, if there is one. KFP knows no two at the same time.

        Args:
            body: Adds the blocks. It is given channels by the names of artifacts and parameters,
                and returns those of the outputs by name.
            library: Where components come from.
            source: Where the teacher comes from.
            specs: The pipelines that the blocks are of.
            artifacts: The names of the datasets that come in.
            of_blocks: The run's parameters that the blocks and their pods take.
            others: Parameters that come in from other tasks.
            outputs: KFP's types of what comes out, by name.
            taken: Names of tasks and pipelines that nothing here may have.
            where: What to blame if no block asks a teacher.

        Raises:
            SpecError: No block asks a teacher that was to be started or checked.
        """
        self._body = body
        self._library = library
        self._source = source
        self._needs = needs_of(specs)
        of_blocks = tuple(of_blocks)
        if source.is_checked and TEACHER_URL not in {p.name for p in of_blocks}:
            raise SpecError(_nobody_asks(where))
        # A block that names a model, or a custom one that may, is left to the run form.
        self._model_is_known = not any(
            need.model_id or need.insisted for need in self._needs
        ) and all(block.type in BUILTIN_BLOCKS for spec in specs for block in spec.blocks)
        self.parameters = source.form(of_blocks, model_is_known=self._model_is_known)
        self._artifacts = tuple(artifacts)
        self._others = tuple(others)
        self.names = _names({*taken})
        self._graph = self._traced(outputs) if source.inference_service else None

    def add(self, run: Mapping[str, Any]) -> Mapping[str, Any]:
        """Add everything to the pipeline that KFP is tracing.

        Args:
            run: Channels by name: of the artifacts, of the parameters and of the others.

        Returns:
            The channels of the outputs by name.
        """
        if self._graph is None:
            return self._checked(run)
        names = [*self._artifacts, *(p.name for p in (*self._others, *self.parameters))]
        task = self._graph(**{name: run[name] for name in names})
        # KFP's own default depends on the environment; the bytes must not.
        task.set_caching_options(enable_caching=True)
        stop = self._library.task(STOP, self.names[STOP], _of_service(run), run)
        stop.after(task)
        stop.ignore_upstream_failure()
        return dict(task.outputs)

    def _traced(self, outputs: Mapping[str, type]) -> GraphComponent:
        from kfp import dsl

        given = [
            dataclasses.replace(parameter, default=None, description="")
            for parameter in (*self._others, *self.parameters)
        ]
        function = PipelineFunction(
            self._started, given, artifacts=self._artifacts, outputs=outputs
        )
        return dsl.pipeline(function, name=self.names[_INSIDE])

    def _started(self, run: Mapping[str, Any]) -> Mapping[str, Any]:
        """Add the start, then the rest, which asks what was started."""
        start = self._library.task(START, self.names[START], _of_service(run), run)
        teacher = {TEACHER_URL: start.outputs[TEACHER_URL]}
        if self._model_is_known:
            teacher[MODEL_ID] = start.outputs[MODEL_ID]
        return self._checked({**run, **teacher})

    def _checked(self, run: Mapping[str, Any]) -> Mapping[str, Any]:
        """Add the preflight, if there is one, then the blocks."""
        if not self._source.is_checked:
            return self._body(run)
        values = {
            **run,
            "models": dump_json(as_values(self._needs)),
            # What the workflow cuts documents to is what prompts and answers come to.
            **({"context_length": run[CONTEXT]} if CONTEXT in run else {}),
        }
        task = self._library.task(PREFLIGHT, self.names[PREFLIGHT], values, run)
        give_key(task, self._source, run)
        return self._body({**run, TEACHER_URL: task.outputs["checked_url"]})


def _of_service(run: Mapping[str, Any]) -> dict[str, Any]:
    """Return the inputs of the tasks that start and stop a service."""
    from kfp import dsl

    return {
        "inference_service": run[SERVICE],
        "namespace": run[NAMESPACE],
        "timeout": run[START_TIMEOUT],
        "lease": run[LEASE],
        "run_id": dsl.PIPELINE_JOB_ID_PLACEHOLDER,
    }


def _names(taken: set[str]) -> dict[str, str]:
    """Return the names of what is around the blocks; each is new."""
    wanted = {
        _INSIDE: _INSIDE,
        START: "start-teacher",
        PREFLIGHT: "preflight",
        STOP: "stop-teacher",
    }
    return {key: unique_name(name, taken) for key, name in wanted.items()}


def _nobody_asks(where: Position) -> Problem:
    return Problem(
        "no block asks a teacher, so there is none to start or to check",
        where,
        suggestion="compile it without --teacher and --preflight",
        code="no-teacher",
    )
