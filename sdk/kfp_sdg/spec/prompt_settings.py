"""The settings of blocks that ask the teacher: parsers, tags, chat formats."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kfp_sdg.spec.schema_file import ITERATED
from kfp_sdg.spec.templates import MARKS, template_fault, template_variables

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kfp_sdg.errors import Position
    from kfp_sdg.spec.model import NodePath
    from kfp_sdg.spec.problems import Findings
    from kfp_sdg.spec.yaml_source import Document

TAG_PARSED = ("LLMBlock", "ConditionalLLMBlock")
"""Block types whose answers are parsed into their output columns."""

PROMPTING = (*TAG_PARSED, "LLMLogProbBlock")
"""Block types that make their prompts from prompt configs."""


def prompting_type(block_type: str, config: Mapping[str, Any]) -> str | None:
    """Return the type of a block (IterBlock: its inner one) if it uses prompt configs."""
    if block_type == ITERATED:
        block_type = config.get("block_type", "")
    return block_type if block_type in PROMPTING else None


@dataclass(frozen=True, slots=True)
class PromptSettings:
    """The settings of a block that asks the teacher, and where they stand.

    Attributes:
        block: The block's name.
        kind: Its type; for an IterBlock that of the inner block.
        config: Its settings, of the types that the schema says.
        document: The pipeline.
        node: Where the config stands in the pipeline.
        findings: Takes what is wrong or doubtful.
    """

    block: str
    kind: str
    config: Mapping[str, Any]
    document: Document
    node: NodePath
    findings: Findings

    def _at(self, *path: str | int) -> Position:
        return self.document.source.at(*self.node, *path)

    @property
    def columns(self) -> list[str]:
        """The output columns."""
        return list(self.config.get("output_cols") or ())

    @property
    def parser(self) -> Mapping[str, Any]:
        """The parser's settings."""
        return self.config.get("parser_kwargs") or {}

    def check(self) -> None:
        """Check the settings that need no file."""
        self._check_model_prompt()
        if self.kind == "ConditionalLLMBlock":
            self._check_pairs()
        if self.kind in TAG_PARSED:
            self._check_parser()

    def check_tags(self, prompt: Document, path: str) -> None:
        """Check that a prompt config has tags for every output column, if tags are what parses."""
        if self.kind not in TAG_PARSED or self.parser.get("parser_name") == "custom":
            return
        tags = prompt.content.get("start_tags") or []
        if isinstance(tags, list) and len(tags) < len(self.columns):
            self.findings.error(
                self._at("output_cols"),
                f"there are {len(self.columns)} output_cols, but {path} has "
                f"{len(tags) or 'no'} start_tags",
                code="tag-count",
                block=self.block,
                expected="a start tag and an end tag for each output column",
                suggestion='start_tags: [""] and end_tags: [""] take the whole answer',
            )

    def _check_pairs(self) -> None:
        pairs = self.config["config_paths"]
        seen: set[str] = set()
        for index, pair in enumerate(pairs):
            if len(pair) != 2:
                self.findings.error(
                    self._at("config_paths", index),
                    f"this entry of 'config_paths' has {len(pair)} parts",
                    code="wrong-value",
                    block=self.block,
                    expected="a pair [config file, value of the selector column]",
                )
            elif pair[1] in seen:
                self.findings.error(
                    self._at("config_paths", index),
                    f"the selector value {pair[1]!r} is there twice",
                    code="duplicate-key",
                    block=self.block,
                    expected="each value once",
                )
            seen.update(pair[1:2])

    def _check_parser(self) -> None:
        pattern = self.parser.get("parsing_pattern")
        custom = self.parser.get("parser_name") == "custom"
        if pattern is None:
            if custom:
                self.findings.error(
                    self._at("parser_kwargs", "parser_name"),
                    "a custom parser has no pattern",
                    code="missing-key",
                    block=self.block,
                    expected="parsing_pattern: a regular expression",
                )
            return
        if not custom:
            self.findings.error(
                self._at("parser_kwargs", "parsing_pattern"),
                "this pattern is not used",
                code="unused",
                block=self.block,
                expected="a pattern only beside parser_name: custom",
                suggestion="add parser_name: custom",
            )
        self._check_pattern(pattern, custom)

    def _check_pattern(self, pattern: str, used: bool) -> None:
        import regex

        try:
            groups = regex.compile(pattern, regex.DOTALL).groups
        except regex.error as error:
            self.findings.error(
                self._at("parser_kwargs", "parsing_pattern"),
                f"the pattern is not a regular expression: {error}",
                code="regex",
                block=self.block,
            )
            return
        if used and max(groups, 1) < len(self.columns):
            self.findings.error(
                self._at("parser_kwargs", "parsing_pattern"),
                f"the pattern has {groups} groups for {len(self.columns)} output_cols",
                code="regex-groups",
                block=self.block,
                expected="one group (…) for each output column",
            )

    def _check_model_prompt(self) -> None:
        text = self.config.get("model_prompt")
        if not text:  # none: the model family's; empty: the bare prompt
            return
        node = (*self.node, "model_prompt")
        if error := template_fault(text):
            self.findings.error(
                self.document.line_of_text(node, error.line, MARKS),
                f"'model_prompt' is not valid Jinja: {error.message}",
                code="jinja",
                block=self.block,
            )
        elif not template_variables(text) & {"prompt", "messages"}:
            single = "{prompt}" in text
            self.findings.error(
                self._at("model_prompt"),
                "'model_prompt' "
                + ("has {prompt}, which is no variable" if single else "leaves the prompt out"),
                code="prompt-left-out",
                block=self.block,
                suggestion="write {{prompt}} where the prompt belongs",
            )
