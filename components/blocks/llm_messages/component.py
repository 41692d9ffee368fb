"""The LLMMessagesBlock as a component."""

from kfp import dsl


@dsl.component(base_image="ghcr.io/kfp-sdg/kfp-sdg-runtime:v0.1.0", install_kfp_package=False)
def llm_messages(
    rows: dsl.Input[dsl.Dataset],
    output_rows: dsl.Output[dsl.Dataset],
    rejected_rows: dsl.Output[dsl.Dataset],
    metrics: dsl.Output[dsl.Metrics],
    preview: dsl.Output[dsl.Markdown],
    input_col: str,
    output_col: str,
    teacher_url: str,
    block_model_id: str = "",
    gen_kwargs: str = "",
    block_name: str = "llm_messages",
    drop_columns: str = "[]",
    drop_duplicates: str = "[]",
    max_rejected: str = "5%",
    model_id: str = "",
    model_family: str = "",
    teacher_endpoints: str = "{}",
    num_instructions_to_generate: int = 30,
    max_num_tokens: int = 4096,
    max_concurrency: int = 0,
    teacher_patience: int = 600,
    teacher_timeout: int = 600,
    checkpoint_uri: str = "",
    checkpoint_folder: str = "",
    constrain: bool = False,
):
    """Send each row's chat messages to the teacher and keep its answers.

    One answer becomes text in the output column, several become a list of texts.

    Args:
        rows: The rows to work on.
        output_rows: The block's output rows.
        rejected_rows: Rows that could not be used, with the reason.
        metrics: Rows in and out, requests, tokens, seconds.
        preview: Counts and the first rows, for the dashboard.
        input_col: Column with the messages: a list of objects with role and content.
        output_col: New column for the answer, or the list of answers.
        teacher_url: Base URL of the teacher's OpenAI-compatible server, with /v1.
        block_model_id: The block's own model.
        gen_kwargs: JSON object of generation settings: n, temperature, ...
        block_name: The block's name in the pipeline.
        drop_columns: JSON list of columns to drop from the output.
        drop_duplicates: JSON list of columns no two output rows may agree in.
        max_rejected: Most rows that may be rejected: 5% (but at least 20), or a number.
        model_id: Model to ask, over the block's own.
        model_family: Chat format of that model, over the block's own.
        teacher_endpoints: JSON object of further teachers: model id to base URL.
        num_instructions_to_generate: What `n: scaled` in gen_kwargs stands for.
        max_num_tokens: Longest answer, in tokens, without a max_tokens of its own.
        max_concurrency: Most answers in the making at once; 0 finds the best number itself.
        teacher_patience: Seconds to wait for a teacher that is away.
        teacher_timeout: Seconds that one answer may take before it is asked for again.
        checkpoint_uri: Folder or URL that keeps answers, so that a repeated task goes on there.
        checkpoint_folder: Folder in it, where several pipelines keep theirs; empty for none.
        constrain: Send a grammar so that answers parse by construction.
    """
    inputs = dict(locals())
    from kfp_sdg.runtime.task import run_block_task

    run_block_task("LLMMessagesBlock", **inputs)
