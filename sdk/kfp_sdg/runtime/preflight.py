"""Minutes before any long work: can the teacher do what the pipelines' blocks will ask of it?

All checks are made, and everything that is wrong is told together: the URL, the key, the models and
adapters that the server has, its context, a one-token answer of each model by the endpoint that
blocks will use, and grammars where they are wanted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kfp_sdg.engine.needs import BlockNeed, from_values
from kfp_sdg.errors import Position, Problem, SpecError
from kfp_sdg.runtime.artifacts import write_parameter, write_text
from kfp_sdg.runtime.console import plain_console, say
from kfp_sdg.runtime.json_setting import json_setting
from kfp_sdg.runtime.teacher import TeacherInputs

if TYPE_CHECKING:
    from kfp_sdg.runtime.artifacts import Artifact
    from kfp_sdg.runtime.preflight_report import PreflightReport

_MODELS = "a JSON list of models' names, or of what blocks need as kfp-sdg compile writes it"


def preflight(
    *,
    checked_url: str,
    preview: Artifact,
    models: str = "[]",
    context_length: int = 0,
    **inputs: object,
) -> None:
    """Check a teacher: the body of the preflight component.

    Args:
        checked_url: The file that takes the URL that blocks go on with.
        preview: Where the Markdown page goes.
        models: JSON list: what blocks need (``engine.needs.as_values``), or models' names.
        context_length: Tokens that a prompt and its answer take together; 0 if not known.
        **inputs: Fields of ``TeacherInputs``.

    Raises:
        SystemExit: With status 1, after one paragraph about everything that is wrong.
    """
    from kfp_sdg.runtime.preflight_checks import inspect_teachers
    from kfp_sdg.runtime.progress import PlainProgress

    teacher = TeacherInputs(**inputs)  # type: ignore[arg-type]  # the component declares them
    with plain_console():
        needs = read_needs(models)
        options = teacher.options()
        if options is None:
            raise _no_teacher()
        report = inspect_teachers(
            needs,
            options,
            model_id=teacher.model_id or None,
            model_family=teacher.model_family or None,
            max_num_tokens=int(teacher.max_num_tokens),
            context_length=int(context_length),
            constrain=teacher.constrain,
            outage_watcher=PlainProgress(),
        )
        _show(report)
        write_text(preview, report.markdown())
        report.raise_failures()
        write_parameter(checked_url, options.url)


def read_needs(text: str) -> tuple[BlockNeed, ...]:
    """Return the needs that the component's input ``models`` tells.

    Raises:
        SpecError: It is something else.
    """
    values = json_setting("models", text, list, _MODELS)
    try:
        return from_values(values)
    except ValueError as error:
        raise SpecError(Problem(str(error), Position("models"), expected=_MODELS)) from None


def _show(report: PreflightReport) -> None:
    """Print the findings that are not errors; those are the last words."""
    for finding in report.findings:
        if finding not in report.failed:
            say(f"preflight: {finding.state}: {finding}")


def _no_teacher() -> SpecError:
    return SpecError(
        Problem(
            "no teacher is named",
            Position("teacher_url"),
            expected="the base URL of an OpenAI-compatible server, such as http://teacher:8000/v1",
        )
    )
