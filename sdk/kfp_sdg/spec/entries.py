"""The entries of a pipeline's ``blocks``, each checked by itself and against its block type."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kfp_sdg.spec.check import Checker
from kfp_sdg.spec.phrases import describe_value
from kfp_sdg.spec.problems import nearest, one_of
from kfp_sdg.spec.schema_file import ITERATED, block_schema, builtin_types, load_schema

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from kfp_sdg.spec.model import NodePath, SourceMap
    from kfp_sdg.spec.problems import Findings

CONFIG_KEYS = ("config", "block_config")
"""The two spellings of the key with a block's own settings."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A block that is well-formed enough to look at the files it refers to.

    Attributes:
        index: Its place in the pipeline, counted from 0.
        name: Its name, "" where that is wrong.
        type: Its type, known or not.
        raw: The whole entry.
        config_key: The key that its config is written under.
        config: Its config.
        schema: What its config should be; None for a custom type.
        sound: Whether its config is right.
    """

    index: int
    name: str
    type: str
    raw: Mapping[str, Any]
    config_key: str
    config: dict[str, Any]
    schema: Mapping[str, Any] | None
    sound: bool

    @property
    def node(self) -> NodePath:
        """Where the config stands in the pipeline."""
        return ("blocks", self.index, self.config_key)


class EntryChecker:
    """Checks the entries of one pipeline, in their order."""

    def __init__(self, source: SourceMap, findings: Findings, custom_types: Iterable[str]) -> None:
        """Start with no names taken.

        Args:
            source: The positions of the pipeline's nodes.
            findings: Takes what is wrong.
            custom_types: Block types that exist besides the built-in ones.
        """
        self.source = source
        self.findings = findings
        self.types = sorted({*builtin_types(), *custom_types})
        self.names: dict[str, int] = {}

    def entry(self, index: int, raw: Any) -> Entry | None:
        """Check an entry.

        Args:
            index: Its place among the blocks, counted from 0.
            raw: Its JSON value.

        Returns:
            The entry, or None where it has no type or no config to look at.
        """
        node: NodePath = ("blocks", index)
        if not isinstance(raw, dict):
            self.findings.error(
                self.source.at(*node),
                f"a block is {describe_value(raw)}",
                code="wrong-type",
                expected="a mapping with name, type and config",
            )
            return None
        name = raw.get("name")
        label = name if isinstance(name, str) and name.strip() else None
        self._check_entry_keys(raw, node, label)
        if label:
            self._check_name(label, index)
        kind = raw.get("type")
        kind = kind if isinstance(kind, str) and kind.strip() else None
        if kind:
            self._check_type(kind, (*node, "type"), label)
        self._check_drops(raw, node, label)
        key = next((key for key in CONFIG_KEYS if key in raw), CONFIG_KEYS[0])
        config = raw.get(key)
        if kind is None or not isinstance(config, dict):
            return None
        schema, sound = self._check_config(kind, config, (*node, key), label)
        return Entry(index, label or "", kind, raw, key, config, schema, sound)

    def _check_entry_keys(self, raw: Mapping[str, Any], node: NodePath, label: str | None) -> None:
        schema = load_schema()["$defs"]["block"]
        properties = schema["properties"] | {"type": {"type": "string", "pattern": r"\S"}}
        required = [*schema["required"], *(["config"] if "block_config" not in raw else [])]
        Checker(self.source, self.findings, label).check(
            raw, schema | {"properties": properties, "required": required}, node
        )
        if all(key in raw for key in CONFIG_KEYS):
            self.findings.error(
                self.source.at(*node, CONFIG_KEYS[1]),
                "this block has both 'config' and 'block_config'",
                code="duplicate-key",
                block=label,
                expected="one of them; they mean the same",
            )

    def _check_name(self, name: str, index: int) -> None:
        first = self.names.setdefault(name, index)
        if first != index:
            self.findings.error(
                self.source.at("blocks", index, "name"),
                "this name is taken",
                code="duplicate-name",
                block=name,
                expected="a name of its own for each block",
                suggestion=f"line {self.source.at('blocks', first, 'name').line} has it too",
            )

    def _check_type(self, kind: str, node: NodePath, label: str | None) -> bool:
        if kind in self.types:
            return True
        self.findings.error(
            self.source.at(*node),
            f"unknown block type {kind!r}",
            code="unknown-type",
            block=label,
            expected=one_of(self.types),
            suggestion=self._meant_type(kind)
            or "a block of your own is loaded with --plugin MODULE",
        )
        return False

    def _meant_type(self, kind: str) -> str | None:
        # Without the ending that all types share, which makes any two of them look alike.
        by_stem = {_stem(known): known for known in self.types}
        found = nearest(_stem(kind), by_stem)
        return f"did you mean {by_stem[found]!r}?" if found else None

    def _check_drops(self, raw: Mapping[str, Any], node: NodePath, label: str | None) -> None:
        dropped, unique = (raw.get(key) for key in ("drop_columns", "drop_duplicates"))
        if not isinstance(dropped, list) or not isinstance(unique, list):
            return
        for index, column in enumerate(unique):
            if column in dropped:
                self.findings.error(
                    self.source.at(*node, "drop_duplicates", index),
                    f"'drop_duplicates' names the column {column!r}, which 'drop_columns' drops "
                    "before",
                    code="dropped-column",
                    block=label,
                    expected="columns that are still there",
                    suggestion="drop the column in a later block",
                )

    def _check_config(
        self, kind: str, config: Mapping[str, Any], node: NodePath, label: str | None
    ) -> tuple[Mapping[str, Any] | None, bool]:
        """Check a config; return its schema (None for a custom type) and whether it is right."""
        checker = Checker(self.source, self.findings, label)
        schema = block_schema(kind)
        if schema is None:
            return None, True
        inner = config.get("block_type")
        if kind != ITERATED or not isinstance(inner, str):
            return schema, checker.check(config, schema, node)
        if inner == ITERATED:
            self.findings.error(
                self.source.at(*node, "block_type"),
                "an IterBlock cannot repeat an IterBlock",
                code="wrong-value",
                block=label,
                expected="another block type",
                suggestion="multiply the num_iters",
            )
            return schema, False
        inner_schema = block_schema(inner)
        known = self._check_type(inner, (*node, "block_type"), label)
        if inner_schema is None:  # a custom block: only IterBlock's own keys are known
            own = {key: value for key, value in config.items() if key in schema["properties"]}
            return schema, checker.check(own, schema, node) and known
        both = schema | {
            "properties": schema["properties"] | inner_schema["properties"],
            "required": [*schema["required"], *inner_schema["required"]],
        }
        return both, checker.check(config, both, node)


def _stem(kind: str) -> str:
    return kind.lower().removesuffix("block")
