"""Values are checked against the JSON schema; what is wrong is told in the user's own words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from kfp_sdg.spec.phrases import describe_schema, describe_value, fits_type, how_to_mend, words_of
from kfp_sdg.spec.problems import did_you_mean, nearest, one_of
from kfp_sdg.spec.surely_right import surely_right

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from kfp_sdg.spec.model import NodePath, SourceMap
    from kfp_sdg.spec.problems import Findings

SchemaError: TypeAlias = Any
"""A ``jsonschema.ValidationError``; its stubs allow for errors without a schema, which none is."""

ELSEWHERE = ("allOf", "oneOf")
"""Keywords that choose a block type's definition; the loader does that itself."""


@dataclass(frozen=True, slots=True)
class Checker:
    """Checks the values of one document.

    Attributes:
        source: The positions of the document's nodes.
        findings: Takes what is wrong.
        block: The name of the block that is checked.
    """

    source: SourceMap
    findings: Findings
    block: str | None = None

    def check(self, value: Any, schema: Mapping[str, Any], path: NodePath) -> bool:
        """Check a value.

        Args:
            value: The JSON value.
            schema: What it should be; where it is an object, keys without a property are unknown.
            path: Where the value stands in the document.

        Returns:
            Whether it is right.
        """
        closed = {key: rule for key, rule in schema.items() if key not in ELSEWHERE}
        if "properties" in closed:
            closed["additionalProperties"] = False
        if surely_right(value, closed):
            return True
        from jsonschema import Draft202012Validator

        errors = list(Draft202012Validator(closed).iter_errors(value))
        self._report(errors, path)
        return not errors

    def _report(self, errors: Iterable[SchemaError], path: NodePath) -> None:
        told: set[NodePath] = set()
        for error in errors:
            place: NodePath = (*path, *error.absolute_path)
            if error.validator in ("additionalProperties", "required"):
                if place not in told:  # jsonschema tells each missing key by itself
                    self._report_keys(error.instance, error.schema, place)
                told.add(place)
            elif error.validator == "uniqueItems":
                self._report_repetition(error.instance, place)
            elif error.validator == "anyOf" and (meant := _meant_branch(error)):
                self._report(meant, path)
            else:
                self._report_value(error, place)

    def _report_keys(
        self, value: Mapping[str, Any], schema: Mapping[str, Any], place: NodePath
    ) -> None:
        known = schema.get("properties", {})
        missing = [key for key in schema.get("required", ()) if key not in value]
        for key in value:
            if key in known:
                continue
            # A misspelt key that had to be there is one mistake, not two.
            meant = nearest(key, missing)
            if meant:
                missing.remove(meant)
            self.findings.error(
                self.source.at(*place, key),
                f"unknown key {key!r}",
                code="unknown-key",
                block=self.block,
                expected=one_of(known) if known else "no keys here",
                suggestion=did_you_mean(key, [meant] if meant else known),
            )
        for key in missing:
            self.findings.error(
                self.source.at(*place),
                f"the key {key!r} is missing",
                code="missing-key",
                block=self.block,
                expected=f"{key}: {describe_schema(known.get(key, {}))}",
            )

    def _report_repetition(self, values: Sequence[Any], place: NodePath) -> None:
        second = next(i for i, value in enumerate(values) if values.index(value) < i)
        first = self.source.at(*place, values.index(values[second]))
        self.findings.error(
            self.source.at(*place, second),
            f"this entry of {place[-1]!r} is written twice",
            code="repeated-entry",
            block=self.block,
            suggestion=f"the first one is on line {first.line}",
        )

    def _report_value(self, error: SchemaError, place: NodePath) -> None:
        value, schema = error.instance, error.schema
        name = next((str(part) for part in reversed(place) if isinstance(part, str)), "this")
        entry = "an entry of " if place and isinstance(place[-1], int) else ""
        words = [str(word) for word in words_of(schema)]
        suggestion = did_you_mean(value, words) if isinstance(value, str) else None
        what = f"is {describe_value(value)}"
        if error.validator == "minItems" and value:
            what = f"has only {len(value)} {'entry' if len(value) == 1 else 'entries'}"
        self.findings.error(
            self.source.at(*place),
            f"{entry}{name!r} {what}",
            code="wrong-value" if fits_type(value, schema) else "wrong-type",
            block=self.block,
            expected=describe_schema(schema),
            suggestion=suggestion or how_to_mend(value, schema, self.source.written.get(place)),
        )


def _meant_branch(error: SchemaError) -> list[SchemaError]:
    """Return the errors of the one alternative that a list or mapping can have been meant as."""
    if not isinstance(error.instance, (dict, list)):
        return []
    branches = [
        index
        for index, branch in enumerate(error.schema["anyOf"])
        if fits_type(error.instance, branch)
    ]
    if len(branches) != 1:
        return []
    return [inner for inner in error.context or () if inner.schema_path[0] == branches[0]]


def whole_numbers(value: Any, schema: Mapping[str, Any]) -> Any:
    """Return a value with its floats such as 2.0 as ints where only whole numbers are right."""
    if isinstance(value, float) and value.is_integer() and _wants_integer(schema):
        return int(value)
    for branch in (schema, *schema.get("anyOf", ())):
        if isinstance(value, dict) and "properties" in branch:
            known = branch["properties"]
            return {key: whole_numbers(item, known.get(key, {})) for key, item in value.items()}
    return value


def _wants_integer(schema: Mapping[str, Any]) -> bool:
    types = [branch.get("type") for branch in schema.get("anyOf", [schema])]
    names = {name for kind in types for name in ([kind] if isinstance(kind, str) else kind or [])}
    return "integer" in names and "number" not in names
