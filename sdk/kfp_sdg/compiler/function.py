"""What KFP calls to learn a graph: an object in the place of a function.

KFP reads a pipeline's parameters from a function's signature and docstring. Ours differ from
pipeline to pipeline.
"""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from kfp_sdg.compiler.parameters import RunParameter


class PipelineFunction:
    """A pipeline's function, whose parameters and outputs are given as data."""

    def __init__(
        self,
        body: Callable[[Mapping[str, Any]], Mapping[str, Any]],
        parameters: Sequence[RunParameter],
        *,
        artifacts: Sequence[str] = (),
        outputs: Mapping[str, type],
    ) -> None:
        """Describe a function.

        Args:
            body: Adds the tasks. It is given KFP's channels by the names of the artifacts and the
                parameters, and returns the channels of the outputs by name.
            parameters: The pipeline's parameters, those without a default first.
            artifacts: The names of the datasets that come in.
            outputs: KFP's types of the artifacts that come out, by name.
        """
        self._body = body
        self._outputs = _outputs_type(outputs)
        self.__signature__ = inspect.Signature(
            [*map(_artifact, artifacts), *map(_parameter, parameters)],
            return_annotation=self._outputs,
        )
        self.__doc__ = _docstring(parameters)

    def __call__(self, *channels: Any) -> Any:
        """Add the tasks; KFP gives a channel for each parameter, in their order."""
        names = self.__signature__.parameters
        return self._outputs(**self._body(dict(zip(names, channels, strict=True))))


def _outputs_type(outputs: Mapping[str, type]) -> Any:
    """Return the named tuple that KFP reads a pipeline's outputs from."""
    return NamedTuple("Outputs", list(outputs.items()))


def _artifact(name: str) -> inspect.Parameter:
    from kfp import dsl

    return inspect.Parameter(
        name, inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=dsl.Input[dsl.Dataset]
    )


def _parameter(parameter: RunParameter) -> inspect.Parameter:
    default = inspect.Parameter.empty if parameter.default is None else parameter.default
    return inspect.Parameter(
        parameter.name,
        inspect.Parameter.POSITIONAL_OR_KEYWORD,
        annotation=parameter.type,
        default=default,
    )


def _docstring(parameters: Sequence[RunParameter]) -> str:
    """Return the docstring that KFP reads the parameters' descriptions from."""
    lines = [f"    {p.name}: {p.description}" for p in parameters if p.description]
    return "\n".join(["Generate rows.", "", "Args:", *lines])
