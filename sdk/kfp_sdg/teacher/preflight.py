"""Questions to a teacher before the first paid request."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING

from kfp_sdg.errors import TeacherError

if TYPE_CHECKING:
    from kfp_sdg.teacher.model import Teacher

_NAMES_SHOWN = 10


async def require_model(teacher: Teacher, model: str) -> None:
    """Make sure that the teacher lists a model; one that lists none is trusted.

    llama.cpp answers any model name with the model it has, so a wrong name would go unnoticed.

    Raises:
        TeacherError: The model is not among those that are listed, or nothing can be listed.
    """
    listed = await teacher.models()
    if listed and model not in listed:
        near = get_close_matches(model, listed, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise TeacherError(f"no model {model!r}; there is {_names(listed)}{hint}", fatal=True)


async def only_model(teacher: Teacher) -> str:
    """Return the name of the one model that the teacher lists, for runs that name none.

    Raises:
        TeacherError: It lists none, or several; ``model_id`` must say which.
    """
    listed = await teacher.models()
    if len(listed) != 1:
        found = f"there is {_names(listed)}" if listed else "the server lists none"
        raise TeacherError(f"name a model (model_id): {found}", fatal=True)
    return listed[0]


def _names(listed: tuple[str, ...]) -> str:
    names = ", ".join(map(repr, listed[:_NAMES_SHOWN]))
    further = len(listed) - _NAMES_SHOWN
    return f"{names} and {further} more" if further > 0 else names
