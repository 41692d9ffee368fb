"""The run form of the InstructLab workflow: what is asked besides what blocks have a use for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kfp_sdg.compiler.parameters import RunParameter, in_order

if TYPE_CHECKING:
    from collections.abc import Iterable

CONTEXT = "server_ctx_size"
GIT_SECRET = "git_secret"  # noqa: S105 - the name of a parameter that names a Secret

_TAXONOMY = (
    RunParameter(
        "taxonomy_repo",
        str,
        "The URL of the taxonomy's git repository, or a folder that the tasks can see.",
    ),
    RunParameter(
        "taxonomy_branch",
        str,
        "The branch, tag or commit to read. Empty: the repository's default branch.",
        "",
    ),
    RunParameter(
        "pull_request",
        int,
        "The number of the pull request (GitHub) or merge request (GitLab) to read instead of the "
        "branch. 0: none.",
        0,
    ),
    RunParameter(
        "taxonomy_base",
        str,
        "Leaves that were added or changed since this branch or commit are generated from. "
        "'empty': all leaves. Empty: all leaves, or those that the pull request changes.",
        "",
    ),
    RunParameter(
        GIT_SECRET,
        str,
        "The Kubernetes Secret for private repositories, of the taxonomy and of its documents: "
        "username and password (which may be a token), or ssh-privatekey and known_hosts for URLs "
        "of ssh; and ca.crt where the servers have a certificate authority of their own. Its name "
        "has no dots. It need not exist, but KFP wants a name here.",
        "kfp-sdg-git",
    ),
    RunParameter(
        "git_secret_url",
        str,
        "What the URLs of the private repositories begin with; several with spaces between. Empty: "
        "all repositories of the server that the taxonomy comes from.",
        "",
    ),
    RunParameter(
        "yaml_rules",
        str,
        "How the taxonomy's YAML has to be written: the text of a yamllint configuration, such as "
        "{extends: relaxed}. Empty: InstructLab's rules.",
        "",
    ),
    RunParameter(
        "chunk_word_count",
        int,
        "The most words in a piece of a document that rows are generated from.",
        1000,
    ),
    RunParameter(
        CONTEXT,
        int,
        "The teacher's context in tokens, which a piece, its prompt and the answer share.",
        4096,
    ),
    RunParameter(
        "scale_factors",
        str,
        "How many instructions to generate from each row of some leaves, over the run's number: a "
        "JSON object from the leaf's path or a pattern such as knowledge/science/* to a number.",
        "{}",
    ),
    RunParameter(
        "evaluate",
        bool,
        "Write questions about the documents too, to test a trained model with.",
        True,
    ),
    RunParameter(
        "system_prompt",
        str,
        "What the system says in the training data. Empty: a general text.",
        "",
    ),
    RunParameter(
        "skills_sampling_size",
        str,
        "How much of what each skill leaf gave goes into the mixed training data: a number of rows "
        "such as 30 (a smaller leaf's rows are repeated), or a share such as 0.5; 1.0: all rows.",
        "30",
    ),
    RunParameter(
        "seed",
        int,
        "Another seed mixes other rows into the training data.",
        42,
    ),
    RunParameter(
        "date_suffix",
        str,
        "What the names of the files end in, such as 2026-01-31T12_00_00. Empty: the time of the "
        "last task.",
        "",
    ),
    RunParameter(
        "allow_empty",
        bool,
        "Do not fail when nothing came of a leaf.",
        False,
    ),
)


def workflow_parameters(of_blocks: Iterable[RunParameter]) -> tuple[RunParameter, ...]:
    """Return the parameters of the workflow, those without a default first.

    Args:
        of_blocks: Those that the blocks of its pipelines have a use for.
    """
    return in_order([*_TAXONOMY, *of_blocks])
