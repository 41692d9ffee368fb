"""Prompt configs: what can be told of them before the teacher is asked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kfp_sdg.spec.check import Checker
from kfp_sdg.spec.phrases import describe_value
from kfp_sdg.spec.problems import nearest
from kfp_sdg.spec.templates import MARKS, TemplateFault, template_fault

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kfp_sdg.spec.problems import Findings
    from kfp_sdg.spec.yaml_source import Document

PARTS = ("system", "introduction", "principles", "examples", "generation")
"""The keys that a prompt config must have; an empty value is an empty part."""

TAGS = ("start_tags", "end_tags")
TAG_LIST = {"type": ["array", "null"], "items": {"type": ["string", "null"]}}


def check_prompt_config(document: Document, findings: Findings, block: str) -> None:
    """Check a prompt config: its keys, its tags, its template.

    Args:
        document: The config.
        findings: Takes what is wrong.
        block: The block that uses it.
    """
    content, source = document.content, document.source
    for part in PARTS:
        if part not in content:
            strangers = [key for key in content if key not in (*PARTS, *TAGS, "grammar")]
            meant = nearest(part, strangers)
            findings.error(
                source.root,
                f"this prompt config has no key {part!r}",
                code="missing-key",
                block=block,
                expected=f"the keys {', '.join(PARTS)}; a part that is not needed may be empty",
                suggestion=f"is {meant!r} meant for it?" if meant else None,
            )
    for key in (*PARTS, "grammar"):
        if isinstance(content.get(key), (list, dict)):
            findings.error(
                source.at(key),
                f"{key!r} is {describe_value(content[key])}",
                code="wrong-type",
                block=block,
                expected="text",
                suggestion=f"a text of several lines is written after {key}: |",
            )
    checker = Checker(source, findings, block)
    right = [checker.check(content.get(key), TAG_LIST, (key,)) for key in TAGS]
    starts, ends = (content.get(key) or () for key in TAGS)
    if all(right) and len(starts) != len(ends):
        findings.error(
            source.at("end_tags" if ends else "start_tags"),
            f"there are {len(starts)} start_tags and {len(ends)} end_tags",
            code="tag-count",
            block=block,
            expected="one end tag for each start tag",
            suggestion='write "" for a tag that is not there',
        )
    _check_template(document, findings, block)


def _check_template(document: Document, findings: Findings, block: str) -> None:
    texts = {part: _text(document.content.get(part)) for part in PARTS}
    whole = template_fault("\n".join(texts.values()))
    if whole is None:  # what is opened in one part may be closed in another
        return
    errors = {part: error for part, text in texts.items() if (error := template_fault(text))}
    if not errors:
        errors = dict([_part_of_line(whole, texts)])
    for part, error in errors.items():
        findings.error(
            document.line_of_text((part,), error.line, MARKS),
            f"the template in {part!r} is not valid Jinja: {error.message}",
            code="jinja",
            block=block,
            suggestion="text that only looks like a template goes between {% raw %} and "
            "{% endraw %}",
        )


def _part_of_line(fault: TemplateFault, texts: Mapping[str, str]) -> tuple[str, TemplateFault]:
    """Return the part in which a line of the joined parts stands, and the line within it."""
    line, lines = fault.line, 0
    for part, text in texts.items():
        line -= lines
        lines = text.count("\n") + 1
        if line <= lines:
            return part, TemplateFault(fault.message, line)
    return part, TemplateFault(fault.message, lines)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
