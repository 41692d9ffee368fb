"""Prompt configs: the YAML files that hold a prompt's parts and the tags of its answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kfp_sdg.errors import Problem, SpecError
from kfp_sdg.prompts.template import PromptTemplate, compile_template

if TYPE_CHECKING:
    from kfp_sdg.spec import ConfigFile

PARTS = ("system", "introduction", "principles", "examples", "generation")
"""The parts of a prompt, in the order in which they are joined. Each key must be there; an empty
value is an empty part."""


@dataclass(frozen=True, slots=True)
class PromptConfig:
    """A prompt config.

    Attributes:
        path: The path as the block has it.
        system: Who the model is.
        introduction: The task.
        principles: Rules for it.
        examples: Worked examples.
        generation: The question itself.
        start_tags: What stands before the value of each output column; "" for nothing.
        end_tags: What stands after it, as many as there are start tags.
        grammar: GBNF for the answers (kfp-sdg's own key), or None to derive it from the tags.
    """

    path: str
    system: str = ""
    introduction: str = ""
    principles: str = ""
    examples: str = ""
    generation: str = ""
    start_tags: tuple[str, ...] = ()
    end_tags: tuple[str, ...] = ()
    grammar: str | None = None

    @classmethod
    def from_file(cls, file: ConfigFile) -> PromptConfig:
        """Read a prompt config; keys that are not its own are ignored, as InstructLab does.

        Args:
            file: The loaded YAML file.

        Raises:
            SpecError: Keys are missing or have the wrong kind of value; all problems at once.
        """
        problems = [
            Problem(
                f"prompt config without {part!r}",
                file.source.root,
                expected=f"the keys {', '.join(PARTS)}; a part that is not needed may be empty",
                code="missing-key",
            )
            for part in PARTS
            if part not in file.content
        ]
        for key in (*PARTS, "grammar"):
            if isinstance(file.content.get(key), list | dict):
                problems.append(
                    Problem(f"{key!r} is not text", file.source.at(key), expected="text")
                )
        for key in ("start_tags", "end_tags"):
            if not isinstance(file.content.get(key) or [], list):
                problems.append(
                    Problem(
                        f"{key!r} is not a list", file.source.at(key), expected="a list of texts"
                    )
                )
        if problems:
            raise SpecError(problems)
        start_tags = _tags(file.content.get("start_tags"))
        end_tags = _tags(file.content.get("end_tags"))
        if len(start_tags) != len(end_tags):
            raise SpecError(
                Problem(
                    f"{len(start_tags)} start_tags but {len(end_tags)} end_tags",
                    file.source.at("end_tags"),
                    expected="one end tag for each start tag; an empty text for none",
                )
            )
        return cls(
            path=file.path,
            start_tags=start_tags,
            end_tags=end_tags,
            grammar=_text(file.content.get("grammar")) or None,
            **{part: _text(file.content[part]) for part in PARTS},
        )

    @property
    def template(self) -> PromptTemplate:
        """The template of the whole prompt; what it renders to has yet to be stripped.

        Raises:
            PromptError: A part is not valid Jinja.
        """
        return compile_template("\n".join(getattr(self, part) for part in PARTS))


def _text(value: Any) -> str:
    return "" if value is None else str(value)


def _tags(value: Any) -> tuple[str, ...]:
    return tuple(_text(tag) for tag in value or ())
