"""How far the shipped prompts carry the embedded teacher: what parses, and what the judges pass.

The figures are kept in ``quality.json`` beside this file, so that a change of a prompt can be
compared with what was there before. They are those of one run of a small model with sampling: a few
points up or down are chance.
"""

from __future__ import annotations

import dataclasses
import json
import math
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from benchmarks.tables import Report
    from kfp_sdg.instructlab.model import Leaf
    from kfp_sdg.spec import BlockSpec, PipelineSpec
    from kfp_sdg.storage import HistoryEntry
    from kfp_sdg.teacher import TeacherPool

TAXONOMY = Path(__file__).parents[3] / "shared" / "data" / "taxonomy"
KEPT = Path(__file__).with_name("quality.json")
SEEDS = 1
"""Rows of each leaf that go in, so that all pipelines take some twenty minutes on two cores."""
SCALE = 3
"""The scale factor, for the same reason."""
SETS = ("simple", "full", "llama")
MOST_TOKENS = 512


@dataclass(frozen=True)
class Quality:
    """What came of one pipeline.

    Attributes:
        pipeline: Its name.
        seeds: Rows that went in.
        answers: Answers that the teacher gave.
        parsed: Share of the answers that could be parsed.
        passed: Share of rows that pass all judges: the product over the filters; None where there
            are no filters, or nothing reached them.
        rows: Rows that came out.
        seconds: How long it took.
    """

    pipeline: str
    seeds: int
    answers: int
    parsed: float
    passed: float | None
    rows: int
    seconds: float


def bench(report: Report, *, weights: Path | None, keep: bool) -> None:
    """Run every shipped InstructLab pipeline on a few seeds of a real taxonomy, and compare.

    Args:
        report: Takes the table.
        weights: A GGUF file; None for the weights that are installed.
        keep: Write the figures where the next run finds them for comparison.
    """
    from kfp_sdg.teacher import TeacherOptions, connect, embedded_teacher

    if not TAXONOMY.is_dir():
        report.warn(f"no taxonomy at {TAXONOMY}: prompts are not measured")
        return
    with embedded_teacher(weights) as url, connect(TeacherOptions(url=url)) as teachers:
        (model,) = teachers.run(teachers.teacher(None).models())
        kept = _kept(model)
        figures = [_measured(*work, teachers, report) for work in _work()]
    report.add(
        f"Prompts with {model}",
        ("pipeline", "seeds", "answers", "parse", "before", "pass judges", "before", "rows", "s"),
        [_cells(quality, kept.get(quality.pipeline)) for quality in figures],
        [dataclasses.asdict(quality) for quality in figures],
        note=f"scale factor {SCALE}, grammars on; 'before' is what {KEPT.name} keeps",
    )
    if keep:
        _keep(model, figures)


def measure(
    name: str, spec: PipelineSpec, history: Sequence[HistoryEntry], seconds: float
) -> Quality:
    """Return a pipeline's figures.

    Args:
        name: What it is called.
        spec: The pipeline.
        history: The books of its blocks, in their order.
        seconds: How long it took.
    """
    blocks = dict(zip((block.name for block in spec.blocks), spec.blocks, strict=True))
    asked = [(blocks[entry.block], entry) for entry in history if entry.requests]
    answers = sum(entry.requests * _answers_per_request(block) for block, entry in asked)
    failures = sum(entry.rejected_by_reason.get("parse", 0) for _, entry in asked)
    filters = [entry for entry in history if entry.type == "FilterByValueBlock" and entry.rows_in]
    return Quality(
        pipeline=name,
        seeds=history[0].rows_in,
        answers=answers,
        parsed=1 - failures / answers if answers else 0.0,
        passed=math.prod(e.rows_out / e.rows_in for e in filters) if filters else None,
        rows=history[-1].rows_out,
        seconds=seconds,
    )


def _measured(
    spec: PipelineSpec, name: str, rows: pa.Table, teachers: TeacherPool, report: Report
) -> Quality:
    from kfp_sdg.blocks import PipelineContext
    from kfp_sdg.engine import run

    context = PipelineContext(
        teachers=teachers,
        model_family="chat",
        num_instructions_to_generate=SCALE,
        max_num_tokens=MOST_TOKENS,
        constrain=True,
        max_rejected="100%",
    )
    begin = time.monotonic()
    result = run(spec, rows, context)
    quality = measure(name, spec, result.history, time.monotonic() - begin)
    report.say(f"{name}: {quality.rows} rows of {quality.seeds} seeds, {quality.seconds:.0f} s")
    return quality


def _work() -> Iterator[tuple[PipelineSpec, str, pa.Table]]:
    """Yield each pipeline, its name, and its rows."""
    from kfp_sdg.instructlab.model import LeafKind
    from kfp_sdg.instructlab.pipeline_set import evaluation_pipeline, find_pipelines
    from kfp_sdg.instructlab.preprocess import preprocess
    from kfp_sdg.instructlab.taxonomy import read_taxonomy

    leaves = read_taxonomy(TAXONOMY)
    rows = preprocess(leaves, {leaf.name: _documents(leaf) for leaf in leaves})
    for name in SETS:
        for kind, spec in find_pipelines(name).all_of(LeafKind).items():
            yield spec, f"{name}/{spec.name}", _few_of_each_leaf(rows.table(kind))
    spec = evaluation_pipeline()
    yield spec, f"eval/{spec.name}", _few_of_each_leaf(rows.table(LeafKind.KNOWLEDGE))


def _documents(leaf: Leaf) -> tuple[str, ...]:
    """Return documents of a knowledge leaf; its repository is elsewhere, its excerpts are here."""
    if leaf.documents is None:
        return ()
    return tuple(example.context for example in leaf.seed_examples if example.context)


def _few_of_each_leaf(rows: pa.Table) -> pa.Table:
    """Return the first rows of each leaf."""
    leaves = rows["leaf_node_path"].to_pylist()
    seen: dict[str, int] = {}
    places = []
    for place, leaf in enumerate(leaves):
        seen[leaf] = seen.get(leaf, 0) + 1
        if seen[leaf] <= SEEDS:
            places.append(place)
    return rows.take(pa.array(places, pa.int64()))


def _answers_per_request(block: BlockSpec) -> int:
    """Return how many answers a block asks for in a request."""
    from kfp_sdg.spec.scaling import Amount

    return Amount.read((block.config.get("gen_kwargs") or {}).get("n", 1), "n").of(SCALE)


def _cells(now: Quality, before: Quality | None) -> Sequence[str]:
    return (
        now.pipeline,
        str(now.seeds),
        str(now.answers),
        _share(now.parsed),
        _share(before.parsed if before else None),
        _share(now.passed),
        _share(before.passed if before else None),
        str(now.rows),
        f"{now.seconds:.0f}",
    )


def _share(share: float | None) -> str:
    return "-" if share is None else f"{share:.1%}"


def _kept(model: str) -> Mapping[str, Quality]:
    """Return the kept figures of a model by pipeline."""
    content = json.loads(KEPT.read_text(encoding="utf-8")) if KEPT.exists() else {}
    return {figures["pipeline"]: Quality(**figures) for figures in content.get(model, [])}


def _keep(model: str, figures: Iterable[Quality]) -> None:
    """Keep a model's figures; those of other models stay."""
    content = json.loads(KEPT.read_text(encoding="utf-8")) if KEPT.exists() else {}
    content[model] = [dataclasses.asdict(quality) for quality in figures]
    KEPT.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
