"""Training rows of knowledge, in two phases.

Phase 0.7 reads: documents with questions and answers, of which the model learns every word
(``unmask``). Phase 1.0 answers: each question with several documents before it, of which often
none has the answer (RAFT, https://arxiv.org/abs/2403.10131), so that the model learns to use its
knowledge; and the rows of phase 0.7 again, so that it does not forget.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kfp_sdg.instructlab.mixing.chance import Chance
from kfp_sdg.instructlab.mixing.messages import Ids, message
from kfp_sdg.storage.json_lines import json_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from kfp_sdg.instructlab.mixing.pairs import Pair

GOLDEN = 0.4
"""How often the document with the answer is among those that a question of phase 1.0 comes with."""

DOCUMENTS = 4
"""How many documents a question of phase 1.0 comes with, where the leaf has so many."""

_QUESTIONS = "document_knowledge_qa"
_ORIGINAL = "base_document"
"""The ``dataset_type`` of a document that is as it was, not rewritten by the pipeline."""


@dataclass(frozen=True, slots=True)
class KnowledgeRows:
    """The training rows of one knowledge leaf.

    Attributes:
        leaf: The leaf's name.
        pairs: What its generated rows teach.
        instructions: Instructions that ask for a rewritten document, by its ``dataset_type``.
        seed: The seed of what is chosen by chance.
    """

    leaf: str
    pairs: Sequence[Pair]
    instructions: Mapping[str, Sequence[str]]
    seed: int

    def phase_07(self) -> Iterator[dict[str, Any]]:
        """Yield the rows of ``<leaf>_p07.jsonl``."""
        yield from self._questions("p07")
        yield from self._rewritten("p07", unmask=True)

    def phase_10(self) -> Iterator[dict[str, Any]]:
        """Yield the rows of ``<leaf>_p10.jsonl``."""
        yield from self._questions_among_documents("p10")
        yield from self._questions("p10")
        yield from self._rewritten("p10", unmask=False)

    def _questions(self, phase: str) -> Iterator[dict[str, Any]]:
        """Yield each question after its document."""
        ids = Ids(self.leaf, phase, _QUESTIONS)
        for pair in self.pairs:
            metadata = _metadata(pair, _QUESTIONS)
            yield _row(ids, pair.user, pair.answer, metadata, unmask=True)

    def _questions_among_documents(self, phase: str) -> Iterator[dict[str, Any]]:
        """Yield each question after several documents, the golden one of which may be missing."""
        name = f"{_QUESTIONS}_raft_p{GOLDEN}"
        ids = Ids(self.leaf, phase, name)
        shelf = _Shelf(self.pairs)
        for pair in self.pairs:
            chance = Chance(self.seed, self.leaf, name, pair.question, pair.answer)
            documents = shelf.documents_for(pair, chance)
            text = "\n".join(f"Document:\n{document}\n\n" for document in documents)
            user = f"{text}\n\n{pair.question}"
            yield _row(ids, user, pair.answer, _metadata(pair, name), unmask=False)

    def _rewritten(self, phase: str, *, unmask: bool) -> Iterator[dict[str, Any]]:
        """Yield one row per document that the pipeline rewrote: how to rewrite the original."""
        ids = Ids(self.leaf, phase, "auxiliary")
        seen = set()
        for pair in self.pairs:
            kind, original = (str(pair.row.get(c) or "") for c in ("dataset_type", "raw_document"))
            instructions = self.instructions.get(kind, ()) if kind != _ORIGINAL else ()
            if not (instructions and original) or pair.context in seen:
                continue
            seen.add(pair.context)
            chance = Chance(self.seed, self.leaf, phase, kind, pair.context)
            metadata = {
                "dataset_type": kind,
                "raw_document": original,
                "dataset": f"document_{kind}",
                "domain": pair.row.get("domain"),
            }
            user = f"{original}\n\n{chance.choose(instructions)}"
            yield _row(ids, user, pair.context, metadata, unmask=unmask)


class _Shelf:
    """The documents of a leaf. Rewritings of one document are one document."""

    def __init__(self, pairs: Sequence[Pair]) -> None:
        versions: dict[str, dict[str, None]] = {}
        for pair in pairs:
            versions.setdefault(_original(pair), {})[pair.context] = None
        self._versions = [list(texts) for texts in versions.values()]
        self._places = {original: place for place, original in enumerate(versions)}

    def documents_for(self, pair: Pair, chance: Chance) -> list[str]:
        """Return the documents that a question comes with, in an order by chance.

        With fewer documents on the shelf than are wanted, all of them are taken; where there is no
        other document, the golden one is.
        """
        own = self._places[_original(pair)]
        others = len(self._versions) - 1
        golden = chance.happens(GOLDEN) or not others
        wanted = min(DOCUMENTS - golden, others)
        places = [place + (place >= own) for place in chance.sample(others, wanted)]
        documents = [chance.choose(self._versions[place]) for place in places]
        if golden:
            documents.append(pair.context)
        return [documents[place] for place in chance.sample(len(documents), len(documents))]


def _original(pair: Pair) -> str:
    """Return what tells a pair's document from others: its text before it was rewritten."""
    return str(pair.row.get("raw_document") or pair.context)


def _metadata(pair: Pair, dataset: str) -> dict[str, Any]:
    """Return what a row of questions says about where it comes from."""
    row = pair.row
    metadata = {
        "sdg_document": row["document"],
        "domain": row.get("domain"),
        "dataset": dataset,
    }
    if "raw_document" in row and "dataset_type" in row:
        metadata["raw_document"] = row["raw_document"]
        metadata["dataset_type"] = row["dataset_type"]
    return metadata


def _row(
    ids: Ids, user: str, answer: str, metadata: Mapping[str, Any], *, unmask: bool
) -> dict[str, Any]:
    """Return a training row."""
    return {
        "messages": [message("user", user), message("assistant", answer)],
        "metadata": json_text(metadata),
        "id": ids.of(user, answer),
        "unmask": unmask,
    }
