"""The task that the InstructLab workflow begins with: a taxonomy becomes rows."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from kfp_sdg.errors import Position, Problem, SpecError
from kfp_sdg.instructlab.checkout import TaxonomySource
from kfp_sdg.instructlab.model import LeafKind
from kfp_sdg.runtime.artifacts import write_artifact, write_parameter, write_text
from kfp_sdg.runtime.console import plain_console, say
from kfp_sdg.runtime.encoding import dump_json
from kfp_sdg.runtime.json_setting import json_setting
from kfp_sdg.runtime.preview import counts_table, escaped, table_of
from kfp_sdg.spec.problems import one_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from kfp_sdg.instructlab.checkout import Checkout
    from kfp_sdg.instructlab.documents import LeafDocuments
    from kfp_sdg.instructlab.model import Leaf
    from kfp_sdg.instructlab.preprocess import Preprocessed
    from kfp_sdg.runtime.artifacts import Artifact, MetricsArtifact

_FACTORS = 'a JSON object from leaves to numbers, such as {"knowledge/science/*": 10}'


def preprocess_taxonomy(
    *,
    knowledge_rows: Artifact,
    freeform_rows: Artifact,
    grounded_rows: Artifact,
    leaves: Artifact,
    seed_rows: Artifact,
    knowledge_count: str,
    freeform_count: str,
    grounded_count: str,
    evaluation_count: str,
    metrics: MetricsArtifact,
    preview: Artifact,
    taxonomy_repo: str,
    taxonomy_branch: str = "",
    pull_request: int = 0,
    taxonomy_base: str = "",
    git_secret_url: str = "",
    chunk_word_count: int = 1000,
    server_ctx_size: int = 4096,
    scale_factors: str = "{}",
    evaluate: bool = True,
    yaml_rules: str = "",
    date_suffix: str = "",
    skills_sampling_size: str = "30",
    kinds: str = dump_json(list(LeafKind)),
) -> None:
    """Turn a taxonomy and its documents into rows: the body of the preprocess component.

    Args:
        knowledge_rows: Where the rows of knowledge go.
        freeform_rows: Where the seed examples of skills without a context go.
        grounded_rows: Where the seed examples of skills with a context go.
        leaves: Where the folder with the rows by leaf goes.
        seed_rows: Where the questions and answers of all seed examples go.
        knowledge_count: The file that takes the number of knowledge rows.
        freeform_count: The file that takes the number of freeform rows.
        grounded_count: The file that takes the number of grounded rows.
        evaluation_count: The file that takes the number of knowledge rows to ask questions about.
        metrics: Takes the number of leaves, documents, chunks and rows.
        preview: Where the Markdown page goes.
        taxonomy_repo: URL of the taxonomy's git repository, or a folder.
        taxonomy_branch: Its branch, tag or commit; "" for the default branch.
        pull_request: The number of the pull request to read instead; 0 for none.
        taxonomy_base: See ``TaxonomySource.base``.
        git_secret_url: What the URLs of private repositories begin with; see ``git_access``.
        chunk_word_count: The most words of a chunk.
        server_ctx_size: The teacher's context in tokens.
        scale_factors: JSON object from a leaf, or a pattern of leaves, to a number.
        evaluate: Whether questions to test a trained model with are wanted.
        yaml_rules: yamllint's configuration as text; "" for InstructLab's.
        date_suffix: That of ``postprocess_taxonomy``, looked at before anything is asked.
        skills_sampling_size: Likewise.
        kinds: JSON list of the kinds of leaves that there are pipelines for.

    Raises:
        SystemExit: With status 1, after a paragraph about what went wrong, or one for each thing
            that is wrong in the taxonomy.
    """
    from kfp_sdg.instructlab.preprocess import write_preprocessed
    from kfp_sdg.instructlab.rows import seed_rows as seed_rows_of
    from kfp_sdg.runtime.training import sampling_size_of, suffix_of

    source = TaxonomySource(
        taxonomy_repo.strip(), taxonomy_branch.strip(), int(pull_request), taxonomy_base.strip()
    )
    with plain_console() as shown:
        _check_repo(source.repo)
        suffix_of(date_suffix)
        sampling_size_of(skills_sampling_size)
        factors = json_setting("scale_factors", scale_factors, dict, _FACTORS)
        known = json_setting("kinds", kinds, list, f"a JSON list of {', '.join(LeafKind)}")
        checkout, found, documents, rows = _read(
            source,
            git_secret_url,
            known,
            factors,
            yaml_rules.strip() or None,
            int(chunk_word_count),
            int(server_ctx_size),
            shown,
        )
        write_preprocessed(rows, leaves.path)
        leaves.metadata.update(
            taxonomy_repo=source.repo,
            taxonomy_commit=checkout.commit,
            taxonomy_base=checkout.base,
        )
        write_artifact(seed_rows, seed_rows_of(found), ())
        places = {
            LeafKind.KNOWLEDGE: (knowledge_rows, knowledge_count),
            LeafKind.FREEFORM: (freeform_rows, freeform_count),
            LeafKind.GROUNDED: (grounded_rows, grounded_count),
        }
        counts = {}
        for kind, (artifact, count) in places.items():
            table = rows.table(kind)
            counts[f"{kind.value}_rows"] = table.num_rows
            write_artifact(artifact, table, ())
            write_parameter(count, table.num_rows)
        knowledge = rows.table(LeafKind.KNOWLEDGE).num_rows
        write_parameter(evaluation_count, knowledge if evaluate else 0)
        numbers = {
            "leaves": len(found),
            "documents": sum(len(leaf.files) for leaf in documents.values()),
            "chunks": sum(len(leaf.chunks) for leaf in documents.values()),
            **counts,
        }
        for name, value in numbers.items():
            metrics.log_metric(name, value)
        write_text(preview, _page(_state(source, checkout), found, documents, rows, numbers))
        say("preprocess: " + ", ".join(f"{name} {value:,}" for name, value in numbers.items()))


def _read(
    source: TaxonomySource,
    git_secret_url: str,
    kinds: Sequence[str],
    factors: Mapping[str, int],
    yaml_rules: str | None,
    chunk_word_count: int,
    server_ctx_size: int,
    shown: dict[str, str],
) -> tuple[Checkout, Sequence[Leaf], Mapping[str, LeafDocuments], Preprocessed]:
    """Read the taxonomy and its documents, and put the rows together."""
    from kfp_sdg.instructlab.checkout import check_out
    from kfp_sdg.instructlab.documents import load_documents
    from kfp_sdg.instructlab.preprocess import preprocess
    from kfp_sdg.instructlab.scale import scale_of_leaves
    from kfp_sdg.instructlab.taxonomy import read_taxonomy
    from kfp_sdg.runtime.git_access import git_access

    with (
        tempfile.TemporaryDirectory(prefix="kfp-sdg-taxonomy-") as scratch,
        git_access(source, git_secret_url, Path(scratch)) as access,
    ):
        taxonomy = check_out(source, Path(scratch, "taxonomy"), access)
        say(f"preprocess: {_state(source, taxonomy)}")
        if taxonomy.folder != source.folder:
            shown |= {f"{taxonomy.folder}/": "", str(taxonomy.folder): source.repo}
        leaves = read_taxonomy(taxonomy.folder, base=taxonomy.base, yaml_rules=yaml_rules)
        _require_pipelines(leaves, kinds)
        # what is wrong with them is told before documents are fetched
        scales = scale_of_leaves(leaves, factors, base=taxonomy.base)
        documents = load_documents(
            leaves,
            taxonomy_folder=taxonomy.folder,
            cache=Path(scratch, "documents"),
            access=access,
            chunk_word_count=chunk_word_count,
            server_ctx_size=server_ctx_size,
        )
        chunks = {name: leaf.chunks for name, leaf in documents.items()}
        return taxonomy, leaves, documents, preprocess(leaves, chunks, scale_factors=scales)


def _state(source: TaxonomySource, checkout: Checkout) -> str:
    """Return which state of the taxonomy was read."""
    state = f"commit {checkout.commit}" if checkout.commit else "as the folder is now"
    return f"{source.repo}, {state}; base {checkout.base}"


def _check_repo(repo: str) -> None:
    """Refuse no URL at all, and one with a password, which KFP has stored and logged by now."""
    where = Position("taxonomy_repo")
    if not repo:
        raise SpecError(Problem("is empty", where, expected="the URL of a repository, or a folder"))
    if urlsplit(repo).password:
        problem = Problem(
            "the URL holds a password, and KFP keeps and shows what a run was given",
            where,
            expected="the URL without it, and the password in the Secret that git_secret names",
            suggestion="replace this password by another one",
            code="password",
        )
        raise SpecError(problem)


def _require_pipelines(leaves: Sequence[Leaf], kinds: Sequence[str]) -> None:
    """Refuse leaves that no pipeline is there for."""
    problems = [
        Problem(
            f"there is no pipeline for leaves of the kind {kind}",
            Position(leaf.file),
            expected=f"leaves of {one_of(kinds)}, or a workflow with a pipeline for this kind",
            code="no-pipeline",
        )
        for leaf in leaves
        for kind in leaf.kinds
        if kind not in kinds
    ]
    if problems:
        raise SpecError(problems)


def _page(
    state: str,
    leaves: Sequence[Leaf],
    documents: Mapping[str, LeafDocuments],
    rows: Preprocessed,
    numbers: Mapping[str, int],
) -> str:
    """Return the page about what a taxonomy holds."""
    of_leaf = {leaf.name: leaf.rows.num_rows for leaf in rows.leaves}
    lines = []
    for leaf in leaves:
        found = documents.get(leaf.name)
        lines.append(
            (
                leaf.path,
                ", ".join(leaf.kinds),
                len(leaf.seed_examples),
                len(found.files) if found else None,
                len(found.chunks) if found else None,
                of_leaf[leaf.name],
            )
        )
    parts = [
        "# Taxonomy",
        escaped(state),
        counts_table(numbers),
        "## Leaves",
        table_of(("leaf", "kind", "seed examples", "documents", "chunks", "rows"), lines),
    ]
    return "\n\n".join(parts) + "\n"
