"""What a taxonomy says: leaves, their seed examples, and where their documents are."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kfp_sdg.errors import Position


class LeafKind(StrEnum):
    """What a row of a leaf is for; the value of its column ``leaf_node_type``."""

    KNOWLEDGE = "knowledge"
    FREEFORM = "freeform_skill"
    GROUNDED = "grounded_skill"


@dataclass(frozen=True, slots=True)
class QuestionAnswer:
    """A question and its answer, as a contributor wrote them, without white space around them."""

    question: str
    answer: str


@dataclass(frozen=True, slots=True)
class SeedExample:
    """What a contributor shows the teacher.

    Attributes:
        pairs: Questions and their answers, at least one; exactly one for a skill.
        context: The text that they are about, without white space around it; None for a freeform
            skill's example.
    """

    pairs: tuple[QuestionAnswer, ...]
    context: str | None = None


@dataclass(frozen=True, slots=True)
class DocumentSource:
    """Where the documents of a knowledge leaf are.

    Attributes:
        repo: URL or path of a git repository, or path of a folder.
        commit: The commit, tag or branch; not looked at for a folder that is no repository.
        patterns: Glob patterns of the documents' paths below it.
        places: Where these stand in the leaf's file, for messages: "repo", "commit", and each
            pattern by its number from 0.
    """

    repo: str
    commit: str
    patterns: tuple[str, ...]
    places: Mapping[str | int, Position] = field(default_factory=dict, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Leaf:
    """One ``qna.yaml``.

    Attributes:
        path: Its folder below the taxonomy, with ``/``: "knowledge/science/animals/birds".
        file: Its file as the user would find it, for messages.
        version: The version of its schema.
        seed_examples: Its seed examples, in the order of the file.
        task_description: What a skill is about; "" for knowledge.
        domain: The field that knowledge is from; "" for a skill.
        document_outline: What the documents of knowledge are; "" for a skill.
        documents: Where they are; None for a skill.
    """

    path: str
    file: str
    version: int
    seed_examples: tuple[SeedExample, ...]
    task_description: str = ""
    domain: str = ""
    document_outline: str = ""
    documents: DocumentSource | None = None

    @property
    def name(self) -> str:
        """The leaf's name in files and in the column ``leaf_node_path``: the path with ``_``."""
        return self.path.replace("/", "_")

    @property
    def kinds(self) -> tuple[LeafKind, ...]:
        """What its rows are for; a skill may have seed examples with and without a context."""
        if self.documents is not None:
            return (LeafKind.KNOWLEDGE,)
        grounded = [example.context is not None for example in self.seed_examples]
        found = {
            LeafKind.GROUNDED if has_context else LeafKind.FREEFORM for has_context in grounded
        }
        return tuple(kind for kind in LeafKind if kind in found)
