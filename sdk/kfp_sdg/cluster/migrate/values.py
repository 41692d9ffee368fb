"""The values of a file, each of the type that is expected and with its place."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kfp_sdg.errors import Position
    from kfp_sdg.spec.model import NodePath, SourceMap
    from kfp_sdg.spec.problems import Findings

_CALLED = {
    str: "text",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    list: "a list",
    dict: "a mapping",
}


@dataclass(slots=True)
class Values:
    """The settings of a mapping in a file.

    Attributes:
        content: The settings.
        source: Their places.
        findings: Takes what is doubtful.
        path: Where in the file the mapping is.
        told: The settings that are of another type than expected.
    """

    content: Mapping[str, Any]
    source: SourceMap
    findings: Findings
    path: NodePath = ()
    told: set[str] = field(default_factory=set)

    def where(self, name: str) -> Position | None:
        """Return a setting's place; None where the file has no value for it that is of use."""
        of_use = self.content.get(name) is not None and name not in self.told
        return self.source.at(*self.path, name) if of_use else None

    def get(self, name: str, kind: type, default: Any = None) -> Any:
        """Return a setting's value; the default where it is missing, null, or of another type.

        Another type is warned of once.

        Args:
            name: The setting.
            kind: The type that is expected.
            default: What it is otherwise.
        """
        value = self.content.get(name)
        if value is None:
            return default
        if isinstance(value, int) and kind is float and not isinstance(value, bool):
            return float(value)
        if isinstance(value, float) and kind is int and value.is_integer():
            return int(value)
        if isinstance(value, kind) and isinstance(value, bool) == (kind is bool):
            return value
        if name not in self.told:
            self.told.add(name)
            instead = "it is left out" if default is None else f"{default!r} is taken"
            self.findings.warn(
                self.source.at(*self.path, name),
                f"{name!r} is {value!r}, which is not {_CALLED[kind]}; {instead}",
                code="wrong-type",
            )
        return default

    def part(self, name: str) -> Values:
        """Return the settings of a mapping below; none where there is no mapping."""
        content = self.get(name, dict, {})
        return Values(content, self.source, self.findings, (*self.path, name))
