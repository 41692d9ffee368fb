"""From a taxonomy to the first rows of its pipelines as a component."""

from kfp import dsl


@dsl.component(base_image="ghcr.io/kfp-sdg/kfp-sdg-taxonomy:v0.1.0", install_kfp_package=False)
def preprocess(
    knowledge_rows: dsl.Output[dsl.Dataset],
    freeform_rows: dsl.Output[dsl.Dataset],
    grounded_rows: dsl.Output[dsl.Dataset],
    leaves: dsl.Output[dsl.Artifact],
    seed_rows: dsl.Output[dsl.Dataset],
    knowledge_count: dsl.OutputPath(int),
    freeform_count: dsl.OutputPath(int),
    grounded_count: dsl.OutputPath(int),
    evaluation_count: dsl.OutputPath(int),
    metrics: dsl.Output[dsl.Metrics],
    preview: dsl.Output[dsl.Markdown],
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
    kinds: str = '["knowledge", "freeform_skill", "grounded_skill"]',
):
    """Turn a taxonomy and its documents into rows for the pipelines.

    The taxonomy and its documents come from git repositories. For private ones the environment
    variable KFP_SDG_GIT_TOKEN_FILE names a folder with the files username and password, or
    ssh-privatekey and known_hosts for URLs of ssh; in it, ca.crt is a certificate authority that
    servers have of their own. Documents that are a path on
    the task's own disk are read only if the taxonomy is one too. Without a taxonomy_base all leaves
    are read, but of a pull request those that it changes.

    Args:
        knowledge_rows: Rows of knowledge: every piece of a document with every seed example.
        freeform_rows: Seed examples of skills without a context.
        grounded_rows: Seed examples of skills with a context.
        leaves: The rows again, by leaf: a folder with a file of JSON lines for each.
        seed_rows: Questions and answers of all seed examples, to test with.
        knowledge_count: How many rows of knowledge there are.
        freeform_count: How many freeform examples there are.
        grounded_count: How many grounded examples there are.
        evaluation_count: How many rows of knowledge there are to write test questions from.
        metrics: How many leaves, documents, pieces of documents and rows there are.
        preview: The leaves and their counts, for the dashboard.
        taxonomy_repo: URL of the taxonomy's git repository, or a folder.
        taxonomy_branch: Its branch, tag or commit; empty for the default branch.
        pull_request: Number of the pull request or merge request to read instead; 0 for none.
        taxonomy_base: Branch or commit that leaves have to differ from; "empty" reads all of them.
        git_secret_url: What URLs of private repositories begin with; empty: those of its server.
        chunk_word_count: Most words in a piece of a document.
        server_ctx_size: Context of the teacher in tokens, which prompt, piece and answer share.
        scale_factors: JSON object from leaf or pattern to how much each of its rows is to give.
        evaluate: Whether questions to test a trained model with are wanted.
        yaml_rules: Configuration of yamllint for the qna.yaml files, as text; empty: InstructLab's.
        date_suffix: That of postprocess, looked at here so that a mistake costs no answers.
        skills_sampling_size: That of postprocess, looked at here too.
        kinds: JSON list of the kinds of leaves that there are pipelines for; others are an error.
    """
    inputs = dict(locals())
    from kfp_sdg.runtime.taxonomy import preprocess_taxonomy

    preprocess_taxonomy(**inputs)
